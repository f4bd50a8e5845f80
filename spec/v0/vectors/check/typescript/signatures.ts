// Key sets and signed envelopes, as spec/v0/receipt.md, section 2, lays them down. CC0 1.0.

import { createHash, createPrivateKey, createPublicKey, sign as signWith, verify } from "node:crypto";

import canonicalize from "canonicalize";

import { isObject, isTimestamp } from "./records.ts";
import type { Members } from "./records.ts";
import { PLAN, Refused as Inadmissible, admit } from "./strict_json.ts";
import type { Json, Limits } from "./strict_json.ts";

export type Purpose = "checkpoint" | "receipt";

const TYPES = {
  checkpoint: "application/vnd.mutation-approval.checkpoint+json",
  receipt: "application/vnd.in-toto+json",
} as const;

export type Reason =
  | "envelope_malformed"
  | "signature_count"
  | "payload_type"
  | "key_unknown"
  | "key_purpose"
  | "key_algorithm"
  | "key_compromised"
  | "signature_invalid"
  | "key_not_yet_good"
  | "key_expired"
  | "key_revoked";

/** An envelope that isn't taken. */
export class Refused extends Error {
  readonly reason: Reason;

  constructor(reason: Reason) {
    super(reason);
    this.reason = reason;
  }
}

/** Bytes that are no key set. */
export class NoKeySet extends Error {}

export type DatedKey = {
  readonly id: string;
  readonly algorithm: string;
  readonly purposes: readonly string[];
  readonly notBefore: string;
  readonly notAfter?: string;
  readonly revokedAt?: string;
  readonly reason?: string;
  readonly publicKey: Buffer;
};

export type KeySet = ReadonlyMap<string, DatedKey>;

export function readKeySet(bytes: Uint8Array): KeySet {
  const document = admitted(bytes)?.value;
  const { type, audience, keys } = hasMembers(document, ["type", "audience", "keys"]) ?? {};
  if (type !== "mutation-approval/key-set/v0" || typeof audience !== "string" || !Array.isArray(keys)) {
    throw new NoKeySet("not the members of a key set");
  }
  const set = new Map<string, DatedKey>();
  for (const received of keys) {
    const [id, key] = readKey(received);
    if (set.has(id)) throw new NoKeySet("a key twice");
    set.set(id, key);
  }
  return set;
}

function readKey(received: Json): [string, DatedKey] {
  const required = ["id", "algorithm", "publicKey", "purposes", "notBefore"];
  const key = hasMembers(received, required, ["notAfter", "revokedAt", "reason"]);
  if (key === undefined) throw new NoKeySet("not the members of a key");
  const { id, algorithm, publicKey: encoded, purposes, notBefore, notAfter, revokedAt, reason } = key;
  if (typeof id !== "string" || typeof algorithm !== "string" || typeof encoded !== "string") throw new NoKeySet("no texts");
  const known = (purpose: Json): boolean => purpose === "checkpoint" || purpose === "receipt";
  if (!Array.isArray(purposes) || purposes.length === 0 || !purposes.every(known)) throw new NoKeySet("no purposes");
  if (new Set(purposes).size !== purposes.length) throw new NoKeySet("a purpose twice");
  for (const moment of [notBefore, notAfter, revokedAt]) {
    if (moment !== undefined && !isTimestamp(moment)) throw new NoKeySet("no moment");
  }
  if (notAfter !== undefined && (notAfter as string) < (notBefore as string)) throw new NoKeySet("it runs out too early");
  if ((revokedAt === undefined) !== (reason === undefined)) throw new NoKeySet("revoked in part");
  if (reason !== undefined && reason !== "compromised" && reason !== "retired") throw new NoKeySet("no reason");
  const publicKey = Buffer.from(encoded, "base64url");
  if (publicKey.toString("base64url") !== encoded) throw new NoKeySet("no base64url");
  if (algorithm === "Ed25519") {
    if (publicKey.length !== 32 || !isPoint(publicKey) || isOfSmallOrder(publicKey)) throw new NoKeySet("no public key");
  }
  if (idOf(publicKey) !== id) throw new NoKeySet("another id");
  return [id, { ...key, publicKey } as unknown as DatedKey];
}

const idOf = (publicKey: Uint8Array): string => createHash("sha256").update(publicKey).digest("hex").slice(0, 32);

/** The object, where it has these members and no others. */
function hasMembers(value: Json | undefined, required: readonly string[], optional: readonly string[] = []): Members | undefined {
  if (!isObject(value)) return undefined;
  const names = Object.keys(value);
  const known = names.every((name) => required.includes(name) || optional.includes(name));
  return known && required.every((name) => names.includes(name)) ? value : undefined;
}

function admitted(bytes: Uint8Array, limits?: Limits): ReturnType<typeof admit> | undefined {
  try {
    return admit(bytes, limits);
  } catch (inadmissible) {
    if (inadmissible instanceof Inadmissible) return undefined;
    throw inadmissible;
  }
}

export function sign(seed: Uint8Array, purpose: Purpose, payload: Buffer): Buffer {
  const privateKey = createPrivateKey({
    key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]),
    format: "der",
    type: "pkcs8",
  });
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  const signature = signWith(null, encoding(purpose, payload), privateKey);
  const envelope = {
    payload: payload.toString("base64"),
    payloadType: TYPES[purpose],
    signatures: [{ keyid: idOf(Buffer.from(x!, "base64url")), sig: signature.toString("base64") }],
  };
  return Buffer.from(canonicalize(envelope)!);
}

/** The pre-authentication encoding of DSSE. */
function encoding(purpose: Purpose, payload: Uint8Array): Buffer {
  const type = TYPES[purpose];
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
}

/** The payload of an envelope, and the key that signed it. */
export function open(envelope: Buffer, purpose: Purpose, keys: KeySet): { payload: Buffer; key: DatedKey } {
  const document = admitted(envelope, PLAN);
  const { payload, payloadType, signatures } = hasMembers(document?.value, ["payload", "payloadType", "signatures"]) ?? {};
  if (document === undefined || !envelope.equals(document.canonical)) throw new Refused("envelope_malformed");
  if (typeof payload !== "string" || typeof payloadType !== "string" || !Array.isArray(signatures)) {
    throw new Refused("envelope_malformed");
  }
  const signed = signatures.map((signature) => {
    const { keyid, sig } = hasMembers(signature, ["keyid", "sig"]) ?? {};
    if (typeof keyid !== "string" || typeof sig !== "string") throw new Refused("envelope_malformed");
    return { keyid, sig };
  });
  const [only] = signed;
  if (only === undefined || signed.length > 1) throw new Refused("signature_count");
  if (payloadType !== TYPES[purpose]) throw new Refused("payload_type");
  const content = decoded(payload);
  const signature = decoded(only.sig);
  if (content === undefined || signature?.length !== 64 || !/^[0-9a-f]{32}$/.test(only.keyid)) {
    throw new Refused("envelope_malformed");
  }
  const key = keys.get(only.keyid);
  if (key === undefined) throw new Refused("key_unknown");
  if (!key.purposes.includes(purpose)) throw new Refused("key_purpose");
  if (key.algorithm !== "Ed25519") throw new Refused("key_algorithm");
  if (key.reason === "compromised") throw new Refused("key_compromised");
  if (!verifies(key.publicKey, encoding(purpose, content), signature)) throw new Refused("signature_invalid");
  return { payload: content, key };
}

export function mustBeGoodAt(key: DatedKey, moment: string): void {
  if (moment < key.notBefore) throw new Refused("key_not_yet_good");
  if (key.notAfter !== undefined && moment > key.notAfter) throw new Refused("key_expired");
  if (key.revokedAt !== undefined && moment >= key.revokedAt) throw new Refused("key_revoked");
}

/** Bytes in base64 with padding, in the one spelling. */
export function decoded(text: string): Buffer | undefined {
  const content = Buffer.from(text, "base64");
  return content.toString("base64") === text ? content : undefined;
}

const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (value: bigint): bigint => ((value % P) + P) % P;

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = mod(base); exponent > 0n; exponent >>= 1n, square = (square * square) % P) {
    if ((exponent & 1n) === 1n) result = (result * square) % P;
  }
  return result;
}

const inverse = (value: bigint): bigint => power(value, P - 2n);
const D = mod(-121665n * inverse(121666n));
const number = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);

/** RFC 8032, strictly: S reduced, R and the key not of small order, no cofactor. */
function verifies(publicKey: Buffer, message: Buffer, signature: Buffer): boolean {
  if (number(signature.subarray(32)) >= L || isOfSmallOrder(signature.subarray(0, 32))) return false;
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey.toString("base64url") }, format: "jwk" });
  return verify(null, message, key, signature);
}

/** Whether bytes are the canonical encoding of a point of the curve. */
function isPoint(encoded: Uint8Array): boolean {
  const whole = number(encoded);
  const y = whole & (2n ** 255n - 1n);
  if (y >= P) return false;
  const square = mod((y * y - 1n) * inverse(mod(D * y * y + 1n)));
  return square === 0n ? whole === y : power(square, (P - 1n) / 2n) === 1n;
}

/** Whether adding a point to itself three times gives the neutral element, whatever its sign and spelling. */
function isOfSmallOrder(encoded: Uint8Array): boolean {
  // Doubling takes y² to y without x: x² follows from the curve's equation.
  let y = mod(number(encoded) & (2n ** 255n - 1n));
  for (let doubled = 0; doubled < 3; doubled += 1) {
    const yy = mod(y * y);
    const xx = mod((yy - 1n) * inverse(mod(D * yy + 1n)));
    y = mod((yy + xx) * inverse(mod(1n - D * xx * yy)));
  }
  return y === 1n;
}
