// Answers as they go over the wire: spec/v0/profile.md, 4.4 and 4.5.

import type { Plan, Reason } from "./gate.ts";
import * as gate from "./gate.ts";
import { Refusal } from "./gate.ts";
import type { Json, JsonObject } from "./json.ts";
import type { Challenge } from "./records.ts";
import { FOUR } from "./tools.ts";

export type Answer = { content: { type: "text"; text: string }[]; structuredContent: JsonObject; isError: boolean };

/** [DIG-029]; the rest is for what the SDK adds to a result. */
const LIMIT = 16 * 1024 - 512;
/** [WIRE-036] */
const OMITTED: Record<string, string[]> = {
  execution: ["toolResult", "steps"],
  plan: ["changes", "steps", "findings", "warnings", "headline"],
};

export function plan(plan: Plan, page: string): Answer {
  const { review, header } = plan;
  const changes = header.policy.requesterReadsTarget ? review!.changes : undefined; // [PLAN-010]
  return answer(page, "Nothing has been changed. This is a plan, and a person has to approve it before it can run.", {
    kind: "plan",
    planId: plan.planId,
    planDigest: plan.planDigest,
    header,
    headline: review!.headline.text, // [DIG-111]: no salt, and no words of others
    ...some("findings", review!.findings),
    ...some("steps", review!.steps),
    ...some("warnings", review!.warnings),
    ...some("changes", changes),
    ...next(FOUR.challenge, plan),
  });
}

export function challenge(plan: Plan, challenge: Challenge, page: string): Answer {
  const { challengeId, createdAt, expiresAt } = challenge;
  return answer(page, "A person has to decide. Show the user the address in `url`; it can't be approved from here.", {
    kind: "challenge",
    planId: plan.planId,
    planDigest: plan.planDigest,
    challengeId,
    url: page,
    state: plan.state.state,
    createdAt,
    expiresAt,
    ...after(plan),
  });
}

const STANDS: Record<string, string> = {
  planned: "The plan has to be put before a person.",
  awaiting_approval: "No decision yet: the plan is waiting for a person.",
  approved: "The plan is approved and can be executed.",
  executing: "The plan is being executed.",
};

export function status(plan: Plan, page: string): Answer {
  const { state, cause, approvalExpiresAt } = plan.state;
  const live = gate.isLive(plan, Date.now());
  const fixed = STANDS[state] ?? (after(plan)["next"] === undefined ? "The plan has ended and won't run." : "The plan was executed.");
  return answer(page, fixed, {
    kind: "status",
    planId: plan.planId,
    planDigest: plan.planDigest,
    state,
    ...(cause !== undefined && { cause }),
    expiresAt: plan.header.expiresAt,
    ...(live && { challengeExpiresAt: plan.challenge!.expiresAt }),
    ...(approvalExpiresAt !== undefined && { approvalExpiresAt }),
    approvals: gate.approvers(plan).size,
    approvalsRequired: plan.header.policy.rule.required,
    ...after(plan),
  });
}

const OUTCOMES: Record<string, string> = {
  applied: "The approved plan was executed. The tool's answer is in `toolResult`.",
  failed: "The approved plan was executed and had no effect.",
  partial: "The approved plan had a part of its effect.",
  unknown: "Whether the approved plan had its effect isn't known. It won't be tried again.",
};

export function execution({ planId, planDigest, execution, result }: Plan, replayed: boolean, page: string): Answer {
  const { claimId, outcome, claimedAt, settledAt, steps, resultDigest } = execution!;
  const structured = { kind: "execution", planId, planDigest, claimId, outcome, replayed, claimedAt, settledAt };
  const rest = { ...some("steps", steps), ...(resultDigest !== undefined && { resultDigest, toolResult: result!.toolResult }) };
  return answer(page, OUTCOMES[outcome]!, { ...structured, ...rest }, outcome !== "applied"); // [WIRE-031]
}

/** `four` says whether one of the four tools was called. [WIRE-038] */
export function refusal(refused: Refusal, four: boolean, planId?: string): Answer {
  const { reason, member } = refused;
  const own = reason !== "execution_in_progress" || refused.detail === "own";
  const tool: Partial<Record<Reason, string>> = {
    approval_required: FOUR.challenge,
    challenge_expired: FOUR.challenge,
    approval_pending: FOUR.status,
    ...(own && { execution_in_progress: FOUR.status }),
  };
  const called = four && planId !== undefined ? tool[reason] : undefined;
  const structured = {
    kind: "refusal",
    reason,
    retry: gate.REASONS[reason][0],
    ...(member !== undefined && { member }),
    ...(called !== undefined && next(called, { planId: planId! })),
  };
  return answer("", `Refused: ${SAID[gate.REASONS[reason][0]]}`, structured, true);
}

const SAID = {
  same: "the same call may succeed later.",
  replan: "this plan can't run; a new call of the tool makes a new plan.",
  never: "it won't succeed by asking again.",
};

/** What comes next, by the plan's state. */
function after(plan: Plan): JsonObject {
  const tools: Record<string, string> = { planned: FOUR.challenge, awaiting_approval: FOUR.status, executing: FOUR.status };
  for (const state of ["approved", "applied", "failed", "partial", "unknown"]) tools[state] = FOUR.execute;
  const tool = tools[plan.state.state];
  return tool === undefined ? {} : next(tool, plan);
}

function next(tool: string, { planId, planDigest }: { planId: string; planDigest?: string }): JsonObject {
  const more = tool === FOUR.status ? { waitSeconds: 25 } : planDigest === undefined ? {} : { planDigest };
  return { next: { tool, arguments: { planId, ...more } } };
}

const some = (member: string, value: unknown[] | undefined): JsonObject =>
  value === undefined || value.length === 0 ? {} : { [member]: value as Json };

/** [WIRE-033, WIRE-035] */
function answer(page: string, fixed: string, members: object, isError = false): Answer {
  const structured = { ...members } as JsonObject;
  const called = (structured["next"] as { tool: string } | undefined)?.tool;
  const first = called === undefined ? fixed : `${fixed} Next call: \`${called}\`, with the arguments in \`next\`.`;
  const whole = (): Answer => ({ content: [{ type: "text", text: first }], structuredContent: structured, isError });
  const size = (answer: Answer): number => Buffer.byteLength(JSON.stringify(answer));
  const left: string[] = [];
  for (const member of OMITTED[structured["kind"] as string] ?? []) {
    if (size(whole()) <= LIMIT) break;
    if (structured[member] === undefined) continue;
    delete structured[member];
    left.push(member);
    structured["omitted"] = { members: [...left], page };
  }
  const answer = whole();
  const shown: Answer = { ...answer, content: [...answer.content, { type: "text", text: JSON.stringify(structured) }] };
  return size(shown) <= LIMIT ? shown : answer;
}
