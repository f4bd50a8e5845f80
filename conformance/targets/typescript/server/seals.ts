// Keys, seals and tags: spec/v0/gate.md, section 3.

import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto";

import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";

import { canonical, type Json } from "./json.ts";

export type Key = { id: string; master: Buffer; state: "active" | "verify-only" | "revoked" };
export type Sealing = "authenticate" | "encrypt" | "form" | "request-state" | "session";
export type Tagging = "effect-tag" | "pseudonym" | "request-tag" | "session-tag";
/** What a seal holds for, besides audience and key. [SEAL-011] */
export type Binding = { record: string; id: string; planId?: string; revision: number; version?: number };

/** A seal that doesn't open; to the gate, whatever the reason, `integrity_failure`. [GATE-030] */
export class Broken extends Error {
  constructor(readonly reason: "malformed" | "unknown_key" | "revoked_key" | "broken") {
    super(reason);
  }
}

export class Ring {
  constructor(
    readonly keys: Key[],
    readonly audience: string,
  ) {}

  get #active(): Key {
    const active = this.keys.filter((key) => key.state === "active");
    if (active.length !== 1) throw new Error("exactly one key has to be active"); // [SEAL-005]
    return active[0]!;
  }

  /** [SEAL-012, SEAL-013, SEAL-014]; a nonce is given by tests only. [SEAL-004] */
  seal(purpose: Sealing, binding: Binding, body: Uint8Array, nonce: Uint8Array = randomBytes(24)): Buffer {
    const key = this.#active;
    const start = [Buffer.from([purpose === "authenticate" ? 1 : 2, key.id.length]), Buffer.from(key.id)];
    const associated = this.#associated(binding, key);
    if (purpose === "authenticate") return Buffer.concat([...start, code(key, associated, body), body]);
    return Buffer.concat([...start, nonce, xchacha20poly1305(subkey(key, purpose), nonce, associated).encrypt(body)]);
  }

  /** [SEAL-015]: form and associated data are those that are expected, whatever the bytes say. */
  open(purpose: Sealing, binding: Binding, sealed: Uint8Array): Buffer {
    const plain = purpose === "authenticate";
    const length = sealed[1] ?? 0;
    const named = Buffer.from(sealed.subarray(2, 2 + length)).toString("latin1");
    const body = 2 + length + (sealed[0] === 1 ? 32 : 24);
    if (sealed[0] !== 1 && sealed[0] !== 2) throw new Broken("malformed");
    if (!/^[a-z0-9-]{1,64}$/.test(named) || named.length !== length || sealed.length < body) throw new Broken("malformed");
    const key = this.keys.find((key) => key.id === named);
    if (key === undefined) throw new Broken("unknown_key");
    if (key.state === "revoked") throw new Broken("revoked_key");
    if (sealed[0] !== (plain ? 1 : 2)) throw new Broken("broken");
    const associated = this.#associated(binding, key);
    const lead = sealed.subarray(2 + length, body);
    const rest = sealed.subarray(body);
    if (plain) {
      if (!timingSafeEqual(lead, code(key, associated, rest))) throw new Broken("broken"); // [SEAL-008]
      return Buffer.from(rest);
    }
    try {
      return Buffer.from(xchacha20poly1305(subkey(key, purpose), lead, associated).decrypt(rest));
    } catch {
      throw new Broken("broken");
    }
  }

  /** The tag under the active key, under which things are stored. [SEAL-017] */
  tag(purpose: Tagging, over: Uint8Array | string): string {
    return tagUnder(this.#active, purpose, over);
  }

  /** The tags under which something may be stored. [SEAL-018] */
  tags(purpose: Tagging, over: Uint8Array | string): string[] {
    return this.keys.filter((key) => key.state !== "revoked").map((key) => tagUnder(key, purpose, over));
  }

  isTag(purpose: Tagging, over: Uint8Array | string, tag: string): boolean {
    return this.tags(purpose, over).some((other) => equal(other, tag));
  }

  #associated(binding: Binding, key: Key): Buffer {
    return canonical({ version: 0, ...binding, audience: this.audience, keyId: key.id } as unknown as Json);
  }
}

/** Requester and effect key, of a cool-down. */
export const coolDownOf = (person: string, effectKey: string): string => `${Buffer.byteLength(person)}:${person}${effectKey}`;

/** [DIG-042, SEAL-008] */
export function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** [SEAL-010] */
function subkey(key: Key, label: string): Buffer {
  return Buffer.from(hkdfSync("sha256", key.master, Buffer.alloc(0), `mutation-approval/v0/${label}`, 32));
}

function tagUnder(key: Key, purpose: Tagging, over: Uint8Array | string): string {
  return `${key.id}.${createHmac("sha256", subkey(key, purpose)).update(over).digest("base64url")}`;
}

function code(key: Key, associated: Uint8Array, body: Uint8Array): Buffer {
  const mac = createHmac("sha256", subkey(key, "authenticate"));
  for (const part of [associated, body]) {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(part.length));
    mac.update(length).update(part);
  }
  return mac.digest();
}
