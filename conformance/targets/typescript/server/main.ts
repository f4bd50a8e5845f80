// An MCP server of the mutation-approval profile v0: notes, on shelves.
//
//     node server.mjs DIRECTORY                          over streamable HTTP
//     node server.mjs DIRECTORY --stdio --person alice   over stdio, for one person
//     … --dangerous-new-anchor                           though the store holds claims and the anchor is missing
//
// DIRECTORY holds `config.json`, `accounts.json`, `tokens.json` and, from the first start on, `keys.json`, `journal` and `anchor`.

import { existsSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { serveStdio } from "@modelcontextprotocol/server/stdio";

import { Accounts } from "./accounts.ts";
import { Anchor } from "./anchor.ts";
import { Audit } from "./audit.ts";
import { Config, keys, LOCAL } from "./config.ts";
import { Mcp } from "./mcp.ts";
import { serveOperator } from "./operator.ts";
import { Plans } from "./plans.ts";
import { Ring } from "./seals.ts";
import { Store } from "./store.ts";
import { Surface } from "./surface.ts";
import { Notes } from "./target.ts";
import { serveMcp } from "./transport.ts";

const CHECKPOINT_EVERY = 10 * 60_000;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { stdio: { type: "boolean" }, person: { type: "string" }, "dangerous-new-anchor": { type: "boolean" } },
});
const directory = positionals[0];
if (directory === undefined) throw new Error("which directory?");
process.umask(0o077);

const config = new Config(directory);
const { ring: masters, signing } = keys(directory);
const ring = new Ring(masters, config.settings.audience);
const store = new Store(join(directory, "journal"));
const anchorPath = join(directory, "anchor");
const claims = [...store.table("index").values()].some((row) => ["executing", "applied", "failed", "partial", "unknown"].includes(row["state"] as string));
const renewed = claims && !existsSync(anchorPath);
if (renewed && values["dangerous-new-anchor"] !== true) throw new Error("the store holds claims, and the anchor is missing"); // [ANCHOR-006]
const anchor = new Anchor(anchorPath, ring.audience);
const audit = new Audit(store, ring, signing);
const plans = new Plans({ store, ring, anchor, audit, config, target: new Notes(() => config.settings.target) });

const forgotten = [...anchor.entries].filter((entry) => {
  try {
    return entry.kind === "claimed" && plans.isForgotten(entry);
  } catch {
    return false; // The store has the plan, whose records don't hold.
  }
});
audit.start(plans.enforcement(values.stdio === true ? "environment" : "verified-token"), forgotten.map(({ claimId }) => claimId!), anchor, renewed);
plans.recover();
config.onAccounts = (persons) => plans.accountsChanged(persons);

let surfaceUrl = config.settings.surface.url ?? "";
const surface = new Surface(plans, new Accounts(config, ring), () => surfaceUrl).serve();
const surfacePort = await listening(surface, config.settings.surface.port);
if (surfaceUrl === "") surfaceUrl = `http://127.0.0.1:${surfacePort}`;
const mcp = new Mcp(plans, () => surfaceUrl);
const operator = serveOperator(plans, join(directory, "operator"));
const checkpoints = setInterval(() => checkpoint(), CHECKPOINT_EVERY);

if (values.stdio === true) {
  const { person } = values;
  if (person === undefined || !config.isEnabled(person)) throw new Error("for which person?");
  const requester = { person, issuer: LOCAL, subject: person, assurance: "environment" as const }; // [ENF-005]
  serveStdio((context) => mcp.server(context, { requester }), { onerror: (error) => console.error("mcp:", error.message) });
  process.stdin.on("end", () => void end());
  console.error(JSON.stringify({ surface: surfaceUrl }));
} else {
  const server = serveMcp(mcp, config);
  const port = await listening(server, config.settings.mcp.port);
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}/mcp`, surface: surfaceUrl }));
}
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void end());

async function listening(server: typeof surface, port: number): Promise<number> {
  // Longer than clients keep a connection that they don't use; otherwise they send into one that is just being closed.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** [CKPT-003] */
function checkpoint(): void {
  try {
    audit.checkpoint(anchor);
  } catch (error) {
    console.error("no checkpoint:", String(error));
  }
}

/** The end in good order: what is being executed is waited for. */
async function end(): Promise<void> {
  clearInterval(checkpoints);
  operator.close();
  await plans.idle();
  checkpoint();
  process.exit(0);
}
