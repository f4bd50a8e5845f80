//! The written form of digests.

use std::collections::{BTreeSet, HashSet};

use approval_core::digest::{Digest, ParseDigestError};
use approval_core::json::{Document, Limits};

/// `sha256sum` of the bytes `{"a":1}`.
const WRITTEN: &str = "sha256:015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";

#[test]
fn a_digest_is_the_sha_256_of_the_canonical_bytes() {
    // [DIG-040] [DIG-041]
    let document = Document::parse(b" { \"a\": 1.0 } ", &Limits::ARGUMENTS).unwrap();
    assert_eq!(document.digest().to_string(), WRITTEN);
    assert_eq!(document.digest(), Digest::of_bytes(br#"{"a":1}"#));
    assert_eq!(format!("{:?}", document.digest()), WRITTEN);
}

#[test]
fn only_the_one_written_form_is_read() {
    // [DIG-041]
    let digest: Digest = WRITTEN.parse().unwrap();
    assert_eq!(digest.to_string(), WRITTEN);
    assert_eq!(Digest::from_bytes(*digest.as_bytes()), digest);
    let hex = &WRITTEN[7..];
    for (text, error) in [
        (String::new(), ParseDigestError::Algorithm),
        (hex.to_owned(), ParseDigestError::Algorithm),
        (format!("SHA256:{hex}"), ParseDigestError::Algorithm),
        (format!("sha512:{hex}"), ParseDigestError::Algorithm),
        (format!(" {WRITTEN}"), ParseDigestError::Algorithm),
        ("sha256:".to_owned(), ParseDigestError::Length),
        (format!("{WRITTEN}0"), ParseDigestError::Length),
        (format!("{WRITTEN}\n"), ParseDigestError::Length),
        (WRITTEN[..70].to_owned(), ParseDigestError::Length),
        (WRITTEN.to_uppercase().replace("SHA", "sha"), ParseDigestError::Digit),
        (WRITTEN.replace("5abd", "5abg"), ParseDigestError::Digit),
        (WRITTEN.replace("5abd", "5a é"), ParseDigestError::Length),
        (WRITTEN.replace("5abd", "5aé"), ParseDigestError::Digit),
    ] {
        assert_eq!(text.parse::<Digest>(), Err(error), "{text}");
    }
}

#[test]
fn it_travels_as_a_string() {
    let digest: Digest = WRITTEN.parse().unwrap();
    let json = serde_json::to_value(digest).unwrap();
    assert_eq!(json, WRITTEN);
    assert_eq!(serde_json::from_value::<Digest>(json).unwrap(), digest);
    let error = serde_json::from_value::<Digest>("sha256:AA".into()).unwrap_err();
    assert_eq!(error.to_string(), "a digest has 64 hexadecimal digits");
    let schema = schemars::schema_for!(Digest);
    assert_eq!(schema.get("pattern"), Some(&"^sha256:[0-9a-f]{64}$".into()));
    assert_eq!(schema.get("type"), Some(&"string".into()));
}

#[test]
fn one_bit_makes_another_digest() {
    // [DIG-042]
    let digest: Digest = WRITTEN.parse().unwrap();
    let mut others = HashSet::from([digest]);
    for bit in 0..256 {
        let mut bytes = *digest.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let other = Digest::from_bytes(bytes);
        assert_ne!(other, digest);
        assert_eq!(other.cmp(&digest), bytes.cmp(digest.as_bytes()));
        others.insert(other);
    }
    assert_eq!(others.len(), 257);
    assert_eq!(others.into_iter().collect::<BTreeSet<_>>().len(), 257);
}
