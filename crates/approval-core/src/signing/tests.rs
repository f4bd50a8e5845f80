use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::entropy::{Entropy, EntropyError};
use crate::id::Audience;
use crate::json::{Document, Limits};

/// The n-th byte is n.
#[derive(Debug)]
struct Counting;

impl Entropy for Counting {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        buffer.iter_mut().zip(0..).for_each(|(to, byte)| *to = byte);
        Ok(())
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_767_225_600_000 + 1000 * seconds)
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32])
}

fn dated(byte: u8, purpose: SigningPurpose) -> DatedKey {
    DatedKey::new(&key(byte).public_key(), purpose, at(0))
}

fn set(keys: impl IntoIterator<Item = DatedKey>) -> KeySet {
    KeySet::new(Audience::from("urn:test"), keys.into_iter().collect()).unwrap()
}

/// Receipt key 1, checkpoint key 2, from moment 0 on.
fn keys() -> SigningKeys {
    let set = set([dated(1, SigningPurpose::Receipt), dated(2, SigningPurpose::Checkpoint)]);
    SigningKeys::new(set, [key(1), key(2)])
}

fn signed(payload: &[u8]) -> Vec<u8> {
    sign(&keys(), SigningPurpose::Receipt, payload, at(1)).unwrap()
}

fn fault(envelope: &[u8], set: &KeySet) -> &'static str {
    open(envelope, SigningPurpose::Receipt, set).map(|_| "taken").unwrap_or_else(SignatureFault::code)
}

#[test]
fn what_is_signed_is_the_pre_authentication_encoding() {
    // [KEYS-011]: the example of the DSSE protocol, with our type.
    let input = SigningInput::new(SigningPurpose::Receipt, b"hello world");
    assert_eq!(input.as_bytes(), b"DSSEv1 28 application/vnd.in-toto+json 11 hello world");
    assert_eq!(input.payload(), b"hello world");
}

#[test]
fn signatures_are_those_of_rfc_8032() {
    // Section 7.1, test 1: the key's public half, and its signature of nothing.
    let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
    let key = SigningKey::from_bytes(seed.as_slice().try_into().unwrap());
    let public = key.public_key();
    assert_eq!(hex::encode(public.as_bytes()), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    let mut signature: [u8; 64] = hex::decode(signature).unwrap().try_into().unwrap();
    assert!(public.verifies(b"", &signature));
    assert!(!public.verifies(b"x", &signature));
    // [KEYS-021]: the same signature with the group's order added to S is another spelling of it.
    let order = hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let mut carry = 0;
    for (byte, more) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert!(!public.verifies(b"", &signature));
}

#[test]
fn a_key_is_named_by_its_public_half() {
    // [KEYS-003]
    let key = SigningKey::generate(&Counting).unwrap();
    assert_eq!(key.as_bytes()[..3], [0, 1, 2]);
    assert_eq!(key.public_key().id().as_str(), "56475aa75463474c0285df5dbf2bcab7");
    // [KEYS-005]
    assert_eq!(format!("{key:?}"), "SigningKey(56475aa75463474c0285df5dbf2bcab7)");
}

#[test]
fn keys_of_small_order_or_of_two_spellings_are_no_keys() {
    // [KEYS-004]
    let point = |text: &str| PublicKey::from_bytes(hex::decode(text).unwrap().as_slice().try_into().unwrap());
    assert!(point(&hex::encode(key(1).public_key().as_bytes())).is_ok());
    for weak in [
        // The neutral element, a point of order 2, one of order 4, one of order 8.
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        // y = 3 + p, which is 3 again.
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        // No point at all.
        "0200000000000000000000000000000000000000000000000000000000000000",
    ] {
        assert_eq!(point(weak), Err(PublicKeyError), "{weak}");
    }
}

#[test]
fn a_signed_payload_opens() {
    // [KEYS-020]
    let keys = keys();
    let envelope = signed(b"{}");
    let opened = open(&envelope, SigningPurpose::Receipt, keys.key_set()).unwrap();
    assert_eq!(opened.payload(), b"{}");
    assert_eq!(opened.at(at(1)).unwrap().id(), &key(1).public_key().id());
    // It is what other implementations of DSSE read.
    let read: Value = serde_json::from_slice(&envelope).unwrap();
    assert_eq!(read["payload"], STANDARD.encode(b"{}"));
    assert_eq!(read["payloadType"], "application/vnd.in-toto+json");
    assert_eq!(read["signatures"].as_array().unwrap().len(), 1);
    // And canonical.
    assert_eq!(Document::parse(&envelope, &Limits::PLAN).unwrap().as_bytes(), envelope);
}

#[test]
fn a_signature_for_one_purpose_is_none_for_another() {
    // [KEYS-010, KEYS-011]
    let keys = keys();
    let checkpoint = sign(&keys, SigningPurpose::Checkpoint, b"{}", at(1)).unwrap();
    assert!(open(&checkpoint, SigningPurpose::Checkpoint, keys.key_set()).is_ok());
    assert_eq!(fault(&checkpoint, keys.key_set()), "payload_type");

    // Named otherwise, it is by a key of another purpose.
    let text = String::from_utf8(checkpoint).unwrap();
    let renamed =
        text.replace(SigningPurpose::Checkpoint.payload_type(), SigningPurpose::Receipt.payload_type()).into_bytes();
    assert_eq!(fault(&renamed, keys.key_set()), "key_purpose");

    // Were the key for both, the signature still says what it is for.
    let mut both: Value = serde_json::to_value(set([dated(2, SigningPurpose::Checkpoint)])).unwrap();
    both["keys"][0]["purposes"] = json!(["receipt", "checkpoint"]);
    let both = KeySet::parse(both.to_string().as_bytes()).unwrap();
    assert!(open(text.as_bytes(), SigningPurpose::Checkpoint, &both).is_ok());
    assert_eq!(fault(&renamed, &both), "signature_invalid");
}

#[test]
fn every_reason_in_its_order() {
    // [KEYS-020, KEYS-023]
    let good = signed(b"{}");
    let ours = keys().key_set().clone();
    assert_eq!(fault(&good, &ours), "taken");

    let text = String::from_utf8(good.clone()).unwrap();
    let edited = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1).into_bytes()
    };
    assert_eq!(fault(b"", &ours), "envelope_malformed");
    assert_eq!(fault(b"{}", &ours), "envelope_malformed");
    assert_eq!(fault(&[good.as_slice(), b"\n"].concat(), &ours), "envelope_malformed");
    assert_eq!(fault(&edited("{", "{ "), &ours), "envelope_malformed");
    assert_eq!(fault(&edited("\"e30=\"", "\"e31=\""), &ours), "envelope_malformed");
    assert_eq!(fault(&edited("\"e30=\"", "\"e30\""), &ours), "envelope_malformed");
    assert_eq!(fault(&edited("\"payload\"", "\"more\":1,\"payload\""), &ours), "envelope_malformed");
    let mut value: Value = serde_json::from_str(&text).unwrap();
    let canonical = |value: &Value| Document::from_value(value, &Limits::PLAN).unwrap().into_bytes();
    let twice = [value["signatures"][0].clone(), value["signatures"][0].clone()];
    value["signatures"] = json!(twice);
    assert_eq!(fault(&canonical(&value), &ours), "signature_count");
    value["signatures"] = json!([]);
    assert_eq!(fault(&canonical(&value), &ours), "signature_count");
    assert_eq!(fault(&edited("in-toto+json", "in-toto"), &ours), "payload_type");
    assert_eq!(fault(&good, &set([dated(3, SigningPurpose::Receipt)])), "key_unknown");
    assert_eq!(fault(&good, &set([dated(1, SigningPurpose::Checkpoint)])), "key_purpose");
    let mut other: Value = serde_json::to_value(&ours).unwrap();
    other["keys"][0]["algorithm"] = json!("Ed448");
    assert_eq!(fault(&good, &KeySet::parse(other.to_string().as_bytes()).unwrap()), "key_algorithm");
    assert_eq!(fault(&edited("\"e30=\"", "\"e31h\""), &ours), "signature_invalid");
    let compromised = Revocation { revoked_at: at(100), reason: RevocationReason::Compromised };
    let id = key(1).public_key().id();
    assert_eq!(fault(&good, &ours.clone().revoked(id.as_str(), compromised).unwrap()), "key_compromised");
    assert!(ours.revoked("another", compromised).is_none());
}

#[test]
fn a_key_is_good_within_its_dates() {
    // [KEYS-022, KEYS-023]
    let good = signed(b"{}");
    let when = |set: &KeySet, moment| {
        let opened = open(&good, SigningPurpose::Receipt, set).unwrap();
        opened.at(moment).map(|_| "good").unwrap_or_else(SignatureFault::code)
    };
    let ours = set([dated(1, SigningPurpose::Receipt).until(at(10))]);
    assert_eq!(when(&ours, at(-1)), "key_not_yet_good");
    assert_eq!(when(&ours, at(0)), "good");
    assert_eq!(when(&ours, at(10)), "good");
    assert_eq!(when(&ours, at(11)), "key_expired");
    let retired = Revocation { revoked_at: at(5), reason: RevocationReason::Retired };
    let ours = ours.revoked(key(1).public_key().id().as_str(), retired).unwrap();
    assert_eq!(when(&ours, at(4)), "good");
    assert_eq!(when(&ours, at(5)), "key_revoked");
    // What was found to be compromised doesn't become less so.
    let compromised = Revocation { revoked_at: at(7), reason: RevocationReason::Compromised };
    let ours = ours.revoked(key(1).public_key().id().as_str(), compromised).unwrap();
    let ours = ours.revoked(key(1).public_key().id().as_str(), retired).unwrap();
    assert_eq!(ours.keys()[0].revocation().unwrap().reason, RevocationReason::Compromised);
    assert_eq!(ours.keys()[0].revocation().unwrap().revoked_at, at(5));
}

#[test]
fn the_active_key_is_the_newest_that_is_good() {
    // [KEYS-012, KEYS-013]
    let second = DatedKey::new(&key(4).public_key(), SigningPurpose::Receipt, at(100));
    let rotated = keys().key_set().clone().succeeded_by(second, at(200)).unwrap();
    let active = |moment| rotated.active(SigningPurpose::Receipt, moment).map(|key| key.id().clone());
    assert_eq!(active(at(-1)), None);
    assert_eq!(active(at(99)), Some(key(1).public_key().id()));
    assert_eq!(active(at(100)), Some(key(4).public_key().id()));
    assert_eq!(active(at(1000)), Some(key(4).public_key().id()));
    // The other purpose's key goes on.
    assert_eq!(rotated.active(SigningPurpose::Checkpoint, at(1000)).unwrap().id(), &key(2).public_key().id());
    // A process that runs on with the first key alone signs until the overlap ends, and then nothing.
    let behind = SigningKeys::new(set([rotated.keys()[0].clone()]), [key(1)]);
    assert!(sign(&behind, SigningPurpose::Receipt, b"{}", at(200)).is_ok());
    let error = sign(&behind, SigningPurpose::Receipt, b"{}", at(201)).unwrap_err();
    assert_eq!(error, SignError::NoActiveKey { purpose: SigningPurpose::Receipt, at: at(201) });
    // A key whose secret half isn't there signs nothing.
    let absent = SigningKeys::new(rotated, [key(1)]);
    assert!(matches!(sign(&absent, SigningPurpose::Receipt, b"{}", at(150)), Err(SignError::Unavailable(_))));
}

#[test]
fn a_key_set_is_read_strictly() {
    // [KEYS-001, KEYS-002, KEYS-003, KEYS-004]
    let good = serde_json::to_value(keys().key_set()).unwrap();
    let read = |value: &Value| KeySet::parse(value.to_string().as_bytes());
    assert_eq!(read(&good).unwrap(), *keys().key_set());
    let refused = |edit: fn(&mut Value)| {
        let mut value = good.clone();
        edit(&mut value);
        read(&value).unwrap_err().to_string()
    };
    insta::assert_snapshot!(
        [
            refused(|set| set["type"] = json!("mutation-approval/key-set/v1")),
            refused(|set| set["more"] = json!(1)),
            refused(|set| set["keys"][0]["more"] = json!(1)),
            refused(|set| set["keys"][0]["id"] = json!("another")),
            refused(|set| set["keys"][1] = set["keys"][0].clone()),
            refused(|set| set["keys"][0]["publicKey"] = json!("AAAA")),
            refused(|set| set["keys"][0]["publicKey"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
            refused(|set| set["keys"][0]["purposes"] = json!([])),
            refused(|set| set["keys"][0]["purposes"] = json!(["receipt", "receipt"])),
            refused(|set| set["keys"][0]["purposes"] = json!(["anything"])),
            refused(|set| set["keys"][0]["notAfter"] = json!("2025-12-31T00:00:00.000Z")),
            refused(|set| set["keys"][0]["revokedAt"] = json!("2026-12-31T00:00:00.000Z")),
            refused(|set| set["keys"][0]["reason"] = json!("retired")),
            refused(|set| set["keys"][0]["notAfter"] = json!(null)),
        ]
        .join("\n")
    );
    let doubled = good.to_string().replacen("\"audience\"", "\"audience\":\"urn:other\",\"audience\"", 1);
    assert!(matches!(KeySet::parse(doubled.as_bytes()), Err(KeySetError::Inadmissible(_))));
}

#[test]
fn a_key_set_is_the_same_when_read_again() {
    let set = keys().key_set().clone();
    let revocation = Revocation { revoked_at: at(9), reason: RevocationReason::Compromised };
    let set = set.revoked(key(2).public_key().id().as_str(), revocation).unwrap();
    let set = set.succeeded_by(dated(5, SigningPurpose::Receipt), at(50)).unwrap();
    assert_eq!(KeySet::parse(set.document().unwrap().as_bytes()).unwrap(), set);
}

proptest! {
    #[test]
    fn any_edit_of_one_byte_is_refused(position in any::<prop::sample::Index>(), byte in any::<u8>(), how in 0..3u8) {
        // [KEYS-020]
        let mut envelope = signed(br#"{"a":[1,2,3]}"#);
        let position = position.index(envelope.len());
        match how {
            0 => { envelope.remove(position); }
            1 => envelope.insert(position, byte),
            _ => {
                prop_assume!(envelope[position] != byte);
                envelope[position] = byte;
            }
        }
        prop_assert!(open(&envelope, SigningPurpose::Receipt, keys().key_set()).is_err());
    }

    #[test]
    fn any_payload_comes_out_as_it_went_in(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        let opened = open(&signed(&payload), SigningPurpose::Receipt, keys().key_set()).unwrap().payload().to_vec();
        prop_assert_eq!(opened, payload);
    }
}
