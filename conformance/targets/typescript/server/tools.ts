// The server's own tools: one that writes, and is gated, and one that reads and passes. [WIRE-010]

import { digestOf, isObject, type Json, type JsonObject } from "./json.ts";
import { Refusal } from "./gate.ts";

export type Definition = {
  name: string;
  title: string;
  description: string;
  inputSchema: { type: "object"; [keyword: string]: unknown };
  annotations: { readOnlyHint: boolean; destructiveHint?: boolean; idempotentHint?: boolean; openWorldHint?: boolean };
};

const PLACE = {
  shelf: { type: "string", minLength: 1, description: "On which shelf the note lies; the policy goes by it." },
  name: { type: "string", minLength: 1, maxLength: 200, description: "What the note is called." },
};

export const TOOLS: Definition[] = [
  {
    name: "write_note",
    title: "Write a note",
    description: "Writes a note on a shelf, in place of the one of that name.",
    inputSchema: {
      type: "object",
      properties: {
        ...PLACE,
        text: { type: "string", description: "What it says." },
        count: { type: "number", description: "How often it is to be read." },
        extra: { description: "Whatever else is to be kept with it." },
      },
      required: ["shelf", "name", "text"],
      additionalProperties: false,
    },
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  },
  {
    name: "read_note",
    title: "Read a note",
    description: "Reads a note on a shelf.",
    inputSchema: { type: "object", properties: PLACE, required: ["shelf", "name"], additionalProperties: false },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
];

/** The tool as it is listed, but for what the gate adds. [GATE-094] */
export function definition(name: string, descriptions: Record<string, string> = {}): Definition | undefined {
  const tool = TOOLS.find((tool) => tool.name === name);
  const description = Object.hasOwn(descriptions, name) ? descriptions[name] : undefined;
  return tool && { ...tool, ...(description !== undefined && { description }) };
}

export const isGated = (tool: Definition): boolean => !tool.annotations.readOnlyHint;

export function definitionDigest(tool: Definition): string {
  return digestOf({ type: "mutation-approval/tool/v0", tool: tool as unknown as Json });
}

/** Refuses arguments that a tool's schema doesn't take, and names the first that is wrong. [WIRE-044] */
export function check(tool: Definition, arguments_: JsonObject): void {
  const { properties, required } = tool.inputSchema as unknown as { properties: Record<string, JsonObject>; required: string[] };
  for (const [name, value] of Object.entries(arguments_)) {
    const schema = Object.hasOwn(properties, name) ? properties[name]! : undefined;
    const { type, minLength = 0, maxLength = Infinity } = (schema ?? {}) as { type?: string; minLength?: number; maxLength?: number };
    const fits = schema !== undefined && (type === undefined || typeof value === type);
    const length = typeof value === "string" && type === "string" ? [...value].length : minLength;
    if (!fits || length < minLength || length > maxLength) throw new Refusal("payload_invalid", `\`${name}\` isn't what the tool takes`, name);
  }
  for (const name of required)
    if (!Object.hasOwn(arguments_, name)) throw new Refusal("payload_invalid", `\`${name}\` is missing`, name);
}

// The four tools of the profile. [WIRE-002, WIRE-012]

export const FOUR = { challenge: "approval_challenge", status: "approval_status", execute: "approval_execute", cancel: "approval_cancel" };

const PLAN_ID = { type: "string", description: "The plan's `planId`." };
const DIGEST = { type: "string", description: "The plan's `planDigest`; held against the stored one." };
const WAIT = { type: "integer", minimum: 0, description: "How long to wait while nothing has been decided; at most 25." };

function fourth(name: string, title: string, description: string, more: JsonObject, annotations: Definition["annotations"]): Definition {
  const properties = { planId: PLAN_ID, ...more };
  return { name, title, description, inputSchema: { type: "object", properties, required: ["planId"], additionalProperties: false }, annotations };
}

export const FOUR_TOOLS: Definition[] = [
  fourth(FOUR.challenge, "Put a plan before a person", "Puts a plan before a person, and gives the address at which they decide.", { planDigest: DIGEST }, {
    readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false,
  }),
  fourth(FOUR.status, "Where a plan stands", "Says where a plan stands, and waits for a decision.", { waitSeconds: WAIT }, {
    readOnlyHint: true, openWorldHint: false,
  }),
  fourth(FOUR.execute, "Execute an approved plan", "Executes a plan that a person has approved, once.", { planDigest: DIGEST }, {
    readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: true,
  }),
  fourth(FOUR.cancel, "Take a plan back", "Takes a plan back that has not been executed.", {}, {
    readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false,
  }),
];

/** The arguments of one of the four, or the refusal. [WIRE-042, GATE-010, GATE-011] */
export function fourArguments(tool: Definition, arguments_: unknown): { planId: string; planDigest?: string; waitSeconds?: number } {
  const given = arguments_ ?? {};
  if (!isObject(given)) throw new Refusal("payload_invalid");
  const { properties } = tool.inputSchema as unknown as { properties: Record<string, JsonObject> };
  for (const [name, value] of Object.entries(given)) {
    const type = Object.hasOwn(properties, name) ? properties[name]!["type"] : undefined;
    const fits = type === "integer" ? Number.isSafeInteger(value) && (value as number) >= 0 : type !== undefined && typeof value === type;
    if (!fits) throw new Refusal("payload_invalid", `\`${name}\` isn't what the tool takes`, name);
  }
  if (!Object.hasOwn(given, "planId")) throw new Refusal("payload_invalid", "`planId` is missing", "planId");
  return given as { planId: string };
}
