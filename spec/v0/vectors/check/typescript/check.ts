// Holds the vectors of the mutation-approval profile against a reading of the specification that shares no code with it.
//
//     node check.mjs DIRECTORY
//
// Prints a line for each category and one, `not ok CATEGORY/NAME: …`, for each vector that isn't as the specification says;
// fails if there is one. It needs the package `canonicalize`, and something that takes the types out (esbuild, a newer
// Node). CC0 1.0.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

import canonicalize from "canonicalize";

import { Fault, verify } from "./audit.ts";
import { decide } from "./gate.ts";
import type { Scene } from "./gate.ts";
import { Broken, at, commitment, digestOf, replace, restore } from "./leaves.ts";
import type { Leaf } from "./leaves.ts";
import { Refused as NoReceipt, verify as verifyReceipt } from "./receipts.ts";
import { Misfit, isDigest, isIdentifier, isPlanId, isSalt, isTimestamp, read } from "./records.ts";
import type { Members } from "./records.ts";
import { Key, Refused as Unopened, open, seal, tag } from "./seals.ts";
import type { Binding } from "./seals.ts";
import { NoKeySet, Refused as Unsigned, mustBeGoodAt, open as openEnvelope, readKeySet, sign } from "./signatures.ts";
import type { Purpose } from "./signatures.ts";
import { ARGUMENTS, PLAN, Refused, admit, digest } from "./strict_json.ts";
import type { Json, Limits } from "./strict_json.ts";

type Written = { text?: string; base64?: string; repeat?: string; times?: number; pieces?: Written[] };
type Operation = { op: string; path: string; value?: Json };
type Keys = { id: string; master: Written; state: string }[];
// What is in a file of vectors is known by its category.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Given = any;
type File = { format: string; category: string; vectors: { name: string; input: Given; expect: Json }[]; [shared: string]: Given };

function bytesOf(written: Written): Buffer {
  if (written.pieces !== undefined) return Buffer.concat(written.pieces.map(bytesOf));
  if (written.repeat !== undefined) return Buffer.from(written.repeat.repeat(written.times ?? 1));
  return written.text !== undefined ? Buffer.from(written.text) : Buffer.from(written.base64!, "base64");
}

function writtenAs(content: Buffer): Json {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content) };
  } catch {
    return { base64: content.toString("base64") };
  }
}

const ringOf = (keys: Keys): Key[] => keys.map((key) => new Key(key.id, bytesOf(key.master), key.state));
const activeOf = (keys: Keys): Key => ringOf(keys).find((key) => key.state === "active")!;

/** A JSON Patch (RFC 6902) of `add`, `remove` and `replace`. */
function patched(document: Json, change: Operation[]): Json {
  return change.reduce((changed, { op, path, value }) => {
    if (!["add", "remove", "replace"].includes(op)) throw new Error(`unknown operation ${op}`);
    const parent = path.slice(0, path.lastIndexOf("/"));
    const step = path.slice(parent.length + 1);
    const place = Number(step);
    return at(changed, parent, (container) => {
      if (!Array.isArray(container)) {
        return at(container as Json, `/${step}`, (held) => {
          if (op !== "add" && held === undefined) throw new Error(`nothing at ${path}`);
          return op === "remove" ? undefined : value;
        });
      }
      if (!(place < container.length || (op === "add" && place === container.length))) throw new Error(`nothing at ${path}`);
      const items = op === "remove" ? [] : [value as Json];
      return [...container.slice(0, place), ...items, ...container.slice(op === "add" ? place : place + 1)];
    });
  }, document);
}

function document(given: { bytes: Written; limits?: Limits }): Json {
  try {
    const { canonical } = admit(bytesOf(given.bytes), given.limits ?? ARGUMENTS);
    if (!Buffer.from(admit(canonical, PLAN).canonical).equals(canonical)) throw new Error("canonical bytes admit to others");
    const found = { verdict: "accepted", digest: digest(canonical) };
    return given.bytes.pieces === undefined ? { ...found, canonical: Buffer.from(canonical).toString() } : found;
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    return { verdict: "refused", reason: refused.reason, offset: refused.offset ?? null };
  }
}

const FORMS: { [form: string]: (value: Json) => boolean } = {
  digest: isDigest,
  timestamp: isTimestamp,
  "plan-id": isPlanId,
  "challenge-id": isIdentifier,
  salt: isSalt,
};

type SealGiven = {
  operation: string;
  keys: Keys;
  purpose: string;
  binding: Binding;
  body: Written;
  nonce?: Written;
  sealed: Written;
};

function sealed({ operation, keys, purpose, binding, ...given }: SealGiven): Json {
  if (operation === "seal") {
    const nonce = given.nonce === undefined ? undefined : bytesOf(given.nonce);
    const made = seal(activeOf(keys), purpose, binding, bytesOf(given.body), nonce);
    return { verdict: "sealed", sealed: { base64: made.toString("base64") } };
  }
  try {
    return { verdict: "opened", body: writtenAs(open(ringOf(keys), purpose, binding, bytesOf(given.sealed))) };
  } catch (unopened) {
    if (!(unopened instanceof Unopened)) throw unopened;
    return { verdict: "refused", reason: unopened.reason };
  }
}

type TagGiven = {
  keys: Keys;
  purpose: string;
  bytes: Written;
  person?: string;
  coolDown?: { person: string; effectKey: string };
  request?: Members;
};

/** What a tag is made over. */
function taggedBytes({ request, coolDown, person, bytes }: TagGiven): Buffer {
  if (request !== undefined) return Buffer.from(canonicalize({ type: "mutation-approval/request/v0", ...request })!);
  if (coolDown !== undefined) {
    return Buffer.from(`${Buffer.byteLength(coolDown.person)}:${coolDown.person}${coolDown.effectKey}`);
  }
  return person === undefined ? bytesOf(bytes) : Buffer.from(person);
}

function digests({ header, intent, review }: { header: Members; intent: Json; review: Json }): Json {
  const found = { planDigest: digestOf(header), intentDigest: digestOf(intent), reviewDigest: digestOf(review) };
  const holds = header["intentDigest"] === found.intentDigest && header["reviewDigest"] === found.reviewDigest;
  return holds ? { ...found, verdict: "accepted" } : { ...found, verdict: "refused", reason: "approval_hash_mismatch" };
}

type LeafGiven = { operation: string; nonce: string; value: Json; document: Json; intent: Members; leaves: Leaf[] };

function leaf(given: LeafGiven): Json {
  if (given.operation === "commit") return { commitment: commitment(given.nonce, given.value) };
  if (given.operation === "replace") return { document: replace(given.document, given.leaves) };
  try {
    return { verdict: "restored", document: restore(given.intent, given.leaves) };
  } catch (broken) {
    if (!(broken instanceof Broken)) throw broken;
    return { verdict: "refused", reason: "integrity_failure" };
  }
}

type AuditGiven = { lines: string[]; keySet?: Members; checkpoint?: string; anchor?: string[] };

function audited(given: { audit: string; change: Operation[] }, file: File): Json {
  const audit = patched(file["audits"][given.audit], given.change) as unknown as AuditGiven;
  const { lines, keySet: keys, checkpoint, anchor = [] } = audit;
  try {
    const found = verify(Buffer.from(lines.map((line) => `${line}\n`).join("")), {
      ...(keys === undefined ? {} : { keys: readKeySet(Buffer.from(canonicalize(keys)!)), audience: keys["audience"] as string }),
      ...(checkpoint === undefined ? {} : { kept: Buffer.from(checkpoint) }),
      anchor,
    });
    return { verdict: "accepted", ...(found as Members) };
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    const { code, line, writer, sequence } = fault;
    const event = writer === undefined ? {} : { writer, sequence: sequence! };
    return { verdict: "refused", reason: code, line, ...event };
  }
}

function record(given: { record: string; change: Operation[] }, file: File): Json {
  const whole = file["records"][given.record] as Members;
  const changed = patched(whole, given.change);
  try {
    read(changed, whole["type"] as string);
  } catch (misfit) {
    if (!(misfit instanceof Misfit)) throw misfit;
    return { verdict: "refused", reason: misfit.reason, at: misfit.at };
  }
  return { verdict: "accepted", digest: digestOf(changed) };
}

function keySet(given: { bytes: Written }): Json {
  try {
    readKeySet(bytesOf(given.bytes));
    return { verdict: "accepted" };
  } catch (none) {
    if (!(none instanceof NoKeySet)) throw none;
    return { verdict: "refused" };
  }
}

type EnvelopeGiven = {
  operation: string;
  seed: Written;
  purpose: Purpose;
  payload: Written;
  envelope: Written;
  keySet: Json;
  signedAt: string;
};

function envelope(given: EnvelopeGiven): Json {
  if (given.operation === "sign") {
    return { envelope: writtenAs(sign(bytesOf(given.seed), given.purpose, bytesOf(given.payload))) };
  }
  const keys = readKeySet(Buffer.from(canonicalize(given.keySet)!));
  try {
    const { payload, key } = openEnvelope(bytesOf(given.envelope), given.purpose, keys);
    mustBeGoodAt(key, given.signedAt);
    return { verdict: "accepted", payload: writtenAs(payload) };
  } catch (unsigned) {
    if (!(unsigned instanceof Unsigned)) throw unsigned;
    return { verdict: "refused", reason: unsigned.reason };
  }
}

function receipt(given: { receipt: string; change: Operation[]; envelope?: Written; at?: string }, file: File): Json {
  const keys = readKeySet(Buffer.from(canonicalize(file["keySet"])!));
  const envelope = given.envelope === undefined ? signedStatement(given, file) : bytesOf(given.envelope);
  try {
    return { verdict: "accepted", ...(verifyReceipt(envelope, keys, file["keySet"].audience, given.at) as Members) };
  } catch (none) {
    if (!(none instanceof NoReceipt)) throw none;
    return { verdict: "refused", reason: none.reason };
  }
}

function signedStatement(given: { receipt: string; change: Operation[] }, file: File): Buffer {
  const statement = patched(file["statements"][given.receipt], given.change);
  return sign(bytesOf(file["seed"]), "receipt", Buffer.from(canonicalize(statement)!));
}

const CATEGORIES: { [category: string]: (given: Given, file: File) => Json } = {
  "accepted-documents": document,
  audit: audited,
  digests,
  envelopes: envelope,
  forms: (given: { form: string; text: string }) => ({
    verdict: FORMS[given.form]!(given.text) ? "accepted" : "refused",
  }),
  gate: (given: { scene: string; change: Operation[] }, file) =>
    decide(patched(file["scenes"][given.scene], given.change) as unknown as Scene, ringOf(file["keys"])),
  "key-sets": keySet,
  receipts: receipt,
  records: record,
  "refused-documents": document,
  seals: sealed,
  "secret-leaves": leaf,
  tags: (given: TagGiven) => ({ tag: tag(activeOf(given.keys), given.purpose, taggedBytes(given)) }),
};

function main(directory: string): number {
  const seen = new Set<string>();
  let failed = 0;
  for (const name of readdirSync(directory).filter((entry) => entry.endsWith(".json")).sort()) {
    const file = JSON.parse(readFileSync(join(directory, name), "utf8")) as File;
    const check = CATEGORIES[file.category];
    if (file.format !== "mutation-approval/vectors/v0" || file.vectors.length === 0 || check === undefined) {
      throw new Error(`${name} is no file of vectors that is known here`);
    }
    seen.add(file.category);
    let wrong = 0;
    for (const vector of file.vectors) {
      let found: Json;
      try {
        found = check(vector.input, file);
      } catch (error) {
        // A checker that breaks on a vector has not found it to be right.
        found = String(error);
      }
      if (canonicalize(found) !== canonicalize(vector.expect)) {
        wrong += 1;
        console.log(`not ok ${file.category}/${vector.name}: ${canonicalize(found)!.slice(0, 400)} found`);
      }
    }
    failed += wrong;
    if (wrong === 0) console.log(`ok ${file.category}: ${file.vectors.length} vectors`);
  }
  for (const category of Object.keys(CATEGORIES).filter((known) => !seen.has(known))) {
    console.log(`not ok ${category}: there is no such file`);
    failed += 1;
  }
  return failed === 0 ? 0 : 1;
}

process.exitCode = main(process.argv[2]!);
