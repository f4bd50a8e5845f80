//! A few bytes changed in a text, wherever that hits.

use super::string::ILL_FORMED;
use crate::dice::Dice;

/// Pieces that mean something to a reader of JSON.
const PIECES: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\\u",
    b"\\ud800",
    b"\\udc00",
    b"\0",
    b"\n",
    b" ",
    b"0",
    b"-",
    b".",
    b"e",
    b"1e400",
    b"9007199254740993",
    b"0.1000000000000000055511151231257827",
    b"\xef\xbb\xbf",
    b"null",
    b"\"a\":1,",
    b"{\"a\":",
    b"\"$serde_json::private::\"",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"111111111111111111111111111111111111111111",
];

/// Changes one place. `other` is what may be spliced in.
pub fn mutate(dice: &mut Dice, text: &mut Vec<u8>, other: &[u8]) {
    let at = dice.below(text.len() + 1);
    let end = (at + dice.within(1, 12)).min(text.len());
    match dice.below(12) {
        0 => flip(text, at, 1 << dice.below(8)),
        1 => flip(text, at, dice.byte()),
        2 => text.insert(at, dice.byte()),
        3 => {
            text.drain(at..end);
        }
        4 => {
            let again = text.get(at..end).unwrap_or_default().to_vec();
            text.splice(at..at, again);
        }
        5 => text.truncate(at),
        6 => insert(text, at, dice.pick(ILL_FORMED)),
        7 => {
            // Half of another text, from somewhere on.
            let from = dice.below(other.len() + 1);
            text.truncate(at);
            text.extend_from_slice(other.get(from..).unwrap_or_default());
        }
        8 => {
            // One place put in another.
            let moved: Vec<u8> = text.drain(at..end).collect();
            let to = dice.below(text.len() + 1);
            text.splice(to..to, moved);
        }
        9 => {
            // A member or element again, quotes, commas and all.
            let commas: Vec<usize> =
                text.iter().enumerate().filter(|(_, byte)| **byte == b',').map(|(comma, _)| comma).collect();
            if commas.len() > 1 {
                let first = dice.below(commas.len() - 1);
                let piece = commas.get(first).zip(commas.get(first + 1)).and_then(|(a, b)| text.get(*a..*b));
                let piece = piece.unwrap_or_default().to_vec();
                let to = dice.pick(&commas);
                text.splice(to..to, piece);
            }
        }
        _ => insert(text, at, dice.pick(PIECES)),
    }
}

fn flip(text: &mut [u8], at: usize, bits: u8) {
    if let Some(byte) = text.get_mut(at) {
        *byte ^= bits;
    }
}

fn insert(text: &mut Vec<u8>, at: usize, piece: &[u8]) {
    text.splice(at..at, piece.iter().copied());
}
