// The audit: a chain of events, and signed checkpoints of it. spec/v0/audit.md, sections 3 to 5.

import { createHash, randomBytes } from "node:crypto";

import type { Anchor } from "./anchor.ts";
import type { Signing } from "./config.ts";
import { admit, canonical, digest, type Json, type JsonObject } from "./json.ts";
import type { Enforcement } from "./records.ts";
import type { Ring } from "./seals.ts";
import { sign } from "./signatures.ts";
import type { Row, Store, Transition } from "./store.ts";

/** What happened; `planPrevious` is the digest of the plan's event before it. [AUDIT-001, AUDIT-016] */
export type Happened = { kind: string; planId?: string; planPrevious?: string } & { [member: string]: Json | undefined };
type Head = { digest: string; sequence: number; writer: string };
type Latest = { number: number; digest: string; events: number; order: string };

export class Audit {
  readonly #writer = randomBytes(16).toString("base64url");
  readonly #lastOf = new Map<string, string>();
  /** The last event of each writer, and whether a later writer has named it. */
  readonly #heads = new Map<string, Head & { named: boolean }>();
  /** How many events there have been. */
  #count = 0;
  #own: { sequence: number; previous?: string } = { sequence: 0 };
  #pending: { tx: Transition; sequence: number; previous?: string; events: number } | undefined;

  constructor(
    readonly store: Store,
    readonly ring: Ring,
    readonly signing: Signing,
  ) {
    for (const number of store.table("event").keys()) this.#count = Math.max(this.#count, Number(number) + 1);
    for (const [number, row] of this.#rows()) this.#learn(number, row, this.#body(row));
  }

  /** The writer's first event. [AUDIT-004, AUDIT-007, ANCHOR-009, CKPT-004] */
  start(enforcement: Enforcement, forgotten: string[], anchor: Anchor, renewed: boolean): void {
    const heads = this.#unnamed();
    const latest = this.#latest();
    const lost = anchor.checkpoint !== undefined && anchor.checkpoint.number > (latest?.number ?? 0) ? anchor.checkpoint.digest : undefined;
    this.store.transition((tx) => {
      this.append(tx, {
        kind: "audit.started",
        enforcement: enforcement as unknown as Json,
        ...(heads.length > 0 && { heads: heads as unknown as Json }),
        ...(forgotten.length > 0 && { forgotten }),
        ...(lost !== undefined && { forgottenCheckpoint: lost }),
      });
      if (renewed) this.append(tx, { kind: "anchor.renewed" });
    });
  }

  /** Appends an event in a transition, and gives its digest. */
  append(tx: Transition, happened: Happened): string {
    if (this.#pending?.tx !== tx) {
      this.#pending = { tx, ...this.#own, events: this.#count };
      const pending = this.#pending;
      tx.then.push(() => {
        this.#own = { sequence: pending.sequence, ...(pending.previous !== undefined && { previous: pending.previous }) };
      });
    }
    const { planPrevious, ...event } = happened;
    const pending = this.#pending;
    const sequence = pending.sequence + 1;
    const record: JsonObject = {
      type: "mutation-approval/event/v0",
      writer: this.#writer,
      sequence,
      ...(pending.previous !== undefined && { previous: pending.previous }), // [AUDIT-009]
      ...(planPrevious !== undefined && { planPrevious }), // [AUDIT-008]
      at: new Date().toISOString(),
      event: event as JsonObject,
    };
    const body = canonical(record);
    const { planId } = happened;
    const binding = { record: "event", id: `${this.#writer}.${sequence}`, ...(planId !== undefined && { planId }), revision: 0 };
    const row: Row = { writer: this.#writer, sequence, ...(planId !== undefined && { planId }) };
    row.sealed = this.ring.seal("authenticate", binding, body).toString("base64");
    const number = String(pending.events);
    tx.insert("event", number, row);
    pending.events += 1;
    pending.sequence = sequence;
    pending.previous = digest(body);
    tx.then.push(() => this.#learn(number, row, body));
    return pending.previous;
  }

  /** The last event of a plan, where its seal holds. */
  lastOf(planId: string): Json | undefined {
    const row = this.store.table("event").get(this.#lastOf.get(planId) ?? "");
    return row === undefined ? undefined : admit(this.#opened(row)).value;
  }

  /** [CKPT-001, CKPT-002, CKPT-003] */
  checkpoint(anchor: Anchor): void {
    const latest = this.#latest();
    const made = this.store.transition((tx) => {
      this.append(tx, { kind: "audit.checkpoint" });
      const pending = this.#pending!;
      const order = createHash("sha256").update(Buffer.from(latest?.order.slice("sha256:".length) ?? "0".repeat(64), "hex"));
      for (let at = latest?.events ?? 0; at < pending.events; at += 1)
        order.update(createHash("sha256").update(this.#opened(tx.get("event", String(at))!)).digest());
      const own: Head = { digest: pending.previous!, sequence: pending.sequence, writer: this.#writer };
      const heads = [...this.#unnamed().filter(({ writer }) => writer !== this.#writer), own];
      const payload = {
        type: "mutation-approval/checkpoint/v0",
        audience: this.ring.audience,
        number: (latest?.number ?? 0) + 1,
        ...(latest !== undefined && { previous: latest.digest }),
        at: new Date().toISOString(),
        events: pending.events,
        writers: new Set([...this.#heads.keys(), this.#writer]).size,
        heads: heads.sort(byWriter) as unknown as Json,
        order: `sha256:${order.digest("hex")}`,
      };
      const bytes = canonical(payload);
      const envelope = sign(this.signing.seed, "checkpoint", bytes);
      const { number } = payload;
      for (const [id, revision] of [[String(number), 0], ["latest", number]] as const)
        tx.put("checkpoint", id, {
          revision,
          sealed: this.ring.seal("authenticate", { record: "checkpoint", id, revision }, envelope).toString("base64"),
        });
      return { digest: digest(bytes), number };
    });
    anchor.remember(made);
  }

  /** [AUDIT-012] */
  export(): string[] {
    const lines: string[] = [];
    let checkpoints = 0;
    for (const [, row] of this.#rows()) {
      const body = this.#body(row);
      lines.push(body.toString("utf8"));
      if (!body.includes('"kind":"audit.checkpoint"')) continue;
      checkpoints += 1;
      const envelope = this.store.table("checkpoint").get(String(checkpoints));
      if (envelope !== undefined) lines.push(this.#body(envelope).toString("utf8"));
    }
    return lines;
  }

  /** The events by their number, in the order in which they were committed. */
  *#rows(): Iterable<[string, Row]> {
    const events = this.store.table("event");
    for (let at = 0; at < this.#count; at += 1) {
      const row = events.get(String(at));
      if (row !== undefined) yield [String(at), row];
    }
  }

  #opened(row: Row): Buffer {
    const { writer, sequence, planId, sealed } = row as { writer: string; sequence: number; planId?: string; sealed: string };
    const binding = { record: "event", id: `${writer}.${sequence}`, ...(planId !== undefined && { planId }), revision: 0 };
    return this.ring.open("authenticate", binding, Buffer.from(sealed, "base64"));
  }

  /** The bytes as they stand, for the chain and its export; no decision depends on them. [KEYS-031] */
  #body(row: Row): Buffer {
    const sealed = Buffer.from(row.sealed ?? "", "base64");
    return sealed.subarray(2 + (sealed[1] ?? 0) + 32);
  }

  #latest(): Latest | undefined {
    const row = this.store.table("checkpoint").get("latest");
    if (row === undefined) return undefined;
    const binding = { record: "checkpoint", id: "latest", revision: row["revision"] as number };
    const envelope = JSON.parse(this.ring.open("authenticate", binding, Buffer.from(row.sealed!, "base64")).toString()) as { payload: string };
    const payload = Buffer.from(envelope.payload, "base64");
    return { ...(JSON.parse(payload.toString()) as Latest), digest: digest(payload) };
  }

  #unnamed(): Head[] {
    const heads = [...this.#heads.values()].filter(({ named }) => !named);
    return heads.map(({ digest, sequence, writer }) => ({ digest, sequence, writer })).sort(byWriter);
  }

  #learn(number: string, row: Row, body: Buffer): void {
    const writer = row["writer"] as string;
    this.#count = Math.max(this.#count, Number(number) + 1);
    this.#heads.set(writer, { digest: digest(body), sequence: row["sequence"] as number, writer, named: false });
    if (typeof row["planId"] === "string") this.#lastOf.set(row["planId"], number);
    if (!body.includes('"kind":"audit.started"')) return;
    try {
      const { event } = JSON.parse(body.toString("utf8")) as { event: { heads?: Head[] } };
      for (const named of event.heads ?? []) {
        const head = this.#heads.get(named.writer);
        if (head !== undefined && head.digest === named.digest) head.named = true;
      }
    } catch {
      // What was edited names nobody; a verifier will say so.
    }
  }
}

const byWriter = (a: Head, b: Head): number => Buffer.compare(Buffer.from(a.writer, "base64url"), Buffer.from(b.writer, "base64url"));
