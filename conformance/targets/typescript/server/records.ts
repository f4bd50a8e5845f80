// The records of spec/v0/profile.md, section 3, audit.md, 3.1 and 4: their forms, read closed. [REC-001]

import { isObject, tokens, type Json, type JsonObject } from "./json.ts";

/** A record that isn't of its type: why, and the place by JSON Pointer. */
export class WrongRecord extends Error {
  constructor(
    readonly reason: "wrong_type" | "missing_member" | "unknown_member" | "wrong_form",
    readonly at: string,
  ) {
    super(`${reason} at \`${at}\``);
  }
}

type Form = (value: Json, at: string) => void;

const must = (holds: boolean, at: string): void => {
  if (!holds) throw new WrongRecord("wrong_form", at);
};
const matching = (pattern: RegExp): Form => (value, at) => must(typeof value === "string" && pattern.test(value), at);
const bytes = (length: number): Form => (value, at) =>
  must(typeof value === "string" && /^[\w-]*$/.test(value) && decoded(value)?.length === length, at);
const upTo = (most: number): Form => (value, at) =>
  must(typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most, at);
const oneOf = (...values: string[]): Form => (value, at) => must(typeof value === "string" && values.includes(value), at);
const any: Form = () => {};
const name: Form = (value, at) => must(typeof value === "string", at);
const bool: Form = (value, at) => must(typeof value === "boolean", at);
const anyObject: Form = (value, at) => must(isObject(value), at);
const count = upTo(2 ** 32 - 1);
const number = upTo(Number.MAX_SAFE_INTEGER);
const digest = matching(/^sha256:[0-9a-f]{64}$/);
const planId = matching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
const id = bytes(16);
const salt = bytes(32);
const pointer: Form = (value, at) => must(typeof value === "string" && tokens(value) !== undefined, at);
const tag: Form = (value, at) => {
  const [, rest] = (typeof value === "string" && /^[a-z0-9-]{1,64}\.([\w-]+)$/.exec(value)) || [];
  must(rest !== undefined && decoded(rest)?.length === 32, at);
};
/** Exactly `YYYY-MM-DDThh:mm:ss.sssZ`, and a time that there is. [DIG-130] */
const timestamp: Form = (value, at) => {
  const plain = typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value);
  must(plain && !Number.isNaN(Date.parse(value)) && new Date(value).toISOString() === value, at);
};

function decoded(text: string): Buffer | undefined {
  const buffer = Buffer.from(text, "base64url");
  return buffer.toString("base64url") === text ? buffer : undefined;
}

/** Never empty; `distinct` admits no element twice, `sorted` only in the order of UTF-8 bytes. */
function some(form: Form, how: "distinct" | "sorted" | "" = ""): Form {
  return (value, at) => {
    must(Array.isArray(value) && value.length > 0, at);
    list(form)(value, at);
    if (how === "") return;
    const texts = (value as string[]).map((element) => Buffer.from(element));
    if (how === "distinct") must(new Set(value as string[]).size === texts.length, at);
    else must(texts.every((text, at) => at === 0 || Buffer.compare(texts[at - 1]!, text) < 0), at);
  };
}

const list = (form: Form): Form => (value, at) => {
  must(Array.isArray(value), at);
  (value as Json[]).forEach((element, index) => form(element, `${at}/${index}`));
};

/** A closed object; members that end in `?` are optional, and none is null but where any value may stand. [REC-004] */
function object(members: Record<string, Form>): Form {
  return (value, at) => {
    must(isObject(value), at);
    const found = value as JsonObject;
    for (const member of Object.keys(found))
      if (!Object.hasOwn(members, member) && !Object.hasOwn(members, `${member}?`)) throw new WrongRecord("unknown_member", at);
    for (const [member, form] of Object.entries(members)) {
      const plain = member.replace("?", "");
      if (Object.hasOwn(found, plain)) form(found[plain]!, `${at}/${plain.replaceAll("~", "~0").replaceAll("/", "~1")}`);
      else if (plain === member) throw new WrongRecord("missing_member", at);
    }
  };
}

function record(type: string, members: Record<string, Form>): Form {
  const form = object({ type: any, ...members });
  return (value, at) => {
    if (!isObject(value)) throw new WrongRecord("wrong_form", at);
    if (!Object.hasOwn(value, "type")) throw new WrongRecord("missing_member", at);
    if (value["type"] !== type) throw new WrongRecord("wrong_type", `${at}/type`);
    form(value, at);
  };
}

const identity = { person: name, issuer: name, subject: name };
const enforcement = object({
  isolation: oneOf("same-user", "separate"),
  rollback: oneOf("none", "local", "shared"),
  requesterAssurance: oneOf("environment", "verified-token"),
});
const outcome = oneOf("applied", "failed", "partial", "unknown");
const text = object({ source: oneOf("server", "agent", "upstream", "target"), text: name });
const policy = object({
  type: oneOf("mutation-approval/policy/v0"),
  rule: object({ kind: oneOf("same-subject", "other-subject", "quorum"), required: count, "groups?": some(name, "sorted") }),
  limits: object({
    planSeconds: count,
    challengeSeconds: count,
    approvalSeconds: count,
    coolDownSeconds: count,
    leaseSeconds: count,
    executionSeconds: count,
    gateAttempts: count,
    openPlans: count,
  }),
  requesterReadsTarget: bool,
});
const head = object({ digest, sequence: number, writer: id });

/** [AUDIT-016] What an event of a kind holds, besides its kind. */
const OF_A_PLAN = { planId, planDigest: digest };
const KINDS: Record<string, Record<string, Form>> = {
  "account.changed": { actor: tag, subject: tag },
  "anchor.renewed": {},
  "audit.checkpoint": {},
  "audit.started": { enforcement, "heads?": some(head), "forgotten?": some(id), "forgottenCheckpoint?": digest },
  "challenge.created": { ...OF_A_PLAN, actor: tag, challengeId: id, recordDigest: digest },
  "challenge.expired": OF_A_PLAN,
  "decision.refused": { ...OF_A_PLAN, actor: tag, challengeId: id, reason: name },
  "execution.claimed": { ...OF_A_PLAN, actor: tag, claimId: id },
  "execution.conflict": { ...OF_A_PLAN, claimId: id },
  "execution.reconciled": { "planId?": planId, "planDigest?": digest, actor: tag, claimId: id, recordDigest: digest },
  "execution.refused": { "planId?": planId, "planDigest?": digest, actor: tag, reason: name },
  "key.rotated": { actor: tag, "recordDigest?": digest },
  "plan.cancelled": { ...OF_A_PLAN, actor: tag },
  "plan.created": { ...OF_A_PLAN, actor: tag },
  "plan.denied": { actor: tag, reason: name },
  "plan.expired": OF_A_PLAN,
  "plan.pruned": OF_A_PLAN,
  "plan.stale": { ...OF_A_PLAN, actor: tag, reason: name },
  "requester.muted": { actor: tag, subject: tag },
  "requester.unmuted": { actor: tag, subject: tag },
  "server.paused": { actor: tag },
  "server.resumed": { actor: tag },
};
for (const kind of ["decision.approved", "decision.rejected", "decision.withdrawn"]) KINDS[kind] = KINDS["challenge.created"]!;
for (const kind of ["applied", "failed", "partial", "unknown", "settled_late"])
  KINDS[`execution.${kind}`] = { ...OF_A_PLAN, claimId: id, recordDigest: digest };
const happened: Form = (value, at) => {
  const kind = isObject(value) ? value["kind"] : undefined;
  must(typeof kind === "string" && Object.hasOwn(KINDS, kind), `${at}/kind`);
  object({ kind: name, ...KINDS[kind as string]! })(value, at);
};

const FORMS: Record<string, Form> = {
  plan: record("mutation-approval/plan/v0", {
    planId,
    audience: name,
    requester: object(identity),
    intentDigest: digest,
    reviewDigest: digest,
    policy,
    enforcement,
    createdAt: timestamp,
    expiresAt: timestamp,
  }),
  intent: record("mutation-approval/intent/v0", {
    salt,
    tool: object({ name, definitionDigest: digest }),
    arguments: anyObject,
    target: object({ name, identity: anyObject }),
    steps: list(
      object({
        action: name,
        object: name,
        "body?": any,
        "preconditions?": some(object({ kind: name, expected: any, enforcement: oneOf("on-write", "before-write", "none") })),
        "previewDigest?": digest,
      }),
    ),
    effectKeys: some(name, "distinct"),
    "generated?": (value, at) => must(isObject(value) && Object.keys(value).length > 0, at),
    "normaliser?": object({ name, exclusions: list(pointer) }),
    "secretLeaves?": some(pointer),
  }),
  review: record("mutation-approval/review/v0", {
    salt,
    headline: text,
    "findings?": some(object({ code: name, severity: oneOf("info", "warn", "high"), text: name })),
    steps: list(text),
    "changes?": some(object({ object: name, "before?": any, "after?": any })),
    "warnings?": some(object({ code: oneOf("unresolved-attempt"), planId, outcome })),
    "quotes?": some(text),
    "secretLeaves?": some(pointer),
  }),
  secrets: record("mutation-approval/secrets/v0", { leaves: list(object({ pointer, nonce: salt, value: any })) }),
  challenge: record("mutation-approval/challenge/v0", {
    challengeId: id,
    planId,
    planDigest: digest,
    createdAt: timestamp,
    expiresAt: timestamp,
  }),
  decision: record("mutation-approval/decision/v0", {
    challengeId: id,
    planId,
    planDigest: digest,
    approver: object({ ...identity, authTime: timestamp, "acr?": name, "amr?": some(name) }),
    verdict: oneOf("approve", "reject", "withdraw"),
    "comment?": name,
    renderedAt: timestamp,
    decidedAt: timestamp,
  }),
  execution: record("mutation-approval/execution/v0", {
    planId,
    planDigest: digest,
    claimId: id,
    claimedAt: timestamp,
    enforcement,
    outcome,
    "steps?": some(object({ outcome: oneOf("applied", "failed", "skipped", "unknown"), "code?": name })),
    "resultDigest?": digest,
    settledAt: timestamp,
  }),
  result: record("mutation-approval/result/v0", { salt, toolResult: any }),
  "plan-state": record("mutation-approval/plan-state/v0", {
    planId,
    revision: number,
    state: oneOf("planned", "awaiting_approval", "approved", "executing", "applied", "failed", "partial", "unknown", "rejected", "expired", "cancelled", "stale"),
    "cause?": oneOf("approval", "cancelled", "plan", "withdrawn"),
    planDigest: digest,
    requestTag: tag,
    "challenge?": digest,
    "decisions?": some(digest),
    "approvalExpiresAt?": timestamp,
    "claim?": object({ claimId: id, claimedAt: timestamp, lease: timestamp, deadline: timestamp }),
    "execution?": digest,
    "reconciliation?": digest,
    gateAttempts: count,
    secretsErased: bool,
    pruned: bool,
    lastEvent: digest,
  }),
  reconciliation: record("mutation-approval/reconciliation/v0", {
    planId,
    claimId: id,
    finding: oneOf("applied", "not-applied"),
    operator: name,
    at: timestamp,
  }),
  pause: record("mutation-approval/pause/v0", { revision: number, paused: bool, operator: name, at: timestamp }),
  "cool-down": record("mutation-approval/cool-down/v0", { revision: number, planId, until: timestamp }),
  mute: record("mutation-approval/mute/v0", { revision: number, until: timestamp }),
  event: record("mutation-approval/event/v0", {
    writer: id,
    sequence: number,
    "previous?": digest,
    "planPrevious?": digest,
    at: timestamp,
    event: happened,
  }),
  anchor: record("mutation-approval/anchor/v0", { audience: name, generation: id }),
  "anchor-entry": record("mutation-approval/anchor-entry/v0", {
    planId,
    kind: oneOf("claimed", "rejected", "withdrawn"),
    "claimId?": id,
    planExpiresAt: timestamp,
    effects: list(tag),
  }),
  "anchor-checkpoint": record("mutation-approval/anchor-checkpoint/v0", { digest, number }),
};

/** Reads a record of a type, named without `mutation-approval/` and version, or throws WrongRecord. */
export function read(type: string, value: Json): JsonObject {
  FORMS[type]!(value, "");
  return value as JsonObject;
}

export const isForm = (form: string, text: string): boolean => {
  const forms: Record<string, Form> = { digest, timestamp, plan_id: planId, challenge_id: id, salt };
  try {
    forms[form.replace("-", "_")]!(text, "");
    return true;
  } catch {
    return false;
  }
};

// What the server itself works with, once it was read.

export type Identity = { person: string; issuer: string; subject: string };
export type Enforcement = { isolation: string; rollback: string; requesterAssurance: string };
export type Rule = { kind: "same-subject" | "other-subject" | "quorum"; required: number; groups?: string[] };
export type PolicyLimits = Record<
  "planSeconds" | "challengeSeconds" | "approvalSeconds" | "coolDownSeconds" | "leaseSeconds" | "executionSeconds" | "gateAttempts" | "openPlans",
  number
>;
export type Policy = { type: "mutation-approval/policy/v0"; rule: Rule; limits: PolicyLimits; requesterReadsTarget: boolean };
export type Header = {
  type: "mutation-approval/plan/v0";
  planId: string;
  audience: string;
  requester: Identity;
  intentDigest: string;
  reviewDigest: string;
  policy: Policy;
  enforcement: Enforcement;
  createdAt: string;
  expiresAt: string;
};
export type Precondition = { kind: string; expected: Json; enforcement: string };
export type Step = { action: string; object: string; body?: Json; preconditions?: Precondition[]; previewDigest?: string };
export type Intent = {
  type: "mutation-approval/intent/v0";
  salt: string;
  tool: { name: string; definitionDigest: string };
  arguments: JsonObject;
  target: { name: string; identity: JsonObject };
  steps: Step[];
  effectKeys: string[];
  generated?: JsonObject;
  normaliser?: { name: string; exclusions: string[] };
  secretLeaves?: string[];
};
export type Text = { source: string; text: string };
export type Review = {
  type: "mutation-approval/review/v0";
  salt: string;
  headline: Text;
  findings?: { code: string; severity: "info" | "warn" | "high"; text: string }[];
  steps: Text[];
  changes?: { object: string; before?: Json; after?: Json }[];
  warnings?: { code: "unresolved-attempt"; planId: string; outcome: string }[];
  quotes?: Text[];
  secretLeaves?: string[];
};
export type Challenge = {
  type: "mutation-approval/challenge/v0";
  challengeId: string;
  planId: string;
  planDigest: string;
  createdAt: string;
  expiresAt: string;
};
export type Verdict = "approve" | "reject" | "withdraw";
export type Decision = {
  type: "mutation-approval/decision/v0";
  challengeId: string;
  planId: string;
  planDigest: string;
  approver: Identity & { authTime: string; acr?: string; amr?: string[] };
  verdict: Verdict;
  comment?: string;
  renderedAt: string;
  decidedAt: string;
};
export type Outcome = "applied" | "failed" | "partial" | "unknown";
export type Execution = {
  type: "mutation-approval/execution/v0";
  planId: string;
  planDigest: string;
  claimId: string;
  claimedAt: string;
  enforcement: Enforcement;
  outcome: Outcome;
  steps?: { outcome: string; code?: string }[];
  resultDigest?: string;
  settledAt: string;
};
export type Result = { type: "mutation-approval/result/v0"; salt: string; toolResult: Json };
export type Reconciliation = {
  type: "mutation-approval/reconciliation/v0";
  planId: string;
  claimId: string;
  finding: "applied" | "not-applied";
  operator: string;
  at: string;
};
export type State =
  | "planned" | "awaiting_approval" | "approved" | "executing" | Outcome | "rejected" | "expired" | "cancelled" | "stale";
export type PlanState = {
  type: "mutation-approval/plan-state/v0";
  planId: string;
  revision: number;
  state: State;
  cause?: "approval" | "cancelled" | "plan" | "withdrawn";
  planDigest: string;
  requestTag: string;
  challenge?: string;
  decisions?: string[];
  approvalExpiresAt?: string;
  claim?: { claimId: string; claimedAt: string; lease: string; deadline: string };
  execution?: string;
  reconciliation?: string;
  gateAttempts: number;
  secretsErased: boolean;
  pruned: boolean;
  lastEvent: string;
};
