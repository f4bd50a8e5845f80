//! Signed envelopes and key sets, as they come from anybody.

use approval_core::json::{Document, Limits};
use approval_core::signing::{
    KeySet, PublicKey, Revocation, RevocationReason, Signer as _, SigningKey, SigningKeys, SigningPurpose, open, sign,
};
use approval_core::{Audience, Timestamp, receipt};
use approval_testkit::SeededEntropy;
use fuzz::{corpus, explore};

use crate::history;

fn moment() -> Timestamp {
    "2026-11-23T00:00:00.000Z".parse().unwrap()
}

fn signer(seed: u64) -> SigningKeys {
    SigningKeys::generate(Audience::from("urn:example"), moment(), &SeededEntropy::new(seed)).unwrap()
}

const PAYLOADS: [&[u8]; 4] = [b"", b"{}", b"{\"a\":1}", b"a payload of some length, which is no JSON \xff"];

#[test]
fn only_what_was_signed_for_a_purpose_opens_for_it() {
    // [KEYS-011, KEYS-020]
    let (ours, others) = (signer(1), signer(2));
    let mut signed = Vec::new();
    let mut seeds = Vec::new();
    for purpose in SigningPurpose::ALL {
        for payload in PAYLOADS {
            let envelope = sign(&ours, purpose, payload, moment()).unwrap();
            seeds.push(envelope.clone());
            signed.push((envelope, purpose, payload));
            seeds.push(sign(&others, purpose, payload, moment()).unwrap());
        }
    }
    explore!(seeds, |input: &[u8]| {
        for purpose in SigningPurpose::ALL {
            let found = open(input, purpose, ours.key_set()).map(|opened| opened.payload().to_vec()).ok();
            let made = signed.iter().find(|(envelope, of, _)| envelope == input && *of == purpose);
            assert_eq!(found.as_deref(), made.map(|(_, _, payload)| *payload));
        }
    });
}

#[test]
fn a_key_set_is_written_as_it_was_read() {
    // [KEYS-002]
    let set = signer(1).key_set().clone();
    let id = set.keys()[0].id().to_string();
    let revoked =
        set.clone().revoked(&id, Revocation { revoked_at: moment(), reason: RevocationReason::Retired }).unwrap();
    let mut seeds: Vec<Vec<u8>> = [&set, &revoked].map(|set| set.document().unwrap().into_bytes()).into();
    // Members that aren't there, and are said not to be.
    for member in ["notAfter", "revokedAt", "reason"] {
        let text = String::from_utf8(seeds[0].clone()).unwrap();
        seeds.push(text.replacen("\"notBefore\"", &format!("\"{member}\":null,\"notBefore\""), 1).into_bytes());
    }
    assert!(KeySet::parse(&seeds[0]).is_ok() && KeySet::parse(&seeds[1]).is_ok());
    explore!(seeds, |input: &[u8]| {
        if let Ok(set) = KeySet::parse(input) {
            assert_eq!(set.document(), Document::parse(input, &Limits::ARGUMENTS));
            for key in set.keys() {
                assert!(key.public_key().map(PublicKey::id).is_none_or(|id| id == *key.id()));
            }
        }
    });
}

/// The points of order 1, 2, 4 and 8, but for the sign of x.
const SMALL_ORDER: [&str; 5] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
];

#[test]
fn public_keys_have_one_form() {
    // [KEYS-004]
    let good = SigningKey::from_bytes(&[7; 32]).public_key().as_bytes().to_vec();
    let mut beyond_p = vec![0xff; 32];
    beyond_p[0] = 0xee;
    beyond_p[31] = 0x7f;
    let mut seeds = vec![good, beyond_p, vec![0xff; 32]];
    seeds.extend(SMALL_ORDER.map(|key| hex::decode(key).unwrap()));
    seeds.extend(corpus("ids"));
    explore!(seeds, |input: &[u8]| {
        let Ok(bytes) = <[u8; 32]>::try_from(input) else { return };
        if let Ok(key) = PublicKey::from_bytes(&bytes) {
            assert_eq!(key.as_bytes(), &bytes);
            // A key whose y isn't below the prime, or of which there are few signatures, is none.
            let reduced = bytes[0] < 0xed || bytes[1..31].iter().any(|byte| *byte != 0xff) || bytes[31] & 0x7f != 0x7f;
            assert!(reduced, "{bytes:02x?}");
            let mut of_either_sign = bytes;
            of_either_sign[31] &= 0x7f;
            assert!(!SMALL_ORDER.contains(&&*hex::encode(of_either_sign)), "{bytes:02x?}");
        }
    });
}

#[test]
fn only_what_was_issued_is_a_receipt() {
    // [RCPT-020]
    let room = history::run(history::lived_in());
    let plans: Vec<_> = room.memory.as_ref().unwrap().tables().plans.keys().copied().collect();
    let receipts: Vec<Vec<u8>> = history::run(async {
        let mut receipts = Vec::new();
        for plan in plans {
            receipts.extend(room.approvals.operators_receipt(plan).await.ok());
        }
        receipts
    });
    assert!(receipts.len() > 2);
    let keys = room.signer.key_set().clone();
    explore!(receipts.clone(), |input: &[u8]| {
        assert_eq!(receipt::verify(input, &keys, None).is_ok(), receipts.iter().any(|receipt| receipt == input));
    });
}
