// Receipts, verified as spec/v0/receipt.md, sections 3 and 4, lays it down. CC0 1.0.

import { digestOf } from "./leaves.ts";
import { Misfit, fits, receipt as receiptForm } from "./records.ts";
import type { Members } from "./records.ts";
import { Refused as Unsigned, mustBeGoodAt, open } from "./signatures.ts";
import type { KeySet } from "./signatures.ts";
import { Refused as Inadmissible, admit } from "./strict_json.ts";
import type { Json } from "./strict_json.ts";

/** A receipt that isn't taken. */
export class Refused extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

type Enforcement = { isolation: string; rollback: string; requesterAssurance: string };
type Decision = {
  planId: string;
  planDigest: string;
  challengeId: string;
  verdict: string;
  decidedAt: string;
  approver: { person: string; authTime: string };
};
type Receipt = {
  header: Members & {
    planId: string;
    audience: string;
    requester: { person: string };
    policy: { rule: { kind: string; required: number; groups?: string[] }; limits: { approvalSeconds: number } };
    enforcement: Enforcement;
    createdAt: string;
    expiresAt: string;
  };
  state: string;
  cause?: string;
  challenge?: { challengeId: string; planId: string; planDigest: string; createdAt: string; expiresAt: string };
  decisions: Decision[];
  execution?: {
    planId: string;
    planDigest: string;
    claimId: string;
    outcome: string;
    enforcement: Enforcement;
    claimedAt: string;
    settledAt: string;
  };
  reconciliation?: { planId: string; claimId: string; at: string };
  issuedAt: string;
  claims: string[];
  limits: string[];
};
type Statement = { subject: { name: string; digest: { sha256: string } }[]; predicate: Receipt };

const STATEMENT = "https://in-toto.io/Statement/v1";
const PREDICATE = "https://mutation-approval.github.io/receipt/v0";
const SKEW = 300_000;

/** What a receipt claims and doesn't show; throws Refused. */
export function verify(envelope: Buffer, keys: KeySet, audience: string, now?: string): Json {
  const { payload, key } = signed(() => open(envelope, "receipt", keys));
  const value = canonical(payload);
  must(value["_type"] === STATEMENT, "statement_type");
  must(value["predicateType"] === PREDICATE, "predicate_type");
  try {
    fits(value, receiptForm, "");
  } catch (misfit) {
    throw misfit instanceof Misfit ? new Refused("members") : misfit;
  }
  const { subject, predicate: receipt } = value as unknown as Statement;
  const [only] = subject;
  must(only !== undefined && subject.length === 1, "members");
  must(receipt.header.audience === audience, "audience_mismatch");
  signed(() => mustBeGoodAt(key, receipt.issuedAt));
  must(now === undefined || Date.parse(receipt.issuedAt) <= Date.parse(now) + SKEW, "issued_in_future");

  const planDigest = digestOf(receipt.header);
  const { planId } = receipt.header;
  must(only!.name === `urn:uuid:${planId}` && `sha256:${only!.digest.sha256}` === planDigest, "subject_mismatch");
  must(isOfOnePlan(receipt, planDigest), "plan_mismatch");
  must(isAnEnd(receipt), "state_mismatch");
  const approved = isApproved(receipt);
  must(approved || (receipt.execution === undefined && receipt.cause !== "approval"), "rule_not_satisfied");
  must(isInOrder(receipt), "time_order");
  const { claims, limits } = receipt;
  must(claims.join() === claimsOf(receipt, approved).join() && limits.join() === limitsOf(receipt).join(), "claims_mismatch");
  return { planDigest, key: key.id, claims, limits };
}

function must(holds: boolean, reason: string): void {
  if (!holds) throw new Refused(reason);
}

function signed<Answer>(ask: () => Answer): Answer {
  try {
    return ask();
  } catch (unsigned) {
    throw unsigned instanceof Unsigned ? new Refused(unsigned.reason) : unsigned;
  }
}

function canonical(payload: Buffer): Members {
  try {
    const document = admit(payload);
    must(payload.equals(document.canonical), "payload_malformed");
    return document.value;
  } catch (inadmissible) {
    throw inadmissible instanceof Inadmissible ? new Refused("payload_malformed") : inadmissible;
  }
}

function isOfOnePlan({ header, challenge, decisions, execution, reconciliation }: Receipt, digest: string): boolean {
  const named = [challenge, execution, ...decisions].filter((record) => record !== undefined);
  return (
    named.every((record) => record.planId === header.planId && record.planDigest === digest) &&
    decisions.every((decision) => decision.challengeId === challenge?.challengeId) &&
    (reconciliation === undefined ||
      (reconciliation.planId === header.planId && reconciliation.claimId === execution?.claimId))
  );
}

const OUTCOMES = ["applied", "failed", "partial", "unknown"];

function isAnEnd({ state, cause, decisions, execution, reconciliation }: Receipt): boolean {
  const outcome = execution?.outcome;
  if (outcome !== (OUTCOMES.includes(state) ? state : undefined)) return false;
  if (reconciliation !== undefined && outcome !== "partial" && outcome !== "unknown") return false;
  const areApprovals = (some: Decision[]): boolean => some.every((decision) => decision.verdict === "approve");
  const last = decisions.at(-1);
  const before = decisions.slice(0, -1);
  const end = cause === undefined ? state : `${state} ${cause}`;
  switch (end) {
    case "rejected":
      return last?.verdict === "reject" && areApprovals(before);
    case "cancelled withdrawn":
      return (
        last?.verdict === "withdraw" &&
        areApprovals(before) &&
        before.some((approval) => approval.approver.person === last.approver.person)
      );
    case "cancelled cancelled":
    case "expired plan":
    case "expired approval":
    case "stale":
      return areApprovals(decisions);
    default:
      return OUTCOMES.includes(end) && areApprovals(decisions);
  }
}

function isApproved({ header, decisions }: Receipt): boolean {
  const { rule } = header.policy;
  const counts = (person: string): boolean => (person === header.requester.person) === (rule.kind === "same-subject");
  const persons = new Set(decisions.map((decision) => decision.approver.person).filter(counts));
  const approvals = decisions.every((decision) => decision.verdict === "approve");
  return approvals && rule.required > 0 && persons.size >= rule.required;
}

function isInOrder({ header, challenge, decisions, execution, reconciliation, issuedAt }: Receipt): boolean {
  const times = [
    challenge?.createdAt,
    ...decisions.map((decision) => decision.decidedAt),
    execution?.claimedAt,
    execution?.settledAt,
    reconciliation?.at,
    issuedAt,
  ].filter((time) => time !== undefined);
  const challenged =
    challenge === undefined || (challenge.createdAt < challenge.expiresAt && challenge.expiresAt <= header.expiresAt);
  const decided = decisions.every(
    (decision) =>
      challenge !== undefined &&
      decision.approver.authTime > challenge.createdAt &&
      (decision.verdict !== "approve" || decision.decidedAt < challenge.expiresAt),
  );
  const approvedAt = decisions.at(-1)?.decidedAt;
  const goodFor = 1000 * header.policy.limits.approvalSeconds;
  const executed =
    execution === undefined ||
    (execution.claimedAt < header.expiresAt &&
      approvedAt !== undefined &&
      Date.parse(execution.claimedAt) < Date.parse(approvedAt) + goodFor);
  const sorted = times.every((time, place) => place === 0 || times[place - 1]! <= time);
  return header.createdAt < header.expiresAt && challenged && decided && executed && sorted;
}

function claimsOf({ state, cause, execution, reconciliation }: Receipt, approved: boolean): string[] {
  return [
    ...(approved ? ["approved"] : []),
    execution === undefined ? "not-executed" : "executed",
    "planned",
    ...(reconciliation === undefined ? [] : ["reconciled"]),
    ...(state === "rejected" ? ["rejected"] : []),
    ...(cause === "withdrawn" ? ["withdrawn"] : []),
  ];
}

function limitsOf({ header, decisions, execution, reconciliation }: Receipt): string[] {
  const { isolation, rollback, requesterAssurance } = (execution ?? header).enforcement;
  const holds: { [limit: string]: boolean } = {
    assertion: true,
    content: true,
    effect: execution !== undefined,
    environment: requesterAssurance === "environment",
    groups: (header.policy.rule.groups ?? []).length > 0 && decisions.length > 0,
    identity: true,
    rollback: rollback === "none",
    "same-user": isolation === "same-user",
    time: true,
    unresolved: (execution?.outcome === "partial" || execution?.outcome === "unknown") && reconciliation === undefined,
  };
  return Object.keys(holds).filter((limit) => holds[limit]);
}
