//! The forms of identifiers, digests and times (digest.md, 4 and 6.4).

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Whether `text` is a digest: `sha256:` and 64 lower-case hexadecimal digits. [DIG-041]
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|digits| digits.len() == 64 && is_lower_hex(digits))
}

/// Whether `text` is a version 7 UUID in lower case. [DIG-131]
pub(crate) fn is_plan_id(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let [first, second, third, fourth, fifth] = groups.as_slice() else { return false };
    let lengths = [first.len(), second.len(), third.len(), fourth.len(), fifth.len()] == [8, 4, 4, 4, 12];
    lengths
        && groups.iter().all(|group| is_lower_hex(group))
        && third.starts_with('7')
        && fourth.starts_with(['8', '9', 'a', 'b'])
}

/// The moment that a timestamp names, where it has the one form. [DIG-130]
pub(crate) fn timestamp(text: &str) -> Option<OffsetDateTime> {
    let shape = text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    if !shape.eq(*b"0000-00-00T00:00:00.000Z") {
        return None;
    }
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::{is_digest, is_plan_id, timestamp};

    #[test]
    fn each_form_has_one_spelling() {
        let digits = "0123456789abcdef".repeat(4);
        assert!(is_digest(&format!("sha256:{digits}")));
        assert!(!is_digest(&format!("sha256:{}", digits.to_uppercase())));
        assert!(!is_digest(&digits));
        assert!(is_plan_id("019b76da-a800-7bfa-b505-9be7821a2c63"));
        for other in [
            "019B76DA-a800-7bfa-b505-9be7821a2c63",
            "019b76da-a800-4bfa-b505-9be7821a2c63",
            "019b76da-a800-7bfa-c505-9be7821a2c63",
            "019b76daa8007bfab5059be7821a2c63",
            "",
        ] {
            assert!(!is_plan_id(other), "{other}");
        }
        assert!(timestamp("2026-11-29T20:08:45.000Z").is_some());
        for other in [
            "2026-11-29T20:08:45Z",
            "2026-11-29t20:08:45.000z",
            "2026-13-29T20:08:45.000Z",
            "2026-11-29T20:08:45.000+00:00",
        ] {
            assert!(timestamp(other).is_none(), "{other}");
        }
    }
}
