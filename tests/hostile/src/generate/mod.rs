//! One case of a run: a text, and the limits that it's read under.

mod document;
mod mutation;
mod number;
mod string;

use approval_core::json::Limits;

use self::document::{Tree, Written};
pub use self::mutation::mutate;
use crate::dice::Dice;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A text to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The bytes, as they'd be received.
    pub text: Vec<u8>,
    /// The limit of bytes.
    pub max_bytes: usize,
    /// The limit of nodes.
    pub max_nodes: usize,
}

/// The case of a run at an index: always the same one.
#[must_use]
pub fn case(seed: u64, index: u64) -> Case {
    let mut dice = Dice::new(seed, index);
    if dice.one_in(50) {
        // Within the limit as it comes, and over it in canonical form.
        let text = Tree::new(&mut dice, usize::MAX / 64).growing().text;
        let max_bytes = near(&mut dice, text.len() + 15, 15);
        return Case { text, max_bytes, max_nodes: Limits::ARGUMENTS.max_nodes() };
    }
    let Written { mut text, nodes } = whole(&mut dice);
    if dice.one_in(3) {
        let other = whole(&mut dice).text;
        for _ in 0..dice.within(1, 3) {
            mutate(&mut dice, &mut text, &other);
        }
    }
    if dice.one_in(100) {
        text.splice(0..0, BYTE_ORDER_MARK.iter().copied());
    }
    let max_bytes = if dice.one_in(16) { near(&mut dice, text.len(), 10) } else { Limits::ARGUMENTS.max_bytes() };
    let max_nodes = if dice.one_in(12) { near(&mut dice, nodes, 2) } else { Limits::ARGUMENTS.max_nodes() };
    Case { text, max_bytes, max_nodes }
}

fn whole(dice: &mut Dice) -> Written {
    // Mostly one fault in many places, so that there is one or none; and texts of nothing but faults.
    let fault = dice.pick(&[usize::MAX / 64, 2000, 300, 60, 60, 10, 2]);
    let shape = dice.below(20);
    let tree = Tree::new(dice, fault);
    match shape {
        0..=1 => tree.deep(),
        2..=4 => tree.wide(),
        5..=8 => tree.numeric(),
        _ => tree.bushy(),
    }
}

/// A little less, as much, or a little more.
fn near(dice: &mut Dice, size: usize, by: usize) -> usize {
    (size + dice.below(2 * by + 1)).saturating_sub(by)
}
