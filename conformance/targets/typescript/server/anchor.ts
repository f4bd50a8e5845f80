// The anchor: a file beside the key that remembers claims, rejections and withdrawals. spec/v0/audit.md, section 2.

import { randomBytes } from "node:crypto";
import { existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from "node:fs";

import { admit, canonical, type Json, type JsonObject } from "./json.ts";
import { Refusal } from "./gate.ts";
import { read } from "./records.ts";
import { exclusively } from "./store.ts";

export type Entry = {
  type: "mutation-approval/anchor-entry/v0";
  planId: string;
  kind: "claimed" | "rejected" | "withdrawn";
  claimId?: string;
  planExpiresAt: string;
  effects: string[];
};
type Checkpoint = { digest: string; number: number };

export class Anchor {
  readonly #fd: number;
  readonly #entries = new Map<string, Entry>();
  #length = 0;
  checkpoint: Checkpoint | undefined;
  /** Whether the file was made just now. */
  readonly isNew: boolean;

  constructor(path: string, audience: string) {
    exclusively(`${path}.lock`);
    this.isNew = !existsSync(path);
    this.#fd = openSync(path, "a+", 0o600); // [ANCHOR-011]
    if ((statSync(path).mode & 0o077) !== 0) throw new Error(`\`${path}\`: others can read or write it`);
    const content = readFileSync(path);
    const whole = content.lastIndexOf(0x0a) + 1;
    const lines = content.subarray(0, whole).toString("utf8").split("\n").slice(0, -1);
    lines.forEach((line, at) => {
      try {
        this.#take(line, at === 0 ? audience : undefined);
      } catch (error) {
        throw new Error(`\`${path}\`, line ${at + 1}: ${String(error)}`); // [ANCHOR-012]
      }
    });
    this.#length = whole;
    this.#mend(content.subarray(whole), lines.length === 0 ? audience : undefined);
    if (lines.length === 0 && this.#length === 0)
      this.#write({ audience, generation: randomBytes(16).toString("base64url"), type: "mutation-approval/anchor/v0" });
  }

  get(planId: string): Entry | undefined {
    return this.#entries.get(planId);
  }

  get entries(): Iterable<Entry> {
    return this.#entries.values();
  }

  /** Enters an end or a claim, and says what was there before: nothing, where this is the first. [ANCHOR-001, ANCHOR-003] */
  enter(entry: Omit<Entry, "type">): Entry | undefined {
    const before = this.#entries.get(entry.planId);
    if (before !== undefined) return before;
    const whole: Entry = { type: "mutation-approval/anchor-entry/v0", ...entry };
    this.#write(whole as unknown as JsonObject);
    this.#entries.set(entry.planId, whole);
    return undefined;
  }

  /** [CKPT-004] */
  remember(checkpoint: Checkpoint): void {
    this.#write({ ...checkpoint, type: "mutation-approval/anchor-checkpoint/v0" });
    this.checkpoint = checkpoint;
  }

  #write(record: JsonObject): void {
    const line = Buffer.concat([canonical(record), Buffer.from("\n")]);
    try {
      writeSync(this.#fd, line);
      fsyncSync(this.#fd);
      this.#length += line.length;
    } catch (error) {
      ftruncateSync(this.#fd, this.#length);
      throw new Refusal("store_unavailable", `the anchor takes no entry: ${String(error)}`);
    }
  }

  #take(line: string, header: string | undefined): void {
    const { value, bytes } = admit(Buffer.from(line));
    if (bytes.toString("utf8") !== line) throw new Error("not in canonical form");
    const kind = (value["type"] as string | undefined)?.split("/")[1] ?? "";
    if ((kind === "anchor") !== (header !== undefined)) throw new Error("not where it has to stand");
    if (!["anchor", "anchor-entry", "anchor-checkpoint"].includes(kind)) throw new Error("of an unknown type");
    const record = read(kind, value as Json);
    if (header !== undefined && record["audience"] !== header) throw new Error("of another installation");
    if (kind === "anchor-checkpoint") this.checkpoint = { digest: record["digest"] as string, number: record["number"] as number };
    if (kind !== "anchor-entry") return;
    const entry = record as unknown as Entry;
    if ((entry.kind === "claimed") !== (entry.claimId !== undefined)) throw new Error("a claim without its id, or an id without a claim");
    if (this.#entries.has(entry.planId)) throw new Error("a plan for the second time");
    this.#entries.set(entry.planId, entry);
  }

  /** What a crash left after the last line feed: kept where it is whole, otherwise taken away. [ANCHOR-012] */
  #mend(rest: Buffer, header: string | undefined): void {
    if (rest.length === 0) return;
    try {
      this.#take(rest.toString("utf8"), header);
    } catch {
      ftruncateSync(this.#fd, this.#length);
      return;
    }
    writeSync(this.#fd, "\n");
    fsyncSync(this.#fd);
    this.#length += rest.length + 1;
  }
}
