//! What a plain scalar is.
//!
//! Kubernetes' own tools read YAML 1.1, with additions of the Go library; most others read 1.2, and Python's 1.1 without those
//! additions. A scalar is taken if all of them agree on its value, and JSON has that value.

use approval_core::json::{Document, Limits};
use serde_json::Value;

use super::error::Fault;

/// What a plain scalar stands for, as a value.
pub(super) fn value(text: &str) -> Result<Value, Fault> {
    Ok(match text {
        "" | "null" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => match reading(text)? {
            Reading::Number(token) => number(text, &token)?,
            Reading::Text => Value::String(text.to_owned()),
        },
    })
}

/// What the mode of a file stands for: an octal number is one. [`value`] says what else it can be.
pub(super) fn mode(text: &str) -> Result<Value, Fault> {
    let octal = text.strip_prefix("0o").or_else(|| text.strip_prefix('0')).filter(|digits| !digits.is_empty());
    match octal.map(|digits| (digits, u32::from_str_radix(digits, 8))) {
        Some((digits, Ok(mode))) if !digits.starts_with('+') => Ok(mode.into()),
        _ => value(text),
    }
}

enum Reading {
    /// A number, and how JSON writes it.
    Number(String),
    Text,
}

const BOTH_BOOLEAN: &str = "a boolean for some readers of YAML and a text for others";
const BOTH_NUMBER: &str = "read as different values by different readers of YAML";
const QUOTE: &str = "quote it if it is a text";

fn reading(text: &str) -> Result<Reading, Fault> {
    let ambiguous = |readings, remedy| Err(Fault::Ambiguous { text: text.to_owned(), readings, remedy });
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return ambiguous(BOTH_BOOLEAN, "quote it, or write `true`");
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return ambiguous(BOTH_BOOLEAN, "quote it, or write `false`");
        }
        "~" | "Null" | "NULL" => return ambiguous("a null that looks like a text", "quote it, or write `null`"),
        "=" => return ambiguous("a value of its own kind for some readers of YAML and a text for others", "quote it"),
        "<<" => return Err(Fault::MergeKey),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return ambiguous("no finite number", QUOTE);
    }
    // Some readers drop underscores before anything else, unless the text begins with one.
    let digits = unsigned.replace('_', "");
    // Nothing else than a number or a point in time begins so, for any reader.
    let is_numeric = |text: &str| text.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    if text.starts_with('_') || !is_numeric(&digits) {
        return Ok(Reading::Text);
    }
    if is_date(text) {
        return ambiguous("a point in time for some readers of YAML and a text for others", "quote it");
    }
    if is_sexagesimal(unsigned) {
        return ambiguous("a number to the base 60 for some readers of YAML and a text for others", "quote it");
    }
    if let Some(token) = agreed(text) {
        return Ok(Reading::Number(token));
    }
    if is_prefixed(&digits) || is_octal_like(&digits) || is_decimal(&digits) {
        let remedy = "write a plain decimal number, or quote it if it is a text";
        return ambiguous(BOTH_NUMBER, remedy);
    }
    Ok(Reading::Text)
}

/// The JSON of a number on which all agree: decimal digits, perhaps with a point, and an exponent only with both point and sign.
fn agreed(text: &str) -> Option<String> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    if !all_digits(whole) || !fraction.is_none_or(all_digits) || whole.len() + fraction.map_or(0, str::len) == 0 {
        return None;
    }
    // `-.5` is a text for some, and a leading zero is octal.
    if whole.is_empty() && unsigned.len() < text.len() {
        return None;
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-'])?;
        if fraction.is_none() || whole.is_empty() || digits.is_empty() || !all_digits(digits) {
            return None;
        }
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.filter(|fraction| !fraction.is_empty()).map(|fraction| format!(".{fraction}"));
    let exponent = exponent.map(|exponent| format!("e{exponent}"));
    Some(format!("{sign}{whole}{}{}", fraction.unwrap_or_default(), exponent.unwrap_or_default()))
}

/// `0x1F`, `0b11`, `0o17`, of which each is a number for some.
fn is_prefixed(digits: &str) -> bool {
    let lower = digits.to_ascii_lowercase();
    [("0x", 16), ("0b", 2), ("0o", 8)].into_iter().any(|(prefix, radix)| {
        // A sign may follow, for the reader of Kubernetes.
        let rest = lower.strip_prefix(prefix).map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
        rest.is_some_and(|rest| rest.chars().all(|digit| digit.is_digit(radix)))
    })
}

/// `0777`, and `0789`, which some take for decimal.
fn is_octal_like(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// Whatever anybody may take for a decimal number: `1e3`, `1_000`, `.5e1`, `1.2.3` (which YAML 1.1's own pattern admits).
fn is_decimal(digits: &str) -> bool {
    let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    // Two points are a version or an address for everybody but that pattern, which no reader follows to the letter.
    mantissa.bytes().filter(|byte| *byte == b'.').count() <= 1
        && mantissa.bytes().any(|byte| byte.is_ascii_digit())
        && mantissa.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && exponent.bytes().all(|byte| byte.is_ascii_digit())
}

/// `1:30`, `190:20:30.15`.
fn is_sexagesimal(unsigned: &str) -> bool {
    let mut parts = unsigned.split(':');
    let first = parts.next().is_some_and(|part| {
        part.starts_with(|digit: char| digit.is_ascii_digit())
            && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
    });
    let mut count = 0;
    let rest = parts.all(|part| {
        count += 1;
        let whole = part.split_once('.').map_or(part, |(whole, _)| whole);
        matches!(whole.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
            && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'_')
    });
    first && rest && count > 0
}

/// `2026-11-30`, whatever follows: `T10:00:00Z`, ` 10:00:00.5 +1`.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let mut digits = |lengths: std::ops::RangeInclusive<usize>| {
        parts.next().filter(|part| lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if digits(4..=4).is_none() || digits(1..=2).is_none() {
        return false;
    }
    let rest = parts.next().unwrap_or_default();
    let day = rest.bytes().take_while(u8::is_ascii_digit).count();
    let after = rest.get(day..).unwrap_or_default();
    (1..=2).contains(&day) && (after.is_empty() || after.starts_with(['T', 't', ' ', '\t']))
}

/// The number, if it has a canonical form.
fn number(text: &str, token: &str) -> Result<Value, Fault> {
    let refuse = |why: String| Fault::Number { text: text.to_owned(), why };
    let admitted = Document::parse(format!("{{\"n\":{token}}}").as_bytes(), &Limits::ARGUMENTS)
        .map_err(|error| refuse(error.fault().to_string()))?;
    let value = admitted.to_value().get_mut("n").map(Value::take);
    value.ok_or_else(|| refuse("no number".to_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_all_agree_on_is_taken() {
        for (text, expected) in [
            ("", json!(null)),
            ("null", json!(null)),
            ("true", json!(true)),
            ("FALSE", json!(false)),
            ("0", json!(0)),
            ("-12", json!(-12)),
            ("+7", json!(7)),
            ("9007199254740991", json!(9_007_199_254_740_991_i64)),
            ("0.5", json!(0.5)),
            (".5", json!(0.5)),
            ("1.", json!(1)),
            ("1.5e+3", json!(1500)),
            ("-2.5E-1", json!(-0.25)),
            ("nginx:1.27", json!("nginx:1.27")),
            ("100m", json!("100m")),
            ("1Gi", json!("1Gi")),
            ("1.2.3", json!("1.2.3")),
            ("10.0.0.0/8", json!("10.0.0.0/8")),
            ("8080:80", json!("8080:80")),
            ("--flag", json!("--flag")),
            ("-", json!("-")),
            ("nO", json!("nO")),
            ("_3", json!("_3")),
            ("none", json!("none")),
            (".hidden", json!(".hidden")),
            ("...", json!("...")),
            ("1-2-3", json!("1-2-3")),
            ("2026-11-30x", json!("2026-11-30x")),
            ("0xyz", json!("0xyz")),
            ("3e", json!("3e")),
            ("5e8b1f", json!("5e8b1f")),
        ] {
            // A bare exponent is a number for nobody, yet too near to one to be let through.
            if text == "3e" {
                assert!(value(text).is_err());
                continue;
            }
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_some_read_otherwise_is_refused() {
        for text in [
            "y",
            "Yes",
            "NO",
            "on",
            "Off",
            "~",
            "Null",
            "=",
            ".inf",
            "-.INF",
            ".NaN",
            "0777",
            "-0777",
            "08",
            "0o17",
            "0b11",
            "-0b1",
            "0x1F",
            "0X1f",
            "0_b1",
            "+_3",
            "-.5",
            "-__0_7",
            "0b-1",
            "1_000",
            "1_0.5",
            "1e3",
            "1E5",
            "1.5e3",
            ".5e+1",
            "1:30",
            "190:20:30",
            "12:30:45.6",
            "2026-11-30",
            "2026-1-3",
            "2026-11-30T10:00:00Z",
            "2026-11-30 10:00:00",
            "00",
            "+012",
            "12e03",
            "0.5_1",
        ] {
            assert!(matches!(value(text), Err(Fault::Ambiguous { .. })), "{text}: {:?}", value(text));
        }
        assert_eq!(value("<<"), Err(Fault::MergeKey));
    }

    #[test]
    fn a_number_without_a_canonical_form_is_refused() {
        for text in ["9007199254740993", "-9007199254740992", "0.1000000000000000055511151231257827", "1.5e+400"] {
            assert!(matches!(value(text), Err(Fault::Number { .. })), "{text}: {:?}", value(text));
        }
    }

    #[test]
    fn a_mode_may_be_octal() {
        assert_eq!(mode("0644"), Ok(json!(420)));
        assert_eq!(mode("0o755"), Ok(json!(493)));
        assert_eq!(mode("420"), Ok(json!(420)));
        assert_eq!(mode("0"), Ok(json!(0)));
        assert_eq!(mode("0644x"), Ok(json!("0644x")));
        assert!(mode("0888").is_err());
        assert!(mode("0o+7").is_err());
        assert!(mode("0_644").is_err());
    }
}
