//! Numbers: which tokens are admitted, and how they're written. [DIG-033]

use super::fault::Fault;

/// 2⁵³−1: up to here every integer is a double of its own, and no two integers share one.
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The digits of [`MAX_INTEGER`].
const MAX_INTEGER_TEXT: &[u8; 16] = b"9007199254740991";

/// What a scan found at the start of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A number with a fraction or an exponent.
    Decimal,
    /// No number: it breaks off after the bytes counted.
    Incomplete,
    /// An optional sign and digits.
    Integer,
}

/// Counts the bytes that continue a number (RFC 8259, section 6), from its first byte on.
pub(super) fn scan(bytes: &[u8]) -> (usize, Form) {
    let at = |i: usize| bytes.get(i).copied().unwrap_or_default();
    let digits = |mut i: usize| {
        while at(i).is_ascii_digit() {
            i += 1;
        }
        i
    };
    let mut i = usize::from(at(0) == b'-');
    match at(i) {
        b'0' => i += 1,
        b'1'..=b'9' => i = digits(i),
        _ => return (i, Form::Incomplete),
    }
    let mut form = Form::Integer;
    if at(i) == b'.' {
        let end = digits(i + 1);
        if end == i + 1 {
            return (end, Form::Incomplete);
        }
        (i, form) = (end, Form::Decimal);
    }
    if matches!(at(i), b'e' | b'E') {
        i += 1 + usize::from(matches!(at(i + 1), b'+' | b'-'));
        let end = digits(i);
        if end == i {
            return (end, Form::Incomplete);
        }
        (i, form) = (end, Form::Decimal);
    }
    (i, form)
}

/// Writes the canonical form of an integer token.
pub(super) fn push_integer(token: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
    let digits = token.strip_prefix(b"-").unwrap_or(token);
    // Leading zeros are no JSON, so more digits are a larger number and equally many compare as texts.
    // [DIG-022]
    if digits.len() > MAX_INTEGER_TEXT.len()
        || digits.len() == MAX_INTEGER_TEXT.len() && digits > MAX_INTEGER_TEXT.as_slice()
    {
        return Err(Fault::IntegerOutOfRange);
    }
    out.extend_from_slice(if digits == b"0" { digits } else { token });
    Ok(())
}

/// Writes the canonical form of a token that has a fraction or an exponent.
pub(super) fn push_decimal(token: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
    let decimal = Decimal::of(token.as_bytes());
    if decimal.significand == Some(0) {
        out.push(b'0');
        return Ok(());
    }
    // Correctly rounded: the standard library promises the nearest double, ties to even, and infinity beyond.
    let double: f64 = token.parse().map_err(|_| Fault::Syntax)?;
    if double.is_infinite() {
        return Err(Fault::NotFinite); // [DIG-021]
    }
    // An integral value within the range is exact; one beyond it rounds to a double that is beyond it too.
    if decimal.exponent >= 0 && double.abs() > MAX_INTEGER as f64 {
        return Err(Fault::IntegerOutOfRange); // [DIG-022]
    }
    let mut buffer = ryu_js::Buffer::new();
    let text = buffer.format_finite(double).as_bytes();
    if Decimal::of(text) != decimal {
        return Err(Fault::NumberNotCanonical); // [DIG-023]
    }
    out.extend_from_slice(text);
    Ok(())
}

/// Writes a double.
pub(super) fn push_f64(double: f64, out: &mut Vec<u8>) -> Result<(), Fault> {
    if !double.is_finite() {
        return Err(Fault::NotFinite); // [DIG-055]
    }
    if double.fract() == 0.0 && double.abs() > MAX_INTEGER as f64 {
        return Err(Fault::IntegerOutOfRange); // [DIG-022]
    }
    let mut buffer = ryu_js::Buffer::new();
    out.extend_from_slice(buffer.format_finite(double).as_bytes());
    Ok(())
}

/// Writes an integer.
pub(super) fn push_i64(integer: i64, out: &mut Vec<u8>) -> Result<(), Fault> {
    if integer.unsigned_abs() > MAX_INTEGER {
        return Err(Fault::IntegerOutOfRange); // [DIG-022]
    }
    // Exact, by the check above.
    push_f64(integer as f64, out)
}

/// Writes an integer.
pub(super) fn push_u64(integer: u64, out: &mut Vec<u8>) -> Result<(), Fault> {
    push_i64(i64::try_from(integer).map_err(|_| Fault::IntegerOutOfRange)?, out)
}

/// The exact value of a numeral, in one form per value: `significand × 10^exponent`, where the significand ends in no
/// zero, and zero has no sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    /// `None` where it doesn't fit: it then has at least 20 digits, and no canonical form has more than 17.
    significand: Option<u64>,
    exponent: i32,
}

impl Decimal {
    /// Reads a complete number.
    fn of(numeral: &[u8]) -> Self {
        let mut bytes = numeral.iter().copied();
        let mut negative = false;
        let mut significand = Some(0_u64);
        let mut zeros = 0_u32; // zeros since the last other digit: a factor only if another digit follows
        let mut fraction = false;
        let mut exponent = 0_i32;
        for byte in bytes.by_ref() {
            match byte {
                b'-' => negative = true,
                b'.' => fraction = true,
                b'0' => {
                    zeros += 1;
                    exponent -= i32::from(fraction);
                }
                b'1'..=b'9' => {
                    let scale = 10_u64.checked_pow(zeros + 1);
                    significand = match significand {
                        Some(0) => Some(u64::from(byte - b'0')),
                        Some(old) => scale
                            .and_then(|scale| old.checked_mul(scale))
                            .and_then(|scaled| scaled.checked_add(u64::from(byte - b'0'))),
                        None => None,
                    };
                    zeros = 0;
                    exponent -= i32::from(fraction);
                }
                _ => break, // `e` or `E`
            }
        }
        if significand == Some(0) {
            return Self { negative: false, significand, exponent: 0 };
        }
        let mut power = 0_i32;
        let mut power_negative = false;
        for byte in bytes {
            match byte {
                b'-' => power_negative = true,
                b'0'..=b'9' => power = power.saturating_mul(10).saturating_add(i32::from(byte - b'0')),
                _ => {}
            }
        }
        // A numeral has at most 40 bytes, so both counts are small.
        exponent += i32::try_from(zeros).unwrap_or(i32::MAX);
        let power = if power_negative { -power } else { power };
        Self { negative, significand, exponent: exponent.saturating_add(power) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Decimal, Form, scan};

    #[test]
    fn a_scan_stops_at_the_first_byte_that_continues_no_number() {
        for (bytes, expected) in [
            ("0", (1, Form::Integer)),
            ("-0,", (2, Form::Integer)),
            ("01", (1, Form::Integer)),
            ("12.50e+7]", (8, Form::Decimal)),
            ("1e5.3", (3, Form::Decimal)),
            ("-", (1, Form::Incomplete)),
            ("-x", (1, Form::Incomplete)),
            ("1.", (2, Form::Incomplete)),
            ("1.e5", (2, Form::Incomplete)),
            ("1e", (2, Form::Incomplete)),
            ("1e-", (3, Form::Incomplete)),
            ("1e+x", (3, Form::Incomplete)),
        ] {
            assert_eq!(scan(bytes.as_bytes()), expected, "{bytes}");
        }
    }

    #[test]
    fn equal_values_have_one_decimal() {
        for (a, b) in [
            ("1", "1.0"),
            ("1", "1e0"),
            ("1", "10e-1"),
            ("100", "1e2"),
            ("-0.0e99", "0"),
            ("0.00120", "12e-4"),
            ("12e99999999999999999999", "12e9999999999999999999"),
        ] {
            assert_eq!(Decimal::of(a.as_bytes()), Decimal::of(b.as_bytes()), "{a} {b}");
        }
        let exact = |negative, significand, exponent| Decimal { negative, significand: Some(significand), exponent };
        for (numeral, decimal) in [
            ("-120.50", exact(true, 1205, -1)),
            ("10020e3", exact(false, 1002, 4)),
            ("0.0907E-2", exact(false, 907, -6)),
            ("18446744073709551615", exact(false, u64::MAX, 0)),
            ("18446744073709551616", Decimal { significand: None, ..exact(false, 0, 0) }),
        ] {
            assert_eq!(Decimal::of(numeral.as_bytes()), decimal, "{numeral}");
        }
        for (a, b) in [("1", "-1"), ("1", "10"), ("0.1", "0.01"), ("1", "123456789012345678901")] {
            assert_ne!(Decimal::of(a.as_bytes()), Decimal::of(b.as_bytes()), "{a} {b}");
        }
    }
}
