// What can be done with plans: making them, putting them before a person, deciding, executing. Here the steps of the gate meet store,
// anchor, target and clock. A transition is synchronous; between two of them anything may have happened.

import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import { userInfo } from "node:os";

import type { Anchor, Entry } from "./anchor.ts";
import type { Audit, Happened } from "./audit.ts";
import type { Config } from "./config.ts";
import * as gate from "./gate.ts";
import { Refusal, type Plan, type Stored } from "./gate.ts";
import { admit, admitValue, ARGUMENTS, canonical, digestOf, PLAN, Refused, type Document, type Json, type JsonObject } from "./json.ts";
import * as records from "./records.ts";
import type { Challenge, Decision, Enforcement, Execution, Header, Identity, Intent, Outcome, PlanState, Review, Verdict } from "./records.ts";
import { coolDownOf, equal, type Binding, type Ring, type Sealing } from "./seals.ts";
import { Store, Transition, type Row } from "./store.ts";
import type { Executed, Notes } from "./target.ts";
import { check, definition, definitionDigest } from "./tools.ts";

export type Parts = { store: Store; ring: Ring; anchor: Anchor; audit: Audit; config: Config; target: Notes };
/** Who asks, and how that is known. [WIRE-020] */
export type Requester = Identity & { assurance: "verified-token" | "environment" };
export type Called = { planId: string; planDigest?: string };

const KINDS: Record<string, Sealing> = { intent: "encrypt", review: "encrypt", secrets: "encrypt", result: "encrypt" };
/** The detail of a mismatch between a plan that holds together and what the caller sent. */
const CALLER = "what was sent isn't the plan's";
const ACTIVE = ["executing", "unknown", "partial"];

export class Plans {
  readonly #changed = new EventEmitter().setMaxListeners(0);
  readonly #running = new Set<Promise<unknown>>();

  constructor(readonly parts: Parts) {}

  // Records in the store.

  #seal(tx: Transition, table: string, id: string, planId: string | undefined, record: object, columns: Row = {}, revision = 0): string {
    const bytes = canonical(record as Json);
    const binding: Binding = { record: table, id, ...(planId !== undefined && { planId }), revision };
    const key = planId === undefined || id === planId ? id : `${planId}/${id}`;
    tx.put(table, key, { ...columns, sealed: this.parts.ring.seal(KINDS[table] ?? "authenticate", binding, bytes).toString("base64") });
    return digestOf(record as Json);
  }

  /** The record of a row; undefined where there is none, an error where the seal doesn't hold. */
  #open(row: Row | undefined, binding: Binding): Json | undefined {
    if (row === undefined) return undefined;
    const bytes = this.parts.ring.open(KINDS[binding.record] ?? "authenticate", binding, Buffer.from(row.sealed!, "base64"));
    return admit(bytes, PLAN).value; // [DIG-035]
  }

  #stored(planId: string): Stored | undefined {
    const { store, audit } = this.parts;
    const index = store.table("index").get(planId) as unknown as Stored["index"] | undefined;
    if (index === undefined) return undefined;
    const stored: Stored = { index, broken: [], challenges: [], decisions: [] };
    const attempt = (name: string, open: () => Json | undefined): Json | undefined => {
      try {
        return open();
      } catch {
        stored.broken.push(name);
        return undefined;
      }
    };
    const one = (table: string, revision = 0) =>
      this.#open(store.table(table).get(planId), { record: table, id: planId, planId, revision });
    const all = (table: string) =>
      [...store.table(table)].flatMap(([key, row]) => {
        const [plan, id] = key.split("/") as [string, string];
        return plan === planId ? (attempt(table, () => this.#open(row, { record: table, id, planId, revision: 0 })) ?? []) : [];
      });
    const members: [Exclude<keyof Stored, "index" | "broken" | "challenges" | "decisions">, () => Json | undefined][] = [
      ["header", () => one("header")],
      ["intent", () => one("intent")],
      ["review", () => one("review")],
      ["secrets", () => one("secrets")],
      ["planState", () => one("plan-state", index.revision)],
      ["execution", () => one("execution", Number(store.table("execution").get(planId)?.["revision"] ?? 0))],
      ["result", () => one("result")],
      ["reconciliation", () => one("reconciliation")],
      ["lastEvent", () => audit.lastOf(planId)],
    ];
    for (const [name, open] of members) {
      const record = attempt(name, open);
      if (record !== undefined) stored[name] = record;
    }
    stored.challenges = all("challenge");
    stored.decisions = all("decision");
    return stored;
  }

  /** Steps 3 and 4 of a plan that there is. */
  load(planId: string): Plan {
    const plan = gate.verify(this.#stored(planId)!, planId, this.parts.ring.audience);
    const effects = this.parts.store.table("index").get(planId)!["effects"] as string[];
    const keys = plan.intent?.effectKeys;
    if (keys !== undefined && !(keys.length === effects.length && keys.every((key, at) => this.parts.ring.isTag("effect-tag", key, effects[at]!))))
      throw new Refusal("integrity_failure", "the columns name other effects"); // [STORE-008]
    return plan;
  }

  /** A plan with what the clock has done to it, recorded. [STATE-011] */
  #current(planId: string): Plan {
    for (;;) {
      const plan = this.load(planId);
      const over = gate.due(plan, Date.now());
      if (over === undefined) return plan;
      this.#transition(planId, (tx) => {
        if (over === "lease") this.#lose(tx, plan);
        else if (over === "challenge") // [STATE-012]
          this.#move(tx, plan, { kind: "challenge.expired" }, { state: "planned", decisions: undefined });
        else this.#move(tx, plan, { kind: "plan.expired" }, { state: "expired", cause: over });
      });
    }
  }

  #transition<T>(planId: string, change: (tx: Transition) => T): T {
    const answer = this.parts.store.transition(change);
    this.#changed.emit(planId);
    return answer;
  }

  /** One step of a plan's state, with its event. [STATE-001, AUDIT-002, SEAL-007] */
  #move(tx: Transition, plan: Plan, event: Happened, changes: { [member in keyof PlanState]?: PlanState[member] | undefined }): PlanState {
    const { planId, planDigest, header } = plan;
    const lastEvent = this.parts.audit.append(tx, { planId, planDigest, planPrevious: plan.state.lastEvent, ...event });
    const moved = { ...plan.state, ...changes, revision: plan.state.revision + 1, lastEvent };
    const state = Object.fromEntries(Object.entries(moved).filter(([, value]) => value !== undefined)) as unknown as PlanState;
    this.#putState(tx, header, state);
    plan.state = state;
    return state;
  }

  #putState(tx: Transition, header: Header, state: PlanState, more: Row = {}): void {
    const { planId, createdAt, expiresAt, requester } = header;
    const columns = { planId, requester: requester.person, state: state.state, revision: state.revision, createdAt, expiresAt };
    tx.put("index", planId, { ...tx.get("index", planId), ...columns, ...more });
    this.#seal(tx, "plan-state", planId, planId, state, {}, state.revision);
  }

  #pseudonym(person: string): string {
    return this.parts.ring.tag("pseudonym", person);
  }

  enforcement(assurance: Requester["assurance"]): Enforcement {
    return { isolation: this.parts.config.settings.isolation, rollback: "local", requesterAssurance: assurance }; // [ENF-001..ENF-005]
  }

  // Planning: gate.md, 5.1, in the order of PLAN-013.

  async plan(tool: string, given: Document | Refused | unknown, requester: Requester, quote?: string): Promise<Plan> {
    const { config, ring } = this.parts;
    const arguments_ = admitted(given);
    const listed = definition(tool, config.settings.descriptions)!;
    const { person } = requester;
    if (!config.isEnabled(person)) throw new Refusal("requester_not_permitted"); // [PLAN-001]
    check(listed, arguments_.value);
    const planned = await this.parts.target.plan(arguments_.value);
    if (planned.effectKeys.length === 0) throw new Refusal("unsupported"); // [PLAN-004]
    if (!config.mayRequest(person, tool)) throw new Refusal("requester_not_permitted");
    const policy = config.policy(tool, planned.target.name, arguments_.value);
    if (policy === undefined) {
      this.parts.store.transition((tx) => this.parts.audit.append(tx, { kind: "plan.denied", actor: this.#pseudonym(person), reason: "policy_denied" }));
      throw new Refusal("policy_denied"); // [PLAN-002]
    }
    const { target, steps, effectKeys, review } = planned;
    const now = Date.now();
    const intent: Intent = {
      type: "mutation-approval/intent/v0",
      salt: salt(),
      tool: { name: tool, definitionDigest: definitionDigest(listed) },
      arguments: arguments_.value,
      target,
      steps,
      effectKeys: [...new Set(effectKeys)],
    };
    const warnings = this.#attempts(intent.effectKeys, "").map(({ planId, outcome }) => ({ code: "unresolved-attempt" as const, planId, outcome })); // [PLAN-009]
    const shown: Review = {
      type: "mutation-approval/review/v0",
      salt: salt(),
      ...review,
      ...(warnings.length > 0 && { warnings }),
      ...(quote !== undefined && { quotes: [{ source: "agent", text: quote }] }),
    };
    const [intentBytes, reviewBytes] = [intent, shown].map((document) => admitted(document, PLAN).bytes) as [Buffer, Buffer];
    if (intentBytes.length + reviewBytes.length > PLAN.bytes) throw new Refusal("payload_too_large"); // [DIG-029]
    const { limits } = policy;
    const header: Header = {
      type: "mutation-approval/plan/v0",
      planId: planId(now),
      audience: ring.audience,
      requester: { person, issuer: requester.issuer, subject: requester.subject },
      intentDigest: digestOf(intent as unknown as Json),
      reviewDigest: digestOf(shown as unknown as Json),
      policy,
      enforcement: this.enforcement(requester.assurance),
      createdAt: time(now),
      expiresAt: time(now + limits.planSeconds * 1000),
    };
    this.parts.store.transition((tx) => {
      this.#mayAsk(person, intent.effectKeys, limits.openPlans, now);
      this.#insert(tx, header, intent, shown);
    });
    return this.load(header.planId);
  }

  #mayAsk(person: string, effectKeys: string[], openPlans: number, now: number): void {
    const { ring } = this.parts;
    const until = (table: string, tags: string[]): number => Math.max(0, ...tags.map((tag) => this.#until(table, tag)));
    if (until("mute", ring.tags("pseudonym", person)) > now) throw new Refusal("rate_limited", "muted"); // [PLAN-006]
    for (const key of effectKeys)
      if (until("cool-down", ring.tags("effect-tag", coolDownOf(person, key))) > now) throw new Refusal("recently_rejected"); // [PLAN-005]
    if (this.openPlans(person).length >= openPlans) throw new Refusal("rate_limited", "too many open plans"); // [PLAN-007]
  }

  /** Until when something sticks, by the sealed record; 0 where there is none. */
  #until(table: string, tag: string): number {
    const row = this.parts.store.table(table).get(tag);
    if (row === undefined) return 0;
    const binding = { record: table, id: tag, revision: row["revision"] as number };
    return Date.parse((records.read(table, this.#held(row, binding)) as { until: string }).until);
  }

  #insert(tx: Transition, header: Header, intent: Intent, review: Review): void {
    const { ring, audit } = this.parts;
    const { planId, requester } = header;
    for (const [table, record] of [["header", header], ["intent", intent], ["review", review]] as const)
      this.#seal(tx, table, planId, planId, record);
    const planDigest = digestOf(header as unknown as Json);
    const state: PlanState = {
      type: "mutation-approval/plan-state/v0",
      planId,
      revision: 1,
      state: "planned",
      planDigest,
      requestTag: ring.tag("request-tag", this.request(intent.tool.name, intent.arguments)),
      gateAttempts: 0,
      secretsErased: true,
      pruned: false,
      lastEvent: audit.append(tx, { kind: "plan.created", planId, planDigest, actor: this.#pseudonym(requester.person) }),
    };
    const effects = intent.effectKeys.map((key) => ring.tag("effect-tag", key));
    this.#putState(tx, header, state, { target: intent.target.name, effects });
  }

  /** What a request tag is made of. [DIG-123] */
  request(tool: string, arguments_: JsonObject): Buffer {
    return canonical({ type: "mutation-approval/request/v0", audience: this.parts.ring.audience, tool, arguments: arguments_ });
  }

  /** A record of the operator's, or one that sticks to a person: where it doesn't hold, nothing goes on. */
  #held(row: Row, binding: Binding): Json {
    try {
      return this.#open(row, binding)!;
    } catch (error) {
      throw new Refusal("integrity_failure", `${binding.record}: ${String(error)}`);
    }
  }

  /** Ids of a person's open plans, newest first. [STORE-007] */
  openPlans(person: string): string[] {
    return this.plansOf(person).filter((planId) => {
      try {
        const plan = this.load(planId);
        const over = gate.due(plan, Date.now());
        return gate.isOpen(plan.state.state) && (over === undefined || over === "challenge");
      } catch {
        return false;
      }
    });
  }

  plansOf(person?: string, open = true): string[] {
    const rows = [...this.parts.store.table("index")] as unknown as [string, Stored["index"]][];
    const wanted = rows.filter(([, index]) => (person === undefined || index.requester === person) && (!open || gate.isOpen(index.state)));
    return wanted.map(([planId]) => planId).sort().reverse();
  }

  /** Attempts on effect keys that are running or unresolved, in store and anchor. [STORE-006, ANCHOR-002] */
  #attempts(effectKeys: string[], own: string): gate.Attempt[] {
    const { store, ring, anchor } = this.parts;
    const tags = new Set(effectKeys.flatMap((key) => ring.tags("effect-tag", key)));
    const touches = (effects: unknown): boolean => Array.isArray(effects) && effects.some((tag) => tags.has(tag as string));
    const found = new Map<string, gate.Attempt>();
    for (const [planId, row] of store.table("index")) {
      if (planId === own || !touches(row["effects"]) || !ACTIVE.includes(row["state"] as string)) continue;
      const attempt = gate.attemptOf(this.load(planId), Date.now());
      if (attempt !== undefined) found.set(planId, attempt);
    }
    for (const entry of anchor.entries)
      if (entry.planId !== own && entry.kind === "claimed" && touches(entry.effects) && this.isForgotten(entry))
        found.set(entry.planId, { planId: entry.planId, outcome: "unknown", running: false });
    return [...found.values()];
  }

  /** Whether the store lacks a claim that the anchor knows, and no operator has said what it did. [ANCHOR-009, ANCHOR-010] */
  isForgotten(entry: Entry): boolean {
    const id = `anchor.${entry.planId}`;
    const said = this.parts.store.table("reconciliation").get(id);
    if (said !== undefined) {
      const { claimId } = this.#held(said, { record: "reconciliation", id, revision: 0 }) as { claimId: string };
      if (claimId === entry.claimId) return false;
    }
    if (!this.parts.store.table("index").has(entry.planId)) return true;
    return this.load(entry.planId).state.claim?.claimId !== entry.claimId;
  }

  // Calls about a plan.

  /** Steps 1 to 4. [GATE-002] */
  called({ planId, planDigest }: Called, requester: Identity, request?: Buffer): Plan {
    if (!gate.isPlanId(planId)) throw new Refusal("plan_not_found"); // [GATE-010]
    if (planDigest !== undefined && !gate.isDigest(planDigest)) throw new Refusal("payload_invalid", "", "planDigest"); // [GATE-011]
    const index = this.parts.store.table("index").get(planId);
    if (index?.["requester"] !== requester.person) throw new Refusal("plan_not_found"); // [GATE-020]
    const plan = this.#whole(planId, requester.person);
    if (planDigest !== undefined && !equal(planDigest, plan.planDigest)) throw new Refusal("approval_hash_mismatch", CALLER); // [GATE-042]
    if (request !== undefined && !this.parts.ring.isTag("request-tag", request, plan.state.requestTag))
      throw new Refusal("approval_hash_mismatch", CALLER); // [GATE-043]
    return plan;
  }

  /** A plan that holds together; one that doesn't is told of on the writer's chain. [AUDIT-006] */
  #whole(planId: string, person: string): Plan {
    try {
      return this.#current(planId);
    } catch (error) {
      if (error instanceof Refusal && ["integrity_failure", "approval_hash_mismatch"].includes(error.reason))
        this.parts.store.transition((tx) =>
          this.parts.audit.append(tx, { kind: "execution.refused", actor: this.#pseudonym(person), reason: error.reason }),
        );
      throw error;
    }
  }

  #anchored(planId: string): "rejected" | "withdrawn" | undefined {
    const kind = this.parts.anchor.get(planId)?.kind;
    return kind === "claimed" ? undefined : kind;
  }

  /** [WIRE-T-010] */
  challenge(call: Called, requester: Identity): { plan: Plan; challenge: Challenge } {
    const plan = this.called(call, requester);
    const outcome = gate.ended(plan, Date.now(), this.#anchored(plan.planId)); // [CHAL-004]
    if (plan.challenge !== undefined && (outcome !== undefined || plan.state.state !== "planned")) return { plan, challenge: plan.challenge };
    const { planId, planDigest, header } = plan;
    return this.#transition(planId, (tx) => {
      const now = Date.now();
      const expires = Math.min(now + header.policy.limits.challengeSeconds * 1000, Date.parse(header.expiresAt)); // [CHAL-002]
      const challenge: Challenge = {
        type: "mutation-approval/challenge/v0",
        challengeId: randomId(),
        planId,
        planDigest,
        createdAt: time(now),
        expiresAt: time(expires),
      };
      const { challengeId } = challenge;
      const digest = this.#seal(tx, "challenge", challengeId, planId, challenge);
      const event = { kind: "challenge.created", actor: this.#pseudonym(requester.person), challengeId, recordDigest: digest };
      this.#move(tx, plan, event, { state: "awaiting_approval", challenge: digest, decisions: undefined });
      return { plan: { ...plan, challenge, decisions: [] }, challenge };
    });
  }

  /** [WIRE-T-020, WIRE-T-021, STATE-013] */
  async status(call: Called, requester: Identity, seconds: number, signal?: AbortSignal): Promise<Plan> {
    const until = Date.now() + Math.min(seconds, 25) * 1000;
    for (;;) {
      const plan = this.called(call, requester);
      const left = until - Date.now();
      if (!["awaiting_approval", "executing"].includes(plan.state.state) || left <= 0 || signal?.aborted === true) return plan;
      const over = Date.parse(plan.state.claim?.lease ?? plan.challenge?.expiresAt ?? plan.header.expiresAt) - Date.now();
      await this.#change(plan.planId, Math.min(left, Math.max(over, 1)), signal);
    }
  }

  #change(planId: string, milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#changed.off(planId, done);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      this.#changed.once(planId, done);
      signal?.addEventListener("abort", done);
    });
  }

  /** [WIRE-T-040, GATE-114] */
  cancel(call: Called, requester: Identity): Plan {
    const plan = this.called(call, requester);
    if (plan.state.state === "executing") throw new Refusal("execution_in_progress", "own");
    if (gate.isOpen(plan.state.state))
      this.#transition(plan.planId, (tx) =>
        this.#move(tx, plan, { kind: "plan.cancelled", actor: this.#pseudonym(requester.person) }, { state: "cancelled", cause: "cancelled" }),
      );
    return plan;
  }

  // Execution.

  /** All steps of the gate, in their order, and what follows. [GATE-001] */
  async execute(call: Called, requester: Requester, request?: Buffer): Promise<{ plan: Plan; replayed: boolean }> {
    let plan: Plan;
    try {
      plan = this.called(call, requester, request);
      if (this.#upTo8(plan)) return { plan, replayed: true };
      const look = await this.parts.target.look(plan.intent!);
      // What was found out before the look counts no more; steps 2 to 8 again, and then without a break up to the claim. [GATE-110]
      plan = this.called(call, requester, request);
      if (this.#upTo8(plan)) return { plan, replayed: true };
      const { header, intent } = plan;
      const { config } = this.parts;
      const tool = intent!.tool.name;
      const listed = definition(tool, config.settings.descriptions);
      gate.isAsItWas(plan, {
        mayRequest: (person) => config.mayRequest(person, tool),
        mayApprove: (person, groups) => config.mayApprove(person, tool, groups),
        policy: config.policy(tool, intent!.target.name, intent!.arguments),
        enforcement: this.enforcement(requester.assurance),
        definitionDigest: listed && definitionDigest(listed),
        target: look.identity,
      });
      gate.isAlone(plan, this.#attempts(intent!.effectKeys, header.planId));
      gate.isFresh(look.freshness);
      this.#claim(plan, requester);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const refusal = this.#refused(call.planId, requester, error);
      if (refusal !== undefined) throw refusal;
      return { plan: this.load(call.planId), replayed: true };
    }
    const run = this.#run(plan, requester);
    this.#running.add(run);
    await run.finally(() => this.#running.delete(run)); // [GATE-111]
    return { plan: this.load(plan.planId), replayed: false };
  }

  /** Steps 5 to 8; true where there is an outcome. [GATE-050] */
  #upTo8(plan: Plan): boolean {
    if (gate.ended(plan, Date.now(), this.#anchored(plan.planId)) !== undefined) return true;
    gate.mayExecute(plan, Date.now(), this.isPaused());
    return false;
  }

  /** What a refusal does to the plan; nothing is given back where the plan has an outcome meanwhile. [GATE-005, GATE-008, GATE-073] */
  #refused(planId: string, requester: Identity, refusal: Refusal): Refusal | undefined {
    const { reason } = refusal;
    const effect = gate.effectOf(reason);
    const byAnchor = ["approval_rejected", "approval_withdrawn"].includes(reason) && this.#anchored(planId) !== undefined;
    if (effect === undefined && !byAnchor) return refusal;
    const early = reason === "approval_hash_mismatch";
    if (early && refusal.detail !== CALLER) return refusal;
    return this.#transition(planId, (tx) => {
      const plan = this.load(planId);
      if (!gate.isOpen(plan.state.state)) {
        if (early || byAnchor) return refusal;
        try {
          gate.ended(plan, Date.now());
          return undefined;
        } catch (error) {
          return error as Refusal;
        }
      }
      const actor = this.#pseudonym(requester.person);
      if (effect === "ends") this.#move(tx, plan, { kind: "plan.stale", actor, reason }, { state: "stale" });
      else if (plan.state.gateAttempts < plan.header.policy.limits.gateAttempts)
        this.#move(tx, plan, { kind: "execution.refused", actor, reason }, { gateAttempts: plan.state.gateAttempts + 1 });
      return refusal;
    });
  }

  #claim(plan: Plan, requester: Identity): void {
    this.#transition(plan.planId, (tx) => {
      const now = Date.now();
      const { leaseSeconds, executionSeconds } = plan.header.policy.limits;
      const claim = {
        claimId: randomId(),
        claimedAt: time(now),
        lease: time(now + leaseSeconds * 1000),
        deadline: time(now + executionSeconds * 1000),
      };
      const event = { kind: "execution.claimed", actor: this.#pseudonym(requester.person), claimId: claim.claimId };
      this.#move(tx, plan, event, { state: "executing", claim, secretsErased: true });
    });
  }

  /** From the claim to the outcome: the anchor, the permit, the attempt. */
  async #run(plan: Plan, requester: Requester): Promise<void> {
    const { claimId, deadline } = plan.state.claim!;
    const enforcement = this.enforcement(requester.assurance);
    let executed: Executed = { outcome: "unknown", toolResult: null };
    const withoutPermit = (outcome: Outcome, code: string): Executed => ({ outcome, code, toolResult: null });
    try {
      const before = this.#enter(plan, "claimed");
      if (before?.kind === "claimed") executed = withoutPermit("unknown", "claimed-before"); // [ANCHOR-005]
      else if (before !== undefined) executed = withoutPermit("failed", before.kind);
      else if (Date.now() >= Date.parse(plan.state.claim!.lease)) executed = withoutPermit("failed", "lease-passed"); // [GATE-113]
      else executed = await this.#permitted(plan, (step) => this.parts.target.execute(step, Date.parse(deadline)));
    } catch (error) {
      // The anchor takes no entry, so nothing ran. [ANCHOR-004] What an executor throws leaves the outcome open. [EXEC-004]
      if (error instanceof Refusal) executed = withoutPermit("failed", "anchor");
      else console.error("an executor failed:", error);
    }
    this.#settle(plan.planId, claimId, enforcement, executed);
  }

  /** The one way to an executor: the plan as it is stored, once. [GATE-112, EXEC-001] */
  async #permitted(plan: Plan, executor: (step: records.Step) => Promise<Executed>): Promise<Executed> {
    const renewal = setInterval(() => this.#renew(plan), (plan.header.policy.limits.leaseSeconds * 1000) / 3);
    try {
      return await executor(structuredClone(plan.intent!.steps[0]!));
    } finally {
      clearInterval(renewal);
    }
  }

  /** [STATE-020] */
  #renew({ planId, state }: Plan): void {
    const plan = this.load(planId);
    if (plan.state.claim?.claimId !== state.claim!.claimId || plan.state.state !== "executing" || gate.due(plan, Date.now()) !== undefined) return;
    const lease = time(Date.now() + plan.header.policy.limits.leaseSeconds * 1000);
    this.parts.store.transition((tx) => {
      const renewed = { ...plan.state, claim: { ...plan.state.claim!, lease }, revision: plan.state.revision + 1 };
      this.#putState(tx, plan.header, renewed);
    });
  }

  /** [STATE-021, STATE-031, INV-007] */
  #settle(planId: string, claimId: string, enforcement: Enforcement, executed: Executed): void {
    const plan = this.#current(planId);
    const { planDigest } = plan;
    const late = plan.state.state !== "executing";
    this.#transition(planId, (tx) => {
      if (plan.reconciliation !== undefined || (late && plan.state.state !== "unknown")) {
        this.#move(tx, plan, { kind: "execution.conflict", claimId }, {});
        return;
      }
      const { outcome, code, toolResult } = executed;
      const result = { type: "mutation-approval/result/v0", salt: salt(), toolResult };
      const execution: Execution = {
        type: "mutation-approval/execution/v0",
        planId,
        planDigest,
        claimId,
        claimedAt: plan.state.claim!.claimedAt,
        enforcement,
        outcome,
        steps: [{ outcome: outcome === "failed" ? "failed" : outcome, ...(code !== undefined && { code }) }],
        ...(toolResult !== null && { resultDigest: this.#seal(tx, "result", planId, planId, result) }), // [REC-031]
        settledAt: time(Date.now()),
      };
      this.#record(tx, plan, execution, late ? "execution.settled_late" : `execution.${outcome}`, late ? 1 : 0);
    });
  }

  /** [STATE-022] */
  #lose(tx: Transition, plan: Plan): void {
    const { planId, planDigest, header } = plan;
    const { claimId, claimedAt } = plan.state.claim!;
    const enforcement = { ...header.enforcement, requesterAssurance: "environment" };
    const lost: Execution = {
      type: "mutation-approval/execution/v0",
      ...{ planId, planDigest, claimId, claimedAt, enforcement, outcome: "unknown", settledAt: time(Date.now()) },
    };
    this.#record(tx, plan, lost, "execution.unknown", 0);
  }

  #record(tx: Transition, plan: Plan, execution: Execution, kind: string, revision: number): void {
    const { planId, claimId, outcome } = execution;
    const recordDigest = this.#seal(tx, "execution", planId, planId, execution, { revision }, revision);
    this.#move(tx, plan, { kind, claimId, recordDigest }, { state: outcome, execution: recordDigest });
  }

  #enter(plan: Plan, kind: Entry["kind"]): Entry | undefined {
    const effects = plan.intent!.effectKeys.map((key) => this.parts.ring.tag("effect-tag", key));
    const claimId = kind === "claimed" ? { claimId: plan.state.claim!.claimId } : {};
    return this.parts.anchor.enter({ planId: plan.planId, kind, ...claimId, planExpiresAt: plan.header.expiresAt, effects });
  }

  // Decisions: gate.md, 5.3.

  mayDecide(plan: Plan, person: string): boolean {
    const { rule } = plan.header.policy;
    const own = plan.header.requester.person === person;
    return own === (rule.kind === "same-subject") && this.parts.config.mayApprove(person, plan.intent?.tool.name ?? "", rule.groups);
  }

  /** The plan for a person's page; undefined where they may neither ask nor decide. [SURF-001] */
  page(planId: string, person: string): Plan | undefined {
    if (!gate.isPlanId(planId) || !this.parts.store.table("index").has(planId) || !this.parts.config.isEnabled(person)) return undefined;
    // Who may see a plan that doesn't hold together is told by header and intent alone. One that is pruned has no page. [STATE-033]
    const stored = this.#stored(planId)!;
    const header = stored.header as unknown as Header | undefined;
    const pruned = (stored.planState as unknown as PlanState | undefined)?.pruned === true;
    if (header === undefined || pruned) return undefined;
    const tool = (stored.intent as unknown as Intent | undefined)?.tool.name ?? "";
    const own = header.requester.person === person;
    const decides = header.policy.rule.kind !== "same-subject" && this.parts.config.mayApprove(person, tool, header.policy.rule.groups);
    if (!own && (!decides || stored.intent === undefined)) return undefined;
    return this.#whole(planId, person);
  }

  /** Takes a decision, or refuses it. The form that it comes with was good, and its authentication too. */
  decide(
    form: { planId: string; planDigest: string; challengeId: string; renderedAt: string },
    approver: Identity & { authTime: string },
    verdict: Verdict,
    comment?: string,
  ): Plan {
    const plan = this.#whole(form.planId, approver.person);
    const { planId, planDigest } = plan;
    try {
      this.#mayTake(plan, form, approver, verdict);
    } catch (error) {
      if (error instanceof Refusal && error.reason !== "store_unavailable") {
        const { challengeId } = form;
        const event = { kind: "decision.refused", actor: this.#pseudonym(approver.person), challengeId, reason: error.reason };
        this.#transition(planId, (tx) => this.#move(tx, plan, event, {})); // [DEC-010]
      }
      throw error;
    }
    const challenge = plan.challenge!;
    this.#transition(planId, (tx) => {
      const now = Date.now();
      const decision: Decision = {
        type: "mutation-approval/decision/v0",
        challengeId: challenge.challengeId,
        planId,
        planDigest,
        approver,
        verdict,
        ...(comment !== undefined && comment !== "" && { comment }),
        renderedAt: form.renderedAt,
        decidedAt: time(now),
      };
      const recordDigest = this.#seal(tx, "decision", `${challenge.challengeId}.${plan.decisions.length}`, planId, decision);
      plan.decisions.push(decision);
      const decisions = [...(plan.state.decisions ?? []), recordDigest];
      const { limits } = plan.header.policy;
      const ends = Math.min(now + limits.approvalSeconds * 1000, Date.parse(plan.header.expiresAt)); // [DEC-009]
      const approved = { state: "approved" as const, approvalExpiresAt: time(ends), gateAttempts: 0 }; // [GATE-072]
      const changes = {
        approve: gate.isSatisfied(plan) ? approved : {},
        reject: { state: "rejected" as const }, // [DEC-007]
        withdraw: { state: "cancelled" as const, cause: "withdrawn" as const }, // [DEC-008]
      }[verdict];
      const kind = { approve: "decision.approved", reject: "decision.rejected", withdraw: "decision.withdrawn" }[verdict];
      const event = { kind, actor: this.#pseudonym(approver.person), challengeId: challenge.challengeId, recordDigest };
      this.#move(tx, plan, event, { decisions, ...changes });
      if (verdict === "reject") this.#coolDown(tx, plan, now);
    });
    try {
      if (verdict !== "approve") this.#enter(plan, verdict === "reject" ? "rejected" : "withdrawn"); // [ANCHOR-003]
    } catch (error) {
      console.error(`plan ${planId} has ended, and the next start enters it in the anchor:`, String(error));
    }
    return plan;
  }

  /** [DEC-001] to [DEC-006], then the anchor. */
  #mayTake(plan: Plan, form: { planDigest: string; challengeId: string }, approver: Identity & { authTime: string }, verdict: Verdict): void {
    const now = Date.now();
    const { state } = plan.state;
    if (!equal(form.planDigest, plan.planDigest)) throw new Refusal("approval_hash_mismatch");
    if (!this.mayDecide(plan, approver.person)) throw new Refusal("approver_not_permitted");
    if (gate.ended(plan, now) !== undefined) throw new Refusal("already_executed");
    const own = plan.challenge?.challengeId === form.challengeId;
    const live = own && gate.isLive(plan, now);
    if (!live && !(own && verdict !== "approve" && state === "approved")) throw new Refusal("challenge_expired");
    if (Date.parse(approver.authTime) <= Date.parse(plan.challenge!.createdAt)) throw new Refusal("approver_not_permitted");
    const has = gate.approvers(plan).has(approver.person);
    if (verdict === "approve" && has) throw new Refusal("approval_pending");
    if (verdict === "withdraw" && !has) throw new Refusal("approver_not_permitted");
    gate.ended(plan, now, this.#anchored(plan.planId)); // [ANCHOR-008]
    const entry = this.parts.anchor.get(plan.planId);
    if (entry?.kind === "claimed") throw new Refusal("outcome_unknown");
  }

  #coolDown(tx: Transition, plan: Plan, now: number): void {
    const { ring } = this.parts;
    const { person } = plan.header.requester;
    for (const key of plan.intent!.effectKeys) {
      const over = coolDownOf(person, key);
      const tag = ring.tag("effect-tag", over);
      const until = now + plan.header.policy.limits.coolDownSeconds * 1000;
      const before = ring.tags("effect-tag", over).map((tag) => this.#until("cool-down", tag)); // for no less [PLAN-005]
      this.#stick(tx, "cool-down", tag, { planId: plan.planId, until: time(Math.max(until, ...before)) });
    }
  }

  #stick(tx: Transition, table: string, tag: string, members: JsonObject): void {
    const revision = Number(tx.get(table, tag)?.["revision"] ?? 0) + 1;
    const record = { type: `mutation-approval/${table}/v0`, revision, ...members };
    this.#seal(tx, table, tag, undefined, record, { revision }, revision);
  }

  // The operator. [OPER-001, OPER-002, OPER-003]

  isPaused(): boolean {
    const row = this.parts.store.table("pause").get("pause");
    if (row === undefined) return false;
    const binding = { record: "pause", id: "pause", revision: row["revision"] as number };
    try {
      return records.read("pause", this.#open(row, binding)!)["paused"] === true;
    } catch {
      return true; // [KEYS-030]
    }
  }

  pause(paused: boolean, operator: string): void {
    this.parts.store.transition((tx) => {
      const revision = Number(tx.get("pause", "pause")?.["revision"] ?? 0) + 1;
      const record = { type: "mutation-approval/pause/v0", revision, paused, operator, at: time(Date.now()) };
      this.#seal(tx, "pause", "pause", undefined, record, { revision }, revision);
      this.parts.audit.append(tx, { kind: paused ? "server.paused" : "server.resumed", actor: this.#pseudonym(operator) });
    });
  }

  /** Told once the accounts' file was read anew. [OPER-002] */
  accountsChanged(persons: string[]): void {
    const actor = this.#pseudonym(userInfo().username);
    this.parts.store.transition((tx) => {
      for (const person of persons) this.parts.audit.append(tx, { kind: "account.changed", actor, subject: this.#pseudonym(person) });
    });
  }

  /** For no seconds, the mute is lifted. [PLAN-006, FORM-009] */
  mute(person: string, seconds: number, by: string): void {
    this.parts.store.transition((tx) => {
      this.#stick(tx, "mute", this.#pseudonym(person), { until: time(Date.now() + seconds * 1000) });
      const kind = seconds > 0 ? "requester.muted" : "requester.unmuted";
      this.parts.audit.append(tx, { kind, actor: this.#pseudonym(by), subject: this.#pseudonym(person) });
    });
  }

  /** [STATE-030, ANCHOR-010] */
  reconcile(planId: string, finding: "applied" | "not-applied", operator: string): void {
    const type = "mutation-approval/reconciliation/v0";
    const entry = this.parts.anchor.get(planId);
    if (entry?.kind === "claimed" && this.isForgotten(entry)) {
      this.parts.store.transition((tx) => {
        const record = { type, planId, claimId: entry.claimId!, finding, operator, at: time(Date.now()) };
        const recordDigest = this.#seal(tx, "reconciliation", `anchor.${planId}`, undefined, record);
        this.parts.audit.append(tx, { kind: "execution.reconciled", actor: this.#pseudonym(operator), claimId: entry.claimId!, recordDigest });
      });
      return;
    }
    const plan = this.#current(planId);
    if (!gate.isUnresolved(plan)) throw new Error("its attempt isn't unresolved");
    this.#transition(planId, (tx) => {
      const { claimId } = plan.state.claim!;
      const recordDigest = this.#seal(tx, "reconciliation", planId, planId, { type, planId, claimId, finding, operator, at: time(Date.now()) });
      const event = { kind: "execution.reconciled", actor: this.#pseudonym(operator), claimId, recordDigest };
      this.#move(tx, plan, event, { reconciliation: recordDigest });
    });
  }

  /** [STATE-032, STATE-033] */
  prune(planId: string): void {
    const plan = this.#current(planId);
    const { state } = plan.state;
    if (gate.isOpen(state) || state === "executing" || gate.isUnresolved(plan)) throw new Error("it is open, executing or unresolved");
    this.#transition(planId, (tx) => {
      for (const table of ["intent", "review", "execution", "result", "reconciliation"]) tx.remove(table, planId);
      for (const table of ["challenge", "decision"])
        for (const key of this.parts.store.table(table).keys()) if (key.startsWith(`${planId}/`)) tx.remove(table, key);
      this.#move(tx, plan, { kind: "plan.pruned" }, { pruned: true });
    });
  }

  /** What a start makes good: attempts whose lease has passed, and ends that the anchor lacks. [STATE-022] */
  recover(): void {
    for (const [planId, row] of this.parts.store.table("index")) {
      const state = row["state"] as string;
      if (!["executing", "rejected", "cancelled"].includes(state)) continue;
      try {
        const plan = this.#current(planId);
        const kind = plan.state.state === "rejected" ? "rejected" : plan.state.cause === "withdrawn" ? "withdrawn" : undefined;
        if (kind !== undefined && plan.intent !== undefined && Date.parse(plan.header.expiresAt) > Date.now()) this.#enter(plan, kind);
      } catch (error) {
        console.error(`plan ${planId}:`, String(error));
      }
    }
  }

  /** Waits for what is being executed, before the process ends in good order. */
  async idle(): Promise<void> {
    await Promise.allSettled([...this.#running]);
  }
}

const time = (milliseconds: number): string => new Date(milliseconds).toISOString();
const salt = (): string => randomBytes(32).toString("base64url"); // [DIG-110]
const randomId = (): string => randomBytes(16).toString("base64url"); // [DIG-132]

/** A version 7 UUID. [DIG-131] */
export function planId(now: number): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now, 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Arguments as the transport admitted or refused them, or a value. [PLAN-003] */
export function admitted(given: unknown, limits = ARGUMENTS): Document {
  try {
    if (given instanceof Refused) throw given;
    if (isDocument(given)) return given;
    return admitValue(given ?? {}, limits);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const large = ["too_large", "too_many_nodes"].includes(error.reason);
    const member = limits === ARGUMENTS && error.path.length > 0 ? String(error.path[0]) : undefined;
    throw new Refusal(large ? "payload_too_large" : "payload_invalid", error.message, large ? undefined : member);
  }
}

const isDocument = (given: unknown): given is Document => (given as Document | undefined)?.bytes instanceof Buffer;
