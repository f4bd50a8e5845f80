//! Seals, whole and broken, and tags.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use approval_core::record::{RecordKind, Rule};
use approval_core::seal::{Binding, KeyRing, KeyState, MasterKey, Purpose, SealError, Sealer as _, TagPurpose};
use approval_core::{Audience, Entropy, EntropyError, KeyId, PlanId, Policy, Terms};
use serde_json::{Value, json};

use crate::bytes::{Bytes, base64};
use crate::file::{Category, Vector};
use crate::stage::Stage;

const AUDIENCE: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";
const PLAN: &str = "019ab12c-0000-7000-8000-000000000001";
const BODY: &str = r#"{"type":"mutation-approval/example/v0","value":"what is sealed"}"#;

/// Randomness that is stated in the vector.
#[derive(Debug)]
struct Stated(u8);

impl Entropy for Stated {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        buffer.iter_mut().zip(self.0..).for_each(|(byte, value)| *byte = value);
        Ok(())
    }
}

/// A key of the ring: its name, 32 equal bytes, and what it's good for.
#[derive(Clone, Copy)]
struct Key(&'static str, u8, KeyState);

const ONE_KEY: &[Key] = &[Key("test", 7, KeyState::Active)];

fn ring(keys: &[Key]) -> Result<KeyRing> {
    let keys = keys.iter().map(|Key(id, byte, state)| (KeyId::from(*id), MasterKey::from_bytes([*byte; 32]), *state));
    Ok(KeyRing::new(keys, Arc::new(Stated(0x40)))?)
}

fn written(keys: &[Key]) -> Value {
    let keys = keys
        .iter()
        .map(|Key(id, byte, state)| json!({ "id": id, "master": { "base64": base64(&[*byte; 32]) }, "state": state }));
    keys.collect()
}

/// The ring of every stage.
pub(crate) fn test_keys() -> Value {
    written(ONE_KEY)
}

/// What a seal is bound to, as a test names it.
#[derive(Clone)]
struct Bound {
    record: &'static str,
    version: u32,
    id: String,
    plan: Option<PlanId>,
    revision: u64,
    audience: Audience,
}

impl Bound {
    fn to(record: &'static str) -> Result<Self> {
        let (id, plan) = (PLAN.to_owned(), Some(PLAN.parse()?));
        Ok(Self { record, version: 0, id, plan, revision: 0, audience: AUDIENCE.into() })
    }

    fn binding(&self) -> Binding<'_> {
        let Self { record, version, ref id, plan, revision, ref audience } = *self;
        Binding { record, version, id, plan_id: plan, revision, audience }
    }

    fn written(&self) -> Value {
        let Self { record, version, id, plan, revision, audience } = self;
        let mut written =
            json!({ "record": record, "version": version, "id": id, "revision": revision, "audience": audience });
        if let Some(plan) = plan {
            written["planId"] = json!(plan);
        }
        written
    }
}

const PURPOSES: [(Purpose, &str); 5] = [
    (Purpose::Authenticate, "authenticate"),
    (Purpose::Encrypt, "encrypt"),
    (Purpose::Form, "form"),
    (Purpose::RequestState, "request-state"),
    (Purpose::Session, "session"),
];

fn name_of(purpose: Purpose) -> &'static str {
    PURPOSES.iter().find(|(known, _)| *known == purpose).map_or("", |(_, name)| name)
}

/// [SEAL-002, SEAL-003, SEAL-005, SEAL-010, SEAL-011, SEAL-012, SEAL-013, SEAL-014, SEAL-015]
pub(crate) fn seals() -> Result<Category> {
    let mut made = Vec::new();
    for (purpose, name) in PURPOSES {
        let bound = Bound::to(if purpose.is_encrypted() { "intent" } else { "header" })?;
        made.push(seal(name, purpose, &bound, BODY.as_bytes())?);
        made.push(opened(&format!("{name}-opens"), ONE_KEY, purpose, &bound, &sealed(ONE_KEY, purpose, &bound)?)?);
    }
    for purpose in [Purpose::Authenticate, Purpose::Encrypt] {
        let whole = Bound::to("plan-state")?;
        let name = |what: &str| format!("{}-{what}", name_of(purpose));
        let no_plan = Bound { id: "pause".to_owned(), plan: None, ..whole.clone() };
        made.push(seal(&name("of-no-plan"), purpose, &no_plan, BODY.as_bytes())?);
        let strange = Bound {
            id: "\"\\\u{1f}\u{7f}é😂".to_owned(),
            revision: (1 << 53) - 1,
            audience: "line\nfeed".into(),
            version: 7,
            ..whole.clone()
        };
        made.push(seal(&name("bound-to-what-has-to-be-escaped"), purpose, &strange, BODY.as_bytes())?);
        made.push(seal(&name("nothing"), purpose, &whole, b"")?);
        made.push(seal(&name("bytes-that-are-no-text"), purpose, &whole, b"\0\xff\xfe")?);
        broken(&mut made, purpose, &whole)?;
    }
    keys(&mut made)?;
    Category::new(
        "seals",
        "Bytes sealed under keys that are given (and good for nothing else), and opened: `seal` makes the bytes, where it encrypts with the nonce that is given; `open` gives the body or one of the reasons `malformed`, `unknown_key`, `revoked_key`, `broken`, in this order. To the gate each of them is `integrity_failure` [GATE-030].",
        made,
    )
}

/// Each thing that a seal is bound to, and each part of its bytes, changed alone.
fn broken(made: &mut Vec<Vector>, purpose: Purpose, whole: &Bound) -> Result<()> {
    let bytes = sealed(ONE_KEY, purpose, whole)?;
    let name = |what: &str| format!("{}-{what}", name_of(purpose));
    for (what, other) in [
        ("as-another-kind", Bound { record: "header", ..whole.clone() }),
        ("as-another-version", Bound { version: 1, ..whole.clone() }),
        ("as-another-record", Bound { id: format!("{PLAN}x"), ..whole.clone() }),
        ("as-of-another-plan", Bound { plan: Some("019ab12c-0000-7000-8000-000000000002".parse()?), ..whole.clone() }),
        ("as-of-no-plan", Bound { plan: None, ..whole.clone() }),
        ("as-of-another-revision", Bound { revision: 1, ..whole.clone() }),
        (
            "of-another-installation",
            Bound { audience: "urn:uuid:00000000-0000-4000-8000-000000000002".into(), ..whole.clone() },
        ),
    ] {
        made.push(refused(&name(what), "broken", ONE_KEY, purpose, &other, &bytes)?);
    }
    for (other, called) in PURPOSES.into_iter().filter(|(other, _)| *other != purpose) {
        made.push(refused(&name(&format!("opened-for-{called}")), "broken", ONE_KEY, other, whole, &bytes)?);
    }
    let header = 2 + "test".len();
    let first = if purpose.is_encrypted() { 24 } else { 32 };
    for (what, place) in [
        ("first-byte-of-the-mac-or-nonce", header),
        ("last-byte-of-the-mac-or-nonce", header + first - 1),
        ("first-byte-of-the-body", header + first),
        ("last-byte", bytes.len() - 1),
    ] {
        let edited = with(&bytes, place, |byte| byte ^ 1);
        made.push(refused(&name(&format!("{what}-edited")), "broken", ONE_KEY, purpose, whole, &edited)?);
    }
    let swapped = with(&bytes, 0, |form| 3 - form);
    made.push(refused(&name("form-swapped"), "broken", ONE_KEY, purpose, whole, &swapped)?);
    let unknown = with(&bytes, 2, |_| b'r');
    made.push(refused(&name("key-renamed"), "unknown_key", ONE_KEY, purpose, whole, &unknown)?);
    let cut = |length: usize| bytes.get(..length).unwrap_or_default().to_vec();
    let appended = [bytes.as_slice(), b"x"].concat();
    for (what, reason, edited) in [
        ("nothing-at-all", "malformed", Vec::new()),
        ("form-of-zero", "malformed", with(&bytes, 0, |_| 0)),
        ("form-of-three", "malformed", with(&bytes, 0, |_| 3)),
        ("cut-after-the-form", "malformed", cut(1)),
        ("cut-in-the-key", "malformed", cut(header - 1)),
        ("cut-in-the-mac-or-nonce", "malformed", cut(header + first - 1)),
        ("key-of-no-text", "malformed", with(&bytes, 2, |_| 0xff)),
        ("cut-after-the-mac-or-nonce", "broken", cut(header + first)),
        ("cut-by-one-byte", "broken", cut(bytes.len() - 1)),
        ("byte-appended", "broken", appended),
    ] {
        made.push(refused(&name(what), reason, ONE_KEY, purpose, whole, &edited)?);
    }
    Ok(())
}

/// What a key's state does. [SEAL-005]
fn keys(made: &mut Vec<Vector>) -> Result<()> {
    let bound = Bound::to("header")?;
    let purpose = Purpose::Authenticate;
    let bytes = sealed(ONE_KEY, purpose, &bound)?;
    let verifying = &[Key("test", 7, KeyState::VerifyOnly), Key("next", 8, KeyState::Active)];
    made.push(opened("key-that-only-verifies-opens", verifying, purpose, &bound, &bytes)?);
    let revoked = &[Key("test", 7, KeyState::Revoked), Key("next", 8, KeyState::Active)];
    made.push(refused("key-that-was-revoked", "revoked_key", revoked, purpose, &bound, &bytes)?);
    let broken = with(&bytes, bytes.len() - 1, |byte| byte ^ 1);
    made.push(refused("revoked-before-broken", "revoked_key", revoked, purpose, &bound, &broken)?);
    let gone = &[Key("next", 8, KeyState::Active)];
    made.push(refused("key-that-is-gone", "unknown_key", gone, purpose, &bound, &bytes)?);
    let another = &[Key("test", 8, KeyState::Active)];
    made.push(refused("another-key-of-the-same-name", "broken", another, purpose, &bound, &bytes)?);
    Ok(())
}

fn with(bytes: &[u8], place: usize, change: impl FnOnce(u8) -> u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(byte) = bytes.get_mut(place) {
        *byte = change(*byte);
    }
    bytes
}

fn sealed(keys: &[Key], purpose: Purpose, bound: &Bound) -> Result<Vec<u8>> {
    Ok(ring(keys)?.seal(purpose, &bound.binding(), BODY.as_bytes())?)
}

fn seal(name: &str, purpose: Purpose, bound: &Bound, body: &[u8]) -> Result<Vector> {
    let bytes = ring(ONE_KEY)?.seal(purpose, &bound.binding(), body)?;
    let mut input = json!({
        "operation": "seal",
        "keys": written(ONE_KEY),
        "purpose": name_of(purpose),
        "binding": bound.written(),
        "body": Bytes::of(body).written(),
    });
    if purpose.is_encrypted() {
        let mut nonce = [0; 24];
        Stated(0x40).fill(&mut nonce)?;
        input["nonce"] = json!({ "base64": base64(&nonce) });
    }
    let expect = json!({ "verdict": "sealed", "sealed": { "base64": base64(&bytes) } });
    Ok(Vector::new(format!("seal-{name}"), input, expect))
}

fn open_input(keys: &[Key], purpose: Purpose, bound: &Bound, bytes: &[u8]) -> Value {
    json!({
        "operation": "open",
        "keys": written(keys),
        "purpose": name_of(purpose),
        "binding": bound.written(),
        "sealed": { "base64": base64(bytes) },
    })
}

fn opened(name: &str, keys: &[Key], purpose: Purpose, bound: &Bound, bytes: &[u8]) -> Result<Vector> {
    let body = ring(keys)?.open(purpose, &bound.binding(), bytes)?;
    ensure!(body == BODY.as_bytes(), "`{name}` opened as something else");
    let expect = json!({ "verdict": "opened", "body": Bytes::of(body).written() });
    Ok(Vector::new(format!("open-{name}"), open_input(keys, purpose, bound, bytes), expect))
}

fn refused(name: &str, reason: &str, keys: &[Key], purpose: Purpose, bound: &Bound, bytes: &[u8]) -> Result<Vector> {
    let Err(error) = ring(keys)?.open(purpose, &bound.binding(), bytes) else { bail!("`{name}` is opened") };
    let found = match error {
        SealError::Broken => "broken",
        SealError::Malformed => "malformed",
        SealError::RevokedKey(_) => "revoked_key",
        SealError::UnknownKey(_) => "unknown_key",
        SealError::Entropy(_) | SealError::Inadmissible(_) => bail!("`{name}`: {error}"),
    };
    ensure!(found == reason, "`{name}`: {reason} intended, {found} found");
    let expect = json!({ "verdict": "refused", "reason": reason });
    Ok(Vector::new(format!("open-{name}"), open_input(keys, purpose, bound, bytes), expect))
}

/// [SEAL-002, SEAL-006, SEAL-017, DIG-123]
pub(crate) async fn tags() -> Result<Category> {
    let ring = ring(ONE_KEY)?;
    let mut made = Vec::new();
    for (purpose, name) in [
        (TagPurpose::Effect, "effect-tag"),
        (TagPurpose::Pseudonym, "pseudonym"),
        (TagPurpose::Request, "request-tag"),
        (TagPurpose::Session, "session-tag"),
    ] {
        for (what, bytes) in [("of-a-text", "shelf/a"), ("of-nothing", "")] {
            let tag = ring.tag(purpose, bytes.as_bytes())?;
            let input = json!({ "keys": written(ONE_KEY), "purpose": name, "bytes": Bytes::of(bytes).written() });
            made.push(Vector::new(format!("{name}-{what}"), input, json!({ "tag": tag })));
        }
    }
    // What a service has stored and told.
    let stage = Stage::set(Policy::always(Terms { rule: Rule::other_subject([]), ..Terms::same_subject() })).await?;
    let mut call = stage.target.call("a", &json!({ "b": [1.5, null], "a": "\u{e9}\u{1f602}" }));
    call.arguments.insert("more".to_owned(), json!(true));
    let plan = stage.plan_call(call.clone()).await?;
    stage.decide(&plan, "bob", approval_core::record::Verdict::Reject).await?;
    stage.approvals.mute(&"alice".into(), std::time::Duration::from_secs(60), "operator").await?;
    let request = json!({ "audience": AUDIENCE, "tool": call.tool, "arguments": call.arguments });
    let state = stage.record(RecordKind::PlanState, plan.header.plan_id)?;
    let rejected = stage.stored(plan.header.plan_id)?["lastEvent"]["event"]["actor"].clone();
    for (name, purpose, over, tag) in [
        ("request-tag-of-a-request", "request-tag", json!({ "request": request }), state["requestTag"].clone()),
        (
            "effect-tag-of-a-cool-down",
            "effect-tag",
            json!({ "coolDown": { "person": "alice", "effectKey": "shelf/a" } }),
            stage.id_of(RecordKind::CoolDown)?.into(),
        ),
        ("pseudonym-of-a-mute", "pseudonym", json!({ "person": "alice" }), stage.id_of(RecordKind::Mute)?.into()),
        ("pseudonym-in-the-audit", "pseudonym", json!({ "person": "bob" }), rejected),
    ] {
        let mut input = json!({ "keys": written(ONE_KEY), "purpose": purpose });
        for (member, value) in over.as_object().context("what the tag is over")? {
            input[member] = value.clone();
        }
        made.push(Vector::new(name, input, json!({ "tag": tag })));
    }
    Category::new(
        "tags",
        "Tags under the active key of the ring that is given: the key's id, a full stop, and HMAC-SHA-256 under the subkey of the purpose in base64url; over bytes, over a request [DIG-123], over a person, or over a person and an effect key for a cool-down [PLAN-005].",
        made,
    )
}
