// What the operator says: `config.json`, and beside it `keys.json`, `accounts.json` and `tokens.json`, which nobody else may read.

import { createHash, randomUUID, randomBytes, scryptSync } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { admit, at, same, type Json, type JsonObject } from "./json.ts";
import type { Identity, Policy } from "./records.ts";
import type { Key } from "./seals.ts";

export type Person = {
  enabled?: boolean;
  groups?: string[];
  /** Tools of which they may ask for calls, and on whose plans they may decide; all where it is absent. */
  mayRequest?: string[];
  mayApprove?: string[];
  /** As which subjects of which issuers the person is known. [PERSON-001] */
  identities?: { issuer: string; subject: string }[];
};
type Clause = { tool?: string; target?: string; arguments?: JsonObject; deny?: boolean } & Partial<Omit<Policy, "type">>;
export type Settings = {
  audience: string;
  /** Whether the agent runs as another user of the operating system: there is no default. [ENF-002] */
  isolation: "separate" | "same-user";
  /** Where the notes are. */
  target: string;
  mcp: { port: number; origins?: string[] };
  /** `url` is what a browser sees; absent, it is that of the port on loopback. */
  surface: { port: number; url?: string };
  persons: Record<string, Person>;
  /** The first that matches decides; a call that none matches is denied. [POLICY-001] */
  policy: Clause[];
  /** What is said of a tool in place of its own description. */
  descriptions?: Record<string, string>;
};
type Accounts = Record<string, Account>;
/** By the SHA-256 of the token. */
type Tokens = Record<string, { issuer: string; subject: string }>;
export type Account = { person: string; salt: string; hash: string; disabled?: boolean };

/** The issuer of local accounts and configured names. */
export const LOCAL = "urn:mutation-approval:local";
const MEMBERS = ["audience", "isolation", "target", "mcp", "surface", "persons", "policy", "descriptions"];

export class Config {
  #seen = "";
  #settings!: Settings;
  #accounts!: Accounts;
  #tokens!: Tokens;
  /** Told when accounts have changed, of whom. [OPER-002] */
  onAccounts: (persons: string[]) => void = () => {};

  constructor(readonly directory: string) {
    this.#refresh();
  }

  get settings(): Settings {
    this.#refresh();
    return this.#settings;
  }

  account(name: string): Account | undefined {
    this.#refresh();
    const account = Object.hasOwn(this.#accounts, name) ? this.#accounts[name] : undefined;
    return account?.disabled !== true && this.isEnabled(account?.person) ? account : undefined;
  }

  /** Whom a bearer token stands for; a subject without a person is nobody. [PERSON-002] */
  bearer(token: string): { known: boolean; identity?: Identity } {
    this.#refresh();
    const hash = createHash("sha256").update(token).digest("hex");
    const subject = Object.hasOwn(this.#tokens, hash) ? this.#tokens[hash]! : undefined;
    if (subject === undefined) return { known: false };
    for (const [person, { identities = [] }] of Object.entries(this.#settings.persons))
      if (identities.some(({ issuer, subject: name }) => issuer === subject.issuer && name === subject.subject))
        return { known: true, identity: { person, issuer: subject.issuer, subject: subject.subject } };
    return { known: true };
  }

  isEnabled(person: string | undefined): boolean {
    return this.#person(person)?.enabled !== false && this.#person(person) !== undefined;
  }

  mayRequest(person: string, tool: string): boolean {
    return this.isEnabled(person) && (this.#person(person)!.mayRequest?.includes(tool) ?? true);
  }

  mayApprove(person: string, tool: string, groups?: string[]): boolean {
    if (!this.isEnabled(person)) return false;
    const { mayApprove, groups: own = [] } = this.#person(person)!;
    return (mayApprove?.includes(tool) ?? true) && (groups === undefined || groups.some((group) => own.includes(group)));
  }

  /** The policy's decision for a call; undefined where it is denied. [POLICY-001, POLICY-002] */
  policy(tool: string, target: string, arguments_: JsonObject): Policy | undefined {
    const clause = this.settings.policy.find(
      (clause) =>
        (clause.tool === undefined || clause.tool === tool) &&
        (clause.target === undefined || clause.target === target) &&
        Object.entries(clause.arguments ?? {}).every(([pointer, value]) => same(at(arguments_, pointer), value)),
    );
    if (clause === undefined || clause.deny === true) return undefined;
    const { rule, limits, requesterReadsTarget = false } = clause;
    const groups = rule?.groups && { groups: [...rule.groups].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))) };
    return { type: "mutation-approval/policy/v0", rule: { ...rule!, ...groups }, limits: { ...LIMITS, ...limits }, requesterReadsTarget };
  }

  #person(person: string | undefined): Person | undefined {
    return person !== undefined && Object.hasOwn(this.#settings.persons, person) ? this.#settings.persons[person] : undefined;
  }

  /** Reads the files again where one has changed; so what the operator changes holds from the next look on. */
  #refresh(): void {
    const files = ["config.json", "accounts.json", "tokens.json"].map((file) => join(this.directory, file));
    const seen = files.map((file) => statSync(file)).map(({ mtimeMs, size, ino }) => [mtimeMs, size, ino]).join();
    if (seen === this.#seen) return;
    const [settings, accounts, tokens] = files.map(readObject) as [Json, Json, Json];
    const before = this.#accounts as Accounts | undefined;
    this.#settings = checked(settings as JsonObject);
    this.#accounts = accounts as Accounts;
    this.#tokens = tokens as Tokens;
    this.#seen = seen;
    if (before === undefined) return;
    const names = [...new Set([...Object.keys(before), ...Object.keys(this.#accounts)])];
    const changed = names.filter((name) => !same(before[name] as Json | undefined, this.#accounts[name] as Json | undefined));
    if (changed.length > 0) this.onAccounts(changed.map((name) => (this.#accounts[name] ?? before[name])!.person));
  }
}

/** Good values where nothing else is configured (profile.md, 3.2). */
const LIMITS = {
  planSeconds: 3600,
  challengeSeconds: 900,
  approvalSeconds: 900,
  coolDownSeconds: 900,
  leaseSeconds: 30,
  executionSeconds: 300,
  gateAttempts: 50,
  openPlans: 20,
};

function checked(json: JsonObject): Settings {
  const settings = json as unknown as Settings;
  const complain = (what: string): never => {
    throw new Error(`\`config.json\`: ${what}`);
  };
  for (const member of Object.keys(json)) if (!MEMBERS.includes(member)) complain(`\`${member}\` is unknown`);
  for (const member of ["audience", "isolation", "target", "mcp", "surface", "persons", "policy"])
    if (json[member] === undefined) complain(`\`${member}\` is missing`);
  if (!["separate", "same-user"].includes(settings.isolation)) complain("`isolation` is `separate` or `same-user`");
  const { url } = settings.surface;
  if (url !== undefined && !/^https:|^http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?::|\/|$)/.test(url)) complain("pages are served over https"); // [SURF-013]
  for (const [at, { rule, deny }] of settings.policy.entries()) {
    if (deny === true) continue;
    if (rule === undefined || !["same-subject", "other-subject", "quorum"].includes(rule.kind)) complain(`policy ${at} has no rule`);
    if (!(rule!.required >= 1) || (rule!.kind !== "quorum" && rule!.required !== 1)) complain(`policy ${at} asks for no approval`);
    if (rule!.kind === "same-subject" && rule!.groups !== undefined) complain(`policy ${at}: the requester is in no group`);
  }
  return settings;
}

/** [SEC-001] */
function readObject(path: string): Json {
  if (!path.endsWith("config.json") && (statSync(path).mode & 0o077) !== 0) throw new Error(`\`${path}\`: others can read or write it`);
  return admit(readFileSync(path)).value;
}

/** The key that signs, and from when on. */
export type Signing = { seed: Buffer; notBefore: string };
export type Keys = { ring: Key[]; signing: Signing };

/** The keys, made at the first start. */
export function keys(directory: string): Keys {
  const path = join(directory, "keys.json");
  if (!existsSync(path)) {
    const random = (): string => randomBytes(32).toString("base64url");
    const id = `k-${randomUUID().slice(0, 8)}`;
    const made = { masters: [{ id, master: random(), state: "active" }], seed: random(), notBefore: new Date().toISOString() };
    writeFileSync(path, JSON.stringify(made), { mode: 0o600 });
  }
  type File = { masters: (Omit<Key, "master"> & { master: string })[]; seed: string; notBefore: string };
  const { masters, seed, notBefore } = readObject(path) as unknown as File;
  return {
    ring: masters.map((key) => ({ ...key, master: Buffer.from(key.master, "base64url") })),
    signing: { seed: Buffer.from(seed, "base64url"), notBefore },
  };
}

/** How hard a password is to guess from its hash. */
export const SCRYPT = { N: 16384, r: 8, p: 1 };

export function account(person: string, password: string): Account {
  const salt = randomBytes(16).toString("base64url");
  return { person, salt, hash: scryptSync(password.normalize("NFC"), salt, 32, SCRYPT).toString("base64url") };
}
