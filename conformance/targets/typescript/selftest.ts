// Drives the server end to end, as a harness does: by the driver's lines, by messages as an agent, and by forms as a person. It
// prints a line for each case, `ok NAME` or `not ok NAME: why`, and ends with 1 where one failed.
//
//     node build/selftest.mjs ../../../spec/v0/vectors [CASE…]

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

// Programs that check vectors, which share no code with this server: they verify what it has signed.
import { verify as verifyAudit } from "../../../spec/v0/vectors/check/typescript/audit.ts";
import { verify as verifyReceipt } from "../../../spec/v0/vectors/check/typescript/receipts.ts";
import { readKeySet } from "../../../spec/v0/vectors/check/typescript/signatures.ts";
import { digestOf, same, type Json, type JsonObject } from "./server/json.ts";

type Started = { url: string; tokens: Record<string, string>; accounts: Record<string, { account: string; password: string }> };
/** What is asked of an answer is up to each case. */
type Answer = { kind: string; reason: string; planId: string; planDigest: string; url: string; state: string; outcome: string; replayed: boolean } & JsonObject;
type Sent = { status: number; json: { result?: JsonObject; error?: { code: number } } | undefined };

// The driver.

const driver = spawn(process.execPath, [join(dirname(fileURLToPath(import.meta.url)), "driver.mjs")], { stdio: ["pipe", "pipe", "inherit"] });
const waiting = new Map<number, (answer: { ok?: JsonObject; unsupported?: string; error?: string }) => void>();
createInterface({ input: driver.stdout }).on("line", (line) => {
  const answer = JSON.parse(line) as { id: number; ok?: JsonObject };
  waiting.get(answer.id)!(answer);
});
let requests = 0;

async function drive(op: string, members: JsonObject = {}): Promise<JsonObject> {
  const id = ++requests;
  const answer = new Promise<{ ok?: JsonObject }>((resolve) => waiting.set(id, resolve));
  driver.stdin.write(`${JSON.stringify({ id, op, ...members })}\n`);
  const { ok } = await answer;
  if (ok === undefined) throw new Error(`the driver answers \`${op}\` with ${JSON.stringify(await answer)}`);
  return ok;
}

let started: Started;

// The agent.

type How = { person?: string; revision?: string; elicitation?: boolean; raw?: string };

async function send(method: string, params: JsonObject, { person = "alice", revision = "2026-07-28", elicitation = false, raw }: How = {}): Promise<Sent> {
  const modern = revision === "2026-07-28";
  const token = started.tokens[person];
  const headers: Record<string, string> = {
    "Content-Type": "application/json",
    Accept: "application/json, text/event-stream",
    "MCP-Protocol-Version": revision,
    ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    ...(modern && { "Mcp-Method": method, ...(typeof params["name"] === "string" && { "Mcp-Name": params["name"] }) }),
  };
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": revision,
    "io.modelcontextprotocol/clientInfo": { name: "selftest", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": elicitation ? { elicitation: { url: {} } } : {},
  };
  const message = { jsonrpc: "2.0", id: 1, method, params: modern ? { ...params, _meta } : params };
  const response = await fetch(started.url, { method: "POST", headers, body: raw ?? JSON.stringify(message) });
  const text = await response.text();
  const json = text.startsWith("event:") ? /^data: (.*)$/m.exec(text)![1]! : text;
  return { status: response.status, json: json === "" ? undefined : (JSON.parse(json) as Sent["json"]) };
}

async function call(name: string, arguments_: Json, how: How = {}): Promise<Answer> {
  const { json } = await send("tools/call", { name, arguments: arguments_ }, how);
  const result = json?.result;
  if (result?.["structuredContent"] === undefined) throw new Error(`no structured content: ${JSON.stringify(json)}`);
  const answer = result["structuredContent"] as Answer;
  const failed = answer.kind === "refusal" || (answer.kind === "execution" && answer.outcome !== "applied");
  equal("isError", result["isError"] ?? false, failed);
  if (Buffer.byteLength(JSON.stringify(result)) > 16 * 1024) throw new Error("the result is larger than 16 KiB");
  return answer;
}

const unique = (): string => randomBytes(6).toString("hex");
const note = (shelf = "plain", more: JsonObject = {}): JsonObject => ({ shelf, name: unique(), text: "hello", ...more });

async function plan(arguments_: JsonObject, how: How = {}): Promise<Answer> {
  const answer = await call("write_note", arguments_, how);
  equal("the answer to the call", answer.kind, "plan");
  equal("the plan's digest", digestOf(answer["header"] as Json), answer.planDigest);
  return answer;
}

const challenge = async ({ planId }: Answer, how: How = {}): Promise<Answer> => call("approval_challenge", { planId }, how);
const execute = async ({ planId, planDigest }: Answer, how: How = {}): Promise<Answer> => call("approval_execute", { planId, planDigest }, how);
const status = async ({ planId }: Answer, seconds = 0, how: How = {}): Promise<Answer> => call("approval_status", { planId, waitSeconds: seconds }, how);

async function refused(answer: Answer | Promise<Answer>, reason: string): Promise<void> {
  const { kind, reason: given, outcome } = await answer;
  equal("the refusal", `${kind} ${given ?? outcome}`, `refusal ${reason}`);
}

async function effects(arguments_: JsonObject, count: number): Promise<void> {
  equal("effects at the target", (await drive("observe", { tool: "plain", arguments: arguments_ }))["effects"], count);
}

// The person.

const cookies = new Map<string, string>();
type Page = { status: number; text: string; headers: Headers };

async function browse(person: string | undefined, url: string, fields?: Record<string, string>, from?: string): Promise<Page> {
  const cookie = person === undefined ? undefined : cookies.get(person);
  const headers = { ...(cookie !== undefined && { Cookie: cookie }), ...(fields !== undefined && { Origin: from ?? new URL(url).origin, "Sec-Fetch-Site": from === undefined ? "same-origin" : "cross-site" }) };
  const response = await fetch(url, { redirect: "manual", headers, ...(fields !== undefined && { method: "POST", body: new URLSearchParams(fields) }) });
  const set = response.headers.get("set-cookie");
  if (set !== null && person !== undefined) cookies.set(person, set.split(";")[0]!);
  for (const header of ["content-security-policy", "x-content-type-options", "referrer-policy", "cache-control"])
    if (!response.headers.has(header)) throw new Error(`no \`${header}\` on ${url}`);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

async function open(person: string, url: string): Promise<Page> {
  let page = await browse(person, url);
  if (page.status === 303) {
    const { account, password } = started.accounts[person]!;
    const login = await browse(person, new URL("/login", url).href, { account, password });
    equal("after the login", login.status, 303);
    page = await browse(person, url);
  }
  return page;
}

/** The fields of a page's form for a verdict; undefined where there is none. */
function form(page: Page, person: string, verdict: string): Record<string, string> | undefined {
  if (!page.text.includes(`value="${verdict}"`)) return undefined;
  const seal = /name="seal" value="([^"]+)"/.exec(page.text)![1]!;
  const target = /type the target&#39;s name|type the target's name/.test(page.text) ? /<strong>([^<]*)<\/strong> <input type="text" name="target"/.exec(page.text)?.[1] : undefined;
  return { seal, verdict, password: started.accounts[person]!.password, ...(target !== undefined && verdict === "approve" && { target }) };
}

async function decide(person: string, url: string, verdict: string, more: Record<string, string> = {}): Promise<Page> {
  const fields = form(await open(person, url), person, verdict);
  if (fields === undefined) return { status: 0, text: "no such button", headers: new Headers() };
  return browse(person, url, { ...fields, ...more });
}

async function approved(arguments_: JsonObject, how: How = {}): Promise<Answer> {
  const planned = await plan(arguments_, how);
  const { url } = await challenge(planned, how);
  const page = await decide(how.person ?? "alice", url, "approve");
  equal("the page after the approval", page.status, 200);
  return { ...planned, url };
}

// Cases.

function equal(what: string, given: unknown, wanted: unknown): void {
  if (!same((given ?? null) as Json, (wanted ?? null) as Json)) throw new Error(`${what}: ${JSON.stringify(given)} in place of ${JSON.stringify(wanted)}`);
}

const cases: [string, () => Promise<void>][] = [];
const test = (name: string, run: () => Promise<void>): void => void cases.push([name, run]);

for (const revision of ["2025-11-25", "2026-07-28"])
  test(`whole way in ${revision}`, async () => {
    const tools = (await send("tools/list", {}, { revision })).json!.result!["tools"] as JsonObject[];
    equal("the tools", tools.map(({ name }) => name!), ["write_note", "read_note", "approval_challenge", "approval_status", "approval_execute", "approval_cancel"]);
    const arguments_ = note();
    const planned = await plan(arguments_, { revision });
    await refused(execute(planned, { revision }), "approval_required");
    const { url, state, challengeId } = await challenge(planned, { revision });
    equal("the state", state, "awaiting_approval");
    equal("the challenge once more", (await challenge(planned, { revision }))["challengeId"], challengeId);
    await refused(execute(planned, { revision }), "approval_pending");
    const waits = status(planned, 20, { revision });
    equal("the page after the approval", (await decide("alice", url, "approve", { comment: "go on" })).status, 200);
    equal("the state that was waited for", (await waits).state, "approved");
    await effects(arguments_, 0);
    const first = await execute(planned, { revision });
    equal("the outcome", [first.kind, first.outcome, first.replayed], ["execution", "applied", false]);
    const again = await execute(planned, { revision });
    equal("the replay", { ...again, replayed: false }, first);
    await effects(arguments_, 1);
    const read = await send("tools/call", { name: "read_note", arguments: { shelf: "plain", name: arguments_["name"]! } }, { revision });
    equal("the note", JSON.stringify(read.json!.result!["content"]).includes("hello"), true);
  });

test("binding M", async () => {
  const params = { name: "write_note", arguments: note() };
  const asked = (await send("tools/call", params, { elicitation: true })).json!.result!;
  equal("the result", asked["resultType"], "input_required");
  const { params: question } = (asked["inputRequests"] as Record<string, { params: { mode: string; url: string } }>)["approval"]!;
  equal("the mode", question.mode, "url");
  const again = { ...params, requestState: asked["requestState"]!, inputResponses: { approval: { action: "accept" } } };
  const other = await send("tools/call", { ...again, arguments: { ...params.arguments, text: "other" } }, { elicitation: true });
  await refused(other.json!.result!["structuredContent"] as Answer, "approval_hash_mismatch");
  const broken = await send("tools/call", { ...again, requestState: "AAAA" }, { elicitation: true });
  await refused(broken.json!.result!["structuredContent"] as Answer, "payload_invalid");
  const foreign = await send("tools/call", again, { elicitation: true, person: "bob" });
  await refused(foreign.json!.result!["structuredContent"] as Answer, "plan_not_found");
  equal("the page after the approval", (await decide("alice", question.url, "approve")).status, 200);
  const done = (await send("tools/call", again, { elicitation: true })).json!.result!["structuredContent"] as Answer;
  equal("the outcome", done.outcome, "applied");
  await effects(params.arguments, 1);
});

test("quorum, withdrawn and own plan", async () => {
  const arguments_ = note("quorum");
  const planned = await plan(arguments_);
  const { url } = await challenge(planned);
  equal("the requester's own page", [(await open("alice", url)).status, (await decide("alice", url, "approve")).status], [200, 0]);
  equal("the first approval", (await decide("carol", url, "approve")).status, 200);
  equal("the same person once more", (await decide("carol", url, "approve")).status, 0);
  await refused(execute(planned), "approval_pending");
  equal("the second approval", (await decide("dave", url, "approve")).status, 200);
  equal("the outcome", (await execute(planned)).outcome, "applied");
  await effects(arguments_, 1);
  const second = await plan(note("quorum"));
  const { url: other } = await challenge(second);
  await decide("carol", other, "approve");
  await decide("dave", other, "approve");
  equal("the withdrawal", (await decide("carol", other, "withdraw")).status, 200);
  await refused(execute(second), "approval_withdrawn");
});

test("rejected, asked again, muted", async () => {
  const arguments_ = note();
  const planned = await plan(arguments_);
  const { url } = await challenge(planned);
  equal("the rejection", (await decide("alice", url, "reject", { comment: "no" })).status, 200);
  await refused(execute(planned), "approval_rejected");
  await refused(call("write_note", arguments_), "recently_rejected");
  await effects(arguments_, 0);
  await drive("mute", { person: "bob", on: true });
  await refused(call("write_note", note(), { person: "bob" }), "rate_limited");
  await drive("mute", { person: "bob", on: false });
  await plan(note(), { person: "bob" });
});

test("cancelled", async () => {
  const arguments_ = note();
  const planned = await approved(arguments_);
  equal("the state", (await call("approval_cancel", { planId: planned.planId })).state, "cancelled");
  await refused(execute(planned), "plan_cancelled");
  await effects(arguments_, 0);
});

test("things run out", async () => {
  const [old, ran, late] = [await plan(note("short-plan")), await plan(note("short-challenge")), await approved(note("short-approval"))];
  await challenge(ran);
  await sleep(5100);
  await refused(execute(old), "plan_expired");
  await refused(execute(ran), "challenge_expired");
  await refused(execute(late), "approval_expired");
  equal("the plan whose challenge ran out", (await status(ran)).state, "planned");
});

test("digests and handles", async () => {
  const arguments_ = note();
  const [planned, other] = [await approved(arguments_), await plan(note())];
  const { planId, planDigest } = planned;
  await refused(call("approval_execute", { planId, planDigest: other.planDigest }), "approval_hash_mismatch");
  await refused(call("approval_execute", { planId, planDigest: planDigest.toUpperCase() }), "payload_invalid");
  await refused(call("approval_execute", { planId, text: "more" }), "payload_invalid");
  const invented = await send("tools/call", { name: "approval_status", arguments: { planId: "01900000-0000-7000-8000-000000000000" } });
  for (const tool of ["approval_challenge", "approval_status", "approval_execute", "approval_cancel"]) {
    await refused(call(tool, { planId: planId.toUpperCase() }), "plan_not_found");
    const foreign = await send("tools/call", { name: tool, arguments: { planId } }, { person: "bob" });
    equal("a plan of another", foreign.json!.result, invented.json!.result);
  }
  await effects(arguments_, 0);
  equal("the control", (await execute(planned)).outcome, "applied");
});

test("calls that get no plan", async () => {
  await refused(call("write_note", note("nowhere")), "policy_denied");
  await refused(call("write_note", note("plain", { count: 2 ** 53 })), "payload_invalid");
  await refused(call("write_note", note("plain", { more: 1 })), "payload_invalid");
  await refused(call("write_note", note("plain", { text: "x".repeat(2 * 1024 * 1024) })), "payload_too_large");
  await refused(call("write_note", note(), { person: "mallory" }), "requester_not_permitted");
  equal("nobody", (await send("tools/call", { name: "write_note", arguments: note() }, { person: "nobody" })).status, 401);
  equal("an array", (await send("tools/call", { name: "write_note", arguments: [1] })).json?.error?.code, -32602);
  equal("no such tool", (await send("tools/call", { name: "no_tool", arguments: {} })).json?.error?.code, -32602);
  const params = { name: "write_note", arguments: note(), requestState: "AAAA" };
  await refused((await send("tools/call", params)).json!.result!["structuredContent"] as Answer, "payload_invalid");
  const doubled = (inside: string, outside = ""): string =>
    `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"write_note"${outside},"arguments":{"shelf":"plain","name":"a","text":"x"${inside}}}}`;
  const legacy = { revision: "2025-11-25" };
  equal("a member of the message twice", (await send("", {}, { ...legacy, raw: doubled("", ',"name":"read_note"') })).json?.error?.code, -32602);
  await refused((await send("", {}, { ...legacy, raw: doubled(',"text":"y"') })).json!.result!["structuredContent"] as Answer, "payload_invalid");
  equal("the control", ((await send("", {}, { ...legacy, raw: doubled("") })).json!.result!["structuredContent"] as Answer).kind, "plan");
});

test("limits", async () => {
  const planned = await plan(note("few-attempts"));
  for (const _ of [1, 2, 3]) await refused(execute(planned), "approval_required");
  await refused(execute(planned), "rate_limited");
  const how = { person: "bob" };
  while ((await call("write_note", note("few-plans"), how)).kind === "plan");
  await refused(call("write_note", note("few-plans"), how), "rate_limited");
});

test("race and collision", async () => {
  const arguments_ = note();
  const [planned, rival] = [await approved(arguments_), await approved(arguments_)];
  await drive("hold", { tool: "plain", arguments: arguments_ });
  const runs = [1, 2, 3, 4].map(() => execute(planned));
  equal("one is waiting at the target", (await drive("held", { tool: "plain", arguments: arguments_, seconds: 10 }))["held"], true);
  await refused(execute(rival), "execution_in_progress");
  await refused(call("approval_cancel", { planId: planned.planId }), "execution_in_progress");
  const warned = await plan(arguments_);
  equal("the warning", (warned["warnings"] as JsonObject[])[0]!["planId"], planned.planId);
  await drive("release", { tool: "plain", arguments: arguments_ });
  for (const run of await Promise.all(runs)) if (run.kind === "refusal") await refused(run, "execution_in_progress");
  await effects(arguments_, 1);
  await refused(execute(rival), "precondition_failed");
  await refused(execute(rival), "plan_stale");
});

for (const [how, reason] of [["moved", "precondition_failed"], ["previewed", "preview_changed"], ["refused", "dry_run_failed"], ["replaced", "target_changed"], ["unreachable", "target_unavailable"]] as const)
  test(`target ${how}`, async () => {
    const arguments_ = note();
    const planned = await approved(arguments_);
    await drive("drift", { tool: "plain", arguments: arguments_, how });
    await refused(execute(planned), reason);
    await effects(arguments_, 0);
    await drive("drift", { tool: "plain", arguments: arguments_, how: "restored" });
    if (how === "unreachable") equal("once it is back", (await execute(planned)).outcome, "applied");
    else await refused(execute(planned), "plan_stale");
  });

test("paused", async () => {
  const planned = await approved(note());
  await drive("pause", { on: true });
  await refused(execute(planned), "paused");
  await drive("pause", { on: false });
  equal("the control", (await execute(planned)).outcome, "applied");
});

test("pages", async () => {
  const text = "\u202Eevil\u200B <b>bold</b> \u{E0041}  ";
  const planned = await plan(note("precious", { text, name: `a\u0430-${unique()}` }));
  const { url } = await challenge(planned);
  equal("before a login", (await browse(undefined, url)).status, 303);
  const none = `${url.slice(0, -1)}${url.endsWith("0") ? "1" : "0"}`;
  equal("for a stranger", [(await open("mallory", url)).status, (await browse("mallory", url)).text === (await browse("mallory", none)).text], [404, true]);
  const page = await open("alice", url);
  for (const shown of ["U+202E", "U+200B", "U+E0041", "&lt;b&gt;", "2 × U+0020", "mixes Latin, Cyrillic", planned.planDigest, "precious-shelf"])
    equal(`\`${shown}\` on the page`, page.text.includes(shown), true);
  equal("what would hide", /[\u202E\u200B\u{E0041}]|<b>/u.test(page.text), false);
  const fields = form(page, "alice", "approve")!;
  equal("without the target's name", (await browse("alice", url, { ...fields, target: "" })).status, 403);
  const good = form(await open("alice", url), "alice", "approve")!;
  equal("from another site", (await browse("alice", url, good, "https://elsewhere.example")).status, 403);
  equal("without a password", (await browse("alice", url, { ...good, password: "" })).status, 403);
  equal("an edited form", (await browse("alice", url, { ...good, seal: `${good["seal"]!.slice(0, -4)}AAAA` })).status, 403);
  equal("by a link", (await browse("alice", `${url}?${new URLSearchParams(good).toString()}`)).status, 200);
  equal("nothing is decided", (await status(planned)).state, "awaiting_approval");
  equal("the control", (await browse("alice", url, good)).status, 200);
  equal("the form once more", (await browse("alice", url, good)).status, 403);
  equal("the intent", digestOf(JSON.parse((await browse("alice", `${url}/intent.json`)).text) as Json), (planned["header"] as JsonObject)["intentDigest"]);
  equal("the outcome", (await execute(planned)).outcome, "applied");
});

test("what isn't to be read, and what is too much", async () => {
  const arguments_ = note("unread");
  equal("a plan without changes", (await plan(arguments_))["changes"], undefined);
  const large = await plan(note("plain", { text: "x".repeat(100_000) }));
  equal("what was left out", (large["omitted"] as { members: string[] }).members, ["changes"]);
});

for (const [what, more, reason] of [
  ["policy", { tool: "other-subject" }, "policy_changed"],
  ["definition", { tool: "other-subject" }, "tool_changed"],
  ["disable", { person: "alice" }, "requester_not_permitted"],
  ["disable", { person: "carol" }, "approver_not_permitted"],
  ["enforcement", {}, "policy_changed"],
] as const)
  test(`changed ${what} ${Object.values(more)[0] ?? ""}`, async () => {
    const arguments_ = note("other-subject");
    const planned = await plan(arguments_);
    const { url } = await challenge(planned);
    equal("the approval", (await decide("carol", url, "approve")).status, 200);
    await drive("change", { what, ...more });
    await refused(execute(planned), reason);
    await effects(arguments_, 0);
    await reset();
  });

test("crashes", async () => {
  for (const [when, count] of [["before-effect", 0], ["after-effect", 1]] as const) {
    const arguments_ = note();
    const [planned, rival] = [await approved(arguments_), await approved(arguments_)];
    await drive("kill", { when });
    await execute(planned).catch(() => {});
    await effects(arguments_, count);
    await drive("restart");
    cookies.clear();
    await refused(execute(planned), "execution_in_progress");
    await sleep(5100);
    const answer = await execute(planned);
    equal("the outcome", [answer.outcome, answer.replayed], ["unknown", true]);
    await refused(execute(rival), "outcome_unknown");
    await drive("reconcile", { planId: planned.planId, finding: count === 1 ? "applied" : "not-applied" });
    if (count === 1) await refused(execute(rival), "precondition_failed");
    else equal("the rival, once it was reconciled", (await execute(rival)).outcome, "applied");
    await effects(arguments_, 1);
  }
});

test("hands in the journal", async () => {
  const other = await approved(note());
  for (const how of ["edited-row", "transplanted-row", "missing-row", "edited-column"])
    for (const record of how === "edited-column" ? ["header", "intent", "plan-state"] : ["header", "intent", "review", "challenge", "decision", "plan-state", "event"]) {
      const arguments_ = note();
      const planned = await approved(arguments_);
      await drive("tamper", { planId: planned.planId, case: how, record, other: other.planId });
      cookies.clear();
      await refused(execute(planned), "integrity_failure").catch((error: unknown) => {
        throw new Error(`${how} ${record}: ${String(error)}`);
      });
      await effects(arguments_, 0);
    }
});

test("what was put back", async () => {
  const plans = await Promise.all([note(), note(), note("quorum")].map(async (arguments_) => ({ arguments_, planned: await plan(arguments_) })));
  const [run, rejected, withdrawn] = await Promise.all(plans.map(async (one) => ({ ...one, url: (await challenge(one.planned)).url })));
  await decide("alice", run!.url, "approve");
  await decide("carol", withdrawn!.url, "approve");
  await decide("dave", withdrawn!.url, "approve");
  const older = await approved(note());
  await drive("keep");
  equal("the outcome", (await execute(run!.planned)).outcome, "applied");
  await decide("alice", rejected!.url, "reject");
  await decide("carol", withdrawn!.url, "withdraw");
  await call("approval_cancel", { planId: older.planId });
  await drive("put-back", { what: "plan-state", planId: older.planId });
  cookies.clear();
  await refused(execute(older), "integrity_failure");
  await drive("put-back", { what: "store" });
  await refused(execute(rejected!.planned), "approval_rejected");
  await refused(execute(withdrawn!.planned), "approval_withdrawn");
  // Its precondition doesn't hold any more; so the gate needs no anchor to refuse it.
  await refused(execute(run!.planned), "precondition_failed");
  await effects(run!.arguments_, 1);
});

test("pruned", async () => {
  const planned = await approved(note());
  await execute(planned);
  await drive("prune", { planId: planned.planId });
  await refused(execute(planned), "already_executed");
  equal("its page", (await open("alice", planned.url)).status, 404);
});

test("receipts", async () => {
  const ends: [string, () => Promise<Answer>][] = [
    ["applied", async () => {
      const planned = await approved(note());
      await execute(planned);
      return planned;
    }],
    ["rejected", async () => {
      const planned = await plan(note());
      await decide("alice", (await challenge(planned)).url, "reject", { comment: "no" });
      return planned;
    }],
    ["cancelled", async () => {
      const planned = await plan(note());
      await call("approval_cancel", { planId: planned.planId });
      return planned;
    }],
    ["withdrawn", async () => {
      const planned = await approved(note());
      await decide("alice", planned.url, "withdraw");
      return planned;
    }],
  ];
  for (const [how, end] of ends) {
    const { planId, planDigest } = await end();
    const { receipt, keys } = (await drive("receipt", { planId })) as { receipt: string; keys: string };
    const { audience } = JSON.parse(keys) as { audience: string };
    const told = verifyReceipt(Buffer.from(receipt), readKeySet(Buffer.from(keys)), audience, new Date().toISOString()) as JsonObject;
    equal(`the receipt of a plan that was ${how}`, [told["planDigest"], (told["claims"] as string[]).includes(how === "applied" ? "executed" : "not-executed")], [planDigest, true]);
  }
});

test("audit", async () => {
  await reset(); // since there were hands in the journal
  await execute(await approved(note()));
  await drive("pause", { on: true });
  await drive("restart");
  cookies.clear();
  await drive("pause", { on: false });
  const planned = await plan(note());
  const { lines } = (await drive("audit")) as { lines: string[] };
  await call("approval_cancel", { planId: planned.planId });
  const { keys } = (await drive("receipt", { planId: planned.planId })) as { keys: string };
  const { audience } = JSON.parse(keys) as { audience: string };
  const told = verifyAudit(Buffer.from(lines.map((line) => `${line}\n`).join("")), { keys: readKeySet(Buffer.from(keys)), audience, anchor: [] }) as JsonObject;
  const { events, proven } = told as { events: number; proven: number };
  equal("all are proven", [events > 10, proven], [true, events]);
});

async function reset(): Promise<void> {
  cookies.clear();
  started = (await drive("reset")) as Started & JsonObject;
}

async function vectors(directory: string): Promise<void> {
  for (const file of readdirSync(directory).filter((file) => file.endsWith(".json"))) {
    const content = JSON.parse(readFileSync(join(directory, file), "utf8")) as { vectors: { name: string; expect: Json }[] };
    const answers = (await drive("vectors", { file, content: content as unknown as Json }))["answers"] as Json[];
    const wrong = content.vectors.filter(({ expect }, at) => answers[at] !== null && !same(answers[at], expect)).map(({ name }) => name);
    const none = answers.filter((answer) => answer === null).length;
    told(`${content.vectors.length - none} vectors of ${file}`, wrong.length === 0 ? undefined : wrong.join(", "), none === content.vectors.length);
  }
}

let failed = 0;
function told(name: string, why?: string, skipped = false): void {
  if (why !== undefined) failed += 1;
  console.log(skipped ? `skip ${name}: the server has no part for it` : why === undefined ? `ok ${name}` : `not ok ${name}: ${why}`);
}

const [directory, ...only] = process.argv.slice(2);
if (directory === undefined) throw new Error("where are the vectors?");
await reset();
if (only.length === 0) await vectors(directory);
const chosen = cases.filter(([name]) => only.length === 0 || only.includes(name));
for (const [name, run] of chosen)
  await run().then(() => told(name), (error: unknown) => told(name, String(error)));
if (chosen.length === 0) told("cases", "there is none of that name");
driver.stdin.end();
await new Promise((resolve) => driver.once("exit", resolve));
process.exit(failed === 0 ? 0 : 1);
