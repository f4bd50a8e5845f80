//! Times, identifiers and digests: one spelling each, held against a reading of the form letter by letter.

use std::fmt::Display;
use std::str::FromStr;

use approval_core::{ChallengeId, ClaimId, Digest, Nonce, PlanId, Salt, Timestamp, WriterId};
use fuzz::{corpus, explore};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a text in both ways that there are: by itself, and as a member of a record. What is read is written as it was.
fn reads<T: FromStr + Display + DeserializeOwned + PartialEq>(input: &[u8], well_formed: fn(&[u8]) -> bool) {
    let Ok(text) = str::from_utf8(input) else { return };
    let parsed = text.parse::<T>().ok();
    assert_eq!(parsed.is_some(), well_formed(input), "{text:?}");
    assert!(serde_json::from_value::<T>(Value::from(text)).ok() == parsed, "{text:?} as a member");
    if let Some(parsed) = parsed {
        assert_eq!(parsed.to_string(), text);
    }
}

#[test]
fn timestamps() {
    // [DIG-130]
    explore!(corpus("timestamps"), |input: &[u8]| reads::<Timestamp>(input, is_timestamp));
}

#[test]
fn plan_ids() {
    // [DIG-131]
    explore!(corpus("ids"), |input: &[u8]| reads::<PlanId>(input, is_plan_id));
}

#[test]
fn random_ids() {
    // [DIG-132]
    explore!(corpus("ids"), |input: &[u8]| {
        reads::<ChallengeId>(input, |text| is_base64url(text, 22, 4));
        reads::<ClaimId>(input, |text| is_base64url(text, 22, 4));
        reads::<WriterId>(input, |text| is_base64url(text, 22, 4));
    });
}

#[test]
fn salts_and_nonces() {
    // [DIG-110]
    explore!(corpus("ids"), |input: &[u8]| {
        reads::<Salt>(input, |text| is_base64url(text, 43, 2));
        reads::<Nonce>(input, |text| is_base64url(text, 43, 2));
    });
}

#[test]
fn digests() {
    // [DIG-041]
    explore!(corpus("digests"), |input: &[u8]| reads::<Digest>(input, is_digest));
}

fn is_timestamp(text: &[u8]) -> bool {
    let form = b"dddd-dd-ddTdd:dd:dd.dddZ";
    let fits = |(byte, form): (&u8, &u8)| if *form == b'd' { byte.is_ascii_digit() } else { byte == form };
    if text.len() != form.len() || !text.iter().zip(form).all(fits) {
        return false;
    }
    let number = |from: usize, to: usize| text[from..to].iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day) && number(11, 13) < 24 && number(14, 16) < 60 && number(17, 19) < 60
}

fn is_plan_id(text: &[u8]) -> bool {
    let form = b"hhhhhhhh-hhhh-7hhh-vhhh-hhhhhhhhhhhh";
    text.len() == form.len()
        && text.iter().zip(form).all(|(byte, form)| match form {
            b'h' => is_lower_hex(*byte),
            b'v' => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            form => byte == form,
        })
}

fn is_digest(text: &[u8]) -> bool {
    text.strip_prefix(b"sha256:").is_some_and(|hex| hex.len() == 64 && hex.iter().all(|byte| is_lower_hex(*byte)))
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// So many characters of base64url, whose last has so many bits that belong to no byte and are zero.
pub(crate) fn is_base64url(text: &[u8], len: usize, spare_bits: u32) -> bool {
    let sextet = |byte: u8| {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".iter().position(|known| *known == byte)
    };
    text.len() == len
        && text.iter().all(|byte| sextet(*byte).is_some())
        && text.last().and_then(|last| sextet(*last)).is_some_and(|last| last % (1 << spare_bits) == 0)
}
