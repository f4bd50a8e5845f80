// The operator's commands, over a socket in the state's directory, which is the operator's own. [OPER-003]
//
//     {"do": "pause"}                          {"ok": {}}
//     {"do": "reconcile", "planId": "0197…", "finding": "applied"}

import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { userInfo } from "node:os";
import { createInterface } from "node:readline";

import type { Json, JsonObject } from "./json.ts";
import type { Plans } from "./plans.ts";
import { keySet, receipt } from "./receipts.ts";

export function serveOperator(plans: Plans, path: string): Server {
  const operator = userInfo().username;
  const { audit, anchor } = plans.parts;
  const text = (command: JsonObject, member: string): string => {
    const value = command[member];
    if (typeof value !== "string") throw new Error(`\`${member}\` is missing`);
    return value;
  };
  const commands: Record<string, (command: JsonObject) => Json | void> = {
    audit: () => audit.export(),
    checkpoint: () => audit.checkpoint(anchor),
    keys: () => keySet(plans.parts.ring.audience, audit.signing),
    mute: (command) => plans.mute(text(command, "person"), Number(command["seconds"] ?? 3600), operator),
    pause: () => plans.pause(true, operator),
    prune: (command) => plans.prune(text(command, "planId")),
    receipt: (command) => receipt(plans.load(text(command, "planId")), audit.signing).toString("utf8"),
    reconcile: (command) => {
      const finding = text(command, "finding");
      if (finding !== "applied" && finding !== "not-applied") throw new Error("`finding` is `applied` or `not-applied`");
      plans.reconcile(text(command, "planId"), finding, operator);
    },
    resume: () => plans.pause(false, operator),
    unmute: (command) => plans.mute(text(command, "person"), 0, operator),
  };
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on("error", () => {});
    createInterface({ input: socket }).on("line", (line) => {
      try {
        const command = JSON.parse(line) as JsonObject;
        const run = Object.hasOwn(commands, String(command["do"])) ? commands[String(command["do"])] : undefined;
        if (run === undefined) throw new Error(`there is no command \`${String(command["do"])}\``);
        socket.write(`${JSON.stringify({ ok: run(command) ?? {} })}\n`);
      } catch (error) {
        socket.write(`${JSON.stringify({ error: String(error) })}\n`);
      }
    });
  });
  server.listen(path, () => chmodSync(path, 0o600));
  return server;
}
