//! Strings: where they end, and how they're escaped.

use std::borrow::Cow;

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGH: u64 = ONES << 7;

/// How many bytes from the start stand for themselves in a JSON string: neither `"` nor `\` nor a control character.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut len = 0;
    for word in words {
        let found = specials(u64::from_le_bytes(*word));
        if found != 0 {
            return len + found.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    len + rest.iter().take_while(|&&byte| !is_special(byte)).count()
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Marks the special bytes of a little-endian word by their high bits. Only the lowest mark is reliable: a subtraction
/// may borrow from the bytes above a match.
fn specials(word: u64) -> u64 {
    let quote = word ^ (ONES * 0x22);
    let backslash = word ^ (ONES * 0x5c);
    (quote.wrapping_sub(ONES) & !quote
        | backslash.wrapping_sub(ONES) & !backslash
        | word.wrapping_sub(ONES * 0x20) & !word)
        & HIGH
}

/// Whether a word holds ASCII without escapes.
pub(super) fn is_plain_ascii(word: u64) -> bool {
    let backslash = word ^ (ONES * 0x5c);
    (backslash.wrapping_sub(ONES) & !backslash | word) & HIGH == 0
}

/// Writes a string in canonical form, with its quotes.
pub(crate) fn push_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    push_escaped(text, out);
    out.push(b'"');
}

/// Writes text in canonical form (RFC 8785, section 3.2.2.2), without quotes.
pub(super) fn push_escaped(text: &str, out: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at_checked(plain_len(rest)).unwrap_or((rest, &[]));
        out.extend_from_slice(plain);
        match special.split_first() {
            Some((&byte, after)) => {
                push_escape(byte, out);
                rest = after;
            }
            None => return,
        }
    }
}

/// Writes the canonical escape of a special byte. [DIG-031]
pub(super) fn push_escape(byte: u8, out: &mut Vec<u8>) {
    let short = match byte {
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        b'"' | b'\\' => byte,
        _ => {
            let digit = |value: u8| {
                if value < 10 { b'0' + value } else { b'a' + value - 10 }
            };
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 0x0f)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Decodes what follows the backslash of a canonical escape. It's always one ASCII character.
pub(super) fn decode_escape(bytes: &mut impl Iterator<Item = u8>) -> Option<u8> {
    Some(match bytes.next()? {
        b'b' => 0x08,
        b't' => b'\t',
        b'n' => b'\n',
        b'f' => 0x0c,
        b'r' => b'\r',
        b'u' => {
            let mut value = 0;
            for _ in 0..4 {
                let digit = char::from(bytes.next()?).to_digit(16)?;
                value = value << 4 | u8::try_from(digit).ok()?;
            }
            value
        }
        itself => itself,
    })
}

/// What the inside of a canonical string stands for.
pub(super) fn unescaped(canonical: &str) -> Cow<'_, str> {
    let Some(mut place) = canonical.find('\\') else {
        return Cow::Borrowed(canonical);
    };
    let mut text = String::with_capacity(canonical.len());
    let mut rest = canonical;
    while let Some((plain, escape)) = rest.split_at_checked(place) {
        text.push_str(plain);
        let mut bytes = escape.bytes().skip(1);
        text.extend(decode_escape(&mut bytes).map(char::from));
        rest = escape.get(escape.len() - bytes.len()..).unwrap_or_default();
        place = rest.find('\\').unwrap_or(rest.len());
        if rest.is_empty() {
            break;
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::{is_plain_ascii, is_special, plain_len};

    #[test]
    fn every_byte_is_found_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..20 {
                let mut bytes = vec![0xff; place];
                bytes.push(byte);
                bytes.resize(20, 0xff);
                let expected = if is_special(byte) { place } else { 20 };
                assert_eq!(plain_len(&bytes), expected, "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn plain_ascii_is_every_byte_below_128_but_the_backslash() {
        let plain = |byte: u8| byte.is_ascii() && byte != b'\\';
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                for others in [b'a', 0x00, 0x5b, 0x5d, 0x7f] {
                    let mut bytes = [others; 8];
                    bytes[place] = byte;
                    assert_eq!(is_plain_ascii(u64::from_be_bytes(bytes)), plain(byte), "{byte:#x} at {place}");
                }
            }
        }
    }

    #[test]
    fn of_two_special_bytes_the_first_is_found() {
        for first in (0..=u8::MAX).filter(|&byte| is_special(byte)) {
            for second in 0..=u8::MAX {
                assert_eq!(plain_len(&[b'a', first, second, b'!', b'!', b'!', b'!', b'!']), 1);
                assert_eq!(
                    plain_len(&[b'a', b'!', second, first, b'!', b'!', b'!', b'!']),
                    if is_special(second) { 2 } else { 3 }
                );
            }
        }
    }
}
