//! From bytes to the canonical text, in one pass. [DIG-001] [DIG-002]
//!
//! There's no recursion: what is open is a list in the [`Writer`], and no input makes the stack grow.

use super::fault::{Fault, Inadmissible};
use super::limits::Limits;
use super::number::{self, Form};
use super::text;
use super::writer::Writer;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A fault and the offset of the byte at which it lies.
type At = (Fault, usize);

/// Admits a text and returns its canonical form.
pub(super) fn canonical(bytes: &[u8], limits: &Limits) -> Result<String, Inadmissible> {
    if bytes.len() > limits.max_bytes() {
        return Err(Inadmissible::whole(Fault::TooLarge)); // [DIG-010]
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(Inadmissible::at_byte(Fault::ByteOrderMark, 0)); // [DIG-013]
    }
    let (source, broken) = match str::from_utf8(bytes) {
        Ok(source) => (source, false),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            (str::from_utf8(valid).unwrap_or_default(), true)
        }
    };
    let mut parser = Parser { source, bytes: source.as_bytes(), at: 0, writer: Writer::new(source.len(), limits) };
    match parser.document() {
        // The valid part lacks something only because it ends there, or is followed by the bytes that aren't UTF-8.
        Ok(()) if broken => Err(Inadmissible::at_byte(Fault::InvalidUtf8, source.len())), // [DIG-014]
        Err((Fault::Syntax, offset)) if broken && offset == source.len() => {
            Err(Inadmissible::at_byte(Fault::InvalidUtf8, offset)) // [DIG-014]
        }
        Ok(()) => parser.writer.finish().map_err(Inadmissible::whole),
        Err((fault, offset)) => Err(Inadmissible::at_byte(fault, offset)),
    }
}

struct Parser<'a> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    writer: Writer,
}

impl Parser<'_> {
    /// Reads the whole text. On a fault the offset is the lowest of all faults. [DIG-003]
    fn document(&mut self) -> Result<(), At> {
        self.object_and_nothing_else().map_err(|fault| {
            // All bytes before the fault have been read, so the only faults that may lie before it are those that are
            // looked for when an object closes: duplicate names in the objects that are still open.
            match self.writer.first_duplicate() {
                Some(duplicate) if duplicate.source < fault.1 => (Fault::DuplicateName, duplicate.source),
                _ => fault,
            }
        })
    }

    fn object_and_nothing_else(&mut self) -> Result<(), At> {
        self.skip_white_space();
        loop {
            self.value()?;
            // After a value: close what ends here, or stop at the next value.
            loop {
                self.skip_white_space();
                match (self.writer.in_object(), self.peek()) {
                    (None, None) => return Ok(()),
                    (None, Some(_)) => return Err((Fault::TrailingData, self.at)), // [DIG-016]
                    (Some(false), Some(b',')) => {
                        self.separator();
                        break;
                    }
                    (Some(true), Some(b',')) => {
                        self.writer.end_member();
                        self.separator();
                        self.member_name()?;
                        break;
                    }
                    (Some(false), Some(b']')) => self.close()?,
                    (Some(true), Some(b'}')) => {
                        self.writer.end_member();
                        self.close()?;
                    }
                    _ => return self.syntax(self.at),
                }
            }
        }
    }

    /// Reads a scalar or an empty container, or goes into a container up to its first value.
    fn value(&mut self) -> Result<(), At> {
        loop {
            match self.peek() {
                Some(b'{') => {
                    self.open(true)?;
                    if self.peek() == Some(b'}') {
                        return self.close();
                    }
                    self.member_name()?;
                }
                Some(b'[') => {
                    self.open(false)?;
                    if self.peek() == Some(b']') {
                        return self.close();
                    }
                }
                Some(b'"') => {
                    self.scalar()?;
                    return self.string();
                }
                Some(b'-' | b'0'..=b'9') => {
                    self.scalar()?;
                    return self.number();
                }
                Some(b't') => return self.literal(b"true"),
                Some(b'f') => return self.literal(b"false"),
                Some(b'n') => return self.literal(b"null"),
                _ => return self.syntax(self.at),
            }
        }
    }

    fn open(&mut self, object: bool) -> Result<(), At> {
        self.writer.open(object).map_err(|fault| (fault, self.at))?;
        self.at += 1;
        self.skip_white_space();
        Ok(())
    }

    fn close(&mut self) -> Result<(), At> {
        self.at += 1;
        self.writer.close().map_err(|duplicate| (Fault::DuplicateName, duplicate.source))
    }

    fn scalar(&mut self) -> Result<(), At> {
        self.writer.scalar().map_err(|fault| (fault, self.at))
    }

    fn separator(&mut self) {
        self.writer.out.push(b',');
        self.at += 1;
        self.skip_white_space();
    }

    /// Reads a name and its colon.
    fn member_name(&mut self) -> Result<(), At> {
        if self.peek() != Some(b'"') {
            return self.syntax(self.at);
        }
        let (source, start) = (self.at, self.writer.out.len());
        self.string()?;
        self.writer.name(start, source).map_err(|fault| (fault, source))?;
        self.skip_white_space();
        if self.peek() != Some(b':') {
            return self.syntax(self.at);
        }
        self.writer.out.push(b':');
        self.at += 1;
        self.skip_white_space();
        Ok(())
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), At> {
        self.scalar()?;
        for &byte in word {
            if self.peek() != Some(byte) {
                return self.syntax(self.at);
            }
            self.at += 1;
        }
        self.writer.out.extend_from_slice(word);
        Ok(())
    }

    fn number(&mut self) -> Result<(), At> {
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        // One byte more than is admitted shows that there are too many.
        let window = rest.get(..=Limits::MAX_NUMBER_LEN).unwrap_or(rest);
        let (len, form) = number::scan(window);
        if len > Limits::MAX_NUMBER_LEN {
            return Err((Fault::NumberTooLong, start)); // [DIG-020]
        }
        self.at = start + len;
        let out = &mut self.writer.out;
        match form {
            Form::Incomplete => return self.syntax(self.at),
            Form::Integer => number::push_integer(window.get(..len).unwrap_or_default(), out),
            Form::Decimal => number::push_decimal(self.source.get(start..self.at).unwrap_or_default(), out),
        }
        .map_err(|fault| (fault, start))
    }

    /// Reads a string from its opening quote on, and writes it with its quotes.
    fn string(&mut self) -> Result<(), At> {
        let mut from = self.at; // where what is still to be copied begins
        self.at += 1;
        loop {
            self.at += text::plain_len(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    self.copy(from);
                    return Ok(());
                }
                Some(b'\\') => {
                    self.copy(from);
                    self.escape()?;
                    from = self.at;
                }
                _ => return self.syntax(self.at),
            }
        }
    }

    /// Copies the source from a place up to here.
    fn copy(&mut self, from: usize) {
        let bytes = self.bytes.get(from..self.at).unwrap_or_default();
        self.writer.out.extend_from_slice(bytes);
    }

    /// Reads an escape from its backslash on, and writes what it stands for.
    fn escape(&mut self) -> Result<(), At> {
        let backslash = self.at;
        self.at += 1;
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                self.at += 1;
                let unit = self.four_digits()?;
                let decoded = self.code_point(unit).ok_or((Fault::LoneSurrogate, backslash))?; // [DIG-015]
                text::push_escaped(decoded.encode_utf8(&mut [0; 4]), &mut self.writer.out);
                return Ok(());
            }
            _ => return self.syntax(self.at),
        };
        self.at += 1;
        text::push_escaped(char::from(plain).encode_utf8(&mut [0; 4]), &mut self.writer.out);
        Ok(())
    }

    fn four_digits(&mut self) -> Result<u16, At> {
        let mut unit = 0;
        for _ in 0..4 {
            match self.peek().and_then(|byte| char::from(byte).to_digit(16)) {
                Some(digit) => unit = unit << 4 | digit,
                None => return self.syntax(self.at),
            }
            self.at += 1;
        }
        u16::try_from(unit).or_else(|_| self.syntax(self.at))
    }

    /// The character of a code unit, together with a second escape if it's the first half of a pair.
    fn code_point(&mut self, unit: u16) -> Option<char> {
        if let Some(character) = char::from_u32(unit.into()) {
            return Some(character);
        }
        if self.bytes.get(self.at..self.at + 2) != Some(b"\\u") {
            return None;
        }
        self.at += 2;
        let second = self.four_digits().ok()?;
        char::decode_utf16([unit, second]).next()?.ok()
    }

    fn skip_white_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn syntax<T>(&self, offset: usize) -> Result<T, At> {
        Err((Fault::Syntax, offset)) // [DIG-017]
    }
}
