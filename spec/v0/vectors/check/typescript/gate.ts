// The gate, as spec/v0/gate.md and audit.md lay it down: steps 1 to 11 over what is stored and how things are. CC0 1.0.

import canonicalize from "canonicalize";

import { Broken, check, digestOf } from "./leaves.ts";
import type { Leaf } from "./leaves.ts";
import { Misfit, isDigest, isPlanId, read } from "./records.ts";
import type { Members } from "./records.ts";
import { tag } from "./seals.ts";
import type { Key } from "./seals.ts";
import type { Json } from "./strict_json.ts";

/** The reasons of section 9. */
const RETRY = {
  already_executed: "never",
  approval_expired: "replan",
  approval_hash_mismatch: "never",
  approval_pending: "same",
  approval_rejected: "never",
  approval_required: "same",
  approval_withdrawn: "replan",
  approver_not_permitted: "never",
  challenge_expired: "same",
  dry_run_failed: "replan",
  execution_in_progress: "same",
  integrity_failure: "never",
  internal: "same",
  outcome_unknown: "replan",
  paused: "same",
  payload_invalid: "never",
  payload_too_large: "never",
  plan_cancelled: "replan",
  plan_expired: "replan",
  plan_not_found: "replan",
  plan_stale: "replan",
  policy_changed: "replan",
  policy_denied: "never",
  precondition_failed: "replan",
  preview_changed: "replan",
  rate_limited: "same",
  recently_rejected: "never",
  requester_not_permitted: "never",
  store_unavailable: "same",
  target_changed: "replan",
  target_unavailable: "same",
  tool_changed: "replan",
  unsupported: "never",
} as const;
type Reason = keyof typeof RETRY;

export const REASONS: readonly string[] = Object.keys(RETRY);

class Refused extends Error {
  readonly reason: Reason;
  /** Whether the plan has ended by it. */
  readonly ends: boolean;

  constructor(reason: Reason, ends = false) {
    super(reason);
    this.reason = reason;
    this.ends = ends;
  }
}

type Text = string;
type Identity = { person: Text; issuer: Text; subject: Text };
type Enforcement = { isolation: Text; rollback: Text; requesterAssurance: Text };
type Header = {
  planId: Text;
  audience: Text;
  requester: Identity;
  intentDigest: Text;
  reviewDigest: Text;
  policy: Members & { rule: { kind: Text; required: number; groups?: Text[] }; limits: { gateAttempts: number; executionSeconds: number; leaseSeconds: number } };
  enforcement: Enforcement;
  createdAt: Text;
  expiresAt: Text;
};
type Claim = { claimId: Text; claimedAt: Text; lease: Text; deadline: Text };
type State = {
  planId: Text;
  revision: number;
  state: Text;
  cause?: Text;
  planDigest: Text;
  requestTag: Text;
  challenge?: Text;
  decisions?: Text[];
  approvalExpiresAt?: Text;
  claim?: Claim;
  execution?: Text;
  reconciliation?: Text;
  gateAttempts: number;
  secretsErased: boolean;
  pruned: boolean;
  lastEvent: Text;
};
type Challenge = { challengeId: Text; planId: Text; planDigest: Text; createdAt: Text; expiresAt: Text };
type Decision = {
  challengeId: Text;
  planId: Text;
  planDigest: Text;
  verdict: Text;
  decidedAt: Text;
  approver: Identity & { authTime: Text };
};
type Execution = {
  planId: Text;
  planDigest: Text;
  claimId: Text;
  claimedAt: Text;
  outcome: Text;
  resultDigest?: Text;
};
type Reconciliation = { planId: Text; claimId: Text };
type Intent = Members & { tool: Members; target: { name: Text; identity: Members } };
type Review = { warnings?: { planId: Text }[] };
type Index = { planId: Text; requester: Text; target: Text; state: Text; revision: number; createdAt: Text; expiresAt: Text };
type Stored = { readonly [member: string]: Json | undefined } & { index?: Index; broken?: Text[] };
type Standing = { enabled: boolean; groups: Text[]; mayRequest: boolean; mayApprove: boolean };

export type Scene = {
  now: Text;
  audience: Text;
  request: { requester: Identity; planId: Text; planDigest?: Text; repeated?: { tool: Text; arguments: Members } };
  stored: Stored;
  attempts: Stored[];
  anchor: { planId: Text; kind: "claimed" | "rejected" | "withdrawn"; inStore?: boolean }[];
  directory: { [person: Text]: Standing };
  enforcement: Enforcement;
  tool: Members;
  target: { identity: Members };
  freshness: Text;
  policy?: Json;
  pause?: { paused: boolean };
};

const same = (one: Json | undefined, other: Json | undefined): boolean =>
  one !== undefined && other !== undefined && canonicalize(one) === canonicalize(other);

/** What the gate answers to the request of a scene. */
export function decide(scene: Scene, ring: readonly Key[]): Json {
  const passed: { plan?: Plan } = {};
  try {
    return steps(scene, ring, passed);
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    const { reason, ends } = refused;
    const answer = { verdict: "refused", reason, retry: RETRY[reason] };
    if (passed.plan === undefined || reason === "integrity_failure") return answer;
    return { ...answer, state: ends ? "stale" : passed.plan.stateAt(scene.now) };
  }
}

/** A permit, the recorded outcome, or the outcome of a claim that gets no permit. */
function steps(scene: Scene, ring: readonly Key[], passed: { plan?: Plan }): Json {
  const { request, now, stored, audience } = scene;

  // 1 handle and digest are well-formed
  if (!isPlanId(request.planId)) throw new Refused("plan_not_found");
  if (request.planDigest !== undefined && !isDigest(request.planDigest)) throw new Refused("payload_invalid");

  // 2 the plan exists and is this requester's
  if (stored.index?.planId !== request.planId || stored.index.requester !== request.requester.person) {
    throw new Refused("plan_not_found");
  }

  // 3 the seals hold, the records are complete
  const plan = new Plan(stored, stored.index, audience);
  const documents = plan.documents();

  // 4 the digests are the same everywhere
  plan.recompute(documents);
  if (request.planDigest !== undefined && request.planDigest !== plan.digest) throw new Refused("approval_hash_mismatch");
  if (request.repeated !== undefined) {
    const repeated = { type: "mutation-approval/request/v0", audience, ...request.repeated };
    const content = Buffer.from(canonicalize(repeated)!);
    const good = ring.filter((key) => key.state !== "revoked").map((key) => tag(key, "request-tag", content));
    if (!good.includes(plan.state.requestTag)) throw new Refused("approval_hash_mismatch");
  }
  passed.plan = plan;

  // 5 not claimed
  if (plan.state.claim !== undefined) {
    if (plan.execution !== undefined) return { verdict: "replayed", outcome: plan.execution.outcome };
    if (plan.state.state !== "executing") throw new Refused("already_executed");
    if (now < plan.state.claim.lease) throw new Refused("execution_in_progress");
    return { verdict: "replayed", outcome: "unknown" };
  }

  // 6 not ended
  const end = plan.endAt(now);
  if (end !== undefined) throw new Refused(end);
  const remembered = scene.anchor.find((entry) => entry.planId === request.planId)?.kind;
  if (remembered === "rejected") throw new Refused("approval_rejected");
  if (remembered === "withdrawn") throw new Refused("approval_withdrawn");

  // 7 not paused, attempts left
  if (scene.pause?.paused === true) throw new Refused("paused");
  const { policy, requester } = plan.header;
  if (plan.state.gateAttempts >= policy.limits.gateAttempts) throw new Refused("rate_limited");

  // 8 the rule is satisfied
  const approvers = plan.approvers(now);
  if (documents === undefined) throw new Refused("integrity_failure");
  const { intent, review } = documents;

  // 9 persons, policy, enforcement, tool and target are as they were
  const standing = (person: Text): Standing | undefined =>
    Object.hasOwn(scene.directory, person) ? scene.directory[person] : undefined;
  const asks = standing(requester.person);
  if (asks?.enabled !== true || !asks.mayRequest) throw new Refused("requester_not_permitted", true);
  const groups = policy.rule.kind === "same-subject" ? [] : (policy.rule.groups ?? []);
  for (const person of approvers) {
    const approves = standing(person);
    const belongs = groups.length === 0 || groups.some((group) => approves?.groups.includes(group));
    if (approves?.enabled !== true || !approves.mayApprove || !belongs) throw new Refused("approver_not_permitted", true);
  }
  if (!same(scene.policy, policy) || isWeaker(scene.enforcement, plan.header.enforcement)) {
    throw new Refused("policy_changed", true);
  }
  if (!same(scene.tool, intent.tool)) throw new Refused("tool_changed", true);
  if (!same(scene.target.identity, intent.target.identity)) throw new Refused("target_changed", true);

  // 10 no other attempt stands in the way; the target is as it was
  const listed = new Set((review.warnings ?? []).map((warning) => warning.planId));
  const others = scene.attempts.map((other) => {
    if (other.index === undefined) throw new Refused("integrity_failure");
    return new Plan(other, other.index, audience);
  });
  if (others.some((other) => other.attemptAt(now) === "executing")) throw new Refused("execution_in_progress");
  if (others.some((other) => other.attemptAt(now) === "unresolved" && !listed.has(other.header.planId))) {
    throw new Refused("outcome_unknown");
  }
  const forgotten = scene.anchor.filter((entry) => entry.kind === "claimed" && entry.inStore === false);
  if (forgotten.some((entry) => entry.planId !== request.planId && !listed.has(entry.planId))) {
    throw new Refused("outcome_unknown");
  }
  switch (scene.freshness) {
    case "unchanged":
      break;
    case "precondition-fails":
      throw new Refused("precondition_failed", true);
    case "preview-differs":
      throw new Refused("preview_changed", true);
    case "preview-refused":
      throw new Refused("dry_run_failed", true);
    case "unreachable":
      throw new Refused("target_unavailable");
    default:
      throw new Error(`unknown freshness ${scene.freshness}`);
  }

  // 11 the claim, which the anchor must not know yet
  return remembered === "claimed" ? { verdict: "settled", outcome: "unknown" } : { verdict: "permitted" };
}

const WEAKEST_FIRST = {
  isolation: ["same-user", "separate"],
  rollback: ["none", "local", "shared"],
  requesterAssurance: ["environment", "verified-token"],
} as const;

function isWeaker(now: Enforcement, then: Enforcement): boolean {
  const rank = (member: keyof Enforcement, value: Text): number => (WEAKEST_FIRST[member] as readonly Text[]).indexOf(value);
  return (Object.keys(WEAKEST_FIRST) as (keyof Enforcement)[]).some(
    (member) => rank(member, now[member]) < rank(member, then[member]),
  );
}

type Documents = { intent: Intent; review: Review; secrets: Leaf[] };

const OPEN = ["planned", "awaiting_approval", "approved"];
const OUTCOMES = ["applied", "failed", "partial", "unknown"];

/** A moment so many seconds after another one. */
const later = (moment: Text, seconds: number): Text => new Date(Date.parse(moment) + 1000 * seconds).toISOString();

/** A plan's small records, once it is known that they hold together. */
class Plan {
  readonly header: Header;
  readonly state: State;
  readonly digest: Text;
  readonly execution: Execution | undefined;
  private readonly challenge: Challenge | undefined;
  private readonly decisions: Decision[];
  private readonly reconciliation: Reconciliation | undefined;
  private readonly stored: Stored;
  private readonly index: Index;

  constructor(stored: Stored, index: Index, audience: Text) {
    this.stored = stored;
    this.index = index;
    const header = this.record("header", "plan");
    this.header = header as unknown as Header;
    this.digest = digestOf(header);
    this.state = this.record("planState", "plan-state") as unknown as State;
    const { lastEvent } = stored;
    const holds =
      lastEvent !== undefined &&
      digestOf(lastEvent) === this.state.lastEvent &&
      this.header.audience === audience &&
      this.header.planId === index.planId &&
      this.state.planId === index.planId &&
      this.header.requester.person === index.requester &&
      this.header.createdAt === index.createdAt &&
      this.header.expiresAt === index.expiresAt &&
      this.state.state === index.state &&
      this.state.revision === index.revision;
    if (!holds) throw new Refused("integrity_failure");
    this.challenge = this.named<Challenge>("challenges", "challenge", this.state.challenge);
    this.decisions = (this.state.decisions ?? [])
      .map((decision) => this.named<Decision>("decisions", "decision", decision))
      .filter((decision) => decision !== undefined);
    this.execution = this.named<Execution>("execution", "execution", this.state.execution);
    this.reconciliation = this.named<Reconciliation>("reconciliation", "reconciliation", this.state.reconciliation);
    if (!this.isComplete()) throw new Refused("integrity_failure");
  }

  /** The one record of a kind: there, its seal whole, and of its type. */
  private record(member: string, kind: string): Members {
    if (this.stored.broken?.includes(member) === true) throw new Refused("integrity_failure");
    try {
      return read(this.stored[member], `mutation-approval/${kind}/v0`);
    } catch (misfit) {
      if (misfit instanceof Misfit) throw new Refused("integrity_failure");
      throw misfit;
    }
  }

  /** The record that the plan's state names by its digest; only a pruned plan may lack it. */
  private named<Found>(member: string, kind: string, digest: Text | undefined): Found | undefined {
    if (digest === undefined) return undefined;
    if (this.stored.broken?.includes(member) === true) throw new Refused("integrity_failure");
    const held = this.stored[member] ?? [];
    const found = (Array.isArray(held) ? held : [held]).find((record) => digestOf(record) === digest);
    if (found === undefined && this.state.pruned) return undefined;
    try {
      return read(found, `mutation-approval/${kind}/v0`) as Found;
    } catch (misfit) {
      if (misfit instanceof Misfit) throw new Refused("integrity_failure");
      throw misfit;
    }
  }

  /** What the state says of the plan follows from what it names. [GATE-030] */
  private isComplete(): boolean {
    const { state, cause, challenge, claim, execution, reconciliation, approvalExpiresAt: until, pruned } = this.state;
    const decisions = this.state.decisions ?? [];
    const isOpen = OPEN.includes(state);
    const settled = OUTCOMES.includes(state);
    const claimed = settled || state === "executing";
    const unresolved = state === "partial" || state === "unknown";
    const asked = claimed || decisions.length > 0 || state === "awaiting_approval" || state === "approved";
    const approved = claimed || state === "approved" || cause === "approval";
    const causes: (Text | undefined)[] = state === "cancelled" ? ["cancelled", "withdrawn"] : state === "expired" ? ["approval", "plan"] : [undefined];
    const mayBePruned = settled ? !unresolved || reconciliation !== undefined : !isOpen && !claimed;
    const any = (verdict: Text): boolean => this.decisions.some((decision) => decision.verdict === verdict);
    const decided = any("reject") === (state === "rejected") && any("withdraw") === (cause === "withdrawn");
    return (
      (claim !== undefined) === claimed &&
      (execution !== undefined) === settled &&
      (reconciliation === undefined || unresolved) &&
      (challenge !== undefined || !asked) &&
      (decisions.length === 0 || state !== "planned") &&
      (until !== undefined || !approved) &&
      (until === undefined || (state !== "planned" && state !== "awaiting_approval" && until <= this.header.expiresAt)) &&
      (this.state.secretsErased || isOpen) &&
      causes.includes(cause) &&
      new Set(decisions).size === decisions.length &&
      (!pruned || mayBePruned) &&
      (decided || pruned || isOpen) &&
      (claim === undefined || this.isOneAttempt(claim))
    );
  }

  /** The claim has the times that it was given, and outcome and reconciliation are its own. */
  private isOneAttempt(claim: Claim): boolean {
    const { executionSeconds, leaseSeconds } = this.header.policy.limits;
    const { execution, reconciliation } = this;
    const isOurs = (record: { planId: Text; claimId: Text }): boolean =>
      record.planId === this.header.planId && record.claimId === claim.claimId;
    return (
      claim.deadline === later(claim.claimedAt, executionSeconds) &&
      claim.lease >= later(claim.claimedAt, leaseSeconds) &&
      (execution === undefined ||
        (isOurs(execution) && execution.claimedAt === claim.claimedAt && execution.outcome === this.state.state)) &&
      (reconciliation === undefined || isOurs(reconciliation))
    );
  }

  /** Intent, review, secrets and result, unless the plan was pruned. */
  documents(): Documents | undefined {
    if (this.state.pruned) return undefined;
    const intent = this.record("intent", "intent") as Intent;
    const review = this.record("review", "review") as Review;
    const secrets = this.state.secretsErased ? [] : (this.record("secrets", "secrets")["leaves"] as unknown as Leaf[]);
    if (intent.target.name !== this.index.target) throw new Refused("integrity_failure");
    const result = this.execution?.resultDigest;
    if (result !== undefined && digestOf(this.record("result", "result")) !== result) throw new Refused("integrity_failure");
    if (OPEN.includes(this.state.state)) {
      try {
        check({ intent, review: review as Members }, secrets);
      } catch (broken) {
        throw broken instanceof Broken ? new Refused("integrity_failure") : broken;
      }
    }
    return { intent, review, secrets };
  }

  recompute(documents: Documents | undefined): void {
    const { challenge, decisions, execution, header, digest } = this;
    const holds =
      this.state.planDigest === digest &&
      (challenge === undefined || (challenge.planDigest === digest && challenge.planId === header.planId)) &&
      decisions.every(
        (decision) =>
          decision.planDigest === digest &&
          decision.planId === header.planId &&
          decision.challengeId === challenge?.challengeId,
      ) &&
      (execution === undefined || execution.planDigest === digest) &&
      (documents === undefined ||
        (digestOf(documents.intent) === header.intentDigest && digestOf(documents.review as Json) === header.reviewDigest));
    if (!holds) throw new Refused("approval_hash_mismatch");
  }

  /** Why the plan has ended, by its state or by the clock. */
  endAt(now: Text): Reason | undefined {
    const { state, cause, approvalExpiresAt } = this.state;
    if (state === "rejected") return "approval_rejected";
    if (state === "stale") return "plan_stale";
    if (state === "cancelled") return cause === "withdrawn" ? "approval_withdrawn" : "plan_cancelled";
    if (state === "expired") return cause === "approval" ? "approval_expired" : "plan_expired";
    if (now >= this.header.expiresAt) return "plan_expired";
    if (state === "approved" && approvalExpiresAt !== undefined && now >= approvalExpiresAt) return "approval_expired";
    return undefined;
  }

  /** The persons whose approvals count, who satisfy the rule. */
  approvers(now: Text): Set<Text> {
    const { challenge, decisions } = this;
    const { rule } = this.header.policy;
    if (challenge === undefined) throw new Refused("approval_required");
    if (this.state.state === "awaiting_approval" && now < challenge.expiresAt) throw new Refused("approval_pending");
    if (this.state.state !== "approved") throw new Refused("challenge_expired");
    const inTime = decisions.every(
      (decision) =>
        decision.verdict === "approve" &&
        decision.decidedAt < challenge.expiresAt &&
        decision.approver.authTime > challenge.createdAt,
    );
    const requester = this.header.requester.person;
    const persons = decisions.map((decision) => decision.approver.person);
    const counted = new Set(persons.filter((person) => (person === requester) === (rule.kind === "same-subject")));
    if (!inTime || rule.required === 0 || counted.size < rule.required) throw new Refused("approval_pending");
    return counted;
  }

  /** The state, once what the clock has done is recorded. */
  stateAt(now: Text): Text {
    const { state } = this.state;
    if (OPEN.includes(state) && this.endAt(now) !== undefined) return "expired";
    if (state === "awaiting_approval" && this.challenge !== undefined && now >= this.challenge.expiresAt) return "planned";
    return state;
  }

  /** How the attempt of another plan stands. */
  attemptAt(now: Text): "executing" | "unresolved" | "resolved" {
    const { state, claim } = this.state;
    if (state === "executing") return claim !== undefined && now < claim.lease ? "executing" : "unresolved";
    return (state === "unknown" || state === "partial") && this.reconciliation === undefined ? "unresolved" : "resolved";
  }
}
