//! The canonical text as it grows, behind both ways in. [DIG-030]
//!
//! Tokens are written in the order in which they come. Where an object turns out to have come unsorted, its members are
//! put in order in place as it closes. So there's one text, one spare of at most its size, and a record for each member
//! of an object that is still open; nothing is kept for what is closed.

use std::fmt::{self, Write as _};
use std::ops::Range;

use super::fault::Fault;
use super::limits::Limits;
use super::order;
use super::text;

/// The prefix of the names under which `serde_json` passes a number or a raw text through serde's data model where one
/// of its features is on. Other builds would read another value from the same member.
const RESERVED: &[u8] = b"$serde_json::private::";

/// A canonical text under construction.
pub(super) struct Writer {
    /// The text so far.
    pub(super) out: Vec<u8>,
    /// Where the text is put together anew when members are sorted.
    spare: Vec<u8>,
    /// The containers that are open, outermost first.
    open: Vec<Container>,
    /// The members of the objects that are open, outermost object first.
    members: Vec<Member>,
    nodes: usize,
    limits: Limits,
}

#[derive(Debug, Clone, Copy)]
struct Container {
    /// Where its text begins, after the bracket.
    start: usize,
    /// How many members the objects around it had when it opened.
    first_member: usize,
    object: bool,
}

/// A member of an open object. All but `source` are places in the text written.
#[derive(Debug, Clone, Copy)]
struct Member {
    prefix: u64,
    start: usize,
    name_end: usize,
    end: usize,
    /// Where its name began in what was read.
    source: usize,
}

/// A second member of one name.
#[derive(Debug, Clone)]
pub(super) struct Duplicate {
    /// Where its name began in what was read.
    pub(super) source: usize,
    /// Its name in the text, with the quotes.
    pub(super) name: Range<usize>,
}

impl Writer {
    /// Starts a text that is expected to have so many bytes.
    pub(super) fn new(expected: usize, limits: &Limits) -> Self {
        Self {
            out: Vec::with_capacity(expected),
            spare: Vec::new(),
            open: Vec::with_capacity(16),
            members: Vec::with_capacity(64),
            nodes: 0,
            limits: *limits,
        }
    }

    /// The text, once everything is closed.
    pub(super) fn finish(self) -> Result<String, Fault> {
        self.check_size()?;
        // Only UTF-8 was written. Were it not so, refusing is right.
        String::from_utf8(self.out).map_err(|_| Fault::InvalidUtf8)
    }

    /// Refuses to go on where the text has outgrown the limit already.
    pub(super) fn check_size(&self) -> Result<(), Fault> {
        if self.out.len() > self.limits.max_bytes() {
            return Err(Fault::TooLarge); // [DIG-011]
        }
        Ok(())
    }

    /// Writes a string with its quotes.
    pub(super) fn string(&mut self, text: &str) -> Result<(), Fault> {
        if text.len() > self.limits.max_bytes() {
            return Err(Fault::TooLarge); // [DIG-011]
        }
        self.out.push(b'"');
        text::push_escaped(text, &mut self.out);
        self.out.push(b'"');
        Ok(())
    }

    /// Writes what a value displays as a string with its quotes.
    pub(super) fn displayed<T: fmt::Display + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let most = self.limits.max_bytes().saturating_add(self.out.len());
        self.out.push(b'"');
        let mut escaped = Escaped { out: &mut self.out, most, outgrown: false };
        let written = write!(escaped, "{value}");
        if escaped.outgrown {
            return Err(Fault::TooLarge); // [DIG-011]
        }
        written.map_err(|_| Fault::Unserializable)?; // [DIG-054]
        self.out.push(b'"');
        Ok(())
    }

    /// Counts a value that isn't a container.
    pub(super) fn scalar(&mut self) -> Result<(), Fault> {
        if self.open.is_empty() {
            return Err(Fault::NotAnObject); // [DIG-012]
        }
        self.node()
    }

    /// Opens a container and counts it.
    pub(super) fn open(&mut self, object: bool) -> Result<(), Fault> {
        if self.open.is_empty() && !object {
            return Err(Fault::NotAnObject); // [DIG-012]
        }
        self.node()?;
        if self.open.len() == Limits::MAX_DEPTH {
            return Err(Fault::TooDeep); // [DIG-025]
        }
        self.out.push(if object { b'{' } else { b'[' });
        self.open.push(Container { start: self.out.len(), first_member: self.members.len(), object });
        Ok(())
    }

    fn node(&mut self) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > self.limits.max_nodes() {
            return Err(Fault::TooManyNodes); // [DIG-026]
        }
        Ok(())
    }

    /// Whether the innermost container is an object; `None` where none is open.
    pub(super) fn in_object(&self) -> Option<bool> {
        self.open.last().map(|container| container.object)
    }

    /// Records a name that has just been written, with its quotes, from `start` on.
    pub(super) fn name(&mut self, start: usize, source: usize) -> Result<(), Fault> {
        let name_end = self.out.len();
        let name = start + 1..name_end - 1;
        if self.text(name.clone()).starts_with(RESERVED) {
            return Err(Fault::ReservedName); // [DIG-027]
        }
        let prefix = order::prefix(&self.out, name);
        self.members.push(Member { prefix, start, name_end, end: name_end, source });
        Ok(())
    }

    /// Ends the value of the innermost object's last member.
    pub(super) fn end_member(&mut self) {
        if let Some(member) = self.members.last_mut() {
            member.end = self.out.len();
        }
    }

    /// The members of the objects that are open, counted.
    pub(super) fn members(&self) -> usize {
        self.members.len()
    }

    /// The name of an open object's member, with its quotes.
    pub(super) fn member_name(&self, index: usize) -> &[u8] {
        self.members.get(index).map_or(&[], |member| self.text(member.start..member.name_end))
    }

    /// Bytes of the text so far.
    pub(super) fn text(&self, range: Range<usize>) -> &[u8] {
        self.out.get(range).unwrap_or_default()
    }

    /// Closes the innermost container, its members in order.
    pub(super) fn close(&mut self) -> Result<(), Duplicate> {
        let Some(container) = self.open.pop() else {
            return Ok(());
        };
        if !container.object {
            self.out.push(b']');
            return Ok(());
        }
        let Self { out, spare, members, .. } = self;
        let members_here = members.get_mut(container.first_member..).unwrap_or_default();
        if !members_here.is_sorted_by(|a, b| compare(out, a, b).is_lt()) {
            if let Some(duplicate) = sort(out, members_here) {
                members.truncate(container.first_member);
                return Err(duplicate); // [DIG-028]
            }
            spare.clear();
            spare.reserve_exact(out.len() - container.start + 1);
            for member in &*members_here {
                spare.extend_from_slice(out.get(member.start..member.end).unwrap_or_default());
                spare.push(b',');
            }
            spare.pop();
            out.truncate(container.start);
            out.extend_from_slice(spare);
        }
        members.truncate(container.first_member);
        out.push(b'}');
        Ok(())
    }

    /// Of the names that are written twice in an open object, the first in what was read.
    pub(super) fn first_duplicate(&mut self) -> Option<Duplicate> {
        let Self { out, open, members, .. } = self;
        let mut end = members.len();
        let mut first: Option<Duplicate> = None;
        for container in open.iter().rev() {
            let found = sort(out, members.get_mut(container.first_member..end).unwrap_or_default());
            end = container.first_member;
            first = first.into_iter().chain(found).min_by_key(|duplicate| duplicate.source);
        }
        first
    }
}

/// Takes text piece by piece, and writes it escaped. What a value displays has no length before it is written.
struct Escaped<'a> {
    out: &'a mut Vec<u8>,
    most: usize,
    outgrown: bool,
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.out.len().saturating_add(text.len()) > self.most {
            self.outgrown = true;
            return Err(fmt::Error);
        }
        text::push_escaped(text, self.out);
        Ok(())
    }
}

/// Sorts the members of one object, and returns the second member of a name that was read first.
fn sort(out: &[u8], members: &mut [Member]) -> Option<Duplicate> {
    // Members of one name stay in the order in which they were read, so that the second is the second.
    members.sort_unstable_by(|a, b| compare(out, a, b).then(a.start.cmp(&b.start)));
    members
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] if compare(out, a, b).is_eq() => Some(Duplicate { source: b.source, name: b.start..b.name_end }),
            _ => None,
        })
        .min_by_key(|duplicate| duplicate.source)
}

fn compare(out: &[u8], a: &Member, b: &Member) -> std::cmp::Ordering {
    let name = |member: &Member| out.get(member.start + 1..member.name_end - 1).unwrap_or_default();
    a.prefix.cmp(&b.prefix).then_with(|| order::compare(name(a), name(b)))
}
