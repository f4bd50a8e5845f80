// What the pages show: spec/v0/approval-surface.md, section 4.

import type { Session } from "./accounts.ts";
import * as gate from "./gate.ts";
import type { Plan } from "./gate.ts";
import type { Verdict } from "./records.ts";
import { block, difference, hostile, html, name, type Html } from "./text.ts";

export type Others = Record<"open" | "rejected", { plans: Plan[]; hidden: boolean }>;
export type DecisionForm = { seal: string; verdicts: Verdict[] };

function page(title: string, body: Html, session?: Session): Html {
  const bar = session && html`<form method="post" action="/logout"><a href="/">Inbox</a> ${name(session.account)} <button type="submit">Log out</button></form>`;
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<link rel="stylesheet" href="/style.css"></head><body><header>${bar}</header><main>${body}</main></body></html>`;
}

export const message = (title: string, body: Html): Html => page(title, html`<h1>${title}</h1>${body}`);

export function login(next: string, failed = false): Html {
  return page("Log in", html`<h1>Log in</h1>${failed && html`<p class="said">That was not right, or there were too many attempts. Try again later.</p>`}
<form method="post" action="/login"><input type="hidden" name="next" value="${next}">
<label>Account <input type="text" name="account" autocomplete="username" required></label>
<label>Password <input type="password" name="password" autocomplete="current-password" required></label>
<button type="submit">Log in</button></form>`);
}

export function inbox(session: Session, { own, waiting }: { own: Plan[]; waiting: Plan[] }): Html {
  return page("Inbox", html`<h1>Inbox</h1><h2>Waiting for your decision</h2>${list(waiting)}<h2>Your own open plans</h2>${list(own)}`, session);
}

function list(plans: Plan[]): Html {
  if (plans.length === 0) return html`<p>None.</p>`;
  return html`<ul>${plans.map(({ planId, review, header, state }) => html`<li><a href="/plans/${planId}">${hostile(review?.headline.text ?? planId)}</a>, asked by ${name(header.requester.person)}, ${state.state}</li>`)}</ul>`;
}

/** The verdicts that are open to a person. */
export function verdicts(plan: Plan, person: string, may: boolean): Verdict[] {
  const { state } = plan.state;
  if (!may || (state !== "approved" && !gate.isLive(plan, Date.now()))) return [];
  const has = gate.approvers(plan).has(person);
  const all: [Verdict, boolean][] = [["reject", true], ["withdraw", has], ["approve", state === "awaiting_approval" && !has]];
  return all.flatMap(([verdict, open]) => (open ? [verdict] : []));
}

const SEVERITIES = ["high", "warn", "info"];
const ENFORCED: Record<string, string> = {
  "on-write": "the target itself checks it as part of the write",
  "before-write": "checked just before the write; somebody else may come between",
  none: "not enforced",
};
const SOURCES: Record<string, string> = { server: "the server", agent: "the agent; nobody has verified it", upstream: "the wrapped server", target: "the target" };

const row = (label: string, value: Html): Html => html`<dt>${label}</dt><dd>${value}</dd>`;

export function plan(plan: Plan, session: Session, others: Others, form?: DecisionForm, said?: Html): Html {
  const { header, planId, planDigest } = plan;
  const [intent, review] = [plan.intent!, plan.review!];
  const { requester, policy, enforcement } = header;
  const findings = [...(review.findings ?? [])].sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity)); // [SHOW-004]
  const { rule, limits } = policy;
  // [SHOW-002, SHOW-003]: all of this is covered by the three digests.
  const covered = html`<h1>${hostile(review.headline.text)}</h1>
${enforcement.isolation === "same-user" && html`<p class="warn">This approval is no boundary: the agent runs as the same user as the server, and could have approved by itself.</p>`}
<h2>Findings</h2>${findings.length === 0 ? html`<p>None.</p>` : html`<ul>${findings.map((finding) => html`<li class="${finding.severity}"><strong>${finding.severity}</strong> ${name(finding.code)}: ${hostile(finding.text)}</li>`)}</ul>`}
${review.warnings && html`<h2>Attempts whose outcome isn't known</h2><ul>${review.warnings.map((warning) => html`<li class="warn">Plan <a href="/plans/${warning.planId}"><code>${warning.planId}</code></a> touches the same, and what came of it is open: ${warning.outcome}.</li>`)}</ul>`}
<h2>Steps</h2><ol>${review.steps.map(({ text }) => html`<li>${hostile(text)}</li>`)}</ol>
${review.quotes && html`<h2>Words of others</h2>${review.quotes.map(({ source, text }) => html`<figure><figcaption>From ${SOURCES[source] ?? source}:</figcaption><blockquote>${hostile(text)}</blockquote></figure>`)}`}
<h2>Changes</h2>${review.changes === undefined ? html`<p>None that could be told beforehand.</p>` : review.changes.map(change)}
<h2>What will run</h2>${intent.steps.map((step, at) => html`<section><h3>Step ${at + 1}: ${name(step.action)} ${name(step.object)}</h3>
${step.body === undefined ? html`<p>Nothing is sent.</p>` : block(step.body)}
${step.previewDigest === undefined ? html`<p class="warn">This step can't be previewed.</p>` : html`<p>Previewed: <code>${step.previewDigest}</code></p>`}
${step.preconditions === undefined ? html`<p class="warn">No precondition: it runs whatever stands there then.</p>` : html`<ul>${step.preconditions.map(({ kind, expected, enforcement }) => html`<li${enforcement === "none" && new_(' class="warn"')}>Only if ${name(kind)} is ${block(expected)} (${ENFORCED[enforcement] ?? enforcement})</li>`)}</ul>`}</section>`)}
<h3>Arguments</h3>${block(intent.arguments)}
<h3>Generated for this plan</h3>${intent.generated === undefined ? html`<p>Nothing.</p>` : block(intent.generated)}
<dl>${row("Effect keys", html`<ul>${intent.effectKeys.map((key) => html`<li>${name(key)}</li>`)}</ul>`)}
${row("Previews compared", intent.normaliser === undefined ? html`as they are` : html`by ${name(intent.normaliser.name)}, without ${block(intent.normaliser.exclusions)}`)}
${row("Target", html`${name(intent.target.name)}, which is ${block(intent.target.identity)}`)}
${row("Tool", html`${name(intent.tool.name)}, by its definition <code>${intent.tool.definitionDigest}</code>`)}
${row("Requester", html`${name(requester.person)}: ${name(requester.subject)} of ${name(requester.issuer)}`)}
${row("Rule", html`${rule.kind}, ${rule.required} of ${rule.groups === undefined ? html`any person who may` : rule.groups.map((group) => html`${name(group)} `)}`)}
${row("Limits", block(limits))}
${row("The requester reads the target", html`${policy.requesterReadsTarget ? "yes" : "no"}`)}
${row("Enforcement", html`isolation ${enforcement.isolation}, rollback ${enforcement.rollback}, requester known by ${enforcement.requesterAssurance}${enforcement.rollback === "none" && html` <strong class="warn">nothing outside of the store remembers what ran</strong>`}`)}
${row("Made", html`${header.createdAt}`)}${row("Runs out", html`${header.expiresAt}`)}
${row("Plan digest", html`<code>${planDigest}</code> (<a href="/plans/${planId}/header.json">header</a>)`)}
${row("Intent digest", html`<code>${header.intentDigest}</code> (<a href="/plans/${planId}/intent.json">intent</a>)`)}
${row("Review digest", html`<code>${header.reviewDigest}</code> (<a href="/plans/${planId}/review.json">review</a>)`)}
${row("Plan", html`<code>${planId}</code>`)}${row("Audience", name(header.audience))}</dl>`;
  return page("Plan", html`${said && html`<p class="said" role="status">${said}</p>`}<article>${covered}</article>${live(plan, others)}${form && decision(plan, form)}`, session);
}

const new_ = (attribute: string): Html => html([attribute] as unknown as TemplateStringsArray);

/** [SHOW-005] */
function change({ object, ...values }: { object: string; before?: unknown; after?: unknown }): Html {
  const { before, after } = values;
  const what = before === undefined ? "created" : after === undefined ? "removed" : "changed";
  return html`<section><h3>${name(object)} is ${what}</h3>${difference(before, after)}</section>`;
}

/** [SHOW-011] */
function live(plan: Plan, others: Others): Html {
  const { state, header, decisions, execution, reconciliation, challenge } = plan;
  const ends = gate.isLive(plan, Date.now()) ? challenge!.expiresAt : (state.approvalExpiresAt ?? header.expiresAt);
  const left = Math.max(0, Math.ceil((Date.parse(ends) - Date.now()) / 1000));
  const outcome = execution && html`<p>Outcome: <strong>${execution.outcome}</strong>, claimed ${execution.claimedAt}, settled ${execution.settledAt}</p>
<ol>${(execution.steps ?? []).map((step) => html`<li>${step.outcome} ${step.code !== undefined && name(step.code)}</li>`)}</ol>
${reconciliation && html`<p>Found by the operator ${name(reconciliation.operator)} at ${reconciliation.at}: ${reconciliation.finding}</p>`}`;
  return html`<aside><h2>Now</h2><p>No digest covers this part.</p>
<p>State: <strong>${state.state}</strong> ${state.cause}. ${gate.isOpen(state.state) && html`Time left: ${left} seconds.`} Approvals: ${gate.approvers(plan).size} of ${header.policy.rule.required}.</p>
<ul>${decisions.map(({ approver, verdict, decidedAt, comment }) => html`<li>${name(approver.person)}: ${verdict} at ${decidedAt}${comment !== undefined && html`, saying <q>${hostile(comment)}</q>`}</li>`)}</ul>
${outcome}${!gate.isOpen(state.state) && state.state !== "executing" && html`<p><a href="/plans/${plan.planId}/receipt.json">Receipt</a></p>`}<h3>Other open plans of the requester</h3>${latest(others.open)}<h3>Recent rejections on the same things</h3>${latest(others.rejected)}</aside>`;
}

const FEW = 10;

function latest({ plans, hidden }: { plans: Plan[]; hidden: boolean }): Html {
  const more = plans.length > FEW && html`<p>The latest ${FEW} of ${plans.length} are shown.</p>`;
  return html`${list(plans.slice(0, FEW))}${more}${hidden && html`<p>There are some that you may not read.</p>`}`;
}

/** [FORM-004, FORM-005]: nothing is folded, and the first button does nothing, so that no key approves. */
function decision(plan: Plan, { seal, verdicts }: DecisionForm): Html {
  const typed = verdicts.includes("approve") && (plan.review!.findings ?? []).some(({ severity }) => severity === "high");
  const labels = { approve: "Approve", reject: "Reject", withdraw: "Withdraw my approval" };
  return html`<form method="post" action="/plans/${plan.planId}" class="decision" autocomplete="off"><h2>Decide</h2><button type="submit" disabled hidden></button>
<input type="hidden" name="seal" value="${seal}">
<label>Comment <textarea name="comment" maxlength="2000"></textarea></label>
${verdicts.includes("reject") && html`<label><input type="checkbox" name="mute" value="yes"> With a rejection: take no plan of this requester for an hour</label>`}
${typed && html`<label>To approve, type the target's name, <strong>${plan.intent!.target.name}</strong> <input type="text" name="target" required></label>`}
<label>Your password <input type="password" name="password" autocomplete="current-password" required></label>
${verdicts.map((verdict) => html`<button type="submit" name="verdict" value="${verdict}"${verdict !== "approve" && new_(" formnovalidate")}>${labels[verdict]}</button> `)}</form>`;
}

export const STYLE = `
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: auto; padding: 1rem; color: #222; background: #fff; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f4f4f4; padding: .5rem; }
code, h1, li { overflow-wrap: anywhere; }
.text { unicode-bidi: isolate; }
.mark { border: 1px solid #a00; color: #a00; font: .75rem monospace; }
.removed { color: #900; } .added { color: #060; } .kept { color: #555; }
.high, .warn { color: #900; } .said { border: 2px solid; padding: .5rem; font-weight: bold; }
aside { border-top: 3px double; margin-top: 2rem; } blockquote { border-left: 4px solid #999; padding-left: 1rem; }
.decision { border-top: 3px double; } label { display: block; margin: .75rem 0; } button { padding: .5rem 1rem; }
`;
