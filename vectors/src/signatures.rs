//! Key sets and signed envelopes, whole and broken.

use anyhow::{Context as _, Result, bail, ensure};
use approval_core::json::{Document, Limits};
use approval_core::signing::{
    DatedKey, KeySet, Revocation, RevocationReason, SigningKey, SigningKeys, SigningPurpose, open, sign,
};
use approval_core::{Clock as _, Timestamp};
use approval_testkit::FakeClock;
use approval_testkit::ill_formed::AUDIENCE;
use curve25519_dalek::Scalar;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};
use std::time::Duration;

use crate::bytes::{Bytes, base64};
use crate::file::{Category, Vector};

const PAYLOAD: &[u8] = br#"{"what":"is signed"}"#;

/// The order of the group, least significant byte first.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// A point of order eight.
const ORDER_EIGHT: [u8; 32] = [
    0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac,
    0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
];

fn at(seconds: u64) -> Timestamp {
    FakeClock::new().now().after(Duration::from_secs(seconds))
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

/// Good from the hundredth second on.
fn dated(byte: u8, purpose: SigningPurpose) -> DatedKey {
    DatedKey::new(&key(byte).public_key(), purpose, at(100))
}

/// Two keys, one for each purpose.
fn set() -> Result<KeySet> {
    let keys = vec![dated(1, SigningPurpose::Receipt), dated(2, SigningPurpose::Checkpoint)];
    Ok(KeySet::new(AUDIENCE.into(), keys)?)
}

fn signed(purpose: SigningPurpose, payload: &[u8]) -> Result<Vec<u8>> {
    Ok(sign(&SigningKeys::new(set()?, [key(1), key(2)]), purpose, payload, at(200))?)
}

/// [KEYS-002], [KEYS-003], [KEYS-004]
pub(crate) fn key_sets() -> Result<Category> {
    let mut made = Vec::new();
    type Change = fn(&mut Value);
    let whole = json!(set()?);
    let accepted: [(&str, Change); 7] = [
        ("two-keys", |_| {}),
        ("no-keys", |set| set["keys"] = json!([])),
        ("key-for-both-purposes", |set| set["keys"][0]["purposes"] = json!(["checkpoint", "receipt"])),
        ("key-that-runs-out", |set| set["keys"][0]["notAfter"] = json!("2026-01-01T00:10:00.000Z")),
        ("key-of-a-single-millisecond", |set| set["keys"][0]["notAfter"] = set["keys"][0]["notBefore"].clone()),
        ("key-that-was-revoked", |set| {
            set["keys"][0]["revokedAt"] = json!("2026-01-01T00:10:00.000Z");
            set["keys"][0]["reason"] = json!("retired");
        }),
        ("key-of-another-algorithm", |set| set["keys"][0]["algorithm"] = json!("Ed448")),
    ];
    for (name, change) in accepted {
        let mut set = whole.clone();
        change(&mut set);
        made.push(key_set(name, &set.to_string(), true)?);
    }
    made.push(key_set("written-otherwise", &format!(" {}\n", serde_json::to_string_pretty(&whole)?), true)?);

    let refused: [(&str, Change); 33] = [
        ("another-type", |set| set["type"] = json!("mutation-approval/key-set/v1")),
        ("unknown-member", |set| set["more"] = json!(1)),
        ("unknown-member-of-a-key", |set| set["keys"][0]["more"] = json!(1)),
        ("audience-missing", |set| without(set, "audience")),
        ("type-missing", |set| without(set, "type")),
        ("keys-missing", |set| without(set, "keys")),
        ("keys-an-object", |set| set["keys"] = json!({})),
        ("id-missing", |set| without(&mut set["keys"][0], "id")),
        ("algorithm-missing", |set| without(&mut set["keys"][0], "algorithm")),
        ("public-key-missing", |set| without(&mut set["keys"][0], "publicKey")),
        ("purposes-missing", |set| without(&mut set["keys"][0], "purposes")),
        ("not-before-missing", |set| without(&mut set["keys"][0], "notBefore")),
        ("not-before-without-milliseconds", |set| set["keys"][0]["notBefore"] = json!("2026-01-01T00:00:00Z")),
        ("id-of-another-key", |set| set["keys"][0]["id"] = json!("0".repeat(32))),
        ("id-in-capitals", |set| {
            let capitals = set["keys"][0]["id"].as_str().unwrap_or_default().to_uppercase();
            set["keys"][0]["id"] = json!(capitals);
        }),
        ("id-of-the-whole-digest", |set| {
            let long = format!("{}{}", set["keys"][0]["id"].as_str().unwrap_or_default(), "0".repeat(32));
            set["keys"][0]["id"] = json!(long);
        }),
        ("same-key-twice", |set| set["keys"][1] = set["keys"][0].clone()),
        ("no-purpose", |set| set["keys"][0]["purposes"] = json!([])),
        ("purpose-twice", |set| set["keys"][0]["purposes"] = json!(["receipt", "receipt"])),
        ("unknown-purpose", |set| set["keys"][0]["purposes"] = json!(["receipt", "anything"])),
        ("runs-out-before-it-is-good", |set| set["keys"][0]["notAfter"] = json!("2026-01-01T00:00:00.000Z")),
        ("revoked-without-a-reason", |set| set["keys"][0]["revokedAt"] = json!("2026-01-01T00:10:00.000Z")),
        ("reason-without-being-revoked", |set| set["keys"][0]["reason"] = json!("retired")),
        ("revoked-for-another-reason", |set| {
            set["keys"][0]["revokedAt"] = json!("2026-01-01T00:10:00.000Z");
            set["keys"][0]["reason"] = json!("lost");
        }),
        ("public-key-too-short", |set| public_key(set, &[1; 31])),
        ("public-key-padded", |set| {
            let padded = format!("{}=", set["keys"][0]["publicKey"].as_str().unwrap_or_default());
            set["keys"][0]["publicKey"] = json!(padded);
        }),
        ("public-key-no-point", |set| public_key(set, &point(2, 0))),
        ("public-key-the-neutral-element", |set| public_key(set, &point(1, 0))),
        ("public-key-of-order-two", |set| public_key(set, &point(0xec, 0x7f))),
        ("public-key-of-order-four", |set| public_key(set, &point(0, 0))),
        ("public-key-of-order-eight", |set| public_key(set, &ORDER_EIGHT)),
        // The same point as 3, written by 3 + p.
        ("public-key-written-otherwise", |set| public_key(set, &point(0xf0, 0x7f))),
        ("public-key-the-neutral-element-with-a-sign", |set| public_key(set, &point(1, 0x80))),
    ];
    for (name, change) in refused {
        let mut set = whole.clone();
        change(&mut set);
        made.push(key_set(name, &set.to_string(), false)?);
    }
    let twice = whole.to_string().replacen('{', "{\"audience\":\"urn:another\",", 1);
    made.push(key_set("member-twice", &twice, false)?);
    made.push(key_set("not-an-object", "[]", false)?);
    Category::new(
        "key-sets",
        "Bytes that are, or are not, a key set (receipt.md, 2.1). Why not is the name of the vector; a key set is refused as a whole [KEYS-002].",
        made,
    )
}

fn without(object: &mut Value, member: &str) {
    if let Some(members) = object.as_object_mut() {
        members.remove(member);
    }
}

/// Another public key, with the id that belongs to it.
fn public_key(set: &mut Value, bytes: &[u8]) {
    use base64::Engine as _;
    let digest = approval_core::Digest::of_bytes(bytes).to_string();
    set["keys"][0]["id"] = json!(digest.get("sha256:".len().."sha256:".len() + 32));
    set["keys"][0]["publicKey"] = json!(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes));
}

/// A short number, or one with high bytes in between, as a point is written.
fn point(first: u8, last: u8) -> [u8; 32] {
    let mut bytes = [if last == 0x7f { 0xff } else { 0 }; 32];
    let [low, .., high] = &mut bytes;
    (*low, *high) = (first, last);
    bytes
}

fn key_set(name: &str, text: &str, accepted: bool) -> Result<Vector> {
    let parsed = KeySet::parse(text.as_bytes());
    ensure!(parsed.is_ok() == accepted, "`{name}`: {parsed:?}");
    let verdict = if accepted { "accepted" } else { "refused" };
    Ok(Vector::new(name, json!({ "bytes": Bytes::of(text).written() }), json!({ "verdict": verdict })))
}

/// [KEYS-010, KEYS-011, KEYS-020, KEYS-021, KEYS-022, KEYS-023]
pub(crate) fn envelopes() -> Result<Category> {
    let mut made = Vec::new();
    for (name, byte, purpose, payload) in [
        ("a-receipt", 1, SigningPurpose::Receipt, PAYLOAD),
        ("a-checkpoint", 2, SigningPurpose::Checkpoint, PAYLOAD),
        ("an-empty-payload", 1, SigningPurpose::Receipt, b""),
        ("bytes-that-are-no-text", 1, SigningPurpose::Receipt, b"\0\xff"),
    ] {
        let envelope = signed(purpose, payload)?;
        let input = json!({
            "operation": "sign",
            "seed": { "base64": base64(&[byte; 32]) },
            "purpose": purpose,
            "payload": Bytes::of(payload).written(),
        });
        made.push(Vector::new(format!("sign-{name}"), input, json!({ "envelope": Bytes::of(&envelope).written() })));
        made.push(opened(&format!("open-{name}"), &envelope, purpose, &set()?, at(200), None)?);
    }
    malformed(&mut made)?;
    by_other_keys(&mut made)?;
    edited_signatures(&mut made)?;
    at_other_times(&mut made)?;
    Category::new(
        "envelopes",
        "`sign`: an Ed25519 private key, a purpose and a payload, and the envelope (receipt.md, 2.4). `open`: an envelope, the purpose and the key set of the verifier, and the moment of signing that the payload is taken to say; the payload, or the first reason of KEYS-020.",
        made,
    )
}

/// Spellings that aren't the one.
fn malformed(made: &mut Vec<Vector>) -> Result<()> {
    let whole = signed(SigningPurpose::Receipt, PAYLOAD)?;
    let text = String::from_utf8(whole.clone())?;
    let value: Value = serde_json::from_str(&text)?;
    let canonical = |change: fn(&mut Value)| {
        let mut value = value.clone();
        change(&mut value);
        Ok::<_, anyhow::Error>(Document::from_value(&value, &Limits::PLAN)?.into_bytes())
    };
    let ours = &set()?;
    for (name, reason, envelope) in [
        ("nothing", "envelope_malformed", Vec::new()),
        ("an-empty-object", "envelope_malformed", b"{}".to_vec()),
        ("line-feed-after", "envelope_malformed", [whole.as_slice(), b"\n"].concat()),
        ("white-space", "envelope_malformed", text.replacen("{", "{ ", 1).into_bytes()),
        ("cut-off", "envelope_malformed", whole.get(..whole.len() - 1).unwrap_or_default().to_vec()),
        ("unknown-member", "envelope_malformed", canonical(|envelope| envelope["more"] = json!(1))?),
        (
            "unknown-member-of-the-signature",
            "envelope_malformed",
            canonical(|envelope| envelope["signatures"][0]["more"] = json!(1))?,
        ),
        ("payload-missing", "envelope_malformed", canonical(|envelope| without(envelope, "payload"))?),
        (
            "payload-in-another-alphabet",
            "envelope_malformed",
            canonical(|envelope| envelope["payload"] = json!("-_8="))?,
        ),
        ("payload-without-padding", "envelope_malformed", canonical(|envelope| envelope["payload"] = json!("e30"))?),
        (
            "payload-with-bits-left-over",
            "envelope_malformed",
            canonical(|envelope| envelope["payload"] = json!("e31="))?,
        ),
        (
            "signature-too-short",
            "envelope_malformed",
            canonical(|envelope| envelope["signatures"][0]["sig"] = json!("AAAA"))?,
        ),
        (
            "key-id-in-capitals",
            "envelope_malformed",
            canonical(|envelope| {
                let capitals = envelope["signatures"][0]["keyid"].as_str().unwrap_or_default().to_uppercase();
                envelope["signatures"][0]["keyid"] = json!(capitals);
            })?,
        ),
        (
            "key-id-too-short",
            "envelope_malformed",
            canonical(|envelope| envelope["signatures"][0]["keyid"] = json!("ab"))?,
        ),
        ("no-signature", "signature_count", canonical(|envelope| envelope["signatures"] = json!([]))?),
        (
            "two-signatures",
            "signature_count",
            canonical(|envelope| {
                envelope["signatures"] = json!([envelope["signatures"][0], envelope["signatures"][0]]);
            })?,
        ),
        (
            "two-signatures-of-another-type",
            "signature_count",
            canonical(|envelope| {
                envelope["signatures"] = json!([envelope["signatures"][0], envelope["signatures"][0]]);
                envelope["payloadType"] = json!("text/plain");
            })?,
        ),
        (
            "another-payload-type",
            "payload_type",
            canonical(|envelope| envelope["payloadType"] = json!("application/json"))?,
        ),
        ("checkpoint-for-a-receipt", "payload_type", signed(SigningPurpose::Checkpoint, PAYLOAD)?),
    ] {
        made.push(opened(&format!("open-{name}"), &envelope, SigningPurpose::Receipt, ours, at(200), Some(reason))?);
    }
    Ok(())
}

/// The verifier's key set says otherwise.
fn by_other_keys(made: &mut Vec<Vector>) -> Result<()> {
    let whole = signed(SigningPurpose::Receipt, PAYLOAD)?;
    let purpose = SigningPurpose::Receipt;
    let compromised = Revocation { revoked_at: at(9_999), reason: RevocationReason::Compromised };
    let id = key(1).public_key().id();
    let algorithm = json!(set()?).to_string().replacen("Ed25519", "Ed448", 1);
    let other = |keys: Vec<DatedKey>| KeySet::new(AUDIENCE.into(), keys);
    for (name, reason, keys) in [
        ("key-unknown", "key_unknown", other(vec![dated(3, purpose)])?),
        ("key-for-another-purpose", "key_purpose", other(vec![dated(1, SigningPurpose::Checkpoint)])?),
        ("key-of-another-algorithm", "key_algorithm", KeySet::parse(algorithm.as_bytes())?),
        ("key-compromised-later", "key_compromised", set()?.revoked(id.as_str(), compromised).context("the key")?),
    ] {
        made.push(opened(&format!("open-{name}"), &whole, purpose, &keys, at(200), Some(reason))?);
    }
    let checkpoint = String::from_utf8(signed(SigningPurpose::Checkpoint, PAYLOAD)?)?;
    let renamed = checkpoint.replace(SigningPurpose::Checkpoint.payload_type(), SigningPurpose::Receipt.payload_type());
    made.push(opened("open-checkpoint-renamed", renamed.as_bytes(), purpose, &set()?, at(200), Some("key_purpose"))?);
    let mut both = json!(set()?);
    both["keys"][1]["purposes"] = json!(["checkpoint", "receipt"]);
    let both = KeySet::parse(both.to_string().as_bytes())?;
    let name = "open-checkpoint-renamed-by-a-key-for-both";
    made.push(opened(name, renamed.as_bytes(), purpose, &both, at(200), Some("signature_invalid"))?);
    let name = "open-checkpoint-by-a-key-for-both";
    made.push(opened(name, checkpoint.as_bytes(), SigningPurpose::Checkpoint, &both, at(200), None)?);
    Ok(())
}

/// Signatures that don't hold, or hold in a laxer reading only. [KEYS-021]
fn edited_signatures(made: &mut Vec<Vector>) -> Result<()> {
    use base64::Engine as _;
    let standard = base64::engine::general_purpose::STANDARD;
    let purpose = SigningPurpose::Receipt;
    let mut value: Value = serde_json::from_slice(&signed(purpose, PAYLOAD)?)?;
    let signature = standard.decode(value["signatures"][0]["sig"].as_str().context("a signature")?)?;
    let mut open_with = |name: &str, value: &Value| {
        let envelope = Document::from_value(value, &Limits::PLAN)?.into_bytes();
        made.push(opened(name, &envelope, purpose, &set()?, at(200), Some("signature_invalid"))?);
        Ok::<_, anyhow::Error>(())
    };
    for (name, place) in [("r-edited", 0), ("s-edited", 32), ("s-edited-at-its-end", 63)] {
        let mut edited = signature.clone();
        *edited.get_mut(place).context("a byte")? ^= 1;
        value["signatures"][0]["sig"] = json!(standard.encode(edited));
        open_with(&format!("open-signature-{name}"), &value)?;
    }
    // The group's order more, and the equation still holds.
    let mut unreduced = signature.clone();
    let mut carry = 0;
    for (byte, more) in unreduced.iter_mut().skip(32).zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        let [low, high] = sum.to_le_bytes();
        (*byte, carry) = (low, u16::from(high));
    }
    value["signatures"][0]["sig"] = json!(standard.encode(unreduced));
    open_with("open-signature-s-not-reduced", &value)?;
    // The neutral element as R, for which the key's holder can make an S that fits.
    let secret = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let r = point(1, 0);
    let input = approval_core::signing::SigningInput::new(purpose, PAYLOAD);
    let hash = Sha512::new().chain_update(r).chain_update(secret.verifying_key()).chain_update(input.as_bytes());
    let s = Scalar::from_bytes_mod_order_wide(&hash.finalize().into()) * secret.to_scalar();
    value["signatures"][0]["sig"] = json!(standard.encode([r, s.to_bytes()].concat()));
    open_with("open-signature-r-of-small-order", &value)?;

    value["signatures"][0]["sig"] = json!(standard.encode(&signature));
    value["payload"] = json!(standard.encode(br#"{"what":"wasn't signed"}"#));
    open_with("open-payload-edited", &value)?;
    value["payload"] = json!(standard.encode(PAYLOAD));
    value["signatures"][0]["keyid"] = json!(key(2).public_key().id());
    let envelope = Document::from_value(&value, &Limits::PLAN)?.into_bytes();
    made.push(opened("open-key-id-of-another-key", &envelope, purpose, &set()?, at(200), Some("key_purpose"))?);
    Ok(())
}

/// Dates, to the millisecond. [KEYS-022] [KEYS-023]
fn at_other_times(made: &mut Vec<Vector>) -> Result<()> {
    let whole = signed(SigningPurpose::Receipt, PAYLOAD)?;
    let purpose = SigningPurpose::Receipt;
    let until = KeySet::new(AUDIENCE.into(), vec![dated(1, purpose).until(at(300))])?;
    let retired = Revocation { revoked_at: at(250), reason: RevocationReason::Retired };
    let revoked = until.clone().revoked(key(1).public_key().id().as_str(), retired).context("the key")?;
    let before = |moment: Timestamp| Timestamp::from_unix_millis(moment.unix_millis() - 1);
    let after = |moment: Timestamp| moment.after(Duration::from_millis(1));
    for (name, keys, moment, reason) in [
        ("before-its-first-millisecond", &until, before(at(100)), Some("key_not_yet_good")),
        ("in-its-first-millisecond", &until, at(100), None),
        ("in-its-last-millisecond", &until, at(300), None),
        ("after-its-last-millisecond", &until, after(at(300)), Some("key_expired")),
        ("before-it-was-retired", &revoked, before(at(250)), None),
        ("when-it-was-retired", &revoked, at(250), Some("key_revoked")),
        ("after-it-was-retired-and-had-run-out", &revoked, at(400), Some("key_expired")),
    ] {
        made.push(opened(&format!("open-signed-{name}"), &whole, purpose, keys, moment, reason)?);
    }
    Ok(())
}

fn opened(
    name: &str,
    envelope: &[u8],
    purpose: SigningPurpose,
    keys: &KeySet,
    moment: Timestamp,
    reason: Option<&str>,
) -> Result<Vector> {
    let answer = open(envelope, purpose, keys).and_then(|signed| signed.at(moment).map(|_| signed));
    let expect = match (&answer, reason) {
        (Ok(signed), None) => json!({ "verdict": "accepted", "payload": Bytes::of(signed.payload()).written() }),
        (Err(fault), Some(reason)) => {
            ensure!(fault.code() == reason, "`{name}`: {reason} intended, {} found", fault.code());
            json!({ "verdict": "refused", "reason": reason })
        }
        _ => bail!("`{name}`: {reason:?} intended"),
    };
    let input = json!({
        "operation": "open",
        "purpose": purpose,
        "keySet": keys,
        "signedAt": moment,
        "envelope": Bytes::of(envelope).written(),
    });
    Ok(Vector::new(name, input, expect))
}
