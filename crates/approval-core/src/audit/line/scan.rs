//! The form that most events have, read in one go.
//!
//! A canonical event has its members in one order and nothing between them, so most can be compared with that form instead of being
//! parsed: an audit has many. Whatever doesn't fit is not refused here but read in full; what fits is read the same either way, which
//! a test holds both to.

use serde::de::value::{BorrowedStrDeserializer, Error};

use super::Facts;
use crate::audit::EventKind;
use crate::digest::Digest;
use crate::id::{ClaimId, PlanId, WriterId};
use crate::refusal::Reason;

/// The facts of an event of the usual form; `None` where it may be of another.
pub(super) fn event(line: &[u8]) -> Option<Facts> {
    let text = str::from_utf8(line).ok()?;
    let mut scan = Scan(text);
    timestamp(scan.eat(r#"{"at":""#)?.value()?)?;
    scan.eat(r#","event":{"#)?;
    if scan.has(r#""actor":""#) {
        tag(scan.value()?)?;
        scan.eat(",")?;
    }
    if scan.has(r#""challengeId":""#) {
        random16(scan.value()?)?;
        scan.eat(",")?;
    }
    let claim = match scan.has(r#""claimId":""#) {
        true => {
            let claim: ClaimId = random16(scan.value()?)?.parse().ok()?;
            scan.eat(",")?;
            Some(claim)
        }
        false => None,
    };
    let kind: EventKind = named(scan.eat(r#""kind":""#)?.value()?)?;
    if scan.has(r#","planDigest":""#) {
        digest(scan.value()?)?;
    }
    let plan: Option<PlanId> = match scan.has(r#","planId":""#) {
        true => Some(scan.value()?.parse().ok()?),
        false => None,
    };
    if scan.has(r#","reason":""#) {
        named::<Reason>(scan.value()?)?;
    }
    if scan.has(r#","recordDigest":""#) {
        digest(scan.value()?)?;
    }
    if scan.has(r#","subject":""#) {
        tag(scan.value()?)?;
    }
    scan.eat("}")?;
    let mut linked = |member| match scan.has(member) {
        true => digest(scan.value()?).map(Some),
        false => Some(None),
    };
    let plan_previous = linked(r#","planPrevious":""#)?;
    let previous = linked(r#","previous":""#)?;
    let sequence = scan.eat(r#","sequence":"#)?.number()?;
    let writer: WriterId =
        random16(scan.eat(r#","type":"mutation-approval/event/v0","writer":""#)?.value()?)?.parse().ok()?;
    if scan.0 != "}" {
        return None;
    }
    let digest = Digest::of_bytes(line);
    let heads = Vec::new();
    Some(Facts { digest, writer, sequence, previous, plan, plan_previous, kind, claim, heads, forgotten: 0 })
}

/// What is left of a line.
struct Scan<'a>(&'a str);

impl<'a> Scan<'a> {
    /// Goes past this, which must come next.
    fn eat(&mut self, expected: &str) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(self)
    }

    /// Goes past this, where it comes next.
    fn has(&mut self, expected: &str) -> bool {
        self.eat(expected).is_some()
    }

    /// The rest of a text, whose opening quotation mark has been passed, and past its end. What it may hold is asked elsewhere.
    fn value(&mut self) -> Option<&'a str> {
        let (value, rest) = self.0.split_once('"')?;
        self.0 = rest;
        Some(value)
    }

    /// A whole number from 1 on that every reader takes for itself.
    fn number(&mut self) -> Option<u64> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        if number.starts_with('0') || digits > 15 { None } else { number.parse().ok() }
    }
}

/// A moment that is surely one: the last days of a month are read in full.
fn timestamp(text: &str) -> Option<()> {
    let [
        y1,
        y2,
        y3,
        y4,
        b'-',
        mo1,
        mo2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        m1,
        m2,
        b':',
        s1,
        s2,
        b'.',
        f1,
        f2,
        f3,
        b'Z',
    ] = text.as_bytes()
    else {
        return None;
    };
    let number = |digits: &[&u8]| {
        let add = |sum: u32, digit: &&u8| digit.is_ascii_digit().then(|| sum * 10 + u32::from(**digit - b'0'));
        digits.iter().try_fold(0, add)
    };
    let within = (1970..=9999).contains(&number(&[y1, y2, y3, y4])?)
        && (1..=12).contains(&number(&[mo1, mo2])?)
        && (1..=28).contains(&number(&[d1, d2])?)
        && number(&[h1, h2])? < 24
        && number(&[m1, m2])? < 60
        && number(&[s1, s2])? < 60
        && number(&[f1, f2, f3])? < 1000;
    within.then_some(())
}

/// 16 bytes in base64url: the last character holds two bits of them.
fn random16(text: &str) -> Option<&str> {
    (text.len() == 22 && is_base64url(text) && text.ends_with(['A', 'Q', 'g', 'w'])).then_some(text)
}

/// A key's id, a full stop, and 32 bytes in base64url: the last character holds four bits of them.
fn tag(text: &str) -> Option<()> {
    let (key, bytes) = text.split_once('.')?;
    let key = key.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    let last = bytes.ends_with(['A', 'E', 'I', 'M', 'Q', 'U', 'Y', 'c', 'g', 'k', 'o', 's', 'w', '0', '4', '8']);
    (key && last && bytes.len() == 43 && is_base64url(bytes)).then_some(())
}

/// Whether all are characters of base64url. Without a way out in the middle, so that it takes the least time where it is so.
fn is_base64url(text: &str) -> bool {
    text.bytes().fold(true, |all, byte| all & (BASE64URL.get(usize::from(byte)) == Some(&true)))
}

const BASE64URL: [bool; 256] = characters(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

const fn characters(set: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while let Some((byte, _)) = set.split_at(at).1.split_first() {
        let (before, _) = table.split_at_mut(*byte as usize + 1);
        if let Some(last) = before.last_mut() {
            *last = true;
        }
        at += 1;
    }
    table
}

/// The value of a hexadecimal digit; what is none has bits that no digit has.
const NO_DIGIT: u8 = 0xf0;

const DIGITS: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut byte = 0;
    while byte < 256 {
        let (_, rest) = table.split_at_mut(byte);
        if let Some(value) = rest.first_mut() {
            *value = match byte as u8 {
                digit @ b'0'..=b'9' => digit - b'0',
                digit @ b'a'..=b'f' => digit - b'a' + 10,
                _ => NO_DIGIT,
            };
        }
        byte += 1;
    }
    table
};

fn digest(text: &str) -> Option<Digest> {
    let digits: &[u8; 64] = text.strip_prefix("sha256:")?.as_bytes().try_into().ok()?;
    let value = |digit: u8| DIGITS.get(usize::from(digit)).copied().unwrap_or(NO_DIGIT);
    let (mut bytes, mut seen) = ([0; 32], 0);
    let (pairs, _) = digits.as_chunks::<2>();
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (value(*high), value(*low));
        seen |= high | low;
        *byte = (high << 4) | low;
    }
    (seen & NO_DIGIT == 0).then(|| Digest::from_bytes(bytes))
}

fn named<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Option<T> {
    T::deserialize(BorrowedStrDeserializer::<Error>::new(text)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read_event;
    use super::*;
    use crate::audit::{Chain, EventDraft, Head};
    use crate::instant::Timestamp;

    const PLAN: &str = "019ab12c-0000-7000-8000-000000000001";

    fn any_event() -> impl Strategy<Value = Vec<u8>> {
        let kinds =
            [EventKind::AuditStarted, EventKind::ExecutionClaimed, EventKind::PlanCreated, EventKind::KeyRotated];
        let bits = any::<[bool; 9]>();
        (proptest::sample::select(kinds.to_vec()), bits, 1u64..1 << 49, any::<[u8; 32]>(), 0i64..4_102_444_800_000)
            .prop_map(|(kind, bits, sequence, bytes, at)| {
                let digest = Digest::from_bytes(bytes);
                let tag: crate::seal::Tag = format!("k-1.{}E", "b".repeat(42)).parse().unwrap();
                let mut draft = EventDraft::new(kind);
                draft.actor = bits[0].then(|| tag.clone());
                draft.subject = bits[1].then_some(tag);
                draft.challenge_id = bits[2].then(|| "RamFftlUZpm4dkmYttUKdQ".parse().unwrap());
                draft.claim_id = bits[3].then(|| "Bpiy9JFGL-bNCi8k4C6MqA".parse().unwrap());
                draft.plan_id = bits[4].then(|| PLAN.parse().unwrap());
                draft.plan_digest = bits[5].then_some(digest);
                draft.record_digest = bits[6].then_some(digest);
                draft.reason = bits[7].then_some(Reason::Paused);
                let writer = "a0wFrH_3LwAVQ0JqtqO2Gw".parse().unwrap();
                let head = Head { writer, sequence, digest };
                let plan = draft.plan_id.map(|plan| (plan, Some(digest)));
                let mut chain = Chain::at(writer, bits[8].then_some(head), plan);
                chain.append(draft, Timestamp::from_unix_millis(at)).unwrap().1.into_bytes()
            })
    }

    proptest! {
        #[test]
        fn what_fits_is_read_the_same_either_way(line in any_event(), edits in proptest::collection::vec((any::<u16>(), any::<u8>(), 0..4u8), 0..3)) {
            // [AUDIT-003]
            let mut line = line;
            for (at, byte, edit) in edits {
                let at = usize::from(at) % line.len();
                match edit {
                    0 => line[at] = byte,
                    1 => line.insert(at, byte),
                    2 => drop(line.remove(at)),
                    _ => line[at] = b"0Aa\"{}:,9gz-_."[usize::from(byte) % 14],
                }
            }
            if let Some(facts) = event(&line) {
                prop_assert_eq!(Ok(facts), read_event(&line));
            }
        }

        #[test]
        fn the_usual_form_fits(line in any_event()) {
            let late = line.get(15..17).is_some_and(|day| day > b"28");
            prop_assert!(late || event(&line).is_some(), "{}", String::from_utf8_lossy(&line));
        }
    }
}
