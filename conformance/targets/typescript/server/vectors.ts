// The server's own readers against the vectors of spec/v0/vectors: what the driver answers to `vectors`, and selftest.ts checks.

import { admit, ARGUMENTS, at, canonical, digest, digestOf, isObject, Refused, tokens, type Json, type JsonObject, type Limits } from "./json.ts";
import * as gate from "./gate.ts";
import { commitment, replaced, restored, type Leaf } from "./leaves.ts";
import { isForm, read, WrongRecord, type Enforcement, type Policy } from "./records.ts";
import { Broken, coolDownOf, Ring, type Binding, type Key, type Sealing, type Tagging } from "./seals.ts";
import { sign } from "./signatures.ts";

type Vector = { name: string; input: JsonObject; expect: JsonObject };
/** A file of vectors, whole: vectors, and what several of them refer to. */
export type File = { category: string; vectors: Vector[] } & { [name: string]: unknown };

/** What comes out of each vector's input, in the form of `expect`; null where the server has no part for it. */
export function answers(file: File): (Json | null)[] {
  const judge = JUDGES[file.category];
  return file.vectors.map(({ input }) => (judge === undefined ? null : judge(input, file)));
}

const JUDGES: Record<string, (input: JsonObject, file: File) => Json | null> = {
  "accepted-documents": document,
  "refused-documents": document,
  digests,
  forms: (input) => ({ verdict: isForm(input["form"] as string, input["text"] as string) ? "accepted" : "refused" }),
  records: record,
  "secret-leaves": leaves,
  seals,
  tags: (input) => ({ tag: tag(input) }),
  envelopes: (input) =>
    input["operation"] === "sign"
      ? { envelope: { text: sign(bytes(input["seed"]), input["purpose"] as "receipt" | "checkpoint", bytes(input["payload"])).toString() } }
      : null,
  gate: execution,
};

function bytes(json: Json | undefined): Buffer {
  const given = json as { text?: string; base64?: string; pieces?: Json[]; repeat?: string; times?: number };
  if (given.pieces !== undefined) return Buffer.concat(given.pieces.map(bytes));
  if (given.repeat !== undefined) return Buffer.from(given.repeat.repeat(given.times ?? 0));
  return given.base64 !== undefined ? Buffer.from(given.base64, "base64") : Buffer.from(given.text ?? "");
}

function document(input: JsonObject): Json {
  const text = bytes(input["bytes"]);
  const limits = { ...ARGUMENTS, ...((input["limits"] ?? {}) as Partial<Limits>) };
  try {
    const { bytes: canonical } = admit(text, limits);
    const given = (input["bytes"] as JsonObject)["pieces"] === undefined ? { canonical: canonical.toString() } : {};
    return { ...given, digest: digest(canonical), verdict: "accepted" };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { offset: error.offset ?? null, reason: error.reason, verdict: "refused" };
  }
}

function digests(input: JsonObject): Json {
  const { header, intent, review } = input as Record<string, JsonObject>;
  const found = { intentDigest: digestOf(intent!), planDigest: digestOf(header!), reviewDigest: digestOf(review!) };
  const own = header!["intentDigest"] === found.intentDigest && header!["reviewDigest"] === found.reviewDigest;
  return { ...found, ...(own ? { verdict: "accepted" } : { reason: "approval_hash_mismatch", verdict: "refused" }) };
}

function record(input: JsonObject, file: File): Json {
  const whole = (file["records"] as Record<string, JsonObject>)[input["record"] as string]!;
  const changed = patched(whole, input["change"] as Change[]);
  try {
    read((whole["type"] as string).split("/")[1]!, changed);
    return { digest: digestOf(changed), verdict: "accepted" };
  } catch (error) {
    if (!(error instanceof WrongRecord)) throw error;
    return { at: error.at, reason: error.reason, verdict: "refused" };
  }
}

function leaves(input: JsonObject): Json {
  const { operation } = input;
  if (operation === "commit") return { commitment: commitment(input["nonce"] as string, input["value"]!) };
  const kept = (input["leaves"] ?? []) as Leaf[];
  if (operation === "replace") {
    const document = input["document"] as JsonObject;
    return { document: replaced(document, kept.map((leaf) => ({ ...leaf, value: at(document, leaf.pointer)! }))) };
  }
  const document = restored(input["intent"] as JsonObject, "/intent", kept);
  const listed = ((input["intent"] as JsonObject)["secretLeaves"] ?? []) as string[];
  const strangers = kept.some(({ pointer }) => !pointer.startsWith("/preview/") && !listed.some((one) => `/intent${one}` === pointer));
  return document === undefined || strangers
    ? { reason: "integrity_failure", verdict: "refused" }
    : { document, verdict: "restored" };
}

function ring(input: JsonObject, audience = ""): Ring {
  const keys = (input["keys"] as JsonObject[]).map((key) => ({ ...key, master: bytes(key["master"]) }) as unknown as Key);
  return new Ring(keys, audience);
}

function seals(input: JsonObject): Json {
  const { audience, ...binding } = input["binding"] as JsonObject & Binding;
  const keys = ring(input, audience as string);
  const purpose = input["purpose"] as Sealing;
  const form = (buffer: Buffer): Json =>
    Buffer.from(buffer.toString()).equals(buffer) ? { text: buffer.toString() } : { base64: buffer.toString("base64") };
  try {
    if (input["operation"] === "open")
      return { body: form(keys.open(purpose, binding, bytes(input["sealed"]))), verdict: "opened" };
    const nonce = input["nonce"] === undefined ? undefined : bytes(input["nonce"]);
    return { sealed: { base64: keys.seal(purpose, binding, bytes(input["body"]), nonce).toString("base64") }, verdict: "sealed" };
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    return { reason: error.reason, verdict: "refused" };
  }
}

function tag(input: JsonObject): string {
  const over =
    input["request"] !== undefined
      ? canonical({ type: "mutation-approval/request/v0", ...(input["request"] as JsonObject) })
      : input["coolDown"] !== undefined
        ? coolDownOf((input["coolDown"] as JsonObject)["person"] as string, (input["coolDown"] as JsonObject)["effectKey"] as string)
        : ((input["person"] as string | undefined) ?? bytes(input["bytes"]));
  return ring(input).tag(input["purpose"] as Tagging, over);
}

/** The whole gate, as the server puts it together in plans.ts, over a scene in place of store, anchor and target. */
function execution(input: JsonObject, file: File): Json {
  const scene = patched((file["scenes"] as Record<string, JsonObject>)[input["scene"] as string]!, input["change"] as Change[]);
  const now = Date.parse(scene["now"] as string);
  const request = scene["request"] as { planId: Json; planDigest?: Json; requester: { person: string }; repeated?: JsonObject };
  const audience = scene["audience"] as string;
  const directory = scene["directory"] as Record<string, { enabled: boolean; groups: string[]; mayApprove: boolean; mayRequest: boolean }>;
  const anchor = scene["anchor"] as { planId: string; kind: string; inStore?: boolean }[];
  const stored = (json: Json): gate.Stored => ({ broken: [], challenges: [], decisions: [], ...(json as object) }) as unknown as gate.Stored;
  const own = stored(scene["stored"]!);
  let state: string | undefined;
  try {
    if (!gate.isPlanId(request.planId)) throw new gate.Refusal("plan_not_found");
    if (request.planDigest !== undefined && !gate.isDigest(request.planDigest)) throw new gate.Refusal("payload_invalid");
    const found = scene["stored"] !== undefined && own.index?.planId === request.planId;
    if (!found || own.index.requester !== request.requester.person) throw new gate.Refusal("plan_not_found");
    const plan = gate.verify(own, request.planId, audience);
    if (request.planDigest !== undefined && request.planDigest !== plan.planDigest) throw new gate.Refusal("approval_hash_mismatch");
    if (request.repeated !== undefined) {
      const tag = canonical({ type: "mutation-approval/request/v0", audience, ...request.repeated });
      if (!ring(file as unknown as JsonObject).isTag("request-tag", tag, plan.state.requestTag)) throw new gate.Refusal("approval_hash_mismatch");
    }
    state = plan.state.state;
    const end = anchor.find(({ planId, kind }) => planId === plan.planId && kind !== "claimed")?.kind as "rejected" | "withdrawn" | undefined;
    const over = gate.due(plan, now);
    if (over === "plan" || over === "approval") state = "expired";
    const outcome = gate.ended(plan, now, end);
    if (outcome !== undefined) return { outcome: outcome === "lost" ? "unknown" : outcome.outcome, verdict: "replayed" };
    if (over === "challenge") state = "planned";
    gate.mayExecute(plan, now, (scene["pause"] as JsonObject | undefined)?.["paused"] === true);
    gate.isAsItWas(plan, {
      mayRequest: (person) => directory[person]?.enabled === true && directory[person].mayRequest,
      mayApprove: (person, groups) => {
        const { enabled, mayApprove, groups: in_ } = directory[person] ?? { enabled: false, mayApprove: false, groups: [] };
        return enabled && mayApprove && (groups === undefined || groups.some((group) => in_.includes(group)));
      },
      policy: scene["policy"] as unknown as Policy | undefined,
      enforcement: scene["enforcement"] as unknown as Enforcement,
      definitionDigest: (scene["tool"] as JsonObject | undefined)?.["definitionDigest"] as string | undefined,
      target: (scene["target"] as JsonObject)["identity"] as JsonObject,
    });
    const attempts = (scene["attempts"] as JsonObject[]).flatMap((json) => {
      const other = stored(json);
      return gate.attemptOf(gate.verify(other, other.index.planId, audience), now) ?? [];
    });
    for (const { planId, kind, inStore } of anchor)
      if (kind === "claimed" && inStore === false && planId !== plan.planId) attempts.push({ planId, outcome: "unknown", running: false });
    gate.isAlone(plan, attempts);
    gate.isFresh(scene["freshness"] as gate.Freshness);
    const forgotten = anchor.some(({ planId, kind, inStore }) => planId === plan.planId && kind === "claimed" && inStore === false);
    return forgotten ? { outcome: "unknown", verdict: "settled" } : { verdict: "permitted" };
  } catch (error) {
    if (!(error instanceof gate.Refusal)) throw error;
    if (state !== undefined && gate.effectOf(error.reason) === "ends") state = "stale";
    return { reason: error.reason, retry: gate.REASONS[error.reason][0], ...(state === undefined ? {} : { state }), verdict: "refused" };
  }
}

type Change = { op: "add" | "remove" | "replace"; path: string; value?: Json };

/** Applies a JSON Patch of these three operations (RFC 6902). */
function patched(whole: JsonObject, changes: Change[]): JsonObject {
  let copy: Json = structuredClone(whole);
  for (const { op, path, value } of changes) {
    const last = tokens(path)!.pop();
    if (last === undefined) {
      copy = structuredClone(value!);
      continue;
    }
    const holder = at(copy, path.slice(0, path.lastIndexOf("/")))!;
    if (Array.isArray(holder)) {
      const index = last === "-" ? holder.length : Number(last);
      holder.splice(index, op === "add" ? 0 : 1, ...(op === "remove" ? [] : [structuredClone(value!)]));
    } else if (isObject(holder)) {
      if (op === "remove") delete holder[last];
      else holder[last] = structuredClone(value!);
    }
  }
  return copy as JsonObject;
}
