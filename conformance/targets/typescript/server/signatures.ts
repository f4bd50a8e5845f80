// Signed envelopes: spec/v0/receipt.md, section 2. The server signs checkpoints; verifying is for whoever reads them.

import { createHash, createPrivateKey, createPublicKey, sign as ed25519 } from "node:crypto";

import { canonical } from "./json.ts";

/** [KEYS-011] */
const TYPES = {
  checkpoint: "application/vnd.mutation-approval.checkpoint+json",
  receipt: "application/vnd.in-toto+json",
};
/** What stands before the 32 bytes of a seed, and of a public key, in DER (RFC 8410). */
const SEED = Buffer.from("302e020100300506032b657004220420", "hex");
const PUBLIC = 12;

export function publicKey(seed: Buffer): Buffer {
  const key = createPrivateKey({ key: Buffer.concat([SEED, seed]), format: "der", type: "pkcs8" });
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(PUBLIC);
}

/** [KEYS-003] */
export const keyId = (key: Buffer): string => createHash("sha256").update(key).digest("hex").slice(0, 32);

/** A DSSE envelope around a payload (receipt.md, 2.4). */
export function sign(seed: Buffer, purpose: keyof typeof TYPES, payload: Buffer): Buffer {
  const type = TYPES[purpose];
  const encoding = Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
  const key = createPrivateKey({ key: Buffer.concat([SEED, seed]), format: "der", type: "pkcs8" });
  return canonical({
    payload: payload.toString("base64"),
    payloadType: type,
    signatures: [{ keyid: keyId(publicKey(seed)), sig: ed25519(null, encoding, key).toString("base64") }],
  });
}
