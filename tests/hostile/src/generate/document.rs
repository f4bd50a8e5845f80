//! Whole texts: a tree, written as it's made up, with white space of all kinds and now and then a fault.

use super::{number, string};
use crate::dice::Dice;

/// Stands where white space or a comma is expected, and isn't.
const JUNK: &[&str] = &[
    "\u{b}",
    "\u{c}",
    "\u{a0}",
    "\u{2028}",
    "\u{feff}",
    "\u{0}",
    "/**/",
    "//",
    "#",
    ",",
    ",,",
    ":",
    ";",
    "=",
    "'",
    "\\",
    "}",
    "]",
    "{",
    "[",
    "\"",
    "x",
    "é",
    "\u{10000}",
    "\u{85}",
];

const WORDS: &[&str] = &[
    "tru",
    "tr",
    "t",
    "True",
    "TRUE",
    "truee",
    "trux",
    "fals",
    "f",
    "falsé",
    "nul",
    "n",
    "null0",
    "nil",
    "undefined",
    "none",
    "nan",
    "f\u{0}",
    "tr ue",
    "n\\u0075ll",
];

/// Something of a shape of its own.
pub(super) struct Tree<'a> {
    dice: &'a mut Dice,
    out: Vec<u8>,
    /// One fault in about so many places.
    fault: usize,
    /// How likely there is white space, one in so many.
    spaced: usize,
    /// Values that may still be begun.
    budget: usize,
    nodes: usize,
}

/// A text, and about how many nodes it has.
pub(super) struct Written {
    pub(super) text: Vec<u8>,
    pub(super) nodes: usize,
}

impl<'a> Tree<'a> {
    pub(super) fn new(dice: &'a mut Dice, fault: usize) -> Self {
        let budget = match dice.below(40) {
            0 => dice.within(200, 1200),
            1..=6 => dice.within(30, 120),
            _ => dice.within(1, 30),
        };
        let spaced = dice.pick(&[1, 3, 10, usize::MAX]);
        Self { dice, out: Vec::new(), fault, spaced, budget, nodes: 0 }
    }

    /// Objects and arrays of any shape.
    pub(super) fn bushy(mut self) -> Written {
        self.space();
        let ways = if self.dice.one_in(self.fault * 2) { 8 } else { 1 };
        match self.dice.below(ways) {
            0 => self.object(0),
            1 => self.array(0),
            _ => self.value(0),
        }
        self.end()
    }

    /// A chain of containers about as deep as may be.
    pub(super) fn deep(mut self) -> Written {
        let depth = self.dice.pick(&[5, 30, 62, 63, 63, 64, 64, 64, 65, 65, 65, 66, 66, 80, 300]);
        let mut closing = Vec::new();
        for level in 0..depth {
            self.nodes += 1;
            if level == 0 || self.dice.one_in(3) {
                self.out.push(b'{');
                if self.dice.one_in(3) {
                    self.member(usize::MAX);
                    self.out.push(b',');
                }
                string::push_name(self.dice, self.fault * 20, &mut self.out);
                self.out.push(b':');
                closing.push(b'}');
            } else {
                self.out.push(b'[');
                if self.dice.one_in(5) {
                    self.out.extend_from_slice(b"0,");
                    self.nodes += 1;
                }
                closing.push(b']');
            }
            self.space();
        }
        self.scalar();
        while let Some(bracket) = closing.pop() {
            // Beside the innermost, which is where a depth that isn't counted down shows.
            if bracket == b']' && self.dice.one_in(6) {
                self.out.extend_from_slice(b",[]");
                self.nodes += 1;
            }
            self.out.push(bracket);
        }
        self.end()
    }

    /// One object of many names, some of them the same.
    pub(super) fn wide(mut self) -> Written {
        let most = if self.dice.one_in(10) { 300 } else { 40 };
        let members = self.dice.within(2, most);
        self.out.push(b'{');
        self.nodes += 1;
        for member in 0..members {
            if member > 0 {
                self.separator(b',');
            }
            self.member(usize::MAX);
        }
        self.out.push(b'}');
        self.end()
    }

    /// One object of numbers.
    pub(super) fn numeric(mut self) -> Written {
        self.out.extend_from_slice(b"{\"n\":[");
        self.nodes += 2;
        for element in 0..self.dice.within(1, 12) {
            if element > 0 {
                self.separator(b',');
            }
            self.nodes += 1;
            number::push(self.dice, self.fault, &mut self.out);
        }
        self.out.extend_from_slice(b"]}");
        self.end()
    }

    /// Numbers whose canonical form is longer than they are.
    pub(super) fn growing(mut self) -> Written {
        self.out.extend_from_slice(b"{\"\":[");
        self.nodes += 2;
        for element in 0..self.dice.within(1, 8) {
            if element > 0 {
                self.out.push(b',');
            }
            self.nodes += 1;
            let text = format!("{}e{}", self.dice.within(1, 9), self.dice.pick(&["-6", "-5", "-4", "9", "15", "14"]));
            self.out.extend_from_slice(text.as_bytes());
        }
        self.out.extend_from_slice(b"]}");
        Written { text: self.out, nodes: self.nodes }
    }

    fn end(mut self) -> Written {
        self.space();
        if self.dice.one_in(self.fault * 2) {
            let trailing: &[&str] = &["{}", "}", "]", ",", "0", "\"", "x", "\u{0}", "\u{feff}", "é", "//", "null", "["];
            self.out.extend_from_slice(self.dice.pick(trailing).as_bytes());
        }
        Written { text: self.out, nodes: self.nodes }
    }

    fn value(&mut self, depth: usize) {
        match self.dice.below(10) {
            0..=2 if self.budget > 0 && depth < 70 => self.object(depth),
            3 | 4 if self.budget > 0 && depth < 70 => self.array(depth),
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) {
        self.nodes += 1;
        match self.dice.below(8) {
            0..=2 => string::push(self.dice, self.fault, &mut self.out),
            3..=5 => number::push(self.dice, self.fault, &mut self.out),
            _ if self.dice.one_in(self.fault) => {
                let wrong = if self.dice.one_in(3) { JUNK } else { WORDS };
                let word = self.dice.pick(wrong);
                self.out.extend_from_slice(word.as_bytes());
            }
            _ => self.out.extend_from_slice(self.dice.pick(&["true", "false", "null"]).as_bytes()),
        }
    }

    fn object(&mut self, depth: usize) {
        self.nodes += 1;
        self.out.push(b'{');
        self.space();
        let count = self.dice.below(8);
        for member in 0..count {
            if member > 0 {
                self.separator(b',');
            }
            self.member(depth);
        }
        self.close(b'}');
    }

    fn member(&mut self, depth: usize) {
        self.budget = self.budget.saturating_sub(1);
        if self.dice.one_in(self.fault * 4) {
            // No name at all, or one in another language's quotes.
            let bare: &[&str] = &["name", "'name'", "1", "null", "", ",", ":"];
            self.out.extend_from_slice(self.dice.pick(bare).as_bytes());
        } else {
            string::push_name(self.dice, self.fault, &mut self.out);
        }
        self.separator(b':');
        if depth == usize::MAX { self.scalar() } else { self.value(depth + 1) }
    }

    fn array(&mut self, depth: usize) {
        self.nodes += 1;
        self.out.push(b'[');
        self.space();
        let count = self.dice.below(8);
        for element in 0..count {
            self.budget = self.budget.saturating_sub(1);
            if element > 0 {
                self.separator(b',');
            }
            self.value(depth + 1);
        }
        self.close(b']');
    }

    fn close(&mut self, bracket: u8) {
        self.space();
        match self.dice.below(4) {
            0 if self.dice.one_in(self.fault) => self.out.push(b','),
            1 if self.dice.one_in(self.fault) => return,
            2 if self.dice.one_in(self.fault) => return self.out.push(bracket ^ (b'}' ^ b']')),
            _ => {}
        }
        self.out.push(bracket);
    }

    fn separator(&mut self, separator: u8) {
        self.space();
        if !self.dice.one_in(self.fault * 4) {
            self.out.push(separator);
        }
        self.space();
    }

    fn space(&mut self) {
        while self.dice.one_in(self.spaced.saturating_add(1)) {
            self.out.push(self.dice.pick(b" \t\n\r"));
        }
        if self.dice.one_in(self.fault * 16) {
            self.out.extend_from_slice(self.dice.pick(JUNK).as_bytes());
        }
    }
}
