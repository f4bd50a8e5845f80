// Strict JSON and canonical bytes, as spec/v0/digest.md lays them down, sections 2 to 4.
//
//     const document = admit(bytes)      // of {"b": 1.0, "a": "x"}
//     document.canonical                 // the bytes of {"a":"x","b":1}
//     digest(document.canonical)         // "sha256:…"
//     admit(bytes)                       // of {"a": 1, "a": 2}: throws Refused, reason "duplicate_name", offset 9
//
// It needs nothing but the package `canonicalize` and Node's own hash. CC0 1.0: copy it as you like.

import { createHash } from "node:crypto";

import canonicalize from "canonicalize";

export const MAX_DEPTH = 64;
export const MAX_NUMBER_BYTES = 40;
export const RESERVED = "$serde_json::private::";

/** How much a text may hold. */
export type Limits = { readonly bytes: number; readonly nodes: number };

export const ARGUMENTS: Limits = { bytes: 2 * 1024 * 1024, nodes: 200_000 };
export const PLAN: Limits = { bytes: 16 * 1024 * 1024, nodes: 2_000_000 };

/** The reasons of section 2.4. */
export type Reason =
  | "too_large"
  | "byte_order_mark"
  | "invalid_utf8"
  | "not_an_object"
  | "trailing_data"
  | "syntax"
  | "too_many_nodes"
  | "too_deep"
  | "number_too_long"
  | "not_finite"
  | "integer_out_of_range"
  | "number_not_canonical"
  | "lone_surrogate"
  | "duplicate_name"
  | "reserved_name";

/** A text that isn't admitted: why, and the offset of the fault in bytes. */
export class Refused extends Error {
  readonly reason: Reason;
  readonly offset: number | undefined;

  constructor(reason: Reason, offset?: number) {
    super(offset === undefined ? reason : `${reason} at ${offset}`);
    this.reason = reason;
    this.offset = offset;
  }
}

/** Objects have no prototype, so that a member of any name is a member and nothing else. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** A text that was admitted. */
export type Document = { readonly value: { [name: string]: Json }; readonly canonical: Uint8Array };

/** Admits the bytes of a text, or throws Refused. */
export function admit(text: Uint8Array, limits: Limits = ARGUMENTS): Document {
  const value = parse(text, limits);
  const canonical = new TextEncoder().encode(canonicalize(value));
  if (canonical.length > limits.bytes) throw new Refused("too_large");
  return { value, canonical };
}

export function digest(canonical: Uint8Array): string {
  return "sha256:" + createHash("sha256").update(canonical).digest("hex");
}

/** Reads a text: all of `admit` but the size of the canonical bytes. */
export function parse(text: Uint8Array, limits: Limits = ARGUMENTS): { [name: string]: Json } {
  if (text.length > limits.bytes) throw new Refused("too_large");
  if (text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf) throw new Refused("byte_order_mark", 0);
  const malformed = firstMalformed(text);
  const characters = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text.subarray(0, malformed));
  let value: { [name: string]: Json };
  try {
    value = new Reader(characters, limits.nodes).document();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const offset = new TextEncoder().encode(characters.slice(0, error.position)).length;
    // What only seems to end there goes on, with bytes that are not UTF-8.
    const goesOn = error.reason === "syntax" && offset === malformed && malformed < text.length;
    throw new Refused(goesOn ? "invalid_utf8" : error.reason, offset);
  }
  if (malformed < text.length) throw new Refused("invalid_utf8", malformed);
  return value;
}

/** The offset of the first byte that belongs to no well-formed sequence (RFC 3629, section 4); else the length. */
function firstMalformed(text: Uint8Array): number {
  let at = 0;
  while (at < text.length) {
    const lead = text[at]!;
    if (lead < 0x80) {
      at += 1;
      continue;
    }
    const following = lead >= 0xc2 && lead <= 0xdf ? 1 : (lead & 0xf0) === 0xe0 ? 2 : lead >= 0xf0 && lead <= 0xf4 ? 3 : 0;
    if (following === 0) return at;
    // The second byte rules out overlong forms, surrogates and what is beyond U+10FFFF.
    const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    for (let next = 1; next <= following; next += 1) {
      const byte = text[at + next];
      if (byte === undefined || byte < (next === 1 ? least : 0x80) || byte > (next === 1 ? most : 0xbf)) return at;
    }
    at += following + 1;
  }
  return at;
}

/** A reason and a position, in UTF-16 code units. */
class Fault extends Error {
  readonly reason: Reason;
  readonly position: number;

  constructor(reason: Reason, position: number) {
    super(reason);
    this.reason = reason;
    this.position = position;
  }
}

const SPACE = /[ \t\n\r]*/y;
const UNESCAPED = /[^"\\\u0000-\u001f]*/y;
const HEXADECIMAL = /[0-9A-Fa-f]{0,4}/y;
const LOW_SURROGATE = /(?:\\u[Dd][C-Fc-f][0-9A-Fa-f]{2})?/y;
const RUN = /-?(?:(?:0|[1-9][0-9]*)(?:\.(?:[0-9]+(?:[Ee][+-]?[0-9]*)?)?|[Ee][+-]?[0-9]*)?)?/y;
const TOKEN = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[Ee][+-]?[0-9]+)?$/;
const BEGINNING = /^[{["\-0-9tfn]$/;
const ESCAPES = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

/** Reads once, from front to back. Each fault is met in the order of the offsets, so the first is the one to report. */
class Reader {
  private position = 0;
  private nodes = 0;
  private depth = 0;
  private readonly characters: string;
  private readonly maxNodes: number;

  constructor(characters: string, maxNodes: number) {
    this.characters = characters;
    this.maxNodes = maxNodes;
  }

  document(): { [name: string]: Json } {
    const first = this.peek();
    if (BEGINNING.test(first) && first !== "{") throw new Fault("not_an_object", this.position);
    const value = this.value() as { [name: string]: Json };
    if (this.peek() !== "") throw new Fault("trailing_data", this.position);
    return value;
  }

  /** Passes what matches here, which may be nothing. */
  private take(pattern: RegExp): string {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.characters)![0];
    this.position += found.length;
    return found;
  }

  /** The next character that isn't white space; at the end the empty string. */
  private peek(): string {
    this.take(SPACE);
    return this.characters.charAt(this.position);
  }

  private value(): Json {
    const first = this.peek();
    if (!BEGINNING.test(first)) throw new Fault("syntax", this.position);
    this.nodes += 1;
    if (this.nodes > this.maxNodes) throw new Fault("too_many_nodes", this.position);
    switch (first) {
      case "{":
        return this.container(() => this.members());
      case "[":
        return this.container(() => this.elements());
      case '"':
        return this.string();
      case "t":
        return this.word("true", true);
      case "f":
        return this.word("false", false);
      case "n":
        return this.word("null", null);
      default:
        return this.number();
    }
  }

  private container(contents: () => Json): Json {
    if (this.depth === MAX_DEPTH) throw new Fault("too_deep", this.position);
    this.depth += 1;
    this.position += 1;
    const value = contents();
    this.depth -= 1;
    return value;
  }

  private members(): Json {
    const members: { [name: string]: Json } = Object.create(null);
    if (this.peek() === "}") {
      this.position += 1;
      return members;
    }
    do {
      if (this.peek() !== '"') throw new Fault("syntax", this.position);
      const quote = this.position;
      const name = this.string();
      if (Object.hasOwn(members, name)) throw new Fault("duplicate_name", quote);
      if (name.startsWith(RESERVED)) throw new Fault("reserved_name", quote);
      if (this.peek() !== ":") throw new Fault("syntax", this.position);
      this.position += 1;
      members[name] = this.value();
    } while (!this.ends("}"));
    return members;
  }

  private elements(): Json {
    const elements: Json[] = [];
    if (this.peek() === "]") {
      this.position += 1;
      return elements;
    }
    do elements.push(this.value());
    while (!this.ends("]"));
    return elements;
  }

  /** Passes a comma or the closing bracket. */
  private ends(bracket: string): boolean {
    const found = this.peek();
    if (found !== "," && found !== bracket) throw new Fault("syntax", this.position);
    this.position += 1;
    return found === bracket;
  }

  private word(word: string, value: Json): Json {
    for (const expected of word) {
      if (this.characters.charAt(this.position) !== expected) throw new Fault("syntax", this.position);
      this.position += 1;
    }
    return value;
  }

  private string(): string {
    this.position += 1;
    let text = "";
    for (;;) {
      text += this.take(UNESCAPED);
      const found = this.characters.charAt(this.position);
      if (found === '"') {
        this.position += 1;
        return text;
      }
      if (found !== "\\") throw new Fault("syntax", this.position);
      text += this.escape();
    }
  }

  private escape(): string {
    const backslash = this.position;
    const letter = this.characters.charAt(backslash + 1);
    const short = ESCAPES.get(letter);
    if (short !== undefined) {
      this.position += 2;
      return short;
    }
    this.position += 1;
    if (letter !== "u") throw new Fault("syntax", this.position);
    this.position += 1;
    const digits = this.take(HEXADECIMAL);
    if (digits.length < 4) throw new Fault("syntax", this.position);
    const unit = parseInt(digits, 16);
    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit);
    const low = unit < 0xdc00 ? this.take(LOW_SURROGATE) : "";
    if (low === "") throw new Fault("lone_surrogate", backslash);
    return String.fromCharCode(unit, parseInt(low.slice(2), 16));
  }

  private number(): number {
    const first = this.position;
    const run = this.take(RUN);
    if (run.length > MAX_NUMBER_BYTES) throw new Fault("number_too_long", first);
    if (!TOKEN.test(run)) throw new Fault("syntax", this.position);
    const nearest = Number(run);
    if (!Number.isFinite(nearest)) throw new Fault("not_finite", first);
    const value = exact(run);
    if (value.exponent >= 0n) {
      // An integer is beyond the limit exactly if its nearest double is: 2^53 itself is the next double after the limit.
      if (!Number.isSafeInteger(nearest)) throw new Fault("integer_out_of_range", first);
      return nearest === 0 ? 0 : nearest;
    }
    // String() gives the text of RFC 8785, section 3.2.2.3.
    const canonical = exact(String(nearest));
    if (
      canonical.negative !== value.negative ||
      canonical.digits !== value.digits ||
      canonical.exponent !== value.exponent
    ) {
      throw new Fault("number_not_canonical", first);
    }
    return nearest;
  }
}

/** A token's value, in the one way to write it: sign, digits without outer zeros, exponent of the last digit. */
function exact(token: string): { negative: boolean; digits: string; exponent: bigint } {
  const [mantissa = "", exponent = "0"] = token.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.replace("-", "").split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return { negative: false, digits: "", exponent: 0n };
  const shift = BigInt(digits.length - significant.length - fraction.length);
  return { negative: mantissa.startsWith("-"), digits: significant, exponent: BigInt(exponent.replace("+", "")) + shift };
}
