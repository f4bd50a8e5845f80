// The driver: what a harness can't do by messages (../../driver/PROTOCOL.md). It hosts the target, starts the server as its own
// process, writes its configuration, and changes its journal while it is down.

import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes, randomUUID, createHash } from "node:crypto";
import { appendFileSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { NotesService } from "./notes.ts";
import { account, LOCAL, type Account, type Settings } from "./server/config.ts";
import type { Json, JsonObject } from "./server/json.ts";
import type { PolicyLimits, Rule } from "./server/records.ts";
import type { Row } from "./server/store.ts";
import { answers, type File } from "./server/vectors.ts";

class Unsupported extends Error {}

type Request = { id: number; op: string } & JsonObject;

const SERVER = process.env["NOTES_SERVER"] ?? join(dirname(fileURLToPath(import.meta.url)), "main.mjs");
const REQUESTERS = ["alice", "bob"];
const APPROVERS = ["carol", "dave"];
const STRANGER = "mallory";
const PERSONS = [...REQUESTERS, ...APPROVERS, STRANGER];

/** What the policy says of each shelf; a tool of the target file is called by its shelf. */
const PLENTY = { openPlans: 200, leaseSeconds: 5 };
const OWN: Rule = { kind: "same-subject", required: 1 };
const SHELVES: Record<string, { rule: Rule; limits?: Partial<PolicyLimits>; reads?: boolean }> = {
  plain: { rule: OWN },
  unread: { rule: OWN, reads: false },
  precious: { rule: OWN },
  "other-subject": { rule: { kind: "other-subject", required: 1 } },
  quorum: { rule: { kind: "quorum", required: 2, groups: ["editors"] } },
  "short-plan": { rule: OWN, limits: { planSeconds: 5 } },
  "short-challenge": { rule: OWN, limits: { challengeSeconds: 5 } },
  "short-approval": { rule: OWN, limits: { approvalSeconds: 5 } },
  "short-cool-down": { rule: OWN, limits: { coolDownSeconds: 3 } },
  "short-lease": { rule: OWN, limits: { leaseSeconds: 3, executionSeconds: 3 } },
  "few-attempts": { rule: OWN, limits: { gateAttempts: 3 } },
  "few-plans": { rule: OWN, limits: { openPlans: 20 } },
};

class Driver {
  #directory = "";
  #notes = new NotesService();
  #server: ChildProcess | undefined;
  #settings!: Settings;
  #accounts: Record<string, Account> = {};
  #kept: string | undefined;

  readonly ops: Record<string, (request: Request) => Promise<JsonObject> | JsonObject> = {
    start: () => this.#start(),
    reset: () => this.#start(),
    observe: ({ arguments: arguments_ }) => ({ effects: this.#notes.effects(arguments_ as JsonObject) }),
    drift: (request) => this.#drift(request["how"] as string, request["arguments"] as JsonObject),
    hold: ({ arguments: arguments_ }) => this.#hold(arguments_ as JsonObject),
    held: (request) => this.#held(request["arguments"] as JsonObject, Number(request["seconds"] ?? 0)),
    release: ({ arguments: arguments_ }) => this.#release(arguments_ as JsonObject | undefined),
    change: (request) => this.#change(request),
    pause: ({ on }) => this.#operator({ do: on === true ? "pause" : "resume" }),
    mute: ({ person, on }) => this.#operator({ do: on === true ? "mute" : "unmute", person: person! }),
    restart: () => this.#restart(),
    kill: ({ when }) => this.#kill(when as string),
    keep: () => this.#keep(),
    "put-back": (request) => this.#putBack(request["what"] as string, request["planId"] as string),
    tamper: (request) => this.#tamper(request),
    reconcile: ({ planId, finding }) => this.#operator({ do: "reconcile", planId: planId!, finding: finding! }),
    prune: ({ planId }) => this.#operator({ do: "prune", planId: planId! }),
    audit: async () => {
      await this.#operator({ do: "checkpoint" });
      return { lines: (await this.#operator({ do: "audit" })) as unknown as Json };
    },
    receipt: async ({ planId }) => ({
      receipt: (await this.#operator({ do: "receipt", planId: planId! })) as unknown as string,
      keys: JSON.stringify(await this.#operator({ do: "keys" })),
    }),
    vectors: ({ content }) => ({ answers: answers(content as unknown as File) }),
  };

  async #start(): Promise<JsonObject> {
    await this.stop();
    this.#directory = mkdtempSync(join(tmpdir(), "notes-"));
    this.#notes = new NotesService();
    const passwords = PERSONS.map((person) => [person, randomBytes(12).toString("base64url")] as const);
    const tokens = PERSONS.map((person) => [person, randomBytes(24).toString("base64url")] as const);
    this.#accounts = Object.fromEntries(passwords.map(([person, password]) => [person, account(person, password)]));
    const hashed = tokens.map(([person, token]) => [createHash("sha256").update(token).digest("hex"), { issuer: LOCAL, subject: `agent-of-${person}` }]);
    this.#write("accounts.json", this.#accounts);
    this.#write("tokens.json", Object.fromEntries(hashed));
    this.#settings = {
      audience: `urn:uuid:${randomUUID()}`,
      isolation: "separate",
      target: await this.#notes.listen(),
      mcp: { port: 0 },
      surface: { port: 0 },
      persons: Object.fromEntries(
        PERSONS.map((person) => [
          person,
          {
            identities: [{ issuer: LOCAL, subject: `agent-of-${person}` }],
            ...(APPROVERS.includes(person) && { groups: ["editors"] }),
            ...(!REQUESTERS.includes(person) && { mayRequest: [] }),
            ...(person === STRANGER && { mayApprove: [] }),
          },
        ]),
      ),
      policy: Object.entries(SHELVES).map(([shelf, { rule, limits, reads = true }]) => ({
        tool: "write_note",
        arguments: { "/shelf": shelf },
        rule,
        limits: { ...PLENTY, ...limits } as PolicyLimits,
        requesterReadsTarget: reads,
      })),
    };
    const { url, surface } = await this.#run();
    // The same ports at the next start.
    this.#settings.mcp.port = Number(new URL(url).port);
    this.#settings.surface.port = Number(new URL(surface).port);
    this.#write("config.json", this.#settings);
    return {
      url,
      tokens: Object.fromEntries(tokens),
      accounts: Object.fromEntries(passwords.map(([person, password]) => [person, { account: person, password }])),
      ops: Object.keys(this.ops),
    };
  }

  async #run(): Promise<{ url: string; surface: string }> {
    this.#write("config.json", this.#settings);
    const server = spawn(process.execPath, [SERVER, this.#directory], { stdio: ["ignore", "pipe", "inherit"] });
    this.#server = server;
    return new Promise((resolve, reject) => {
      createInterface({ input: server.stdout }).once("line", (line) => resolve(JSON.parse(line) as { url: string; surface: string }));
      server.once("exit", (code) => reject(new Error(`the server has ended with ${code}`)));
    });
  }

  /** Ends the server, and waits for it. */
  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill(signal);
    // One that waits for what it executes is ended all the same.
    const patience = setTimeout(() => server.kill("SIGKILL"), 5000);
    await ended;
    clearTimeout(patience);
  }

  async stop(): Promise<void> {
    await this.#end("SIGKILL");
    this.#notes.close();
    if (this.#directory !== "") rmSync(this.#directory, { recursive: true, force: true });
  }

  async #restart(): Promise<JsonObject> {
    await this.#end("SIGTERM");
    await this.#run();
    return {};
  }

  async #kill(when: string): Promise<JsonObject> {
    if (when === "now") await this.#end("SIGKILL");
    else if (when === "before-effect" || when === "after-effect") this.#notes.atWrite = { when, then: () => this.#end("SIGKILL") };
    else throw new Unsupported(`it can't be killed \`${when}\``);
    return {};
  }

  #write(file: string, json: unknown): void {
    writeFileSync(join(this.#directory, file), JSON.stringify(json), { mode: 0o600 });
  }

  #drift(how: string, arguments_: JsonObject): JsonObject {
    const world = this.#notes.world(arguments_);
    if (how === "moved") this.#notes.move(arguments_);
    else if (how === "previewed" || how === "refused" || how === "unreachable" || how === "replaced") world[how] = true;
    else if (how === "restored") {
      world.refused = world.unreachable = world.replaced = false;
      this.#release(arguments_);
    } else throw new Unsupported(`the world doesn't do \`${how}\``);
    return {};
  }

  #hold(arguments_: JsonObject): JsonObject {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    this.#notes.world(arguments_).held = { waiting: false, release, released };
    return {};
  }

  /** Of everything, where it isn't said of what. */
  #release(arguments_?: JsonObject): JsonObject {
    for (const world of arguments_ === undefined ? this.#notes.worlds : [this.#notes.world(arguments_)]) {
      world.held?.release();
      delete world.held;
    }
    return {};
  }

  async #held(arguments_: JsonObject, seconds: number): Promise<JsonObject> {
    const isHeld = (): boolean => this.#notes.world(arguments_).held?.waiting === true;
    const until = Date.now() + seconds * 1000;
    while (!isHeld() && Date.now() < until) await this.#notes.nextHeld(until - Date.now());
    return { held: isHeld() };
  }

  async #change({ what, person, tool }: Request): Promise<JsonObject> {
    const { persons, policy } = this.#settings;
    const who = (): NonNullable<(typeof persons)[string]> => {
      const found = typeof person === "string" ? persons[person] : undefined;
      if (found === undefined) throw new Error("there is no such person");
      return found;
    };
    if (what === "policy") {
      const clause = policy.find((clause) => clause.arguments?.["/shelf"] === tool);
      if (clause === undefined) throw new Unsupported(`the policy has nothing about \`${String(tool)}\``);
      clause.limits = { ...clause.limits!, coolDownSeconds: (clause.limits?.coolDownSeconds ?? 900) + 1 };
    } else if (what === "definition") this.#settings.descriptions = { write_note: `Writes a note. ${randomUUID()}` };
    else if (what === "enforcement") this.#settings.isolation = "same-user";
    else if (what === "disable") who().enabled = false;
    else if (what === "enable") who().enabled = true;
    else if (what === "regroup") who().groups = [];
    else if (what === "account") this.#accounts[person as string] = account(person as string, randomUUID());
    else throw new Unsupported(`\`${String(what)}\` can't be changed`);
    if (what === "account") this.#write("accounts.json", this.#accounts);
    if (what === "enforcement") return this.#restart();
    this.#write("config.json", this.#settings);
    return {};
  }

  /** A command on the operator's socket. */
  #operator(command: JsonObject): Promise<JsonObject> {
    return new Promise((resolve, reject) => {
      const socket = connect(join(this.#directory, "operator"), () => socket.write(`${JSON.stringify(command)}\n`));
      socket.on("error", reject);
      createInterface({ input: socket }).once("line", (line) => {
        socket.destroy();
        const { ok, error } = JSON.parse(line) as { ok?: JsonObject; error?: string };
        if (ok === undefined) reject(new Error(error));
        else resolve(ok);
      });
    });
  }

  // The journal, with a hand in it.

  get #journal(): string {
    return join(this.#directory, "journal");
  }

  #tables(path = this.#journal): Map<string, Map<string, Row>> {
    const tables = new Map<string, Map<string, Row>>();
    for (const line of readFileSync(path, "utf8").split("\n").slice(0, -1)) {
      const { put, remove } = JSON.parse(line) as { put: Record<string, Record<string, Row>>; remove: Record<string, string[]> };
      for (const [table, rows] of Object.entries(put))
        for (const [key, row] of Object.entries(rows)) tables.set(table, (tables.get(table) ?? new Map<string, Row>()).set(key, row));
      for (const [table, keys] of Object.entries(remove)) for (const key of keys) tables.get(table)?.delete(key);
    }
    return tables;
  }

  #append(put: Record<string, Record<string, Row>>, remove: Record<string, string[]> = {}): void {
    appendFileSync(this.#journal, `${JSON.stringify({ put, remove })}\n`);
  }

  #keep(): JsonObject {
    this.#kept = `${this.#journal}.kept`;
    copyFileSync(this.#journal, this.#kept);
    return {};
  }

  async #putBack(what: string, planId: string): Promise<JsonObject> {
    if (this.#kept === undefined || !existsSync(this.#kept)) throw new Error("nothing was kept");
    await this.#end("SIGTERM");
    if (what === "store") copyFileSync(this.#kept, this.#journal);
    else {
      const kept = this.#tables(this.#kept);
      const row = (table: string): Record<string, Row> => ({ [planId]: kept.get(table)!.get(planId)! });
      this.#append({ "plan-state": row("plan-state"), index: row("index") });
    }
    await this.#run();
    return {};
  }

  async #tamper({ planId, case: how, record, other }: Request): Promise<JsonObject> {
    await this.#end("SIGTERM");
    try {
      const [table, key, row] = this.#find(record as string, planId as string);
      const sealed = Buffer.from(row.sealed ?? "", "base64");
      if (how === "missing-row") this.#append({}, { [table]: [key] });
      else if (how === "edited-row") {
        sealed[sealed.length - 2]! ^= 1;
        this.#append({ [table]: { [key]: { ...row, sealed: sealed.toString("base64") } } });
      } else if (how === "transplanted-row") {
        const [, , foreign] = this.#find(record as string, other as string);
        this.#append({ [table]: { [key]: { ...row, sealed: foreign.sealed! } } });
      } else if (how === "edited-column") {
        const columns: Record<string, Row> = { header: { expiresAt: "2099-01-01T00:00:00.000Z" }, intent: { target: "other notes" }, "plan-state": { state: "approved" } };
        const column = columns[record as string];
        if (column === undefined) throw new Unsupported(`no column says what a \`${String(record)}\` says`);
        const [, , index] = this.#find("index", planId as string);
        this.#append({ index: { [planId as string]: { ...index, ...column, ...(index["state"] === "approved" && record === "plan-state" && { state: "planned" }) } } });
      } else throw new Unsupported(`a row can't be \`${String(how)}\``);
    } finally {
      await this.#run();
    }
    return {};
  }

  #find(table: string, planId: string): [string, string, Row] {
    const rows = [...(this.#tables().get(table) ?? [])];
    const last = rows.findLast(([key, row]) => key === planId || key.startsWith(`${planId}/`) || (table === "event" && row["planId"] === planId));
    if (last === undefined) throw new Error(`the plan has no \`${table}\``);
    return [table, ...last];
  }
}

const driver = new Driver();
const input = createInterface({ input: process.stdin });
// One by one, but for what others wait for.
let queue = Promise.resolve();
input.on("line", (line) => {
  const request = JSON.parse(line) as Request;
  if (request.op === "release" || request.op === "held") void answer(request);
  else queue = queue.then(() => answer(request));
});
input.on("close", () => void queue.then(() => driver.stop()).then(() => process.exit(0)));

async function answer(request: Request): Promise<void> {
  const { id, op } = request;
  let said: JsonObject;
  try {
    const run = Object.hasOwn(driver.ops, op) ? driver.ops[op] : undefined;
    if (run === undefined) throw new Unsupported(`this driver doesn't do \`${op}\``);
    said = { ok: await run(request) };
  } catch (error) {
    said = error instanceof Unsupported ? { unsupported: error.message } : { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify({ id, ...said })}\n`);
}
