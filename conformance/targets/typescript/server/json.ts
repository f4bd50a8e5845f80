// Strict JSON, canonical bytes and digests: spec/v0/digest.md, sections 2 to 5.

import { createHash } from "node:crypto";

export type Json = null | boolean | number | string | Json[] | JsonObject;
/** Has no prototype where the reader made it, so that a member of any name is a member and nothing else. */
export type JsonObject = { [name: string]: Json };

export type Limits = { bytes: number; nodes: number; depth?: number };
/** [DIG-029] */
export const ARGUMENTS: Limits = { bytes: 2 * 1024 * 1024, nodes: 200_000 };
export const PLAN: Limits = { bytes: 16 * 1024 * 1024, nodes: 2_000_000 };
const MAX_DEPTH = 64;
const MAX_NUMBER = 40;
const RESERVED = "$serde_json::private::";

/** A text or value that isn't admitted: the reason, and where. [DIG-002] */
export class Refused extends Error {
  constructor(
    readonly reason: string,
    readonly offset?: number,
    /** The names and numbers that lead to the place. */
    readonly path: (string | number)[] = [],
  ) {
    super(offset === undefined ? reason : `${reason} at byte ${offset}`);
  }
}

/** A document that was admitted: its value, and the canonical bytes that are stored. [DIG-035] */
export type Document = { value: JsonObject; bytes: Buffer };

/** Admits the bytes of a text, or throws Refused. [DIG-001] */
export function admit(text: Uint8Array, limits: Limits = ARGUMENTS): Document {
  const value = parse(text, limits);
  const bytes = canonical(value);
  if (bytes.length > limits.bytes) throw new Refused("too_large"); // [DIG-011]
  return { value, bytes };
}

export function parse(text: Uint8Array, limits: Limits = ARGUMENTS): JsonObject {
  return new Reader(text, limits).document();
}

/** Parses a text, and says where the value at `path` stands in it. */
export function parseAndFind(text: Uint8Array, limits: Limits, path: string[]): { value: JsonObject; found?: Uint8Array } {
  const reader = new Reader(text, limits, path);
  const value = reader.document();
  return reader.found === undefined ? { value } : { value, found: text.subarray(...reader.found) };
}

const byte = (character: string): number => character.charCodeAt(0);
const QUOTE = byte('"');
const BACKSLASH = byte("\\");
const OPEN = byte("{");
const CLOSE = byte("}");
const OPEN_ARRAY = byte("[");
const CLOSE_ARRAY = byte("]");
const COMMA = byte(",");
const COLON = byte(":");
const ESCAPES: Record<string, string> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** Reads bytes once, from front to back; so the fault that it stops at is the one at the lowest offset. [DIG-003] */
class Reader {
  #at = 0;
  #nodes = 0;
  readonly #path: (string | number)[] = [];
  readonly #depth: number;
  found?: [number, number];

  constructor(
    readonly text: Uint8Array,
    readonly limits: Limits,
    readonly wanted?: string[],
  ) {
    this.#depth = limits.depth ?? MAX_DEPTH;
  }

  document(): JsonObject {
    const { text } = this;
    if (text.length > this.limits.bytes) throw new Refused("too_large"); // [DIG-010]
    if (text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf) this.#refuse("byte_order_mark", 0); // [DIG-013]
    this.#space();
    if (this.#begins() && text[this.#at] !== OPEN) this.#refuse("not_an_object"); // [DIG-012]
    const value = this.#value(0) as JsonObject;
    this.#space();
    if (this.#at < text.length) {
      this.#checkUtf8();
      this.#refuse("trailing_data"); // [DIG-016]
    }
    return value;
  }

  #refuse(reason: string, offset = this.#at): never {
    throw new Refused(reason, offset, [...this.#path]);
  }

  /** [DIG-017], but what isn't UTF-8 is told of first. */
  #syntax(): never {
    if (this.#at < this.text.length) this.#checkUtf8();
    this.#refuse("syntax", Math.min(this.#at, this.text.length));
  }

  #space(): void {
    while ([0x20, 0x09, 0x0a, 0x0d].includes(this.text[this.#at] ?? 0)) this.#at += 1;
  }

  #begins(): boolean {
    return this.#at < this.text.length && '{["-0123456789tfn'.includes(String.fromCharCode(this.text[this.#at]!));
  }

  #value(depth: number): Json {
    if (!this.#begins()) this.#syntax();
    if (++this.#nodes > this.limits.nodes) this.#refuse("too_many_nodes"); // [DIG-026]
    const start = this.#at;
    const value = this.#anyValue(depth);
    const { wanted } = this;
    if (wanted !== undefined && wanted.length === this.#path.length && wanted.every((name, at) => name === this.#path[at]))
      this.found = [start, this.#at];
    return value;
  }

  #anyValue(depth: number): Json {
    const first = this.text[this.#at]!;
    if (first === OPEN || first === OPEN_ARRAY) {
      if (depth >= this.#depth) this.#refuse("too_deep"); // [DIG-025]
      return first === OPEN ? this.#object(depth) : this.#array(depth);
    }
    if (first === QUOTE) return this.#string();
    if (first === byte("t")) return this.#word("true", true);
    if (first === byte("f")) return this.#word("false", false);
    if (first === byte("n")) return this.#word("null", null);
    return this.#number();
  }

  #word<T>(word: string, value: T): T {
    for (const character of word) {
      if (this.text[this.#at] !== byte(character)) this.#syntax();
      this.#at += 1;
    }
    return value;
  }

  #object(depth: number): JsonObject {
    const object = Object.create(null) as JsonObject;
    this.#at += 1;
    this.#space();
    if (this.text[this.#at] === CLOSE) {
      this.#at += 1;
      return object;
    }
    for (;;) {
      this.#space();
      const quote = this.#at;
      if (this.text[quote] !== QUOTE) this.#syntax();
      const name = this.#string();
      if (Object.hasOwn(object, name)) this.#refuse("duplicate_name", quote); // [DIG-028]
      if (name.startsWith(RESERVED)) this.#refuse("reserved_name", quote); // [DIG-027]
      this.#space();
      if (this.text[this.#at] !== COLON) this.#syntax();
      this.#at += 1;
      this.#space();
      this.#path.push(name);
      object[name] = this.#value(depth + 1);
      this.#path.pop();
      this.#space();
      const next = this.text[this.#at];
      if (next !== COMMA && next !== CLOSE) this.#syntax();
      this.#at += 1;
      if (next === CLOSE) return object;
    }
  }

  #array(depth: number): Json[] {
    const array: Json[] = [];
    this.#at += 1;
    this.#space();
    if (this.text[this.#at] === CLOSE_ARRAY) {
      this.#at += 1;
      return array;
    }
    for (;;) {
      this.#space();
      this.#path.push(array.length);
      array.push(this.#value(depth + 1));
      this.#path.pop();
      this.#space();
      const next = this.text[this.#at];
      if (next !== COMMA && next !== CLOSE_ARRAY) this.#syntax();
      this.#at += 1;
      if (next === CLOSE_ARRAY) return array;
    }
  }

  #string(): string {
    const parts: string[] = [];
    this.#at += 1;
    let plain = this.#at;
    const take = (): void => void parts.push(Buffer.from(this.text.subarray(plain, this.#at)).toString("utf8"));
    for (;;) {
      const next = this.text[this.#at];
      if (next === undefined || next < 0x20) this.#syntax();
      if (next === QUOTE) {
        take();
        this.#at += 1;
        return parts.join("");
      }
      if (next === BACKSLASH) {
        take();
        parts.push(this.#escape());
        plain = this.#at;
      } else if (next < 0x80) this.#at += 1;
      else this.#at += this.#checkUtf8();
    }
  }

  #escape(): string {
    const backslash = this.#at;
    this.#at += 1;
    const letter = this.text[this.#at];
    if (letter !== byte("u")) {
      const plain = letter === undefined ? undefined : ESCAPES[String.fromCharCode(letter)];
      if (plain === undefined) this.#syntax();
      this.#at += 1;
      return plain;
    }
    this.#at += 1;
    const unit = this.#hex();
    if (unit >= 0xdc00 && unit <= 0xdfff) this.#refuse("lone_surrogate", backslash); // [DIG-015]
    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit);
    if (!/^\\u[dD][c-fC-F][0-9a-fA-F]{2}$/.test(Buffer.from(this.text.subarray(this.#at, this.#at + 6)).toString("latin1")))
      this.#refuse("lone_surrogate", backslash);
    this.#at += 2;
    return String.fromCharCode(unit, this.#hex());
  }

  #hex(): number {
    let unit = 0;
    for (let digits = 0; digits < 4; digits += 1) {
      const digit = this.text[this.#at];
      if (digit === undefined || !/[0-9a-fA-F]/.test(String.fromCharCode(digit))) this.#syntax();
      unit = unit * 16 + parseInt(String.fromCharCode(digit), 16);
      this.#at += 1;
    }
    return unit;
  }

  #number(): number {
    const start = this.#at;
    const rest = Buffer.from(this.text.subarray(start, start + MAX_NUMBER + 1)).toString("latin1");
    const run = /^-?(?:(?:0|[1-9]\d*)(?:\.\d*)?(?:(?<=\d)[eE][+-]?\d*)?)?/.exec(rest)![0];
    if (run.length > MAX_NUMBER) this.#refuse("number_too_long"); // [DIG-020]
    if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(run)) {
      this.#at += run.length;
      this.#syntax();
    }
    const value = Number(run);
    if (!Number.isFinite(value)) this.#refuse("not_finite"); // [DIG-021]
    const exact = rational(run);
    if (exact.exponent >= 0 && exact.digits !== "" && BigInt(exact.digits) * 10n ** BigInt(exact.exponent) > BigInt(Number.MAX_SAFE_INTEGER))
      this.#refuse("integer_out_of_range"); // [DIG-022]
    const form = rational(JSON.stringify(value));
    if (form.digits !== exact.digits || form.exponent !== exact.exponent || form.minus !== exact.minus)
      this.#refuse("number_not_canonical"); // [DIG-023]
    this.#at += run.length;
    return value;
  }

  /** The length of the UTF-8 sequence that begins here. [DIG-014] */
  #checkUtf8(): number {
    const { text } = this;
    const first = text[this.#at]!;
    const second = text[this.#at + 1] ?? 0;
    const length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    let whole = length > 0 && (length === 1 || (second >= low && second <= high));
    for (let at = 2; at < length; at += 1) whole &&= ((text[this.#at + at] ?? 0) & 0xc0) === 0x80;
    if (!whole) this.#refuse("invalid_utf8");
    return length;
  }
}

/** The value of a token, exactly: digits without zeros at either end, and the power of ten. Zero has neither. */
function rational(token: string): { minus: boolean; digits: string; exponent: number } {
  const [, minus, whole, fraction = "", power = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token)!;
  const all = (whole! + fraction).replace(/^0+/, "");
  const digits = all.replace(/0+$/, "");
  if (digits === "") return { minus: false, digits, exponent: 0 };
  return { minus: minus === "-", digits, exponent: Number(power) - fraction.length + (all.length - digits.length) };
}

/** Admits a value that somebody else has parsed. [DIG-050] */
export function admitValue(value: unknown, limits: Limits = ARGUMENTS): Document {
  const path: (string | number)[] = [];
  let nodes = 0;
  const refuse = (reason: string): never => {
    throw new Refused(reason, undefined, [...path]);
  };
  const wellFormed = (text: string): boolean => (/\p{Surrogate}/u.test(text) ? refuse("lone_surrogate") : true);
  const copy = (value: unknown, depth: number): Json => {
    if (++nodes > limits.nodes) refuse("too_many_nodes");
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "string") return wellFormed(value) && value;
    if (typeof value === "number") {
      if (!Number.isFinite(value)) refuse("not_finite"); // [DIG-055]
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) refuse("integer_out_of_range");
      return value;
    }
    if (typeof value !== "object") return refuse("unsupported_type"); // [DIG-054]
    if (depth >= (limits.depth ?? MAX_DEPTH)) refuse("too_deep");
    const inside = (name: string | number, value: unknown): Json => {
      path.push(name);
      const copied = copy(value, depth + 1);
      path.pop();
      return copied;
    };
    if (Array.isArray(value)) return value.map((element, at) => inside(at, element));
    const object = Object.create(null) as JsonObject;
    for (const [name, member] of Object.entries(value)) {
      if (wellFormed(name) && name.startsWith(RESERVED)) refuse("reserved_name");
      object[name] = inside(name, member);
    }
    return object;
  };
  if (value === null || typeof value !== "object" || Array.isArray(value)) refuse("not_an_object");
  const copied = copy(value, 0) as JsonObject;
  const bytes = canonical(copied);
  if (bytes.length > limits.bytes) throw new Refused("too_large");
  return { value: copied, bytes };
}

/** The canonical bytes of a value: RFC 8785. ECMAScript writes numbers and strings in just that form. [DIG-030..DIG-033] */
export function canonical(value: Json): Buffer {
  return Buffer.from(text(value), "utf8");

  function text(value: Json): string {
    if (Array.isArray(value)) return `[${value.map(text).join(",")}]`;
    if (value === null || typeof value !== "object") return JSON.stringify(value);
    // Without a function, `sort` compares UTF-16 code units. [DIG-032]
    const names = Object.keys(value).filter((name) => value[name] !== undefined);
    return `{${names.sort().map((name) => `${JSON.stringify(name)}:${text(value[name]!)}`).join(",")}}`;
  }
}

/** [DIG-040, DIG-041] */
export function digest(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export const digestOf = (value: Json): string => digest(canonical(value));
export const same = (a: Json | undefined, b: Json | undefined): boolean =>
  a !== undefined && b !== undefined && canonical(a).equals(canonical(b));

export const isObject = (value: unknown): value is JsonObject =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** The tokens of a JSON Pointer (RFC 6901), or undefined where it is none. */
export function tokens(pointer: string): string[] | undefined {
  if (pointer === "") return [];
  if (!/^(?:\/(?:[^~/]|~[01])*)+$/su.test(pointer)) return undefined;
  return pointer.slice(1).split("/").map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** The value to which a pointer leads. */
export function at(value: Json, pointer: string): Json | undefined {
  let found: Json | undefined = value;
  for (const token of tokens(pointer) ?? [""]) {
    if (Array.isArray(found)) found = /^(?:0|[1-9]\d*)$/.test(token) ? found[Number(token)] : undefined;
    else if (isObject(found)) found = Object.hasOwn(found, token) ? found[token] : undefined;
    else return undefined;
  }
  return found;
}
