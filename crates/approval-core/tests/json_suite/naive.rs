//! A second implementation of admission, as simple as can be: it goes through the text once, notes every fault with its
//! offset, and sorts them. It shares no code with the first, and trades all speed for being easy to hold against
//! `spec/v0/digest.md`.

use approval_core::json::{Fault, Limits};

/// The reasons in the order in which they apply at one offset.
const PRECEDENCE: [Fault; 14] = [
    Fault::ByteOrderMark,
    Fault::InvalidUtf8,
    Fault::NotAnObject,
    Fault::TrailingData,
    Fault::Syntax,
    Fault::TooManyNodes,
    Fault::TooDeep,
    Fault::NumberTooLong,
    Fault::NotFinite,
    Fault::IntegerOutOfRange,
    Fault::NumberNotCanonical,
    Fault::LoneSurrogate,
    Fault::DuplicateName,
    Fault::ReservedName,
];

/// The fault that has to be reported, but for canonical bytes beyond the limit.
pub(crate) fn verdict(text: &[u8], limits: &Limits) -> Result<(), (Fault, Option<usize>)> {
    if text.len() > limits.max_bytes() {
        return Err((Fault::TooLarge, None));
    }
    let mut reading = Naive { text, at: 0, depth: 0, nodes: 0, max_nodes: limits.max_nodes(), faults: Vec::new() };
    if text.starts_with(&[0xef, 0xbb, 0xbf]) {
        reading.faults.push((Fault::ByteOrderMark, 0));
    }
    if let Some(offset) = first_malformed(text) {
        reading.faults.push((Fault::InvalidUtf8, offset));
    }
    // After a byte that no text can have there, nothing more can be said, and nothing more matters.
    if reading.whole().is_none() {
        let offset = reading.at;
        reading.faults.push((Fault::Syntax, offset));
    }
    let precedence = |fault: Fault| PRECEDENCE.iter().position(|&other| other == fault).unwrap();
    match reading.faults.into_iter().min_by_key(|&(fault, offset)| (offset, precedence(fault))) {
        Some((fault, offset)) => Err((fault, Some(offset))),
        None => Ok(()),
    }
}

/// The first byte that belongs to no well-formed sequence (Unicode, table 3-7).
fn first_malformed(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let follows = |i: usize, low: u8, high: u8| text.get(at + i).is_some_and(|b| (low..=high).contains(b));
        let tail = |from: usize, to: usize| (from..=to).all(|i| follows(i, 0x80, 0xbf));
        at += match text[at] {
            0x00..=0x7f => 1,
            0xc2..=0xdf if tail(1, 1) => 2,
            0xe0 if follows(1, 0xa0, 0xbf) && tail(2, 2) => 3,
            0xe1..=0xec | 0xee..=0xef if tail(1, 2) => 3,
            0xed if follows(1, 0x80, 0x9f) && tail(2, 2) => 3,
            0xf0 if follows(1, 0x90, 0xbf) && tail(2, 3) => 4,
            0xf1..=0xf3 if tail(1, 3) => 4,
            0xf4 if follows(1, 0x80, 0x8f) && tail(2, 3) => 4,
            _ => return Some(at),
        };
    }
    None
}

/// Each method returns `None` where the byte at `at` can't be there.
struct Naive<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    nodes: usize,
    max_nodes: usize,
    faults: Vec<(Fault, usize)>,
}

impl Naive<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn fault(&mut self, fault: Fault, offset: usize) {
        self.faults.push((fault, offset));
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(0x20 | 0x09 | 0x0a | 0x0d)) {
            self.at += 1;
        }
    }

    fn one(&mut self, byte: u8) -> Option<()> {
        (self.byte()? == byte).then(|| self.at += 1)
    }

    fn whole(&mut self) -> Option<()> {
        self.space();
        if matches!(self.byte()?, b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') {
            self.fault(Fault::NotAnObject, self.at);
        }
        self.value()?;
        self.space();
        if self.at < self.text.len() {
            self.fault(Fault::TrailingData, self.at);
        }
        Some(())
    }

    fn value(&mut self) -> Option<()> {
        if matches!(self.byte()?, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') {
            self.nodes += 1;
            if self.nodes > self.max_nodes {
                self.fault(Fault::TooManyNodes, self.at);
            }
        }
        match self.byte()? {
            b'{' => self.container(true),
            b'[' => self.container(false),
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => b"true".iter().try_for_each(|&byte| self.one(byte)),
            b'f' => b"false".iter().try_for_each(|&byte| self.one(byte)),
            b'n' => b"null".iter().try_for_each(|&byte| self.one(byte)),
            _ => None,
        }
    }

    fn container(&mut self, object: bool) -> Option<()> {
        self.depth += 1;
        if self.depth > 64 {
            self.fault(Fault::TooDeep, self.at);
            if self.depth > 100 {
                return Some(()); // deep enough: a lower fault has been found
            }
        }
        self.at += 1;
        self.space();
        let end = if object { b'}' } else { b']' };
        let mut names: Vec<Vec<u16>> = Vec::new();
        if self.byte()? != end {
            loop {
                if object {
                    self.member_name(&mut names)?;
                }
                self.value()?;
                self.space();
                if self.byte()? == end {
                    break;
                }
                self.one(b',')?;
                self.space();
            }
        }
        self.at += 1;
        self.depth -= 1;
        Some(())
    }

    fn member_name(&mut self, names: &mut Vec<Vec<u16>>) -> Option<()> {
        let quote = self.at;
        let name = self.string()?;
        let at_fault = self.faults.iter().any(|&(_, offset)| (quote..self.at).contains(&offset));
        if !at_fault {
            if names.contains(&name) {
                self.fault(Fault::DuplicateName, quote);
            }
            if String::from_utf16(&name).unwrap().starts_with("$serde_json::private::") {
                self.fault(Fault::ReservedName, quote);
            }
            names.push(name);
        }
        self.space();
        self.one(b':')?;
        self.space();
        Some(())
    }

    fn string(&mut self) -> Option<Vec<u16>> {
        let mut units: Vec<(u16, Option<usize>)> = Vec::new(); // with the backslash of a `\u` escape
        self.one(b'"')?;
        let broken_off = loop {
            match self.byte() {
                None | Some(0x00..=0x1f) => break true,
                Some(b'"') => break false,
                Some(b'\\') => {
                    let backslash = self.at;
                    self.at += 1;
                    let unit = match self.byte() {
                        Some(b'u') => {
                            let mut unit = 0;
                            let mut digits = 0;
                            self.at += 1;
                            while let Some(digit) = self.byte().and_then(|b| (b as char).to_digit(16)) {
                                unit = unit * 16 + digit as u16;
                                digits += 1;
                                self.at += 1;
                                if digits == 4 {
                                    break;
                                }
                            }
                            if digits < 4 {
                                break true;
                            }
                            units.push((unit, Some(backslash)));
                            continue;
                        }
                        Some(b'"') => 0x22,
                        Some(b'\\') => 0x5c,
                        Some(b'/') => 0x2f,
                        Some(b'b') => 0x08,
                        Some(b'f') => 0x0c,
                        Some(b'n') => 0x0a,
                        Some(b'r') => 0x0d,
                        Some(b't') => 0x09,
                        _ => break true,
                    };
                    units.push((unit, None));
                    self.at += 1;
                }
                Some(_) => {
                    let len = (1..=4)
                        .find(|n| self.text.get(self.at..self.at + n).is_some_and(|b| str::from_utf8(b).is_ok()));
                    match len {
                        Some(len) => {
                            let text = str::from_utf8(&self.text[self.at..self.at + len]).unwrap();
                            units.extend(text.encode_utf16().map(|unit| (unit, None)));
                            self.at += len;
                        }
                        None => {
                            // Noted as malformed already; it keeps apart what stands around it.
                            units.push((0xfffd, None));
                            self.at += 1;
                        }
                    }
                }
            }
        };
        let mut i = 0;
        while i < units.len() {
            if let (unit @ 0xd800..=0xdfff, Some(backslash)) = units[i] {
                let pair = unit < 0xdc00 && matches!(units.get(i + 1), Some((0xdc00..=0xdfff, Some(_))));
                if pair {
                    i += 1;
                } else {
                    self.fault(Fault::LoneSurrogate, backslash);
                }
            }
            i += 1;
        }
        if broken_off {
            return None;
        }
        self.at += 1;
        Some(units.into_iter().map(|(unit, _)| unit).collect())
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        // The longest run of which a number can be made, found by trying what could complete it.
        let mut end = start;
        while end < self.text.len() && ["", "0"].iter().any(|more| is_number(&self.text[start..=end], more)) {
            end += 1;
        }
        self.at = end;
        let run = &self.text[start..end];
        if run.len() > 40 {
            self.fault(Fault::NumberTooLong, start);
        }
        if !is_number(run, "") {
            return None;
        }
        if run.len() <= 40 {
            let token = str::from_utf8(run).unwrap();
            if let Some(fault) = number_fault(token) {
                self.fault(fault, start);
            }
        }
        Some(())
    }
}

/// Whether bytes and what is added to them are a number of RFC 8259.
fn is_number(bytes: &[u8], more: &str) -> bool {
    let Ok(text) = str::from_utf8(bytes) else {
        return false;
    };
    let text = format!("{text}{more}");
    let text = text.strip_prefix('-').unwrap_or(&text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

fn number_fault(token: &str) -> Option<Fault> {
    let double: f64 = token.parse().unwrap();
    if double.is_infinite() {
        return Some(Fault::NotFinite);
    }
    let (_, digits, exponent) = exact(token);
    if exponent >= 0 {
        // Integral. With more than 16 digits it's beyond the range; otherwise it's small enough to compare.
        let len = digits.len() as i128 + exponent;
        let beyond =
            digits != "0" && (len > 16 || digits.parse::<u128>().unwrap() * 10_u128.pow(exponent as u32) >= 1 << 53);
        return beyond.then_some(Fault::IntegerOutOfRange);
    }
    let shortest = serde_json::Number::from_f64(double).unwrap().to_string();
    (exact(&shortest) != exact(token)).then_some(Fault::NumberNotCanonical)
}

/// Sign, digits without zeros at either end, power of ten.
fn exact(numeral: &str) -> (bool, String, i128) {
    let (mantissa, power) = numeral.split_once(['e', 'E']).unwrap_or((numeral, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{}{fraction}", whole.trim_start_matches('-'));
    let digits = all.trim_start_matches('0').trim_end_matches('0');
    if digits.is_empty() {
        return (false, "0".into(), 0);
    }
    let zeros = all.len() - all.trim_end_matches('0').len();
    let power: i128 = power.parse().unwrap();
    (numeral.starts_with('-'), digits.into(), power - fraction.len() as i128 + zeros as i128)
}
