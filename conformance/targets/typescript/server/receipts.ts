// Receipts: what was planned, who decided and what came of it, signed. spec/v0/receipt.md, section 3.

import { canonical, type Json, type JsonObject } from "./json.ts";
import { approvers, isOpen, isSatisfied, isUnresolved, Refusal, type Plan } from "./gate.ts";
import type { Signing } from "./config.ts";
import { keyId, publicKey, sign } from "./signatures.ts";

/** The receipt of a plan that has ended, from records that hold. [RCPT-001, RCPT-003, RCPT-032] */
export function receipt(plan: Plan, key: Signing): Buffer {
  const { planId, planDigest, header, challenge, execution, reconciliation } = plan;
  const { state, cause, pruned } = plan.state;
  // [RCPT-031]
  if (state === "executing") throw new Refusal("execution_in_progress");
  if (isOpen(state)) throw new Refusal("approval_pending");
  if (pruned) throw new Refusal("already_executed");
  const { rule } = header.policy;
  const enforcement = (execution ?? header).enforcement;
  const approvals = plan.decisions.every(({ verdict }) => verdict === "approve") && isSatisfied(plan);
  // [RCPT-010, RCPT-011]
  const claims = {
    approved: approvals && approvers(plan).size > 0,
    executed: execution !== undefined,
    "not-executed": execution === undefined,
    planned: true,
    reconciled: reconciliation !== undefined,
    rejected: state === "rejected",
    withdrawn: cause === "withdrawn",
  };
  const limits = {
    assertion: true,
    content: true,
    effect: execution !== undefined,
    environment: enforcement.requesterAssurance === "environment",
    groups: rule.groups !== undefined && plan.decisions.length > 0,
    identity: true,
    rollback: enforcement.rollback === "none",
    "same-user": enforcement.isolation === "same-user",
    time: true,
    unresolved: isUnresolved(plan),
  };
  const decisions = plan.decisions.map(({ type: _, comment, ...decision }) => ({ ...decision, ...(comment !== undefined && { commentOmitted: true }) })); // [RCPT-004]
  const that = (which: Record<string, boolean>): string[] => Object.keys(which).filter((name) => which[name]!);
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    predicate: {
      header,
      state,
      ...(cause !== undefined && { cause }),
      ...(challenge !== undefined && { challenge }),
      decisions,
      ...(execution !== undefined && { execution }),
      ...(reconciliation !== undefined && { reconciliation }),
      issuedAt: new Date().toISOString(),
      claims: that(claims),
      limits: that(limits),
    },
    predicateType: "https://mutation-approval.github.io/receipt/v0",
    subject: [{ digest: { sha256: planDigest.slice("sha256:".length) }, name: `urn:uuid:${planId}` }],
  };
  return sign(key.seed, "receipt", canonical(statement as unknown as Json));
}

/** The key set (receipt.md, 2.1): of one key, for both purposes. */
export function keySet(audience: string, key: Signing): JsonObject {
  const bytes = publicKey(key.seed);
  return {
    type: "mutation-approval/key-set/v0",
    audience,
    keys: [{ id: keyId(bytes), algorithm: "Ed25519", publicKey: bytes.toString("base64url"), purposes: ["checkpoint", "receipt"], notBefore: key.notBefore }],
  };
}
