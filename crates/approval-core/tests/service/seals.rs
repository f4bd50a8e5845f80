//! The key ring: what it seals opens as that and as nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;

use approval_core::record::RecordKind;
use approval_core::seal::{
    Binding, KeyRing, KeyRingError, KeyState, MasterKey, Purpose, SealError, Sealer as _, Tag, TagPurpose,
};
use approval_core::{Audience, Entropy, EntropyError, KeyId, PlanId};
use approval_testkit::SeededEntropy;
use proptest::prelude::*;

const PURPOSES: [Purpose; 5] =
    [Purpose::Authenticate, Purpose::Encrypt, Purpose::Form, Purpose::RequestState, Purpose::Session];
const TAG_PURPOSES: [TagPurpose; 4] =
    [TagPurpose::Effect, TagPurpose::Pseudonym, TagPurpose::Request, TagPurpose::Session];

fn key(id: &str, byte: u8, state: KeyState) -> (KeyId, MasterKey, KeyState) {
    (KeyId::from(id), MasterKey::from_bytes([byte; 32]), state)
}

fn ring(keys: impl IntoIterator<Item = (KeyId, MasterKey, KeyState)>) -> KeyRing {
    KeyRing::new(keys, Arc::new(SeededEntropy::new(3))).unwrap()
}

fn one() -> KeyRing {
    ring([key("one", 1, KeyState::Active)])
}

fn audience() -> Audience {
    Audience::from("urn:test")
}

fn plan() -> PlanId {
    "019ab12c-0000-7000-8000-000000000001".parse().unwrap()
}

fn binding(audience: &Audience) -> Binding<'_> {
    Binding { record: "header", version: 0, id: "x", plan_id: Some(plan()), revision: 3, audience }
}

#[test]
fn what_is_sealed_opens_under_the_same_purpose_and_no_other() {
    // [SEAL-001, SEAL-002, SEAL-003, SEAL-015]
    let (ring, audience) = (one(), audience());
    for sealed_for in PURPOSES {
        let sealed = ring.seal(sealed_for, &binding(&audience), b"the body").unwrap();
        let readable = sealed.windows(8).any(|window| window == b"the body");
        assert_eq!(readable, !sealed_for.is_encrypted(), "{sealed_for:?}");
        for purpose in PURPOSES {
            let opened = ring.open(purpose, &binding(&audience), &sealed);
            match purpose == sealed_for {
                true => assert_eq!(opened.unwrap(), b"the body"),
                false => assert_eq!(opened.unwrap_err(), SealError::Broken, "{sealed_for:?} as {purpose:?}"),
            }
        }
    }
}

#[test]
fn each_part_of_the_binding_counts() {
    // [SEAL-003]
    let (ring, audience, another) = (one(), audience(), Audience::from("urn:another"));
    let other_plan = "019ab12c-0000-7000-8000-000000000002".parse().unwrap();
    let others = [
        ("record", Binding { record: "intent", ..binding(&audience) }),
        ("version", Binding { version: 1, ..binding(&audience) }),
        ("id", Binding { id: "y", ..binding(&audience) }),
        ("plan", Binding { plan_id: Some(other_plan), ..binding(&audience) }),
        ("no plan", Binding { plan_id: None, ..binding(&audience) }),
        ("revision", Binding { revision: 4, ..binding(&audience) }),
        ("audience", Binding { audience: &another, ..binding(&audience) }),
    ];
    for purpose in PURPOSES {
        let sealed = ring.seal(purpose, &binding(&audience), b"body").unwrap();
        assert_eq!(ring.open(purpose, &binding(&audience), &sealed).unwrap(), b"body");
        for (part, other) in &others {
            assert_eq!(ring.open(purpose, other, &sealed).unwrap_err(), SealError::Broken, "{purpose:?}, {part}");
        }
    }
}

#[test]
fn a_revision_that_readers_of_json_would_round_is_none() {
    // [DIG-022, SEAL-011]
    let (ring, audience) = (one(), audience());
    let sealed = |revision| ring.seal(Purpose::Authenticate, &Binding { revision, ..binding(&audience) }, b"body");
    sealed((1 << 53) - 1).unwrap();
    for revision in [1 << 53, (1 << 53) + 1, u64::MAX] {
        assert_eq!(sealed(revision).unwrap_err(), SealError::Malformed, "{revision}");
    }
}

#[test]
fn a_key_opens_what_it_may() {
    // [SEAL-005]
    let audience = audience();
    let sealed = one().seal(Purpose::Encrypt, &binding(&audience), b"body").unwrap();
    let open = |ring: &KeyRing| ring.open(Purpose::Encrypt, &binding(&audience), &sealed);
    let two = || key("two", 2, KeyState::Active);
    let verifying = ring([two(), key("one", 1, KeyState::VerifyOnly)]);
    assert_eq!(open(&verifying).unwrap(), b"body");
    assert_eq!(verifying.active(), &KeyId::from("two"));
    let anew = verifying.seal(Purpose::Encrypt, &binding(&audience), b"body").unwrap();
    let not_one = one().open(Purpose::Encrypt, &binding(&audience), &anew).unwrap_err();
    assert_eq!(not_one, SealError::UnknownKey("two".into()), "a key that only verifies seals nothing");
    let revoked = open(&ring([two(), key("one", 1, KeyState::Revoked)]));
    assert_eq!(revoked.unwrap_err(), SealError::RevokedKey("one".into()));
    assert_eq!(open(&ring([two()])).unwrap_err(), SealError::UnknownKey("one".into()));
    let impostor = ring([key("one", 9, KeyState::Active)]);
    assert_eq!(open(&impostor).unwrap_err(), SealError::Broken);
}

#[test]
fn a_key_id_is_bound_too() {
    // [SEAL-003]: a seal whose key id was exchanged is another key's, and holds for neither.
    let audience = audience();
    let twins = ring([key("one", 1, KeyState::Active), key("two", 1, KeyState::VerifyOnly)]);
    for purpose in PURPOSES {
        let mut sealed = twins.seal(purpose, &binding(&audience), b"body").unwrap();
        assert_eq!(sealed[2..5], *b"one");
        sealed[2..5].copy_from_slice(b"two");
        assert_eq!(twins.open(purpose, &binding(&audience), &sealed).unwrap_err(), SealError::Broken);
    }
}

#[test]
fn keys_that_make_no_ring() {
    // [SEAL-005]
    let refused = |keys: Vec<_>| KeyRing::new(keys, Arc::new(SeededEntropy::new(3))).unwrap_err();
    assert_eq!(refused(vec![]), KeyRingError::NoActiveKey);
    assert_eq!(refused(vec![key("one", 1, KeyState::VerifyOnly)]), KeyRingError::NoActiveKey);
    assert_eq!(refused(vec![key("one", 1, KeyState::Revoked)]), KeyRingError::NoActiveKey);
    assert_eq!(
        refused(vec![key("one", 1, KeyState::Active), key("two", 2, KeyState::Active)]),
        KeyRingError::TwoActiveKeys("one".into(), "two".into())
    );
    assert_eq!(
        refused(vec![key("one", 1, KeyState::Active), key("one", 2, KeyState::VerifyOnly)]),
        KeyRingError::DuplicateId("one".into())
    );
    let long = "x".repeat(65);
    for id in ["", "One", "one.two", "öne", "one two", &long] {
        assert_eq!(refused(vec![key(id, 1, KeyState::Active)]), KeyRingError::Id(id.into()), "{id}");
    }
    ring([key(&"x".repeat(64), 1, KeyState::Active)]);
}

#[test]
fn tags_of_one_purpose_are_none_of_another() {
    // [SEAL-006, SEAL-002]
    let ring = one();
    let tags: BTreeSet<_> = TAG_PURPOSES.iter().map(|purpose| ring.tag(*purpose, b"x").unwrap()).collect();
    assert_eq!(tags.len(), TAG_PURPOSES.len());
    let (same, other) = (ring.tag(TagPurpose::Effect, b"x").unwrap(), ring.tag(TagPurpose::Effect, b"y").unwrap());
    assert!(ring.tag(TagPurpose::Effect, b"x").unwrap().matches(&same) && !same.matches(&other));
    assert_eq!(same.to_string().parse::<Tag>().unwrap(), same);
    assert_eq!(format!("{same:?}"), same.to_string());
    assert_ne!(self::ring([key("one", 2, KeyState::Active)]).tag(TagPurpose::Effect, b"x").unwrap(), same);
}

#[test]
fn a_look_up_goes_by_every_key_that_is_good() {
    // [SEAL-005, KEYS-032]
    let old = one().tag(TagPurpose::Request, b"x").unwrap();
    let keys = [key("one", 1, KeyState::VerifyOnly), key("two", 2, KeyState::Active), key("six", 6, KeyState::Revoked)];
    let ring = ring(keys);
    let named = |tags: &[Tag]| tags.iter().map(|tag| tag.key().to_string()).collect::<Vec<_>>();
    let tags = ring.tags(TagPurpose::Request, b"x").unwrap();
    assert_eq!(named(&tags), ["two", "one"]);
    assert_eq!(tags[1], old);
    // What was touched stands in the way, whatever became of the key.
    assert_eq!(named(&ring.tags(TagPurpose::Effect, b"x").unwrap()), ["two", "one", "six"]);
}

#[test]
fn nonces_are_fresh() {
    // [SEAL-004]
    let (ring, audience) = (one(), audience());
    let seals: BTreeSet<_> =
        (0..100).map(|_| ring.seal(Purpose::Encrypt, &binding(&audience), b"same").unwrap()).collect();
    assert_eq!(seals.len(), 100);
}

#[test]
fn without_randomness_nothing_is_sealed() {
    // [SEAL-004]
    #[derive(Debug)]
    struct Dry;
    impl Entropy for Dry {
        fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError("dry".to_owned()))
        }
    }
    let ring = KeyRing::new([key("one", 1, KeyState::Active)], Arc::new(Dry)).unwrap();
    let audience = audience();
    let sealed = ring.seal(Purpose::Encrypt, &binding(&audience), b"body");
    assert!(matches!(sealed, Err(SealError::Entropy(_))));
    ring.seal(Purpose::Authenticate, &binding(&audience), b"body").unwrap();
    assert!(MasterKey::generate(&Dry).is_err());
}

#[test]
fn which_kinds_are_encrypted() {
    // [SEAL-001]
    let encrypted: Vec<_> =
        RecordKind::ALL.into_iter().filter(|kind| kind.is_encrypted()).map(RecordKind::name).collect();
    assert_eq!(encrypted, ["intent", "login", "result", "review", "secrets", "session"]);
    for kind in RecordKind::ALL {
        assert_eq!(Purpose::of(kind).is_encrypted(), kind.is_encrypted(), "{kind}");
        assert_eq!(RecordKind::from_name(kind.name()), Some(kind));
    }
    assert_eq!(RecordKind::from_name("another"), None);
    // Sessions have a key of their own. [SEAL-002]
    for kind in [RecordKind::Login, RecordKind::Session] {
        assert_eq!(Purpose::of(kind), Purpose::Session);
    }
}

#[test]
fn a_master_key_is_erased_and_never_printed() {
    // [SEAL-009]
    fn erased<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    let master = MasterKey::from_bytes([0xab; 32]);
    erased(&master);
    assert_eq!(format!("{master:?}"), "MasterKey(…)");
    let ring = ring([(KeyId::from("one"), master, KeyState::Active)]);
    assert_eq!(format!("{ring:?}"), "KeyRing { active: KeyId(\"one\"), .. }");
}

#[test]
fn what_is_compared_in_constant_time() {
    // [SEAL-008]: what the types offer; how long it takes is not measured here.
    use subtle::ConstantTimeEq as _;
    let (one, two) = (approval_core::Digest::of_bytes(b"1"), approval_core::Digest::of_bytes(b"2"));
    assert!(bool::from(one.ct_eq(&one)) && !bool::from(one.ct_eq(&two)));
    let tag = self::one().tag(TagPurpose::Request, b"x").unwrap();
    let other = ring([key("two", 1, KeyState::Active)]).tag(TagPurpose::Request, b"x").unwrap();
    assert!(tag.matches(&tag.clone()) && !tag.matches(&other), "the same bytes under another key's name");
}

proptest! {
    #[test]
    fn any_body_comes_back(body: Vec<u8>, purpose in 0..5usize) {
        let (ring, audience) = (one(), audience());
        let sealed = ring.seal(PURPOSES[purpose], &binding(&audience), &body).unwrap();
        prop_assert_eq!(ring.open(PURPOSES[purpose], &binding(&audience), &sealed).unwrap(), body);
    }

    #[test]
    fn any_bit_counts(body in proptest::collection::vec(any::<u8>(), 0..64), purpose in 0..5usize, at: prop::sample::Index) {
        // [SEAL-003]
        let (ring, audience) = (one(), audience());
        let mut sealed = ring.seal(PURPOSES[purpose], &binding(&audience), &body).unwrap();
        let bit = at.index(sealed.len() * 8);
        sealed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(ring.open(PURPOSES[purpose], &binding(&audience), &sealed).is_err());
    }

    #[test]
    fn any_cut_counts(body in proptest::collection::vec(any::<u8>(), 0..64), purpose in 0..5usize, at: prop::sample::Index) {
        // [SEAL-003]
        let (ring, audience) = (one(), audience());
        let sealed = ring.seal(PURPOSES[purpose], &binding(&audience), &body).unwrap();
        prop_assert!(ring.open(PURPOSES[purpose], &binding(&audience), &sealed[..at.index(sealed.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_opened_or_refused(bytes: Vec<u8>, purpose in 0..5usize) {
        let audience = audience();
        prop_assert!(one().open(PURPOSES[purpose], &binding(&audience), &bytes).is_err());
    }
}

/// HKDF-SHA-256 for one block, HMAC-SHA-256 and the framing, written from the text alone.
mod by_hand {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::Sha256;

    pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    pub(super) fn subkey(master: [u8; 32], label: &str) -> [u8; 32] {
        let extracted = hmac(&[0; 32], &[&master]);
        hmac(&extracted, &[b"mutation-approval/v0/", label.as_bytes(), &[1]])
    }
}

#[test]
fn the_bytes_are_those_of_the_text() {
    // [SEAL-010, SEAL-011, SEAL-012, SEAL-013, SEAL-014, SEAL-017]
    use base64::Engine as _;
    use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
    let (ring, audience) = (one(), audience());
    let aad = br#"{"audience":"urn:test","id":"x","keyId":"one","planId":"019ab12c-0000-7000-8000-000000000001","record":"header","revision":3,"version":0}"#;
    let body = br#"{"a":1}"#;

    let sealed = ring.seal(Purpose::Authenticate, &binding(&audience), body).unwrap();
    let lengths = [(aad.len() as u64).to_be_bytes(), (body.len() as u64).to_be_bytes()];
    let key = by_hand::subkey([1; 32], "authenticate");
    let mac = by_hand::hmac(&key, &[&lengths[0], aad, &lengths[1], body]);
    assert_eq!(sealed, [b"\x01\x03one", mac.as_slice(), body].concat());

    for (purpose, label) in [
        (Purpose::Encrypt, "encrypt"),
        (Purpose::Form, "form"),
        (Purpose::RequestState, "request-state"),
        (Purpose::Session, "session"),
    ] {
        let sealed = ring.seal(purpose, &binding(&audience), body).unwrap();
        let (head, rest) = sealed.split_at(5);
        assert_eq!(head, b"\x02\x03one");
        let (nonce, ciphertext) = rest.split_at(24);
        let cipher = chacha20poly1305::XChaCha20Poly1305::new(&by_hand::subkey([1; 32], label).into());
        let nonce: [u8; 24] = nonce.try_into().unwrap();
        let opened = cipher.decrypt(&nonce.into(), Payload { msg: ciphertext, aad }).unwrap();
        assert_eq!(opened, body, "{label}");
    }

    for (purpose, label) in [
        (TagPurpose::Effect, "effect-tag"),
        (TagPurpose::Pseudonym, "pseudonym"),
        (TagPurpose::Request, "request-tag"),
        (TagPurpose::Session, "session-tag"),
    ] {
        let tag = by_hand::hmac(&by_hand::subkey([1; 32], label), &[b"alice"]);
        let text = format!("one.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(tag));
        assert_eq!(ring.tag(purpose, b"alice").unwrap().to_string(), text);
    }
}
