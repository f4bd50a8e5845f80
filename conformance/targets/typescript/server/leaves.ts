// Secret leaves: spec/v0/digest.md, section 7. The notes server has none; the gate reads plans that do.

import { at, digestOf, isObject, same, tokens, type Json, type JsonObject } from "./json.ts";

export type Leaf = { pointer: string; nonce: string; value: Json };

/** What stands in a secret's place. [LEAF-002, LEAF-003] */
export function commitment(nonce: string, value: Json): JsonObject {
  return { $secret: digestOf({ type: "mutation-approval/secret/v0", nonce, value }) };
}

/** The document with the values at the listed places replaced. */
export function replaced(document: JsonObject, leaves: Leaf[]): JsonObject {
  return withValues(document, leaves.map((leaf) => [leaf.pointer, commitment(leaf.nonce, leaf.value)]));
}

/** The document with its secrets in place, or undefined where a listed place doesn't hold what the leaves reproduce. [LEAF-006] */
export function restored(document: JsonObject, prefix: string, leaves: Leaf[]): JsonObject | undefined {
  const listed = (document["secretLeaves"] ?? []) as string[];
  const values: [string, Json][] = [];
  for (const pointer of listed) {
    const kept = leaves.filter((leaf) => leaf.pointer === prefix + pointer);
    if (kept.length !== 1) return undefined;
    if (!same(at(document, pointer), commitment(kept[0]!.nonce, kept[0]!.value))) return undefined;
    values.push([pointer, kept[0]!.value]);
  }
  return withValues(document, values);
}

/** Whether the leaves are those that intent and review list, each once, besides those of previews. [GATE-031] */
export function complete(intent: JsonObject, review: JsonObject, leaves: Leaf[]): boolean {
  const expected = new Set<string>();
  for (const [prefix, document] of [["/intent", intent], ["/review", review]] as const)
    for (const pointer of (document["secretLeaves"] ?? []) as string[]) expected.add(prefix + pointer);
  const kept = leaves.map((leaf) => leaf.pointer);
  if (new Set(kept).size !== kept.length) return false;
  if (!kept.every((pointer) => expected.has(pointer) || pointer.startsWith("/preview/"))) return false;
  return restored(intent, "/intent", leaves) !== undefined && restored(review, "/review", leaves) !== undefined;
}

function withValues(document: JsonObject, values: [string, Json][]): JsonObject {
  const copy = structuredClone(document);
  for (const [pointer, value] of values) {
    const path = tokens(pointer) ?? [];
    const last = path.pop();
    let holder: Json | undefined = copy;
    for (const token of path) holder = Array.isArray(holder) ? holder[Number(token)] : isObject(holder) ? holder[token] : undefined;
    if (last === undefined || holder === null || typeof holder !== "object") continue;
    if (Array.isArray(holder)) holder[Number(last)] = value;
    else holder[last] = value;
  }
  return copy;
}
