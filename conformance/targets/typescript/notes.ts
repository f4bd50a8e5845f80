// The target: a service of notes on shelves, with hooks for whoever plays the world. Only the driver hosts it.

import { createHash, randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { canonical, type Json, type JsonObject } from "./server/json.ts";

type Note = { body: Json; etag: string };
/** What the world does to one note. */
type World = { previewed?: boolean; refused?: boolean; unreachable?: boolean; replaced?: boolean; held?: { waiting: boolean; release: () => void; released: Promise<void> } };

export class NotesService {
  readonly #notes = new Map<string, Note>();
  readonly #worlds = new Map<string, World>();
  /** How often which content was written where. */
  readonly #effects = new Map<string, number>();
  readonly #id = randomUUID();
  readonly #server: Server;
  /** Called at the next write, before or after its effect. */
  atWrite: { when: "before-effect" | "after-effect"; then: () => Promise<void> } | undefined;
  readonly #held = new EventEmitter().setMaxListeners(0);

  constructor() {
    this.#write("plain/kept", { text: "there from the beginning" });
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  world(arguments_: JsonObject): World {
    const place = placeOf(arguments_);
    const world = this.#worlds.get(place) ?? {};
    this.#worlds.set(place, world);
    return world;
  }

  get worlds(): Iterable<World> {
    return this.#worlds.values();
  }

  /** Until the next write is being held, or for so long. */
  async nextHeld(milliseconds: number): Promise<void> {
    await once(this.#held, "held", { signal: AbortSignal.timeout(milliseconds) }).catch(() => {});
  }

  effects(arguments_: JsonObject): number {
    const { shelf: _, name: __, ...body } = arguments_;
    return this.#effects.get(effectOf(placeOf(arguments_), body)) ?? 0;
  }

  /** Somebody else changes the note. */
  move(arguments_: JsonObject): void {
    this.#write(placeOf(arguments_), { text: `somebody else was here: ${randomUUID()}` });
  }

  #write(place: string, body: Json): void {
    this.#notes.set(place, { body, etag: `"${createHash("sha256").update(randomUUID()).digest("hex").slice(0, 16)}"` });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, what, place = ""] = /^\/(notes|dry-run)\/(.*)$/.exec(request.url ?? "") ?? [];
    // Some notes are out of reach, or refused, from the beginning.
    const name = place.split("/")[1] ?? "";
    const world = { unreachable: name.startsWith("unreachable-"), refused: name.startsWith("refused-"), ...this.#worlds.get(place) };
    if (world.unreachable === true) return void response.destroy();
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as JsonObject);
    const service = world.replaced === true ? "another-service" : this.#id;
    const answer = (status: number, json?: Json, etag?: string): void => {
      response.writeHead(status, { "Content-Type": "application/json", "Notes-Service": service, ...(etag !== undefined && { ETag: etag }) });
      response.end(JSON.stringify(json ?? {}));
    };
    const note = this.#notes.get(place);
    if (what === "dry-run") return world.refused === true ? answer(409) : answer(200, stored(body, world));
    if (what !== "notes") return answer(404);
    if (request.method === "GET") return note === undefined ? answer(404) : answer(200, note.body, note.etag);
    if (request.method !== "PUT") return answer(405);
    const { held } = world;
    if (held !== undefined) {
      held.waiting = true;
      this.#held.emit("held");
      await held.released;
    }
    const { "if-match": match, "if-none-match": none } = request.headers;
    const holds = match === undefined ? none === "*" && note === undefined : note?.etag === match;
    if (!holds) return answer(412);
    const hook = this.atWrite;
    this.atWrite = undefined;
    if (hook?.when === "before-effect") {
      await hook.then();
      return void response.destroy();
    }
    this.#write(place, stored(body, world));
    const effect = effectOf(place, body);
    this.#effects.set(effect, (this.#effects.get(effect) ?? 0) + 1);
    if (hook !== undefined) {
      await hook.then();
      return void response.destroy();
    }
    answer(200);
  }
}

const placeOf = ({ shelf, name }: JsonObject): string => `${encodeURIComponent(String(shelf))}/${encodeURIComponent(String(name))}`;
const effectOf = (place: string, body: Json): string => `${place} ${canonical(body).toString()}`;

/** The note as the service keeps it. */
function stored(body: JsonObject, { previewed }: World): JsonObject {
  return { ...body, format: previewed === true ? 2 : 1 };
}
