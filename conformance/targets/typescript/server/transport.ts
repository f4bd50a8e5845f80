// MCP over streamable HTTP. The bytes of a message are read strictly before the SDK sees what they say.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

import { createMcpHandler, type AuthInfo } from "@modelcontextprotocol/server";

import type { Config } from "./config.ts";
import { admit, isObject, parseAndFind, Refused, type Document, type JsonObject } from "./json.ts";
import type { Call, Mcp } from "./mcp.ts";

/** Of a message: more than arguments may hold, so that those are refused by the gate and not by the transport. */
const MESSAGE = { bytes: 8 * 1024 * 1024, nodes: 1_000_000, depth: 80 };
const [PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS] = [-32700, -32600, -32602];

export function serveMcp(mcp: Mcp, config: Config): Server {
  const handler = createMcpHandler((context) => mcp.server(context, context.authInfo?.extra as unknown as Call), {
    maxRequestBodySize: MESSAGE.bytes,
    onerror: (error) => console.error("mcp:", error.message),
  });
  return createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      console.error("mcp:", error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { host, origin, authorization } = request.headers;
    const { port } = request.socket.address() as { port: number };
    // [WIRE-023]
    if (!["127.0.0.1", "localhost"].some((name) => host === `${name}:${port}`)) return refuse(response, 403);
    if (origin !== undefined && config.settings.mcp.origins?.includes(origin) !== true) return refuse(response, 403);
    const token = /^Bearer ([\w.~+/=-]+)$/i.exec(authorization ?? "")?.[1];
    const { known, identity } = token === undefined ? { known: false } : config.bearer(token);
    if (!known) return refuse(response, 401, { "WWW-Authenticate": "Bearer" }); // [WIRE-021]
    const requester = identity && { ...identity, assurance: "verified-token" as const }; // [WIRE-020, ENF-005]
    const body = await read(request, MESSAGE.bytes);
    if (body === undefined) return refuse(response, 413, { Connection: "close" });

    const call: Call = { requester };
    let parsed: JsonObject | undefined;
    if (request.method === "POST") {
      const message = understood(body);
      if ("error" in message) return refuse(response, 400, {}, message.error, message.id);
      parsed = message.parsed;
      if (isObject(parsed["params"])) Object.assign(call, { params: parsed["params"], arguments: message.arguments });
    }
    const closed = new AbortController();
    response.on("close", () => closed.abort());
    const headers = Object.entries(request.headers).flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : []));
    const passed = new Request(`http://${host}${request.url}`, {
      method: request.method ?? "GET",
      headers: headers as [string, string][],
      signal: closed.signal,
      ...(request.method === "POST" && { body: new Uint8Array(body) }),
    });
    const authInfo: AuthInfo = { token: "", clientId: "", scopes: [], extra: call as unknown as Record<string, unknown> };
    const made = await handler.fetch(passed, { authInfo, ...(parsed !== undefined && { parsedBody: parsed }) });
    response.writeHead(made.status, Object.fromEntries(made.headers));
    if (made.body !== null) for await (const chunk of made.body) response.write(chunk);
    response.end();
  }
}

type Message = { parsed: JsonObject; arguments: Document | Refused | undefined } | { error: number; id: unknown };

/** A message, and its arguments as their bytes were admitted or refused. [WIRE-041, DIG-028] */
function understood(body: Buffer): Message {
  try {
    const { value, found } = parseAndFind(body, MESSAGE, ["params", "arguments"]);
    return { parsed: value, arguments: found && admitted(found) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    const parsed = leniently(body);
    if (parsed === undefined) return { error: error.reason === "not_an_object" ? INVALID_REQUEST : PARSE_ERROR, id: null };
    // A fault within the arguments is the gate's to tell of; elsewhere the message is malformed.
    if (error.path[0] === "params" && error.path[1] === "arguments" && isObject(parsed["params"]))
      return { parsed, arguments: new Refused(error.reason, error.offset, error.path.slice(2)) };
    return { error: INVALID_PARAMS, id: parsed["id"] ?? null };
  }
}

function admitted(bytes: Uint8Array): Document | Refused {
  try {
    return admit(bytes);
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
}

function leniently(body: Buffer): JsonObject | undefined {
  try {
    const parsed = JSON.parse(body.toString("utf8")) as unknown;
    return isObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

function refuse(response: ServerResponse, status: number, headers: Record<string, string> = {}, code?: number, id: unknown = null): void {
  const message = code === undefined ? "turned away" : "the message is malformed";
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(JSON.stringify({ jsonrpc: "2.0", id, error: { code: code ?? INVALID_REQUEST, message } }));
}

/** A body of a bounded size; undefined where it is larger. */
export async function read(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
