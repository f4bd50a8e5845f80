// Secret leaves, as spec/v0/digest.md, section 7, lays them down. CC0 1.0.

import canonicalize from "canonicalize";

import { isObject } from "./records.ts";
import type { Members } from "./records.ts";
import { digest } from "./strict_json.ts";
import type { Json } from "./strict_json.ts";

export type Leaf = { readonly pointer: string; readonly nonce: string; readonly value: Json };

/** A commitment that value and nonce do not reproduce. */
export class Broken extends Error {}

export const digestOf = (value: Json): string => digest(Buffer.from(canonicalize(value)!));

export function commitment(nonce: string, value: Json): Members {
  return { $secret: digestOf({ type: "mutation-approval/secret/v0", nonce, value }) };
}

/** Takes the secrets out of a document. */
export function replace(document: Json, leaves: readonly { readonly pointer: string; readonly nonce: string }[]): Json {
  return leaves.reduce<Json>(
    (changed, leaf) => at(changed, leaf.pointer, (value) => commitment(leaf.nonce, present(value, leaf.pointer))),
    document,
  );
}

/** Puts the secrets back into an intent, once each commitment has been recomputed. */
export function restore(intent: Members, leaves: readonly Leaf[]): Members {
  const own = leaves.filter((leaf) => leaf.pointer.startsWith("/intent/"));
  check({ intent }, own);
  return own.reduce<Json>((restored, leaf) => at(restored, leaf.pointer.slice("/intent".length), () => leaf.value), intent) as Members;
}

/** The leaves that are kept are those that the documents list, each once, and each commitment is reproduced. */
export function check(documents: { readonly [name: string]: Members }, leaves: readonly Leaf[]): void {
  const kept = new Map(leaves.map((leaf) => [leaf.pointer, leaf]));
  if (kept.size < leaves.length) throw new Broken("a leaf twice");
  for (const [name, document] of Object.entries(documents)) {
    for (const pointer of (document["secretLeaves"] ?? []) as string[]) {
      const leaf = kept.get(`/${name}${pointer}`);
      kept.delete(`/${name}${pointer}`);
      at(document, pointer, (held) => {
        if (leaf === undefined || held === undefined) throw new Broken(pointer);
        if (canonicalize(held) !== canonicalize(commitment(leaf.nonce, leaf.value))) throw new Broken(pointer);
        return held;
      });
    }
  }
  if ([...kept.keys()].some((pointer) => !pointer.startsWith("/preview/"))) throw new Broken("a leaf that is not listed");
}

function present(value: Json | undefined, pointer: string): Json {
  if (value === undefined) throw new Broken(pointer);
  return value;
}

/** A copy with another value, or none, where a JSON Pointer (RFC 6901) leads to. */
export function at(document: Json, pointer: string, change: (value: Json | undefined) => Json | undefined): Json {
  const [, ...steps] = pointer.split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  const within = (value: Json | undefined, depth: number): Json | undefined => {
    const step = steps[depth];
    if (step === undefined) return change(value);
    if (Array.isArray(value)) {
      const index = Number(step);
      if (!/^(0|[1-9][0-9]*)$/.test(step) || index >= value.length) throw new Broken(pointer);
      return value.map((item, place) => (place === index ? (within(item, depth + 1) as Json) : item));
    }
    if (!isObject(value)) throw new Broken(pointer);
    const changed = within(Object.hasOwn(value, step) ? value[step] : undefined, depth + 1);
    const { [step]: _, ...others } = value;
    return changed === undefined ? others : { ...others, [step]: changed };
  };
  return within(document, 0) as Json;
}
