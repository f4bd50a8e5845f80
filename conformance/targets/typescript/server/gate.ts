// The steps of spec/v0/gate.md, section 6, as functions of what was loaded: nothing here reads a clock, a store or a target.

import { digestOf, same, type Json, type JsonObject } from "./json.ts";
import { complete, type Leaf } from "./leaves.ts";
import {
  read,
  WrongRecord,
  type Challenge,
  type Decision,
  type Enforcement,
  type Execution,
  type Header,
  type Intent,
  type PlanState,
  type Policy,
  type Reconciliation,
  type Result,
  type Review,
  type State,
} from "./records.ts";

/** [GATE-003, GATE-007] The reasons of gate.md, section 9: whether to try again, and what a refusal does to the plan. */
export const REASONS = {
  already_executed: ["never"],
  approval_expired: ["replan"],
  approval_hash_mismatch: ["never", "counts"],
  approval_pending: ["same", "counts"],
  approval_rejected: ["never"],
  approval_required: ["same", "counts"],
  approval_withdrawn: ["replan"],
  approver_not_permitted: ["never", "ends"],
  challenge_expired: ["same", "counts"],
  dry_run_failed: ["replan", "ends"],
  execution_in_progress: ["same"],
  integrity_failure: ["never"],
  internal: ["same"],
  outcome_unknown: ["replan", "counts"],
  paused: ["same"],
  payload_invalid: ["never"],
  payload_too_large: ["never"],
  plan_cancelled: ["replan"],
  plan_expired: ["replan"],
  plan_not_found: ["replan"],
  plan_stale: ["replan"],
  policy_changed: ["replan", "ends"],
  policy_denied: ["never"],
  precondition_failed: ["replan", "ends"],
  preview_changed: ["replan", "ends"],
  rate_limited: ["same"],
  recently_rejected: ["never"],
  requester_not_permitted: ["never", "ends"],
  store_unavailable: ["same"],
  target_changed: ["replan", "ends"],
  target_unavailable: ["same"],
  tool_changed: ["replan", "ends"],
  unsupported: ["never"],
} as const;
export type Reason = keyof typeof REASONS;

/** A refusal: the reason is for the agent, the detail is for pages and logs. [GATE-004] */
export class Refusal extends Error {
  constructor(
    readonly reason: Reason,
    readonly detail = "",
    readonly member?: string,
  ) {
    super(detail === "" ? reason : `${reason}: ${detail}`);
  }
}

/** The columns of a plan, by which it is found: indexes, and no more. [STORE-008] */
export type Index = {
  planId: string;
  requester: string;
  state: State;
  revision: number;
  createdAt: string;
  expiresAt: string;
  target: string;
};

/** What is stored of a plan: what came out of seals that hold, and the names of the records whose seal didn't. */
export type Stored = {
  index: Index;
  broken: string[];
  header?: Json;
  intent?: Json;
  review?: Json;
  secrets?: Json;
  planState?: Json;
  execution?: Json;
  result?: Json;
  reconciliation?: Json;
  lastEvent?: Json;
  challenges: Json[];
  decisions: Json[];
};

/** A plan whose records hold together. Intent and review are missing once it is pruned. */
export type Plan = {
  planId: string;
  planDigest: string;
  header: Header;
  state: PlanState;
  intent?: Intent;
  review?: Review;
  challenge?: Challenge;
  decisions: Decision[];
  execution?: Execution;
  result?: Result;
  reconciliation?: Reconciliation;
};

export const isOpen = (state: State): boolean => ["planned", "awaiting_approval", "approved"].includes(state);
const isOutcome = (state: State): boolean => ["applied", "failed", "partial", "unknown"].includes(state);
export const isUnresolved = (plan: Plan): boolean =>
  ["partial", "unknown"].includes(plan.state.state) && plan.reconciliation === undefined && plan.state.reconciliation === undefined;
export const isPlanId = (text: unknown): text is string =>
  typeof text === "string" && /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(text);
export const isDigest = (text: unknown): text is string => typeof text === "string" && /^sha256:[0-9a-f]{64}$/.test(text);
const after = (from: string, seconds: number): number => Date.parse(from) + seconds * 1000;

/** Steps 3 and 4: the records hold together, and their digests are the same everywhere. */
export function verify(stored: Stored, planId: string, audience: string): Plan {
  try {
    return digestsHold(recordsHold(stored, planId, audience));
  } catch (error) {
    if (error instanceof WrongRecord) throw new Refusal("integrity_failure", error.message); // [GATE-030]
    throw error;
  }
}

/** [GATE-030, GATE-031] */
function recordsHold(stored: Stored, planId: string, audience: string): Plan {
  const hold = (holds: boolean, what: string): void => {
    if (!holds) throw new Refusal("integrity_failure", what);
  };
  const whole = <T>(kind: string, json: Json | undefined): T => {
    if (json === undefined) throw new Refusal("integrity_failure", `no ${kind} that holds`); // [GATE-031]
    return read(kind, json) as unknown as T;
  };
  const named = <T>(kind: string, records: (Json | undefined)[], digest: string): T =>
    whole(kind, records.find((record) => record !== undefined && digestOf(record) === digest)); // [REC-040]

  for (const kind of ["header", "intent", "review", "secrets", "planState"])
    hold(!stored.broken.includes(kind), `the seal of the ${kind} doesn't hold`);
  const header = whole<Header>("plan", stored.header);
  const state = whole<PlanState>("plan-state", stored.planState);
  const lastEvent = whole<{ event: JsonObject }>("event", stored.lastEvent);
  const { index } = stored;
  hold(header.planId === planId && header.audience === audience && state.planId === planId, "the records are another plan's");
  hold(digestOf(stored.lastEvent!) === state.lastEvent, "the last event is another one"); // [SEAL-007]
  hold(lastEvent.event["planId"] === planId, "the last event is another plan's");
  // [STORE-008]
  hold(index.planId === planId && index.requester === header.requester.person, "the columns name another requester");
  hold(index.state === state.state && index.revision === state.revision, "the columns say another state");
  hold(index.createdAt === header.createdAt && index.expiresAt === header.expiresAt, "the columns say other times");

  const plan: Plan = { planId, planDigest: digestOf(stored.header!), header, state, decisions: [] };
  const open = isOpen(state.state);
  hold(open || state.secretsErased, "the secrets of a plan that isn't open");
  hold(!state.secretsErased || stored.secrets === undefined, "secrets that should be gone"); // [LEAF-007]
  if (!state.pruned) {
    plan.intent = whole<Intent>("intent", stored.intent);
    plan.review = whole<Review>("review", stored.review);
    hold(index.target === plan.intent.target.name, "the columns name another target");
    if (!state.secretsErased) {
      const { leaves } = whole<{ leaves: Leaf[] }>("secrets", stored.secrets);
      hold(complete(stored.intent as JsonObject, stored.review as JsonObject, leaves), "the secrets are others"); // [LEAF-006]
    }
    if (state.challenge !== undefined) plan.challenge = named("challenge", stored.challenges, state.challenge);
    plan.decisions = (state.decisions ?? []).map((digest) => named("decision", stored.decisions, digest));
    if (state.execution !== undefined) plan.execution = named("execution", [stored.execution], state.execution);
    if (plan.execution?.resultDigest !== undefined) plan.result = named("result", [stored.result], plan.execution.resultDigest);
    if (state.reconciliation !== undefined)
      plan.reconciliation = named("reconciliation", [stored.reconciliation], state.reconciliation);
  }

  const { claim, cause } = state;
  const executed = isOutcome(state.state);
  hold((claim !== undefined) === (executed || state.state === "executing"), "a claim, or none, in this state");
  hold((state.execution !== undefined) === executed, "an execution, or none, in this state");
  hold(state.reconciliation === undefined || ["partial", "unknown"].includes(state.state), "a reconciliation in this state");
  hold(
    state.challenge !== undefined || (claim === undefined && state.decisions === undefined && !["awaiting_approval", "approved"].includes(state.state)),
    "no challenge in this state",
  );
  hold(state.decisions === undefined || state.state !== "planned", "decisions in this state");
  hold(new Set(state.decisions).size === (state.decisions?.length ?? 0), "a decision twice");
  const { approvalExpiresAt } = state;
  if (claim !== undefined || state.state === "approved" || cause === "approval") hold(approvalExpiresAt !== undefined, "no end of the approval");
  if (["planned", "awaiting_approval"].includes(state.state)) hold(approvalExpiresAt === undefined, "an end of the approval");
  hold(approvalExpiresAt === undefined || Date.parse(approvalExpiresAt) <= Date.parse(header.expiresAt), "an approval that outlives the plan");
  const causes: Partial<Record<State, string[]>> = { cancelled: ["cancelled", "withdrawn"], expired: ["approval", "plan"] };
  hold(cause === undefined ? causes[state.state] === undefined : causes[state.state]?.includes(cause) === true, "the cause isn't one of this state");
  hold(!state.pruned || !(open || state.state === "executing" || isUnresolved(plan)), "a plan that is pruned too early");
  if (!open && !state.pruned) {
    hold(plan.decisions.some(({ verdict }) => verdict === "reject") === (state.state === "rejected"), "a rejection, or none, in this state");
    hold(plan.decisions.some(({ verdict }) => verdict === "withdraw") === (cause === "withdrawn"), "a withdrawal, or none, in this state");
  }
  if (claim !== undefined) {
    const { limits } = header.policy;
    hold(Date.parse(claim.deadline) === after(claim.claimedAt, limits.executionSeconds), "the claim has another deadline");
    hold(Date.parse(claim.lease) >= after(claim.claimedAt, limits.leaseSeconds), "the claim has a shorter lease");
  }
  if (plan.execution !== undefined) {
    const { execution } = plan;
    hold(execution.planId === planId && execution.claimId === claim?.claimId, "the execution is another attempt's");
    hold(execution.claimedAt === claim?.claimedAt && execution.outcome === state.state, "the execution says something else");
  }
  if (plan.reconciliation !== undefined)
    hold(plan.reconciliation.planId === planId && plan.reconciliation.claimId === claim?.claimId, "the reconciliation is another attempt's");
  return plan;
}

function digestsHold(plan: Plan): Plan {
  const hold = (holds: boolean, what: string): void => {
    if (!holds) throw new Refusal("approval_hash_mismatch", what);
  };
  const { planId, planDigest, challenge, execution } = plan;
  hold(plan.state.planDigest === planDigest, "the state is of another header"); // [GATE-040]
  hold(challenge === undefined || (challenge.planDigest === planDigest && challenge.planId === planId), "the challenge is of another plan");
  for (const decision of plan.decisions) {
    hold(decision.planDigest === planDigest && decision.planId === planId, "a decision is on another plan");
    hold(decision.challengeId === challenge?.challengeId, "a decision is under another challenge");
  }
  hold(execution === undefined || execution.planDigest === planDigest, "the execution is of another header");
  if (plan.intent !== undefined) hold(digestOf(plan.intent as unknown as Json) === plan.header.intentDigest, "the intent is another"); // [GATE-041]
  if (plan.review !== undefined) hold(digestOf(plan.review as unknown as Json) === plan.header.reviewDigest, "the review is another");
  return plan;
}

/** What the clock says of a plan, whether or not it was recorded. [STATE-010] */
export function due(plan: Plan, now: number): "lease" | "plan" | "approval" | "challenge" | undefined {
  const { state, approvalExpiresAt, claim } = plan.state;
  const over = (time: string | undefined): boolean => time !== undefined && now >= Date.parse(time);
  if (state === "executing") return over(claim?.lease) ? "lease" : undefined;
  if (!isOpen(state)) return undefined;
  if (over(plan.header.expiresAt)) return "plan";
  if (state === "approved") return over(approvalExpiresAt) ? "approval" : undefined;
  return state === "awaiting_approval" && over(plan.challenge?.expiresAt) ? "challenge" : undefined;
}

export const isLive = (plan: Plan, now: number): boolean => plan.state.state === "awaiting_approval" && due(plan, now) === undefined;

/** Steps 5 and 6: undefined where the plan is open, its outcome where it has one, otherwise the refusal. */
export function ended(plan: Plan, now: number, anchored?: "rejected" | "withdrawn"): Execution | "lost" | undefined {
  const { state, cause, pruned } = plan.state;
  if (isOutcome(state)) {
    if (pruned) throw new Refusal("already_executed"); // [GATE-052]
    return plan.execution!; // [GATE-050]
  }
  const over = due(plan, now);
  if (state === "executing") {
    if (over === "lease") return "lost"; // [STATE-022]
    throw new Refusal("execution_in_progress", "own"); // [GATE-051]
  }
  // [GATE-060]
  if (state === "rejected") throw new Refusal("approval_rejected");
  if (state === "cancelled") throw new Refusal(cause === "withdrawn" ? "approval_withdrawn" : "plan_cancelled");
  if (state === "stale") throw new Refusal("plan_stale");
  if (state === "expired") throw new Refusal(cause === "approval" ? "approval_expired" : "plan_expired");
  if (anchored === "rejected") throw new Refusal("approval_rejected", "the anchor knows it"); // [ANCHOR-008]
  if (anchored === "withdrawn") throw new Refusal("approval_withdrawn", "the anchor knows it");
  if (over === "plan") throw new Refusal("plan_expired");
  if (over === "approval") throw new Refusal("approval_expired");
  return undefined;
}

/** The persons whose approval counts. [GATE-080, RULE-001, RULE-002, RULE-003] */
export function approvers(plan: Plan): Set<string> {
  const { header, challenge, planDigest } = plan;
  const own = header.requester.person;
  const counts = (decision: Decision): boolean =>
    decision.verdict === "approve" &&
    challenge !== undefined &&
    decision.planDigest === planDigest &&
    decision.challengeId === challenge.challengeId &&
    Date.parse(decision.decidedAt) < Date.parse(challenge.expiresAt) && // [CHAL-003]
    Date.parse(decision.decidedAt) >= Date.parse(challenge.createdAt) &&
    Date.parse(decision.approver.authTime) > Date.parse(challenge.createdAt) && // [DEC-005]
    (decision.approver.person === own) === (header.policy.rule.kind === "same-subject");
  return new Set(plan.decisions.filter(counts).map((decision) => decision.approver.person));
}

/** [RULE-005] */
export function isSatisfied(plan: Plan): boolean {
  const { required } = plan.header.policy.rule;
  return required > 0 && approvers(plan).size >= required;
}

/** Steps 7 and 8. */
export function mayExecute(plan: Plan, now: number, paused: boolean): void {
  const { state, challenge, gateAttempts } = plan.state;
  if (paused) throw new Refusal("paused"); // [GATE-070]
  if (gateAttempts >= plan.header.policy.limits.gateAttempts) throw new Refusal("rate_limited"); // [GATE-071]
  if (challenge === undefined) throw new Refusal("approval_required"); // [GATE-081]
  if (state === "planned" || due(plan, now) === "challenge") throw new Refusal("challenge_expired"); // [GATE-083]
  if (state !== "approved" || !isSatisfied(plan)) throw new Refusal("approval_pending"); // [GATE-082, STATE-003]
}

/** How things are now, as far as step 9 asks. */
export type Now = {
  mayRequest: (person: string) => boolean;
  mayApprove: (person: string, groups?: string[]) => boolean;
  policy: Policy | undefined;
  enforcement: Enforcement;
  definitionDigest: string | undefined;
  /** undefined where the target is out of reach; step 10 tells. */
  target: JsonObject | undefined;
};

/** Step 9. */
export function isAsItWas(plan: Plan, now: Now): void {
  const { header, intent } = plan;
  if (!now.mayRequest(header.requester.person)) throw new Refusal("requester_not_permitted"); // [GATE-091]
  for (const person of approvers(plan))
    if (!now.mayApprove(person, header.policy.rule.groups)) throw new Refusal("approver_not_permitted"); // [GATE-092, RULE-004]
  if (!same(now.policy as Json | undefined, header.policy as unknown as Json)) throw new Refusal("policy_changed"); // [GATE-090]
  if (isWeaker(now.enforcement, header.enforcement)) throw new Refusal("policy_changed", "the enforcement is weaker"); // [GATE-093]
  if (now.definitionDigest !== intent!.tool.definitionDigest) throw new Refusal("tool_changed"); // [GATE-094]
  if (now.target !== undefined && !same(now.target, intent!.target.identity)) throw new Refusal("target_changed"); // [GATE-095]
}

const STRENGTHS: Record<keyof Enforcement, string[]> = {
  isolation: ["same-user", "separate"],
  rollback: ["none", "local", "shared"],
  requesterAssurance: ["environment", "verified-token"],
};

export function isWeaker(now: Enforcement, then: Enforcement): boolean {
  const members = Object.keys(STRENGTHS) as (keyof Enforcement)[];
  return members.some((member) => STRENGTHS[member].indexOf(now[member]) < STRENGTHS[member].indexOf(then[member]));
}

/** An attempt of another plan on one of the effect keys: running, or unresolved. */
export type Attempt = { planId: string; outcome: string; running: boolean };

/** Step 10, as far as other attempts are concerned. */
export function isAlone(plan: Plan, attempts: Attempt[]): void {
  if (attempts.some(({ running }) => running)) throw new Refusal("execution_in_progress", "another plan's attempt"); // [GATE-100]
  const listed = new Set((plan.review?.warnings ?? []).map(({ planId }) => planId));
  if (attempts.some(({ planId }) => !listed.has(planId))) throw new Refusal("outcome_unknown"); // [GATE-101]
}

/** The attempt that another plan is, if it is one: an error where its records don't hold. [STORE-006] */
export function attemptOf(other: Plan, now: number): Attempt | undefined {
  const { planId } = other;
  if (other.state.state === "executing") return { planId, outcome: "unknown", running: due(other, now) === undefined };
  return isUnresolved(other) ? { planId, outcome: other.state.state, running: false } : undefined;
}

/** What a look at the live target found. [GATE-102, GATE-103] */
export type Freshness = "unchanged" | "precondition-fails" | "preview-differs" | "preview-refused" | "unreachable";

export function isFresh(freshness: Freshness): void {
  const reasons = {
    "precondition-fails": "precondition_failed",
    "preview-differs": "preview_changed",
    "preview-refused": "dry_run_failed",
    unreachable: "target_unavailable",
  } as const;
  if (freshness !== "unchanged") throw new Refusal(reasons[freshness]);
}

/** [GATE-005, GATE-073] What a refusal of an execution does to its plan. */
export const effectOf = (reason: Reason): "counts" | "ends" | undefined => REASONS[reason][1];

