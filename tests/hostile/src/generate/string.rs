//! Strings and member names: escapes in every spelling, characters at the edges of their encodings, names that are equal or
//! sort in an order of their own, and what is no string.

use crate::dice::Dice;

/// The first and last characters of each length of UTF-8, of what sorts differently in UTF-16, and others with a history.
const CHARACTERS: &[char] = &[
    'a',
    'z',
    ' ',
    '/',
    '\'',
    '<',
    '&',
    '\u{7f}',
    '\u{80}',
    '\u{7ff}',
    '\u{800}',
    '\u{d7ff}',
    '\u{e000}',
    '\u{feff}',
    '\u{fffd}',
    '\u{ffff}',
    '\u{10000}',
    '\u{10ffff}',
    '\u{1f600}',
    '\u{2028}',
    '\u{2029}',
    'é',
    '\u{301}',
    '\u{e9}',
    'ß',
    'ſ',
    'K',
    '\u{200f}',
    '\u{fb33}',
    '\u{20ac}',
    'ö',
];

/// One kind of ill-formed UTF-8 each.
pub(super) const ILL_FORMED: &[&[u8]] = &[
    b"\x80",
    b"\xbf",
    b"\x80\x80\x80",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xc2",
    b"\xc3(",
    b"\xdf\"",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xe2\x82",
    b"\xe2(\xa1",
    b"\xe2\x82(",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xed\xa0\xbd\xed\xb8\x80",
    b"\xef\xbf",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xf0\x9f\x98",
    b"\xf0\x9f\x98\"",
    b"\xf0\x9f",
    b"\xf0(\x8c\xbc",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xfe",
    b"\xff",
    b"\xff\xff",
    b"\xef\xbb",
    b"\xc2\xc2\xa2",
];

/// What no string holds.
const FAULTS: &[&str] = &[
    "\n",
    "\t",
    "\u{0}",
    "\u{1f}",
    "\u{b}",
    "\\x",
    "\\'",
    "\\0",
    "\\U0041",
    "\\u",
    "\\u1",
    "\\u12",
    "\\u123",
    "\\u12G4",
    "\\u{41}",
    "\\u 041",
    "\\u+041",
    "\\u00é0",
    "\\\n",
    "\\é",
    "\\ud800",
    "\\udc00",
    "\\uDBFF",
    "\\uDFFF",
    "\\ud800\\ud800\\udc00",
    "\\ud800\\u0041",
    "\\ud800a",
    "\\ud800\\n",
    "\\ud83d\\ude0",
    "\\ud83d\\ude0g",
    "\\ud83d\\u",
    "\\ud83d\\",
    "\\ud83d\\x",
    "\\ude00\\ud83d",
    "\\udc00\\udc00",
    "\\ud800\\\\udc00",
    "\\ud83d\\ude00\\ude00",
    "\\ud83d\\uD83D",
    "\\ud83d\\U1F600",
];

const NAMES: &[&str] = &[
    "",
    "a",
    "b",
    "c",
    "aa",
    "type",
    "name",
    "A",
    "\u{0}",
    "a\u{0}",
    "a\u{0}b",
    "\u{1}",
    "__proto__",
    "constructor",
    "toJSON",
    "hasOwnProperty",
    "é",
    "e\u{301}",
    "\u{fb33}",
    "\u{10000}",
    "\u{ffff}",
    "\u{e000}",
    "\u{d7ff}",
    "10",
    "9",
    "\\",
    "\"",
    "/",
    "\u{7f}",
    "\u{80}",
    "prefix_1",
    "prefix_10",
    "prefix_1\u{0}",
    "prefix__",
    "prefix_\u{1f600}",
    "prefix_\u{ffff}",
    "$serde_json",
    "$serde_json::private:",
    "serde_json::private::",
    "$secret",
];

const RESERVED: &[&str] = &[
    "$serde_json::private::",
    "$serde_json::private::Number",
    "$serde_json::private::RawValue",
    "$serde_json::private::é",
];

pub(super) fn push(dice: &mut Dice, fault: usize, out: &mut Vec<u8>) {
    out.push(b'"');
    for _ in 0..dice.below(4) {
        push_segment(dice, out);
    }
    if dice.one_in(fault) {
        push_fault(dice, out);
        for _ in 0..dice.below(2) {
            push_segment(dice, out);
        }
    }
    if !dice.one_in(fault * 8) {
        out.push(b'"');
    }
}

fn push_fault(dice: &mut Dice, out: &mut Vec<u8>) {
    if dice.one_in(4) {
        out.extend_from_slice(dice.pick(ILL_FORMED));
    } else {
        out.extend_from_slice(dice.pick(FAULTS).as_bytes());
    }
}

fn push_segment(dice: &mut Dice, out: &mut Vec<u8>) {
    match dice.below(6) {
        0 => out.extend_from_slice(dice.pick(&["text", "with words", "0123456789abcdef", "'", "{}[],:"]).as_bytes()),
        1 => {
            for _ in 0..dice.below(30) {
                push_character(dice.pick(CHARACTERS), out);
            }
        }
        2 => out.extend_from_slice(
            dice.pick(&["\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\\\u0041", "\\\\\\\""]).as_bytes(),
        ),
        3 => {
            let control = dice.below(0x20);
            push_escape(dice, u16::try_from(control).unwrap_or_default(), out);
        }
        4 => {
            if let Some(any) = char::from_u32(u32::try_from(dice.below(0x11_0000)).unwrap_or_default()) {
                push_spelled(dice, any, out);
            }
        }
        _ => {
            let any = dice.pick(CHARACTERS);
            push_spelled(dice, any, out);
        }
    }
}

/// A member name, opening quote and closing quote included.
pub(super) fn push_name(dice: &mut Dice, fault: usize, out: &mut Vec<u8>) {
    if dice.one_in(fault * 2) {
        return push(dice, 1, out);
    }
    match dice.below(8) {
        0 => return push(dice, usize::MAX / 8, out),
        1..=3 => {
            // Of many, so that an object can have many.
            let name =
                format!("{}{}", dice.pick(&["k", "key", "prefix_", "a_long_common_prefix_"]), dice.below(10_000));
            return push_name_spelled(dice, &name, out);
        }
        _ => {}
    }
    let name = if dice.one_in(fault * 2) { dice.pick(RESERVED) } else { dice.pick(NAMES) };
    push_name_spelled(dice, name, out);
}

/// A name in some spelling: the same one may come out in many.
pub(super) fn push_name_spelled(dice: &mut Dice, name: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let plain = dice.one_in(2);
    for character in name.chars() {
        if plain { push_plain(character, out) } else { push_spelled(dice, character, out) }
    }
    out.push(b'"');
}

/// As itself where that's allowed, else or by choice as an escape.
fn push_spelled(dice: &mut Dice, character: char, out: &mut Vec<u8>) {
    if dice.one_in(3) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            push_escape(dice, *unit, out);
        }
    } else {
        push_plain(character, out);
    }
}

fn push_plain(character: char, out: &mut Vec<u8>) {
    match character {
        '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
        '\0'..'\x20' => out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes()),
        _ => push_character(character, out),
    }
}

fn push_character(character: char, out: &mut Vec<u8>) {
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// An escape of four digits, each in either case.
fn push_escape(dice: &mut Dice, unit: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u");
    for digit in format!("{unit:04x}").bytes() {
        out.push(if dice.one_in(2) { digit.to_ascii_uppercase() } else { digit });
    }
}
