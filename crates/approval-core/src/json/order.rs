//! The order of member names: by UTF-16 code units (RFC 8785, section 3.2.3). [DIG-032]
//!
//! Names are compared as they stand in the canonical text, without their quotes. UTF-8 sorts like UTF-16 with one
//! exception: a character beyond U+FFFF is a surrogate pair in UTF-16 and sorts *before* U+E000–U+FFFF. Exchanging the
//! first bytes of the two groups repairs that, and leaves a plain comparison of bytes.

use std::cmp::Ordering;
use std::ops::Range;

use super::text;

/// Compares two canonical names.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    units(a).cmp(units(b))
}

/// The first eight [`units`] of a canonical name in a text, as one number.
///
/// Where two differ, their names compare alike. A name that ends earlier is filled up with zeros, the smallest unit.
pub(super) fn prefix(text: &[u8], name: Range<usize>) -> u64 {
    if let Some(word) = first_word(text, &name)
        && text::is_plain_ascii(word)
    {
        return word;
    }
    let mut first = [0; 8];
    for (slot, unit) in first.iter_mut().zip(units(text.get(name).unwrap_or_default())) {
        *slot = unit;
    }
    u64::from_be_bytes(first)
}

/// The first eight bytes of a name as they stand, or `None` near the start of the text.
fn first_word(text: &[u8], name: &Range<usize>) -> Option<u64> {
    // One load serves all lengths: a short name is taken with what stands before it, which is then shifted out.
    let missing = 8_usize.saturating_sub(name.len());
    let from = name.start.checked_sub(missing)?;
    let word = u64::from_be_bytes(*text.get(from..)?.first_chunk()?);
    Some(word.checked_shl(8 * missing as u32).unwrap_or_default())
}

/// The bytes of a canonical name, escapes decoded, so changed that their order is that of the name's UTF-16 code units.
fn units(name: &[u8]) -> impl Iterator<Item = u8> {
    let mut bytes = name.iter().copied();
    std::iter::from_fn(move || {
        Some(match bytes.next()? {
            b'\\' => text::decode_escape(&mut bytes)?,
            lead @ 0xee..=0xef => lead + 5, // U+E000–U+FFFF go after …
            lead @ 0xf0..=0xf4 => lead - 2, // … the characters beyond U+FFFF
            byte => byte,
        })
    })
}
