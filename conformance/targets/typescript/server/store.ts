// One append-only file, the journal: a line for each transition, on the disk before the call is answered. What it says is held in
// memory. One process has it at a time, and a transition is one synchronous piece of code; so transitions are serial by themselves.
// [STORE-001, STORE-002]

import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, unlinkSync, writeFileSync, writeSync } from "node:fs";

import { Refusal } from "./gate.ts";

/** A row: a sealed record, and the columns by which it is found. */
export type Row = { sealed?: string; [column: string]: unknown };
type Line = { put: Record<string, Record<string, Row>>; remove: Record<string, string[]> };

export class Store {
  readonly #tables = new Map<string, Map<string, Row>>();
  readonly #fd: number;
  #length: number;
  #broken = false;

  constructor(path: string) {
    exclusively(`${path}.lock`);
    this.#fd = openSync(path, "a+", 0o600);
    const content = readFileSync(path);
    // What stands after the last line feed is what a crash left of a transition that nobody was told of.
    this.#length = content.lastIndexOf(0x0a) + 1;
    if (this.#length < content.length) ftruncateSync(this.#fd, this.#length);
    content.subarray(0, this.#length).toString("utf8").split("\n").slice(0, -1).forEach((line, at) => {
      try {
        this.#apply(JSON.parse(line) as Line);
      } catch {
        throw new Error(`\`${path}\`, line ${at + 1}: no transition`);
      }
    });
  }

  table(name: string): ReadonlyMap<string, Row> {
    return this.#tables.get(name) ?? new Map<string, Row>();
  }

  /** All that `change` writes, or nothing. */
  transition<T>(change: (tx: Transition) => T): T {
    const tx = new Transition(this);
    const answer = change(tx);
    if (tx.isEmpty) return answer;
    if (this.#broken) throw new Refusal("store_unavailable", "an earlier write has failed");
    const line = Buffer.from(`${JSON.stringify(tx.line)}\n`);
    try {
      writeSync(this.#fd, line);
      fsyncSync(this.#fd);
      if (fstatSync(this.#fd).size !== this.#length + line.length) throw new Error("somebody else wrote to the journal");
    } catch (error) {
      try {
        ftruncateSync(this.#fd, this.#length);
      } catch {
        this.#broken = true;
      }
      throw new Refusal("store_unavailable", String(error));
    }
    this.#length += line.length;
    this.#apply(tx.line);
    for (const then of tx.then) then();
    return answer;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #apply(line: Line): void {
    for (const [name, rows] of Object.entries(line.put)) {
      const table = this.#tables.get(name) ?? new Map<string, Row>();
      this.#tables.set(name, table);
      for (const [key, row] of Object.entries(rows)) table.set(key, row);
    }
    for (const [name, keys] of Object.entries(line.remove)) for (const key of keys) this.#tables.get(name)?.delete(key);
  }
}

/** What one transition writes; it reads what it has written. */
export class Transition {
  readonly line: Line = { put: {}, remove: {} };
  /** What is done once it has committed. */
  readonly then: (() => void)[] = [];

  constructor(readonly store: Store) {}

  get isEmpty(): boolean {
    return Object.keys(this.line.put).length === 0 && Object.keys(this.line.remove).length === 0;
  }

  get(table: string, key: string): Row | undefined {
    if (this.line.remove[table]?.includes(key) === true) return undefined;
    return this.line.put[table]?.[key] ?? this.store.table(table).get(key);
  }

  /** [STORE-003] */
  insert(table: string, key: string, row: Row): void {
    if (this.get(table, key) !== undefined) throw new Error(`there is a row \`${key}\` in \`${table}\``);
    this.put(table, key, row);
  }

  /** Where a row stands at a revision, whoever puts it has read that revision in this very transition. [STORE-004] */
  put(table: string, key: string, row: Row): void {
    (this.line.put[table] ??= {})[key] = row;
  }

  remove(table: string, key: string): void {
    delete this.line.put[table]?.[key];
    if (this.store.table(table).has(key)) (this.line.remove[table] ??= []).push(key);
  }
}

/** Takes a lock file, which names the process that has it; one that a dead process left is taken over. */
export function exclusively(path: string): void {
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx", mode: 0o600 });
      process.on("exit", () => unlinkSync(path));
      return;
    } catch {
      const owner = Number(readFileSync(path, "utf8"));
      if (owner > 0 && isAlive(owner)) throw new Error(`\`${path}\`: process ${owner} has it`);
      unlinkSync(path);
    }
  }
}

function isAlive(process_: number): boolean {
  try {
    return process.kill(process_, 0);
  } catch {
    return false;
  }
}
