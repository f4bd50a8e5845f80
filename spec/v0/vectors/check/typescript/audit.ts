// Exports of the audit, verified as spec/v0/audit.md, sections 3 to 6, lays it down. CC0 1.0.

import { createHash } from "node:crypto";
import type { Hash } from "node:crypto";

import { REASONS } from "./gate.ts";
import { Misfit, event as eventForm, checkpoint as checkpointForm, fits, isObject } from "./records.ts";
import { Refused as Unsigned, decoded, mustBeGoodAt, open } from "./signatures.ts";
import type { KeySet } from "./signatures.ts";
import { PLAN, Refused as Inadmissible, admit, digest } from "./strict_json.ts";
import type { Json } from "./strict_json.ts";

/** The first thing that is wrong: its code, and where. */
export class Fault extends Error {
  readonly code: string;
  readonly line: number;
  readonly writer: string | undefined;
  readonly sequence: number | undefined;

  constructor(code: string, line: number, writer?: string, sequence?: number) {
    super(code);
    this.code = code;
    this.line = line;
    this.writer = writer;
    this.sequence = sequence;
  }
}

type Head = { readonly digest: string; readonly sequence: number; readonly writer: string };
type Event = {
  readonly writer: string;
  readonly sequence: number;
  readonly previous?: string;
  readonly planPrevious?: string;
  readonly event: {
    readonly kind: string;
    readonly planId?: string;
    readonly claimId?: string;
    readonly reason?: string;
    readonly heads?: readonly Head[];
    readonly forgotten?: readonly string[];
    readonly forgottenCheckpoint?: string;
  };
};
type Checkpoint = {
  readonly audience: string;
  readonly number: number;
  readonly previous?: string;
  readonly at: string;
  readonly events: number;
  readonly writers: number;
  readonly heads: readonly Head[];
  readonly order: string;
};
type Read = Head & { readonly line: number };
type Opened = { readonly checkpoint: Checkpoint; readonly digest: string };

/** What the audit is held against. */
export type Evidence = {
  readonly keys?: KeySet;
  readonly audience?: string;
  /** A checkpoint's envelope that was kept elsewhere. */
  readonly kept?: Buffer;
  /** The lines of a copy of the anchor's file. */
  readonly anchor: readonly string[];
};

export function verify(text: Buffer, evidence: Evidence): Json {
  return new Verifier(evidence).run(text);
}

const ENVELOPE = '{"payload":';
const hex = (name: string): Buffer => Buffer.from(name.slice("sha256:".length), "hex");
const byBytes = (one: Read, other: Read): number =>
  Buffer.compare(Buffer.from(one.writer, "base64url"), Buffer.from(other.writer, "base64url"));
const sameHead = (one: Head | undefined, other: Head): boolean =>
  one?.writer === other.writer && one.sequence === other.sequence && one.digest === other.digest;

class Verifier {
  private readonly evidence: Evidence;
  private line = 0;
  private events = 0;
  private begun = 0;
  private forgotten = 0;
  private readonly writers = new Map<string, Read>();
  private readonly plans = new Map<string, Read>();
  private readonly unnamed = new Map<string, Read>();
  private order: Hash = createHash("sha256").update(Buffer.alloc(32));
  private last: Opened | undefined;
  private announced = false;
  private doubt: Doubt | undefined;
  private readonly claims = new Set<string>();
  private readonly ends = new Set<string>();
  private mark: { number: number; digest: string } | undefined;
  private kept: Opened | undefined;

  constructor(evidence: Evidence) {
    this.evidence = evidence;
    for (const line of evidence.anchor) {
      const { kind, claimId, planId, number, digest: marked } = JSON.parse(line) as { [member: string]: string };
      if (kind === "claimed") this.claims.add(claimId!);
      else if (kind !== undefined) this.ends.add(planId!);
      else if (number !== undefined) this.mark = { number: Number(number), digest: marked! };
    }
    if (evidence.kept !== undefined) this.kept = this.opened(withoutEnd(evidence.kept));
  }

  run(text: Buffer): Json {
    for (const line of linesOf(text)) {
      this.line += 1;
      try {
        if (line.subarray(0, ENVELOPE.length).equals(Buffer.from(ENVELOPE))) this.envelope(line);
        else this.event(line);
      } catch (fault) {
        // What was doubted before is the first fault.
        throw fault instanceof Fault && this.doubt !== undefined ? this.doubt.fault() : fault;
      }
    }
    this.end();
    const proven = this.evidence.keys === undefined ? {} : { proven: this.last?.checkpoint.events ?? 0 };
    const checkpoints = this.last?.checkpoint.number ?? 0;
    return { events: this.events, checkpoints, ...proven, forgotten: this.forgotten };
  }

  private event(line: Buffer): void {
    const [event, name] = this.read<Event>(line, eventForm, "line_malformed");
    const { kind, planId, claimId, reason, heads, forgotten, forgottenCheckpoint } = event.event;
    if (reason !== undefined && !REASONS.includes(reason)) throw new Fault("line_malformed", this.line);
    if (this.announced) throw new Fault("checkpoint_missing", this.line);
    const read = { line: this.line, writer: event.writer, sequence: event.sequence, digest: name };
    this.follows(event, read);
    if (this.doubt?.isDecided() === true) throw this.doubt.fault();

    this.announced = kind === "audit.checkpoint";
    if (forgotten !== undefined || forgottenCheckpoint !== undefined) this.forgotten += 1;
    if (kind === "execution.claimed" && claimId !== undefined) this.claims.delete(claimId);
    if ((kind === "decision.rejected" || kind === "decision.withdrawn") && planId !== undefined) this.ends.delete(planId);
    this.events += 1;
    if (read.sequence === 1) this.begun += 1;
    for (const head of heads ?? []) this.unnamed.delete(head.writer);
    this.unnamed.set(read.writer, read);
    this.writers.set(read.writer, read);
    this.order.update(hex(read.digest));
    if (planId !== undefined) this.plans.set(planId, read);
  }

  private follows(event: Event, read: Read): void {
    const before = this.writers.get(read.writer);
    const expected = (before?.sequence ?? 0) + 1;
    if (read.sequence > expected) throw new Fault("event_missing", this.line, read.writer, expected);
    if (read.sequence < expected) throw new Fault("event_repeated", this.line, read.writer, read.sequence);
    if (this.doubt !== undefined) {
      this.doubt.hear(event);
      return;
    }
    const plan = event.event.planId;
    const ofPlan = plan === undefined ? undefined : this.plans.get(plan);
    if (event.previous !== before?.digest) {
      this.doubt = new Doubt("writer", before, read, plan);
    } else if (plan !== undefined && event.planPrevious !== ofPlan?.digest) {
      this.doubt = new Doubt("plan", ofPlan, read, plan);
      // The event before is vouched for where its writer has gone on from it, or goes on with this very event.
      const goneOn = ofPlan !== undefined && (this.writers.get(ofPlan.writer) !== ofPlan || event.previous === ofPlan.digest);
      if (goneOn) this.doubt.earlierHolds = true;
    }
    for (const head of event.event.heads ?? []) {
      const known = this.writers.get(head.writer);
      if (known === undefined) throw new Fault("writer_missing", this.line, head.writer, head.sequence);
      if (known.sequence < head.sequence) throw new Fault("event_missing", this.line, head.writer, known.sequence + 1);
      if (known.sequence > head.sequence) throw new Fault("event_unknown", this.line, head.writer, head.sequence + 1);
      if (known.digest !== head.digest) this.doubt ??= new Doubt("head", known, read, plan);
    }
  }

  /** Reads a record in canonical form, and its digest. */
  private read<Found>(text: Uint8Array, form: Parameters<typeof fits>[1], code: string): [Found, string] {
    try {
      const { value, canonical } = admit(text, PLAN);
      fits(value, form, "");
      if (!Buffer.from(canonical).equals(text)) throw new Fault(code, this.line);
      return [value as Found, digest(canonical)];
    } catch (error) {
      if (error instanceof Inadmissible || error instanceof Misfit) throw new Fault(code, this.line);
      throw error;
    }
  }

  private opened(envelope: Buffer): Opened {
    const { keys } = this.evidence;
    const signed = keys === undefined ? undefined : this.signed(() => open(envelope, "checkpoint", keys));
    const payload = signed?.payload ?? this.unverified(envelope);
    const [checkpoint, name] = this.read<Checkpoint>(payload, checkpointForm, "checkpoint_malformed");
    if (signed !== undefined) this.signed(() => mustBeGoodAt(signed.key, checkpoint.at));
    const audience = keys === undefined ? this.last?.checkpoint.audience : this.evidence.audience;
    if (audience !== undefined && checkpoint.audience !== audience) throw new Fault("checkpoint_audience", this.line);
    return { checkpoint, digest: name };
  }

  private signed<Answer>(ask: () => Answer): Answer {
    try {
      return ask();
    } catch (unsigned) {
      if (unsigned instanceof Unsigned) throw new Fault("checkpoint_signature", this.line);
      throw unsigned;
    }
  }

  /** The payload of an envelope whose signature can't be verified without keys. */
  private unverified(envelope: Buffer): Buffer {
    const malformed = new Fault("checkpoint_malformed", this.line);
    try {
      const { value, canonical } = admit(envelope, PLAN);
      const names = isObject(value) ? Object.keys(value).sort().join() : "";
      const type = value["payloadType"] === "application/vnd.mutation-approval.checkpoint+json";
      const payload = typeof value["payload"] === "string" ? decoded(value["payload"]) : undefined;
      const closed = names === "payload,payloadType,signatures";
      if (!envelope.equals(canonical) || !closed || !type || payload === undefined) throw malformed;
      return payload;
    } catch (error) {
      throw error instanceof Inadmissible ? malformed : error;
    }
  }

  private envelope(line: Buffer): void {
    if (!this.announced) throw new Fault("checkpoint_unexpected", this.line);
    this.announced = false;
    const opened = this.opened(line);
    const { checkpoint } = opened;
    const number = (this.last?.checkpoint.number ?? 0) + 1;
    if (checkpoint.number !== number || checkpoint.previous !== this.last?.digest) throw new Fault("checkpoint_chain", this.line);
    if (this.doubt !== undefined) {
      this.doubt.hearHeads(checkpoint.heads);
      throw this.doubt.fault();
    }
    this.mustCover(checkpoint);
    this.order = createHash("sha256").update(hex(checkpoint.order));
    if (this.mark?.number === number && this.mark.digest === opened.digest) this.mark = undefined;
    if (this.kept?.checkpoint.number === number) {
      if (this.kept.digest !== opened.digest) throw new Fault("checkpoint_lost", this.line);
      this.kept = undefined;
    }
    this.last = opened;
  }

  private mustCover(checkpoint: Checkpoint): void {
    for (const head of checkpoint.heads) {
      const known = this.writers.get(head.writer);
      if (known === undefined) throw new Fault("writer_missing", this.line, head.writer, head.sequence);
      if (known.sequence < head.sequence) throw new Fault("event_missing", this.line, head.writer, known.sequence + 1);
      if (known.sequence > head.sequence) throw new Fault("event_unknown", known.line, head.writer, head.sequence + 1);
      if (known.digest !== head.digest) throw new Fault("event_changed", known.line, head.writer, head.sequence);
    }
    const unnamed = [...this.unnamed.values()].sort(byBytes);
    const unknown = unnamed.find((known) => !checkpoint.heads.some((head) => head.writer === known.writer));
    if (unknown !== undefined) throw new Fault("writer_unknown", unknown.line, unknown.writer, unknown.sequence);
    const holds =
      checkpoint.events === this.events &&
      checkpoint.writers === this.begun &&
      checkpoint.heads.length === unnamed.length &&
      checkpoint.heads.every((head, place) => sameHead(unnamed[place], head)) &&
      checkpoint.order === `sha256:${this.order.copy().digest("hex")}`;
    if (!holds) throw new Fault("order", this.line);
  }

  private end(): void {
    if (this.doubt !== undefined) throw this.doubt.fault();
    const line = this.line + 1;
    if (this.announced) throw new Fault("checkpoint_missing", line);
    if (this.kept !== undefined) {
      throw new Fault(this.kept.checkpoint.events > this.events ? "tail_missing" : "checkpoint_lost", line);
    }
    if (this.claims.size > 0) throw new Fault("attempt_missing", line);
    if (this.ends.size > 0) throw new Fault("end_missing", line);
    if (this.mark !== undefined) {
      const later = this.mark.number > (this.last?.checkpoint.number ?? 0);
      throw new Fault(later ? "tail_missing" : "checkpoint_lost", line);
    }
    if (this.events === 0) throw new Fault("no_events", line);
  }
}

const withoutEnd = (line: Buffer): Buffer => (line.at(-1) === 0x0a ? line.subarray(0, -1) : line);

function linesOf(text: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf(0x0a, from);
    lines.push(text.subarray(from, end < 0 ? text.length : end));
    from = end < 0 ? text.length : end + 1;
  }
  return lines;
}

/** A link that does not hold, between an earlier event and the later one that has it. [AUDIT-015] */
class Doubt {
  earlierHolds: boolean | undefined;
  private laterHolds: boolean | undefined;
  private readonly link: "head" | "plan" | "writer";
  private readonly earlier: Read | undefined;
  private readonly later: Read;
  private readonly plan: string | undefined;

  constructor(link: Doubt["link"], earlier: Read | undefined, later: Read, plan: string | undefined) {
    this.link = link;
    this.earlier = earlier;
    this.later = later;
    this.plan = plan;
  }

  /** Whether an event that comes later vouches for one of the two, or contradicts. */
  hear(event: Event): void {
    const says = (of: Read): boolean | undefined =>
      event.writer === of.writer && event.sequence === of.sequence + 1
        ? event.previous === of.digest
        : namedAs(event.event.heads ?? [], of);
    const ofPlan = this.plan !== undefined && event.event.planId === this.plan && event.planPrevious === this.later.digest;
    this.laterHolds ??= says(this.later) ?? (ofPlan ? true : undefined);
    if (this.earlier !== undefined) this.earlierHolds ??= says(this.earlier);
  }

  hearHeads(heads: readonly Head[]): void {
    this.laterHolds ??= namedAs(heads, this.later);
    if (this.earlier !== undefined) this.earlierHolds ??= namedAs(heads, this.earlier);
  }

  isDecided(): boolean {
    const { laterHolds, earlierHolds } = this;
    if (this.link !== "plan") return laterHolds !== undefined || earlierHolds === true;
    const both = laterHolds !== undefined && (this.earlier === undefined || earlierHolds !== undefined);
    return laterHolds === false || earlierHolds === false || both;
  }

  fault(): Fault {
    const changed = (read: Read): Fault => new Fault("event_changed", read.line, read.writer, read.sequence);
    if (this.laterHolds === false) return changed(this.later);
    if (this.earlier === undefined || (this.link === "plan" && this.earlierHolds === true)) {
      return new Fault("plan_event_missing", this.later.line, this.later.writer, this.later.sequence);
    }
    return changed(this.earlierHolds === true ? this.later : this.earlier);
  }
}

function namedAs(heads: readonly Head[], of: Read): boolean | undefined {
  const head = heads.find((named) => named.writer === of.writer && named.sequence === of.sequence);
  return head === undefined ? undefined : head.digest === of.digest;
}
