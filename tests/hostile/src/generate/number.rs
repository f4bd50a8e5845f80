//! Texts of numbers: ordinary ones, those at every edge of the rules, and what is no number.

use crate::dice::Dice;

const MAX_INTEGER: i64 = (1 << 53) - 1;

/// Texts that sit on an edge of the doubles: the smallest, the largest, those that round to zero or to infinity, ties.
const EDGES: &[&str] = &[
    "0",
    "-0",
    "-0.0",
    "0e0",
    "-0e-9",
    "0.000e999999999999",
    "0e9999999999999999999999999999999999999",
    "5e-324",
    "4.9406564584124654e-324",
    "4.940656458412465e-324",
    "2.4703282292062327e-324",
    "2.4703282292062328e-324",
    "2.470328229206232720e-324",
    "2.2250738585072014e-308",
    "2.225073858507201e-308",
    "2.2250738585072011e-308",
    "1.7976931348623157e308",
    "1.7976931348623158e308",
    "1.797693134862315807e308",
    "1.797693134862315808e308",
    "1.7976931348623159e308",
    "179769313486231580e291",
    "1e308",
    "1e309",
    "-1e309",
    "1e400",
    "1e-400",
    "1e99999999999999999999",
    "1e-99999999999999999999",
    "9007199254740991.5",
    "9007199254740991.0",
    "9007199254740990.5",
    "4503599627370495.5",
    "4503599627370496.5",
    "4503599627370497.25",
    "0.1000000000000000055511151231257827",
    "0.3",
    "0.30000000000000004",
    "0.299999999999999988897769753748",
    "1e-6",
    "1e-7",
    "1.0e-6",
    "0.000001",
    "0.0000001",
    "1e15",
    "1e16",
    "1e20",
    "1e21",
    "333333333.33333329",
    "9.5367431640625e-7",
    "1E5",
    "1E+5",
    "1e+05",
    "1e-05",
    "1.5e300",
    "123456789012345678901234567890123456789",
    "1234567890123456789012345678901234567890",
    "12345678901234567890123456789012345678901",
];

/// What is no number of JSON, whole or from some byte on.
const BROKEN: &[&str] = &[
    "01",
    "-01",
    "00",
    "-",
    "--1",
    "+1",
    "1.",
    "1.e5",
    ".5",
    "-.5",
    "1e",
    "1e+",
    "1E-",
    "1e5.3",
    "1.2.3",
    "1e5e5",
    "0x10",
    "1_000",
    "1,5",
    "NaN",
    "Infinity",
    "-Infinity",
    "-inf",
    "1f",
    "1d",
    "\u{661}",
    "1\u{661}",
    "1e400x",
    "1e400e",
    "9007199254740993x",
    "0.1000000000000000055511151231257827x",
    "-e5",
    "1-",
    "1e5-",
];

pub(super) fn push(dice: &mut Dice, fault: usize, out: &mut Vec<u8>) {
    let text = if dice.one_in(fault) { faulty(dice) } else { sound(dice) };
    out.extend_from_slice(text.as_bytes());
}

/// A number that is admitted, as a rule.
fn sound(dice: &mut Dice) -> String {
    match dice.below(10) {
        0..=3 => dice.below(1000).to_string(),
        4 | 5 => integer(dice).to_string(),
        6 => format!("{}.{}", dice.below(100), dice.below(100)),
        // The shortest text of a double, and it in exponent form.
        7 => format!("{}", scaled(dice)),
        8 => format!("{:e}", small(dice)),
        _ => {
            let value = integer(dice);
            respelled(dice, value)
        }
    }
}

/// A number that is refused, as a rule.
fn faulty(dice: &mut Dice) -> String {
    match dice.below(14) {
        0 => dice.pick(BROKEN).to_owned(),
        1 | 2 => dice.pick(EDGES).to_owned(),
        3 => beyond(dice),
        4 => {
            let value = 9_007_199_254_740_992_u64 + (dice.word() >> dice.within(1, 60));
            value.to_string()
        }
        // Every digit of a double, or as many as fit: its own shortest text is another value.
        5 => format!("{:.*}", dice.within(17, 36), scaled(dice)),
        6 => format!("{:.*e}", dice.within(15, 32), any_double(dice)),
        7 => halfway(dice),
        8 => long(dice),
        9 => format!("{}e{}", dice.below(100), dice.within(290, 330)),
        10 => format!("{}.{}e-{}", dice.below(10), dice.below(1000), dice.within(300, 330)),
        11 => format!("{}{}e{}", sign(dice), dice.below(20), dice.word()),
        12 => format!("{:e}", any_double(dice)),
        _ => {
            let mut text = sound(dice);
            let at = dice.below(text.len() + 1);
            text.insert(at, dice.pick(&['0', '.', 'e', '-', '+', 'E', '9']));
            text
        }
    }
}

fn sign(dice: &mut Dice) -> &'static str {
    if dice.one_in(3) { "-" } else { "" }
}

/// An integer within the range, and often at its end.
fn integer(dice: &mut Dice) -> i64 {
    let magnitude = match dice.below(4) {
        0 => MAX_INTEGER - i64::try_from(dice.below(4)).unwrap_or_default(),
        _ => i64::try_from(dice.word() >> dice.within(11, 63)).unwrap_or(MAX_INTEGER),
    };
    if dice.one_in(2) { -magnitude } else { magnitude }
}

/// Around the limit on either side, and written in several ways.
fn beyond(dice: &mut Dice) -> String {
    let magnitude = MAX_INTEGER - 2 + i64::try_from(dice.below(6)).unwrap_or_default();
    let value = if dice.one_in(2) { -magnitude } else { magnitude };
    respelled(dice, value)
}

/// The same value in another spelling.
fn respelled(dice: &mut Dice, value: i64) -> String {
    let zeros = "0".repeat(dice.within(1, 14));
    match dice.below(6) {
        0 => format!("{value}.{zeros}"),
        1 => format!("{value}e{}", dice.pick(&["0", "+0", "-0", "00", "-00"])),
        2 => format!("{value}{zeros}E-{}", zeros.len()),
        3 => format!("{value}{zeros}.0e-{:03}", zeros.len()),
        4 => {
            let (sign, digits) = if value < 0 { ("-", value.unsigned_abs()) } else { ("", value.unsigned_abs()) };
            let digits = digits.to_string();
            let (first, rest) = digits.split_at(1);
            if rest.is_empty() { format!("{sign}{first}") } else { format!("{sign}{first}.{rest}e+{}", rest.len()) }
        }
        _ => format!("{value}"),
    }
}

/// A double of moderate size.
fn scaled(dice: &mut Dice) -> f64 {
    let exponent = i32::try_from(dice.within(0, 31)).unwrap_or_default() - 25;
    let mantissa = i32::try_from(dice.word() >> 33).unwrap_or(i32::MAX);
    f64::from(mantissa) * 10_f64.powi(exponent)
}

/// Any double below a half.
fn small(dice: &mut Dice) -> f64 {
    f64::from_bits(dice.word() % 0.5_f64.to_bits()) * if dice.one_in(2) { -1.0 } else { 1.0 }
}

/// Any finite double.
fn any_double(dice: &mut Dice) -> f64 {
    let double = f64::from_bits(dice.word());
    if double.is_finite() { double } else { 0.5 }
}

/// The middle between two neighbouring doubles, to its last digit, or so near that only that digit tells.
fn halfway(dice: &mut Dice) -> String {
    // The double is m × 2^(1-k), m of 53 bits; the middle is (2m + 1) × 2^-k, which is (2m + 1) × 5^k × 10^-k.
    let k = dice.within(1, 27);
    let middle = u128::from(((dice.word() >> 12) | (1 << 52)) << 1 | 1);
    let power = u32::try_from(k).unwrap_or_default();
    let (scaled, unit) = (middle * 5_u128.pow(power), 10_u128.pow(power));
    let mut text = format!("{}.{:0k$}", scaled / unit, scaled % unit);
    match dice.below(4) {
        0 => text.push('1'),
        1 => {
            text.pop();
            text.push_str(dice.pick(&["4", "49", "51", "6"]));
        }
        2 => text.push_str(dice.pick(&["e-10", "e3", "0", "e100"])),
        _ => {}
    }
    text
}

/// Around 40 bytes, by zeros or by digits, in each part of a number.
fn long(dice: &mut Dice) -> String {
    let missing = dice.within(36, 43);
    let filled = |head: &str, filling: &str, tail: &str| {
        let count = missing.saturating_sub(head.len() + tail.len()) / filling.len();
        format!("{head}{}{tail}", filling.repeat(count))
    };
    match dice.below(9) {
        0 => filled("1.", "0", ""),
        1 => filled("0.", "0", "1"),
        2 => filled("1e", "0", "5"),
        3 => filled("-1E-", "0", "1"),
        4 => filled("", "9", ""),
        5 => filled("1", "0", "e-30"),
        6 => filled("0.", "5", "e"),
        7 => filled("7", "1", "."),
        // Far beyond, so that nobody reads it to its end for nothing.
        _ => format!("1{}", "0".repeat(dice.within(40, 4000))),
    }
}
