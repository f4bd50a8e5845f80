// The target: a service of notes on shelves, over HTTP. The planner reads it and mutates nothing; the executor writes.
//
//   GET  /notes/{shelf}/{name}   a note, with its ETag
//   PUT  /notes/{shelf}/{name}   writes it, if `If-Match` or `If-None-Match` holds
//   POST /dry-run/{shelf}/{name} what PUT would write, or why not
//
// Each answer names the service that gave it, in `Notes-Service`.

import { digestOf, type Json, type JsonObject } from "./json.ts";
import { Refusal, type Freshness } from "./gate.ts";
import type { Intent, Outcome, Precondition, Review, Step } from "./records.ts";

/** What a planner found out: intent and review without what the gate adds. */
export type Planned = {
  target: Intent["target"];
  steps: Step[];
  effectKeys: string[];
  review: Pick<Review, "headline" | "steps"> & Partial<Pick<Review, "findings" | "changes">>;
};
export type Executed = { outcome: Outcome; code?: string; toolResult: Json };
type Note = { body: Json | undefined; etag: string | null; service: string };

const PATIENCE = 5000;
/** Shelves on which a wrong note hurts. */
const PRECIOUS = "precious";

export class Notes {
  constructor(readonly url: () => string) {}

  /** [PLAN-008, PLAN-011] */
  async plan(arguments_: JsonObject): Promise<Planned> {
    const { shelf, name, ...body } = arguments_ as { shelf: string; name: string } & JsonObject;
    const place = placeOf(shelf, name);
    const before = await this.#note(place);
    const preview = await this.#dryRun(place, body);
    const where = `on the shelf \`${shelf}\``;
    return {
      target: { name: "notes", identity: { service: before.service } },
      steps: [
        {
          action: "write",
          object: place,
          body,
          preconditions: [{ kind: "etag", expected: before.etag, enforcement: "on-write" }],
          previewDigest: previewDigest(preview),
        },
      ],
      effectKeys: [`notes/${before.service}/${place}`],
      // Nothing here tells what was read from the target; that is in `changes` alone. [PLAN-010, REC-013]
      review: {
        headline: { source: "server", text: `write the note \`${name}\` ${where}` },
        ...(shelf === PRECIOUS && {
          findings: [{ code: "precious-shelf", severity: "high", text: `what lies ${where} can't be got back once it is overwritten` }],
        }),
        steps: [{ source: "server", text: `write the note \`${name}\` ${where}, if nobody else has changed it` }],
        changes: [{ object: place, ...(before.body !== undefined && { before: before.body }), after: preview }],
      },
    };
  }

  /** The freshness step's look: whether preconditions hold, and a fresh preview is the reviewed one. [GATE-102] */
  async look(intent: Intent): Promise<{ identity?: JsonObject; freshness: Freshness }> {
    let identity: JsonObject | undefined;
    const found = (freshness: Freshness) => ({ ...(identity !== undefined && { identity }), freshness });
    try {
      for (const step of intent.steps) {
        const { etag, service } = await this.#note(step.object);
        identity = { service };
        if ((step.preconditions ?? []).some(({ expected }) => expected !== etag)) return found("precondition-fails");
        if (previewDigest(await this.#dryRun(step.object, step.body!)) !== step.previewDigest) return found("preview-differs");
      }
      return found("unchanged");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return found(error.reason === "dry_run_failed" ? "preview-refused" : "unreachable");
    }
  }

  /** Writes. What can't be shown to have had no effect is `unknown`. [EXEC-002, EXEC-003] */
  async execute(step: Step, deadline: number): Promise<Executed> {
    const left = deadline - Date.now();
    if (left <= 0) return told("failed", "the claim ran out before the note was written", "deadline");
    const { expected } = step.preconditions![0] as Precondition;
    const condition: [string, string] = typeof expected === "string" ? ["If-Match", expected] : ["If-None-Match", "*"];
    try {
      const response = await this.#fetch("PUT", `notes/${path(step.object)}`, step.body!, [condition], left);
      if (response.ok) return told("applied", "The note was written.");
      if (response.status === 412) return told("failed", "Somebody else has changed the note; nothing was written.", "changed");
      if (response.status < 500) return told("failed", "The service refused; nothing was written.", "refused");
      return told("unknown", "The service failed; whether the note was written isn't known.", "service-failed");
    } catch (error) {
      const refused = (error as { cause?: { code?: string } }).cause?.code === "ECONNREFUSED";
      if (refused) return told("failed", "The service can't be reached; nothing was written.", "unreachable");
      return told("unknown", "The service didn't answer; whether the note was written isn't known.", "no-answer");
    }
  }

  async read(arguments_: JsonObject): Promise<Json | undefined> {
    const { shelf, name } = arguments_ as { shelf: string; name: string };
    return (await this.#note(placeOf(shelf, name))).body;
  }

  async #note(place: string): Promise<Note> {
    const response = await this.#ask("GET", `notes/${path(place)}`);
    const service = response.headers.get("notes-service") ?? "";
    if (response.status === 404) return { body: undefined, etag: null, service };
    return { body: (await response.json()) as Json, etag: response.headers.get("etag"), service };
  }

  async #dryRun(place: string, body: Json): Promise<Json> {
    const response = await this.#ask("POST", `dry-run/${path(place)}`, body);
    if (!response.ok) throw new Refusal("dry_run_failed", `the service answers ${response.status}`);
    return (await response.json()) as Json;
  }

  async #ask(method: string, path: string, body?: Json): Promise<Response> {
    try {
      const response = await this.#fetch(method, path, body, [], PATIENCE);
      if (response.status < 500) return response;
    } catch {
      // As below.
    }
    throw new Refusal("target_unavailable");
  }

  #fetch(method: string, path: string, body: Json | undefined, headers: [string, string][], patience: number): Promise<Response> {
    return fetch(`${this.url()}/${path}`, {
      method,
      redirect: "error",
      signal: AbortSignal.timeout(patience),
      headers: [...headers, ["Content-Type", "application/json"]],
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }
}

/** Shelf and name as persons read them, and never two places alike. */
const placeOf = (shelf: string, name: string): string => [shelf, name].map((part) => part.replaceAll("%", "%25").replaceAll("/", "%2F")).join("/");
const path = (place: string): string =>
  place.split("/").map((part) => encodeURIComponent(part.replaceAll("%2F", "/").replaceAll("%25", "%"))).join("/");

const previewDigest = (preview: Json): string => digestOf({ type: "mutation-approval/preview/v0", preview });

function told(outcome: Outcome, text: string, code?: string): Executed {
  const toolResult = { content: [{ type: "text", text }], isError: outcome !== "applied" };
  return { outcome, toolResult, ...(code !== undefined && { code }) };
}
