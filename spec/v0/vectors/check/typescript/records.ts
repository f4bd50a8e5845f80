// The records of the profile and the forms of their members, as spec/v0/profile.md, section 3, has them. CC0 1.0.

import type { Json } from "./strict_json.ts";

export type Members = { [name: string]: Json };

/** A record that isn't of its type: why, and where, as a JSON Pointer. */
export class Misfit extends Error {
  readonly reason: "missing_member" | "unknown_member" | "wrong_form" | "wrong_type";
  readonly at: string;

  constructor(reason: Misfit["reason"], at: string) {
    super(`${reason} at ${at}`);
    this.reason = reason;
    this.at = at;
  }
}

type Leaf = { readonly leaf: (value: Json) => boolean };
/** An array; of texts that are `sorted`, in the order of their UTF-8 bytes, none twice. */
type List = { readonly each: Form; readonly sorted?: boolean };
type Closed = { readonly required: { readonly [name: string]: Form }; readonly optional: { readonly [name: string]: Form } };
type Form = Leaf | List | Closed;

const leaf = (accepts: (value: Json) => boolean): Leaf => ({ leaf: accepts });
const each = (form: Form): List => ({ each: form });
const closed = (required: Closed["required"], optional: Closed["optional"] = {}): Closed => ({ required, optional });
const one = (...texts: string[]): Leaf => leaf((value) => typeof value === "string" && texts.includes(value));
const spelled = (pattern: RegExp) => (value: Json): boolean => typeof value === "string" && pattern.test(value);
const whole = (most: number): Leaf => leaf((value) => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most);

export const isObject = (value: Json | undefined): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const isDigest = spelled(/^sha256:[0-9a-f]{64}$/);
export const isPlanId = spelled(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
export const isIdentifier = spelled(/^[A-Za-z0-9_-]{21}[AQgw]$/);
export const isSalt = spelled(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/);
const isTag = spelled(/^[a-z0-9-]{1,64}\.[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/);
const hasMomentForm = spelled(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/);

export function isTimestamp(value: Json): boolean {
  if (!hasMomentForm(value)) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = (value as string).match(/[0-9]+/g)!.map(Number);
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  return day >= 1 && day <= days && hour < 24 && minute < 60 && second < 60;
}

const anything = leaf(() => true);
const object = leaf(isObject);
const members = leaf((value) => isObject(value) && Object.keys(value).length > 0);
const name = leaf((value) => typeof value === "string");
const pointer = name;
const boolean = leaf((value) => typeof value === "boolean");
const number = whole(2 ** 53 - 1);
const count = whole(2 ** 32 - 1);
const digest = leaf(isDigest);
const planId = leaf(isPlanId);
const identifier = leaf(isIdentifier);
const salt = leaf(isSalt);
const tag = leaf(isTag);
const timestamp = leaf(isTimestamp);
const outcome = one("applied", "failed", "partial", "unknown");

const identity = { person: name, issuer: name, subject: name };
const enforcement = closed({
  isolation: one("same-user", "separate"),
  rollback: one("none", "local", "shared"),
  requesterAssurance: one("environment", "verified-token"),
});
const text = closed({ source: one("server", "agent", "upstream", "target"), text: name });
const policy = closed({
  type: one("mutation-approval/policy/v0"),
  rule: closed({ kind: one("same-subject", "other-subject", "quorum"), required: count }, { groups: { each: name, sorted: true } }),
  limits: closed({
    planSeconds: count,
    challengeSeconds: count,
    approvalSeconds: count,
    coolDownSeconds: count,
    leaseSeconds: count,
    executionSeconds: count,
    gateAttempts: count,
    openPlans: count,
  }),
  requesterReadsTarget: boolean,
});

const head = closed({ digest, sequence: number, writer: identifier });

/** An event of the audit (audit.md, section 3), but for its `reason`, which gate.md lists. */
export const event = closed(
  {
    type: one("mutation-approval/event/v0"),
    writer: identifier,
    sequence: number,
    at: timestamp,
    event: closed(
      {
        kind: one(
          ..."account.changed anchor.renewed audit.checkpoint audit.started challenge.created challenge.expired".split(" "),
          ..."decision.approved decision.refused decision.rejected decision.withdrawn execution.applied".split(" "),
          ..."execution.claimed execution.conflict execution.failed execution.partial execution.reconciled".split(" "),
          ..."execution.refused execution.settled_late execution.unknown key.rotated plan.cancelled plan.created".split(" "),
          ..."plan.denied plan.expired plan.pruned plan.stale requester.muted requester.unmuted server.paused server.resumed".split(" "),
        ),
      },
      {
        planId,
        planDigest: digest,
        actor: tag,
        subject: tag,
        challengeId: identifier,
        claimId: identifier,
        recordDigest: digest,
        reason: name,
        enforcement,
        heads: each(head),
        forgotten: each(identifier),
        forgottenCheckpoint: digest,
      },
    ),
  },
  { previous: digest, planPrevious: digest },
);

/** What a checkpoint signs (audit.md, section 4). */
export const checkpoint = closed(
  {
    type: one("mutation-approval/checkpoint/v0"),
    audience: name,
    number,
    at: timestamp,
    events: number,
    writers: number,
    heads: each(head),
    order: digest,
  },
  { previous: digest },
);

const RECORDS: { readonly [type: string]: Closed } = {
  "mutation-approval/plan/v0": closed({
    planId,
    audience: name,
    requester: closed(identity),
    intentDigest: digest,
    reviewDigest: digest,
    policy,
    enforcement,
    createdAt: timestamp,
    expiresAt: timestamp,
  }),
  "mutation-approval/intent/v0": closed(
    {
      salt,
      tool: closed({ name, definitionDigest: digest }),
      arguments: object,
      target: closed({ name, identity: object }),
      steps: each(
        closed(
          { action: name, object: name },
          {
            body: anything,
            preconditions: each(
              closed({ kind: name, expected: anything, enforcement: one("on-write", "before-write", "none") }),
            ),
            previewDigest: digest,
          },
        ),
      ),
      effectKeys: each(name),
    },
    { generated: members, normaliser: closed({ name, exclusions: each(pointer) }), secretLeaves: each(pointer) },
  ),
  "mutation-approval/review/v0": closed(
    { salt, headline: text, steps: each(text) },
    {
      findings: each(closed({ code: name, severity: one("info", "warn", "high"), text: name })),
      changes: each(closed({ object: name }, { before: anything, after: anything })),
      warnings: each(closed({ code: one("unresolved-attempt"), planId, outcome })),
      quotes: each(text),
      secretLeaves: each(pointer),
    },
  ),
  "mutation-approval/secrets/v0": closed({ leaves: each(closed({ pointer, nonce: salt, value: anything })) }),
  "mutation-approval/challenge/v0": closed({
    challengeId: identifier,
    planId,
    planDigest: digest,
    createdAt: timestamp,
    expiresAt: timestamp,
  }),
  "mutation-approval/decision/v0": closed(
    {
      challengeId: identifier,
      planId,
      planDigest: digest,
      approver: closed({ ...identity, authTime: timestamp }, { acr: name, amr: each(name) }),
      verdict: one("approve", "reject", "withdraw"),
      renderedAt: timestamp,
      decidedAt: timestamp,
    },
    { comment: name },
  ),
  "mutation-approval/execution/v0": closed(
    { planId, planDigest: digest, claimId: identifier, claimedAt: timestamp, enforcement, outcome, settledAt: timestamp },
    {
      steps: each(closed({ outcome: one("applied", "failed", "skipped", "unknown") }, { code: name })),
      resultDigest: digest,
    },
  ),
  "mutation-approval/result/v0": closed({ salt, toolResult: anything }),
  "mutation-approval/plan-state/v0": closed(
    {
      planId,
      revision: number,
      state: one(
        ..."planned awaiting_approval approved executing applied failed partial unknown rejected expired cancelled stale".split(
          " ",
        ),
      ),
      planDigest: digest,
      requestTag: tag,
      gateAttempts: count,
      secretsErased: boolean,
      pruned: boolean,
      lastEvent: digest,
    },
    {
      cause: one("approval", "cancelled", "plan", "withdrawn"),
      challenge: digest,
      decisions: each(digest),
      approvalExpiresAt: timestamp,
      claim: closed({ claimId: identifier, claimedAt: timestamp, lease: timestamp, deadline: timestamp }),
      execution: digest,
      reconciliation: digest,
    },
  ),
  "mutation-approval/reconciliation/v0": closed({
    planId,
    claimId: identifier,
    finding: one("applied", "not-applied"),
    operator: name,
    at: timestamp,
  }),
  "mutation-approval/pause/v0": closed({ revision: number, paused: boolean, operator: name, at: timestamp }),
  "mutation-approval/cool-down/v0": closed({ revision: number, planId, until: timestamp }),
  "mutation-approval/mute/v0": closed({ revision: number, until: timestamp }),
};

const typed = (type: string): Closed => {
  const { required, optional } = RECORDS[type]!;
  return closed({ type: one(type), ...required }, optional);
};
const { comment: _, ...ofDecision } = RECORDS["mutation-approval/decision/v0"]!.optional;

/** What a receipt signs (receipt.md, section 3.1). */
export const receipt = closed({
  _type: name,
  predicateType: name,
  subject: each(
    closed({
      name: leaf(spelled(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)),
      digest: closed({ sha256: leaf(spelled(/^[0-9a-f]{64}$/)) }),
    }),
  ),
  predicate: closed(
    {
      header: typed("mutation-approval/plan/v0"),
      state: RECORDS["mutation-approval/plan-state/v0"]!.required["state"]!,
      decisions: each(
        closed(RECORDS["mutation-approval/decision/v0"]!.required, {
          ...ofDecision,
          commentOmitted: leaf((value) => value === true),
        }),
      ),
      issuedAt: timestamp,
      claims: each(one("approved", "executed", "not-executed", "planned", "reconciled", "rejected", "withdrawn")),
      limits: each(
        one(
          ..."assertion content effect environment groups identity rollback same-user time unresolved".split(" "),
        ),
      ),
    },
    {
      cause: RECORDS["mutation-approval/plan-state/v0"]!.optional["cause"]!,
      challenge: typed("mutation-approval/challenge/v0"),
      execution: typed("mutation-approval/execution/v0"),
      reconciliation: typed("mutation-approval/reconciliation/v0"),
    },
  ),
});

/** Holds a record against its type, closed, or throws Misfit. */
export function read(record: Json | undefined, type: string): Members {
  if (!isObject(record) || !Object.hasOwn(record, "type")) throw new Misfit("missing_member", "");
  const { type: found, ...rest } = record;
  if (found !== type) throw new Misfit("wrong_type", "/type");
  fits(rest, RECORDS[type]!, "");
  return record;
}

export function fits(value: Json, form: Form, at: string): void {
  if ("leaf" in form) {
    if (!form.leaf(value)) throw new Misfit("wrong_form", at);
  } else if ("each" in form) {
    if (!Array.isArray(value)) throw new Misfit("wrong_form", at);
    value.forEach((item, index) => fits(item, form.each, `${at}/${index}`));
    const texts = form.sorted === true ? value.map((item) => Buffer.from(item as string)) : [];
    if (texts.some((text, place) => place > 0 && Buffer.compare(texts[place - 1]!, text) >= 0)) {
      throw new Misfit("wrong_form", at);
    }
  } else {
    if (!isObject(value)) throw new Misfit("wrong_form", at);
    for (const member of Object.keys(value)) {
      if (!Object.hasOwn(form.required, member) && !Object.hasOwn(form.optional, member)) throw new Misfit("unknown_member", at);
    }
    for (const member of Object.keys(form.required)) {
      if (!Object.hasOwn(value, member)) throw new Misfit("missing_member", at);
    }
    for (const [member, inner] of Object.entries(value)) {
      const optional = form.optional[member];
      // An array that may be absent is never empty.
      if (optional !== undefined && "each" in optional && Array.isArray(inner) && inner.length === 0) {
        throw new Misfit("wrong_form", `${at}/${member}`);
      }
      fits(inner, (form.required[member] ?? form.optional[member])!, `${at}/${member}`);
    }
  }
}
