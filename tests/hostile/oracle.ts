// Answers texts with what the specification says of them, read by JavaScript. What goes in and comes out is as in oracle.py.

import { Refused, admit, digest } from "../../spec/v0/vectors/check/typescript/strict_json.ts";

const HEAD = 12;
const BATCH = 500;

function answer(text: Uint8Array, bytes: number, nodes: number): string {
  try {
    return `admitted ${digest(admit(text, { bytes, nodes }).canonical)}\n`;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return `refused ${error.reason} ${error.offset ?? "-"}\n`;
  }
}

let pending = Buffer.alloc(0);
let answers: string[] = [];
for await (const chunk of process.stdin) {
  pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
  let at = 0;
  while (pending.length - at >= HEAD) {
    const end = at + HEAD + pending.readUInt32LE(at);
    if (pending.length < end) break;
    answers.push(answer(pending.subarray(at + HEAD, end), pending.readUInt32LE(at + 4), pending.readUInt32LE(at + 8)));
    at = end;
    if (answers.length === BATCH) {
      process.stdout.write(answers.join(""));
      answers = [];
    }
  }
  pending = pending.subarray(at);
}
process.stdout.write(answers.join(""));
if (pending.length > 0) throw new Error("the last text breaks off");
