// Seals and tags, as spec/v0/gate.md, section 3, lays them down. CC0 1.0.

import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from "node:crypto";

import canonicalize from "canonicalize";

const AUTHENTICATED = 1;
const ENCRYPTED = 2;
const MAC = 32;
const NONCE = 24;
const AEAD_TAG = 16;

export type Binding = { readonly [member: string]: string | number };

/** A seal that doesn't open. */
export class Refused extends Error {
  readonly reason: "malformed" | "unknown_key" | "revoked_key" | "broken";

  constructor(reason: Refused["reason"]) {
    super(reason);
    this.reason = reason;
  }
}

/** One key of a ring. */
export class Key {
  readonly name: string;
  readonly state: string;
  private readonly master: Uint8Array;

  constructor(name: string, master: Uint8Array, state: string) {
    this.name = name;
    this.master = master;
    this.state = state;
  }

  subkey(purpose: string): Buffer {
    return Buffer.from(hkdfSync("sha256", this.master, "", `mutation-approval/v0/${purpose}`, 32));
  }
}

const formOf = (purpose: string): number => (purpose === "authenticate" ? AUTHENTICATED : ENCRYPTED);

const associated = (binding: Binding, key: string): Buffer => Buffer.from(canonicalize({ ...binding, keyId: key })!);

export function seal(key: Key, purpose: string, binding: Binding, body: Uint8Array, nonce?: Uint8Array): Buffer {
  const name = Buffer.from(key.name);
  const head = [Buffer.of(formOf(purpose), name.length), name];
  const data = associated(binding, key.name);
  if (formOf(purpose) === AUTHENTICATED) return Buffer.concat([...head, mac(key, data, body), body]);
  if (nonce === undefined) throw new Error("a nonce is needed");
  const [subkey, short] = extended(key.subkey(purpose), nonce);
  const cipher = createCipheriv("chacha20-poly1305", subkey, short, { authTagLength: AEAD_TAG });
  cipher.setAAD(data, { plaintextLength: body.length });
  return Buffer.concat([...head, nonce, cipher.update(body), cipher.final(), cipher.getAuthTag()]);
}

/** Opens with the key that the seal names; the form follows from the purpose. */
export function open(ring: readonly Key[], purpose: string, binding: Binding, sealed: Buffer): Buffer {
  const [form, length] = sealed;
  if ((form !== AUTHENTICATED && form !== ENCRYPTED) || length === undefined) throw new Refused("malformed");
  const start = 2 + length;
  const end = start + (form === AUTHENTICATED ? MAC : NONCE);
  if (sealed.length < end) throw new Refused("malformed");
  let name: string;
  try {
    name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(sealed.subarray(2, start));
  } catch {
    throw new Refused("malformed");
  }
  const first = sealed.subarray(start, end);
  const rest = sealed.subarray(end);
  const key = ring.find((known) => known.name === name);
  if (key === undefined) throw new Refused("unknown_key");
  if (key.state === "revoked") throw new Refused("revoked_key");
  if (form !== formOf(purpose)) throw new Refused("broken");
  const data = associated(binding, name);
  if (form === AUTHENTICATED) {
    if (!timingSafeEqual(mac(key, data, rest), first)) throw new Refused("broken");
    return rest;
  }
  if (rest.length < AEAD_TAG) throw new Refused("broken");
  const [subkey, short] = extended(key.subkey(purpose), first);
  const decipher = createDecipheriv("chacha20-poly1305", subkey, short, { authTagLength: AEAD_TAG });
  const body = rest.subarray(0, rest.length - AEAD_TAG);
  decipher.setAAD(data, { plaintextLength: body.length });
  decipher.setAuthTag(rest.subarray(rest.length - AEAD_TAG));
  const opened = decipher.update(body);
  try {
    return Buffer.concat([opened, decipher.final()]);
  } catch {
    throw new Refused("broken");
  }
}

export function tag(key: Key, purpose: string, content: Uint8Array): string {
  return `${key.name}.${createHmac("sha256", key.subkey(purpose)).update(content).digest("base64url")}`;
}

function mac(key: Key, data: Uint8Array, body: Uint8Array): Buffer {
  const made = createHmac("sha256", key.subkey("authenticate"));
  for (const part of [data, body]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(part.length));
    made.update(length).update(part);
  }
  return made.digest();
}

/** XChaCha20-Poly1305: the first 16 bytes of the nonce make a key of their own, the last 8 its nonce. */
function extended(key: Uint8Array, nonce: Uint8Array): [Buffer, Buffer] {
  return [hchacha20(key, nonce.subarray(0, 16)), Buffer.concat([Buffer.alloc(4), nonce.subarray(16)])];
}

function hchacha20(key: Uint8Array, nonce: Uint8Array): Buffer {
  const input = Buffer.concat([Buffer.from("expand 32-byte k"), key, nonce]);
  const state = Uint32Array.from({ length: 16 }, (_, word) => input.readUInt32LE(4 * word));
  const mix = (a: number, b: number, c: number, turn: number): void => {
    state[a]! += state[b]!;
    const mixed = state[c]! ^ state[a]!;
    state[c] = (mixed << turn) | (mixed >>> (32 - turn));
  };
  const quarter = (a: number, b: number, c: number, d: number): void => {
    mix(a, b, d, 16);
    mix(c, d, b, 12);
    mix(a, b, d, 8);
    mix(c, d, b, 7);
  };
  for (let round = 0; round < 10; round += 1) {
    for (let column = 0; column < 4; column += 1) quarter(column, column + 4, column + 8, column + 12);
    for (let column = 0; column < 4; column += 1) {
      quarter(column, 4 + ((column + 1) % 4), 8 + ((column + 2) % 4), 12 + ((column + 3) % 4));
    }
  }
  const output = Buffer.alloc(32);
  [...state.subarray(0, 4), ...state.subarray(12)].forEach((word, index) => output.writeUInt32LE(word, 4 * index));
  return output;
}
