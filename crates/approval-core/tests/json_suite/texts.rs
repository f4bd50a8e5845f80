//! Random texts: documents in many spellings, and documents with something wrong in them.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Number, Value};

/// A thousand cases of each property, or as many as `PROPTEST_CASES` says.
pub(crate) fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_some() { config } else { ProptestConfig { cases: 1000, ..config } }
}

/// A double that is admitted, drawn so that small, large, subnormal and short decimals all occur.
pub(crate) fn double() -> impl Strategy<Value = f64> {
    let any_bits = any::<u64>().prop_map(f64::from_bits);
    let short = (any::<i32>(), 0..30_i32).prop_map(|(digits, power)| f64::from(digits) / 10_f64.powi(power));
    let integral = (-(1_i64 << 53) + 1..1_i64 << 53).prop_map(|integer| integer as f64);
    let edge = proptest::sample::select(vec![
        0.0,
        -0.0,
        5e-324,
        2.2250738585072014e-308,
        2.225073858507201e-308,
        1e-7,
        1e-6,
        0.1,
        0.30000000000000004,
        9_007_199_254_740_991.0,
        -9_007_199_254_740_991.0,
        4_503_599_627_370_495.5,
        0.000_001_234_567_890_123_456_7,
    ]);
    prop_oneof![any_bits, short, integral, edge].prop_filter("not admitted", |double: &f64| {
        double.is_finite() && (double.fract() != 0.0 || double.abs() < 9_007_199_254_740_992.0)
    })
}

pub(crate) fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        (-(1_i64 << 53) + 1..1_i64 << 53).prop_map(Number::from),
        (0..100_u64).prop_map(Number::from),
        double().prop_map(|double| Number::from_f64(double).unwrap()),
    ]
}

/// Text in which the characters occur that sort or escape in an odd way.
pub(crate) fn string() -> impl Strategy<Value = String> {
    let odd = proptest::sample::select(vec![
        '\0',
        '\u{8}',
        '\t',
        '\n',
        '\u{c}',
        '\r',
        '\u{1f}',
        ' ',
        '"',
        '\\',
        '/',
        '\u{7f}',
        '\u{80}',
        'é',
        '\u{7ff}',
        '\u{800}',
        '\u{d7ff}',
        '\u{e000}',
        '\u{feff}',
        '\u{fffd}',
        '\u{ffff}',
        '\u{10000}',
        '😂',
        '\u{10ffff}',
    ]);
    let character = prop_oneof![4 => proptest::char::range('a', 'd'), 2 => odd, 1 => any::<char>()];
    prop_oneof![3 => vec(character, 0..12).prop_map(String::from_iter), 1 => "[a-z]{1,4}([.][a-z]{1,9}){0,2}"]
}

/// An admitted document as a tree.
pub(crate) fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number().prop_map(Value::Number),
        string().prop_map(Value::String),
    ];
    let value = leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            btree_map(string(), inner, 0..8).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    btree_map(string(), value, 0..8).prop_map(|members| Value::Object(members.into_iter().collect()))
}

/// How a document may be spelt: a stream of choices, used up in turn.
pub(crate) fn spelt() -> impl Strategy<Value = (Value, String)> {
    (document(), vec(any::<u8>(), 1..64)).prop_map(|(value, choices)| {
        let mut choices = choices.into_iter().cycle();
        let mut text = String::new();
        spell(&value, &mut || choices.next().unwrap(), &mut text);
        (value, text)
    })
}

fn spell(value: &Value, choose: &mut impl FnMut() -> u8, text: &mut String) {
    space(choose, text);
    match value {
        Value::Array(elements) => {
            text.push('[');
            for (i, element) in elements.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                spell(element, choose, text);
            }
            space(choose, text);
            text.push(']');
        }
        Value::Object(members) => {
            // Not in order: backwards, or from somewhere in the middle.
            let mut members: Vec<_> = members.iter().collect();
            if choose() < 128 {
                members.reverse();
            }
            if !members.is_empty() {
                let turn = usize::from(choose()) % members.len();
                members.rotate_left(turn);
            }
            text.push('{');
            for (i, (name, value)) in members.into_iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                space(choose, text);
                spell_string(name, choose, text);
                space(choose, text);
                text.push(':');
                spell(value, choose, text);
            }
            space(choose, text);
            text.push('}');
        }
        Value::String(string) => spell_string(string, choose, text),
        Value::Number(number) => spell_number(number, choose, text),
        other => text.push_str(&other.to_string()),
    }
    space(choose, text);
}

fn space(choose: &mut impl FnMut() -> u8, text: &mut String) {
    let choice = choose();
    if choice < 64 {
        text.push([' ', '\t', '\n', '\r'][usize::from(choice) % 4]);
    }
}

fn spell_string(string: &str, choose: &mut impl FnMut() -> u8, text: &mut String) {
    text.push('"');
    for character in string.chars() {
        if choose() < 40 {
            for unit in character.encode_utf16(&mut [0; 2]) {
                text.push_str(&if choose() < 128 { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") });
            }
        } else if character == '/' {
            text.push_str("\\/");
        } else {
            let quoted = Value::from(character.to_string()).to_string();
            text.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
    text.push('"');
}

fn spell_number(number: &Number, choose: &mut impl FnMut() -> u8, text: &mut String) {
    // The shortest numeral of the double; a longer one wouldn't be admitted. Ties aren't broken alike everywhere: Rust's own
    // formatting rounds them up, ECMAScript's and serde_json's to even.
    let plain = number.to_string();
    let padded = match (choose() % 8, plain.contains('.'), plain.contains('e')) {
        (0, false, false) => format!("{plain}.0"),
        (1, _, false) => format!("{plain}e0"),
        (2, false, false) if plain != "0" => format!("{plain}0E-1"),
        (3, true, false) => format!("{plain}00"),
        (4, _, true) => plain.replace('e', "E"),
        (5, false, true) => plain.replace('e', ".0e"),
        _ => plain,
    };
    text.push_str(&padded);
}

/// What tends to go wrong, in pieces.
const PIECES: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b" ",
    b"\n",
    b"\"a\"",
    b"\"a\":",
    b"\"\\u0061\":",
    b"\"b\":1",
    b",\"a\":1",
    b",\"b\":[",
    b"\"a\":{",
    b"{}",
    b"[]",
    b"0",
    b"-",
    b"1",
    b"1.0",
    b"1.",
    b"1e",
    b"01",
    b"1e400",
    b"1e400x",
    b"1e20",
    b"1e-400",
    b"9007199254740991",
    b"9007199254740992",
    b"0.1",
    b".5e",
    b"0.1000000000000000055511151231257827",
    b"1234567890123456789012345678901234567890",
    b"12345678901234567890123456789012345678901",
    b"0.50000000000000000000000000000000000000e+x",
    b"true",
    b"tru",
    b"null",
    b"nul",
    b"false",
    b"falsy",
    b"\"\\ud83d\\ude02\"",
    b"\"\\ud83d\"",
    b"\\ud800",
    b"\\udc00",
    b"\\uD8",
    b"\\ud800\\u",
    b"\\ud800\\ud800",
    b"\\n",
    b"\\x",
    b"\\u00g0",
    b"\x00",
    b"\x1f",
    b"\x7f",
    b"\xc3\xa9",
    b"\xc3",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98",
    b"\xf4\x90\x80\x80",
    b"\xc0\x80",
    b"\xe0\x80\x80",
    b"\xef\xbb\xbf",
    b"\"$serde_json::private::Number\":\"1\"",
    b"\"$serde_json::private::\xff\"",
    b",\"$serde_json::private::\\ud800\":",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    b"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":",
];

fn piece() -> impl Strategy<Value = &'static [u8]> {
    proptest::sample::select(PIECES)
}

/// Bytes with at least the look of a document.
pub(crate) fn soup() -> impl Strategy<Value = Vec<u8>> {
    let begun = proptest::sample::select(vec![
        &b""[..],
        b"{",
        b"{\"a\":",
        b"{\"a\":[",
        b"{\"b\":0,\"a\":[",
        b" {\"a\":{\"b\":",
    ]);
    (begun, vec(piece(), 0..12)).prop_map(|(begun, pieces)| [begun, &pieces.concat()].concat())
}

/// A document with a few pieces put in, taken out or cut off.
pub(crate) fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0..4_usize, prop::option::weighted(0.8, piece()));
    (spelt(), vec(change, 1..4), prop::bool::weighted(0.2)).prop_map(|((_, text), changes, cut)| {
        let mut bytes = text.into_bytes();
        for (place, removed, piece) in changes {
            let at = place.index(bytes.len() + 1);
            let end = (at + removed).min(bytes.len());
            bytes.splice(at..end, piece.unwrap_or_default().iter().copied());
            if cut {
                bytes.truncate(at + 3);
            }
        }
        bytes
    })
}

/// Nested objects with few names to choose from, so that many come twice, here and there cut off.
pub(crate) fn crowded() -> impl Strategy<Value = Vec<u8>> {
    let name = proptest::sample::select(vec!["a", "b", "c", "d", "e", "\\u0061", "aaaaaaaaa", "aaaaaaaab"]);
    let value = Just("0".to_owned()).prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            1 => inner.clone(),
            1 => inner.clone().prop_map(|value| format!("[{value}]")),
            4 => vec((name.clone(), inner), 0..6).prop_map(|members| {
                let members: Vec<_> = members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    (
        value.prop_filter("an object", |text| text.starts_with('{')),
        any::<prop::sample::Index>(),
        prop::bool::weighted(0.3),
    )
        .prop_map(|(text, place, cut)| {
            let mut bytes = text.into_bytes();
            if cut {
                bytes.truncate(place.index(bytes.len()));
            }
            bytes
        })
}
