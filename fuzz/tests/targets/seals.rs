//! Sealed bytes, which whoever writes to the store may change at will. [SEAL-003]

use std::sync::Arc;

use approval_core::seal::{Binding, KeyRing, KeyState, MasterKey, Purpose, SealError, Sealer as _, Tag};
use approval_core::{Audience, KeyId};
use approval_testkit::SeededEntropy;
use fuzz::explore;
use serde_json::Value;

const PURPOSES: [Purpose; 5] =
    [Purpose::Authenticate, Purpose::Encrypt, Purpose::Form, Purpose::RequestState, Purpose::Session];
const KEYS: [&str; 4] = ["active", "older", "revoked", "unknown"];

/// The key of this name, which is active while it seals.
fn ring(active: &str, others: &[(&str, KeyState)]) -> KeyRing {
    let key = |name: &str, state| (KeyId::from(name), MasterKey::from_bytes([name.as_bytes()[0]; 32]), state);
    let keys = others.iter().map(|(name, state)| key(name, *state));
    KeyRing::new(keys.chain([key(active, KeyState::Active)]), Arc::new(SeededEntropy::new(7))).unwrap()
}

/// What was sealed, and as what.
struct Sealed {
    bytes: Vec<u8>,
    purpose: Purpose,
    key: &'static str,
    id: &'static str,
    body: &'static [u8],
}

fn binding<'a>(id: &'a str, audience: &'a Audience) -> Binding<'a> {
    Binding { record: "header", version: 0, id, plan_id: None, revision: 3, audience }
}

#[test]
fn only_what_was_sealed_opens_and_only_as_what_it_was_sealed() {
    let audience = Audience::from("urn:uuid:00000000-0000-4000-8000-000000000001");
    let mut sealed = Vec::new();
    for key in KEYS {
        for purpose in PURPOSES {
            for (id, body) in [("one", b"{\"a\":1}".as_slice()), ("one", b""), ("two", b"{\"a\":2}")] {
                let bytes = ring(key, &[]).seal(purpose, &binding(id, &audience), body).unwrap();
                sealed.push(Sealed { bytes, purpose, key, id, body });
            }
        }
    }
    let opener = ring("active", &[("older", KeyState::VerifyOnly), ("revoked", KeyState::Revoked)]);
    let seeds = sealed.iter().map(|sealed| sealed.bytes.clone()).collect();
    explore!(seeds, |input: &[u8]| {
        for purpose in PURPOSES {
            let found = opener.open(purpose, &binding("one", &audience), input);
            let good = |sealed: &&Sealed| {
                sealed.bytes == input
                    && sealed.id == "one"
                    && matches!(sealed.key, "active" | "older")
                    // The same key and body under another purpose is another subkey, and another seal.
                    && format!("{:?}", sealed.purpose) == format!("{purpose:?}")
            };
            match (sealed.iter().find(good), key_of(input)) {
                (Some(sealed), _) => assert_eq!(found.as_deref(), Ok(sealed.body)),
                (None, None) => assert_eq!(found, Err(SealError::Malformed)),
                (None, Some("active" | "older")) => assert_eq!(found, Err(SealError::Broken)),
                (None, Some("revoked")) => assert_eq!(found, Err(SealError::RevokedKey("revoked".into()))),
                (None, Some(other)) => assert_eq!(found, Err(SealError::UnknownKey(other.into()))),
            }
        }
    });
}

/// The key that a sealed record names, where it has the form of one.
fn key_of(sealed: &[u8]) -> Option<&str> {
    let first_part = match sealed.first()? {
        1 => 32,
        2 => 24,
        _ => return None,
    };
    let end = 2 + usize::from(*sealed.get(1)?);
    let key = str::from_utf8(sealed.get(2..end)?).ok()?;
    (sealed.len() >= end + first_part).then_some(key)
}

#[test]
fn tags_have_one_spelling() {
    let seeds = [
        "active.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "k-1.0123456789abcdefghijklmnopqrstuvwxyzABCDEFE",
        "K.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "a.b.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "k.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
    ];
    explore!(seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect(), |input: &[u8]| {
        let Ok(text) = str::from_utf8(input) else { return };
        let parsed = text.parse::<Tag>().ok();
        let well_formed = text.split_once('.').is_some_and(|(key, bytes)| {
            (1..=64).contains(&key.len())
                && key.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                && crate::texts::is_base64url(bytes.as_bytes(), 43, 2)
        });
        assert_eq!(parsed.is_some(), well_formed, "{text:?}");
        assert_eq!(serde_json::from_value::<Tag>(Value::from(text)).ok(), parsed);
        if let Some(tag) = parsed {
            assert_eq!(tag.to_string(), text);
        }
    });
}
