// The server of MCP, by the official SDK: what it lists, and what a call comes to. spec/v0/profile.md, 4 to 6.

import { inputRequired, ProtocolError, Server, type McpRequestContext, type ServerContext } from "@modelcontextprotocol/server";

import answerSchema from "../../../../spec/v0/schema/Answer.json";
import type { Plan } from "./gate.ts";
import { Refusal } from "./gate.ts";
import { isObject, type Json, type JsonObject } from "./json.ts";
import { admitted, type Plans, type Requester } from "./plans.ts";
import { check, definition, FOUR, FOUR_TOOLS, fourArguments, isGated, TOOLS, type Definition } from "./tools.ts";
import * as wire from "./wire.ts";

export const ID = "io.github.mutation-approval/profile";
const INVALID_PARAMS = -32602;

/** What a transport knows of a call besides what the SDK passes on. */
export type Call = {
  requester: Requester | undefined;
  /** The arguments as the transport admitted or refused their bytes; absent where it saw none. */
  arguments?: unknown;
  /** The parameters as they came. */
  params?: JsonObject;
};

export class Mcp {
  constructor(
    readonly plans: Plans,
    /** The address of the approval surface, by which pages are named. [SURF-002] */
    readonly surface: () => string,
  ) {
    // [WIRE-003]
    for (const tool of TOOLS) if (FOUR_TOOLS.some(({ name }) => name === tool.name)) throw new Error(`\`${tool.name}\` is a name of the profile`);
  }

  page(planId: string): string {
    return `${this.surface()}/plans/${planId}`;
  }

  /** A server of the SDK for one request, or for one connection over stdio. */
  server(_context: McpRequestContext, call: Call): Server {
    const server = new Server(
      { name: "notes", version: "1.0.0" },
      { capabilities: { tools: {}, extensions: { [ID]: this.#advertisement() } } },
    );
    server.setRequestHandler("tools/list", () => ({
      tools: [...TOOLS.map((tool) => this.#listed(tool)), ...FOUR_TOOLS.map((tool) => ({ ...tool, outputSchema: answerSchema }))] as never,
      cacheScope: "private", // [WIRE-013]
      ttlMs: 0,
    }));
    server.setRequestHandler("tools/call", (request, context) => {
      const client = (envelope(context)["clientInfo"] as { name: string; version: string } | undefined) ?? server.getClientVersion();
      const params = call.params ?? (request.params as unknown as JsonObject);
      // The answers are made of this server's own JSON, for which the SDK has no type.
      return this.#call(request.params.name, params, "arguments" in call ? call.arguments : request.params.arguments, {
        requester: call.requester,
        context,
        client: client === undefined ? undefined : `${client.name} ${client.version}`,
      }) as never;
    });
    return server;
  }

  /** [WIRE-001] */
  #advertisement(): { [member: string]: Json } {
    const { audience } = this.plans.parts.config.settings;
    return { version: "v0", bindings: ["T", "M"], digest: "sha256-jcs", audience, approvalOrigin: new URL(this.surface()).origin, tools: FOUR };
  }

  /** [WIRE-011] */
  #listed(tool: Definition): Definition & JsonObject {
    const own = definition(tool.name, this.plans.parts.config.settings.descriptions)!;
    return { ...own, ...(isGated(tool) && { outputSchema: answerSchema as unknown as Json, _meta: { [ID]: { gated: true } } }) } as Definition & JsonObject;
  }

  async #call(name: string, params: JsonObject, arguments_: unknown, how: How): Promise<object> {
    const own = definition(name);
    const four = FOUR_TOOLS.find((tool) => tool.name === name);
    if (own === undefined && four === undefined) throw new ProtocolError(INVALID_PARAMS, `there is no tool \`${name.slice(0, 100)}\``); // [WIRE-040]
    const given = isObject(params["arguments"]) ? params["arguments"]["planId"] : undefined;
    try {
      if (own !== undefined && !isGated(own)) return await this.#ungated(own, arguments_);
      if (how.requester === undefined) throw new Refusal("requester_not_permitted"); // [WIRE-022]
      const { requester } = how;
      if (four !== undefined) return await this.#four(four, fourArguments(four, params["arguments"]), requester, how.context);
      if (params["requestState"] !== undefined || params["inputResponses"] !== undefined)
        return await this.#again(name, params, arguments_, requester, how.context);
      const plan = await this.plans.plan(name, arguments_, requester, how.client); // [WIRE-T-001, WIRE-T-002]
      return this.#opensPages(how.context) && plan.header.policy.rule.kind === "same-subject"
        ? this.#ask(plan, requester)
        : wire.plan(plan, this.page(plan.planId));
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      if (!(error instanceof Refusal)) console.error("internal:", error);
      const refusal = error instanceof Refusal ? error : new Refusal("internal");
      return wire.refusal(refusal, four !== undefined, typeof given === "string" ? given : undefined);
    }
  }

  async #ungated(tool: Definition, arguments_: unknown): Promise<object> {
    try {
      const { value } = admitted(arguments_);
      check(tool, value);
      const note = await this.plans.parts.target.read(value);
      return { content: [{ type: "text", text: note === undefined ? "There is no such note." : JSON.stringify(note) }], isError: note === undefined };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { content: [{ type: "text", text: `The note can't be read: ${error.reason}` }], isError: true };
    }
  }

  async #four(tool: Definition, call: { planId: string; planDigest?: string; waitSeconds?: number }, requester: Requester, context: ServerContext): Promise<object> {
    const page = this.page(call.planId);
    if (tool.name === FOUR.challenge) {
      const { plan, challenge } = this.plans.challenge(call, requester);
      return wire.challenge(plan, challenge, page);
    }
    if (tool.name === FOUR.status) return wire.status(await this.#wait(call, requester, call.waitSeconds ?? 0, context), page);
    if (tool.name === FOUR.cancel) return wire.status(this.plans.cancel(call, requester), page);
    const { plan, replayed } = await this.plans.execute(call, requester);
    return wire.execution(plan, replayed, page);
  }

  /** [WIRE-T-021, WIRE-T-022] */
  async #wait(call: { planId: string }, requester: Requester, seconds: number, { mcpReq }: ServerContext): Promise<Plan> {
    const progressToken = mcpReq._meta?.progressToken;
    const tell = (progress: number): void => {
      const message = "waiting for a person";
      if (progressToken !== undefined) void mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, message } }).catch(() => {});
    };
    let told = 0;
    const timer = setInterval(() => tell(++told), 5000);
    try {
      return await this.plans.status(call, requester, seconds, mcpReq.signal);
    } finally {
      clearInterval(timer);
    }
  }

  // Binding M: spec/v0/profile.md, section 6.

  /** [WIRE-M-001] */
  #opensPages(context: ServerContext): boolean {
    const capabilities = envelope(context)["clientCapabilities"];
    const elicitation = isObject(capabilities) ? capabilities["elicitation"] : undefined;
    return isObject(elicitation) && isObject(elicitation["url"]);
  }

  /** [WIRE-M-002, WIRE-M-003] */
  #ask(plan: Plan, requester: Requester): object {
    this.plans.challenge({ planId: plan.planId }, requester);
    const body = Buffer.from(JSON.stringify({ planId: plan.planId, expiresAt: plan.header.expiresAt }));
    const sealed = this.plans.parts.ring.seal("request-state", STATE, body);
    return inputRequired({
      inputRequests: { approval: inputRequired.elicitUrl({ message: "A person has to approve this plan on its page.", url: this.page(plan.planId) }) },
      requestState: sealed.toString("base64url"),
    });
  }

  /** The same call, sent again. What the client answered to the question counts for nothing. [WIRE-M-004..WIRE-M-007, WIRE-043] */
  async #again(tool: string, params: JsonObject, arguments_: unknown, requester: Requester, context: ServerContext): Promise<object> {
    let planId: string;
    try {
      const sealed = Buffer.from(params["requestState"] as string, "base64url");
      if (sealed.toString("base64url") !== params["requestState"]) throw new Error("not base64url");
      planId = (JSON.parse(this.plans.parts.ring.open("request-state", STATE, sealed).toString()) as { planId: string }).planId;
    } catch {
      const member = params["requestState"] === undefined ? "inputResponses" : "requestState";
      throw new Refusal("payload_invalid", "no request state of this server's", member);
    }
    const request = this.plans.request(tool, admitted(arguments_).value);
    const page = this.page(planId);
    try {
      this.plans.called({ planId }, requester, request);
    } catch {
      await this.plans.execute({ planId }, requester, request); // which refuses it as well, and counts it
    }
    const plan = await this.#wait({ planId }, requester, 25, context);
    if (plan.state.state === "awaiting_approval") {
      const pending = wire.status(plan, page);
      const next = { tool: FOUR.execute, arguments: { planId, planDigest: plan.planDigest } };
      const structured = { ...pending.structuredContent, next };
      const text = `The plan is waiting for a person. Next call: \`${FOUR.execute}\`, with the arguments in \`next\`.`;
      return { content: [{ type: "text", text }], structuredContent: structured, isError: false }; // [WIRE-M-006]
    }
    const executed = await this.plans.execute({ planId }, requester, request);
    return wire.execution(executed.plan, executed.replayed, page);
  }
}

/** What a request of 2026-07-28 says of its client; the SDK has no types for it. */
function envelope({ mcpReq }: ServerContext): Record<string, unknown> {
  const members = Object.entries(mcpReq.envelope ?? {});
  return Object.fromEntries(members.map(([name, value]) => [name.replace("io.modelcontextprotocol/", ""), value]));
}

type How = { requester: Requester | undefined; context: ServerContext; client: string | undefined };
/** Under which name request state is sealed; it is the server's own affair. */
const STATE = { record: "request-state", id: "binding-m", revision: 0 };
