"""The reasons of refusals (gate.md, section 9)."""

from __future__ import annotations

from typing import Final

RETRY: Final = {
    "already_executed": "never", "approval_expired": "replan", "approval_hash_mismatch": "never",
    "approval_pending": "same", "approval_rejected": "never", "approval_required": "same",
    "approval_withdrawn": "replan", "approver_not_permitted": "never", "challenge_expired": "same",
    "dry_run_failed": "replan", "execution_in_progress": "same", "integrity_failure": "never", "internal": "same",
    "outcome_unknown": "replan", "paused": "same", "payload_invalid": "never", "payload_too_large": "never",
    "plan_cancelled": "replan", "plan_expired": "replan", "plan_not_found": "replan", "plan_stale": "replan",
    "policy_changed": "replan", "policy_denied": "never", "precondition_failed": "replan", "preview_changed": "replan",
    "rate_limited": "same", "recently_rejected": "never", "requester_not_permitted": "never",
    "store_unavailable": "same", "target_changed": "replan", "target_unavailable": "same", "tool_changed": "replan",
    "unsupported": "never"}  # gate.md, section 9 [GATE-003] [GATE-007]
COUNTS: Final = frozenset({"approval_hash_mismatch", "approval_pending", "approval_required", "challenge_expired",
                           "outcome_unknown"})  # [GATE-006] [GATE-073]
ENDS_PLAN: Final = frozenset({"requester_not_permitted", "approver_not_permitted", "policy_changed", "tool_changed",
                              "target_changed", "precondition_failed", "preview_changed", "dry_run_failed"})  # [GATE-005]


class Refusal(Exception):
    """A call is refused, for one reason of the table. Its detail stays inside [GATE-004]."""

    def __init__(self, reason: str, member: str | None = None, plan_id: str | None = None, detail: str = "") -> None:
        assert reason in RETRY
        super().__init__(f"{reason} {detail}")
        self.reason, self.member, self.plan_id = reason, member, plan_id
