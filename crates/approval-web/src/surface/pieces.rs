//! A page on its way to the browser: in pieces, of which the large ones are not copied.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};

/// From so many bytes on, a passage is a piece of its own.
const LARGE: usize = 16 * 1024;

/// Bytes of what most pages have besides.
const COMMON: usize = 16 * 1024;

/// A page that is being written.
pub(super) struct Pieces {
    /// Texts that may be written, in parts: what is written of them is taken from here.
    passages: Vec<Passage>,
    pieces: VecDeque<Bytes>,
    /// What follows the last piece.
    text: String,
}

#[derive(Clone)]
struct Passage(Arc<String>);

impl Pieces {
    /// Nothing yet of a page on which these texts will stand.
    pub(super) fn around<'a>(passages: impl Iterator<Item = &'a Arc<String>>) -> Self {
        let is_large = |passage: &&Arc<String>| passage.len() >= LARGE;
        let (mut large, mut small) = (Vec::new(), 0);
        for passage in passages {
            if is_large(&passage) {
                large.push(Passage(Arc::clone(passage)));
            } else {
                small += passage.len();
            }
        }
        Self { passages: large, pieces: VecDeque::new(), text: String::with_capacity(COMMON + small) }
    }

    /// The page, written.
    pub(super) fn end(mut self) -> Whole {
        self.cut();
        Whole { left: self.pieces.iter().map(|piece| piece.len() as u64).sum(), pieces: self.pieces }
    }

    fn cut(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push_back(std::mem::take(&mut self.text).into());
        }
    }
}

impl fmt::Write for Pieces {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let found = if text.len() < LARGE { None } else { self.passages.iter().find_map(|passage| passage.part(text)) };
        match found {
            Some(part) => {
                self.cut();
                self.pieces.push_back(part);
            }
            None => self.text.push_str(text),
        }
        Ok(())
    }
}

impl Passage {
    /// The text, if it lies in this passage: not the same characters, but the same place in memory.
    fn part(&self, text: &str) -> Option<Bytes> {
        let start = text.as_ptr().addr().checked_sub(self.0.as_ptr().addr())?;
        let end = start + text.len();
        (end <= self.0.len()).then(|| Bytes::from_owner(self.clone()).slice(start..end))
    }
}

impl AsRef<[u8]> for Passage {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A page that has been written.
pub(super) struct Whole {
    pieces: VecDeque<Bytes>,
    left: u64,
}

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.pop_front();
        self.left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn pieces(write: impl FnOnce(&Arc<String>, &mut Pieces)) -> Vec<String> {
        let passage = Arc::new("x".repeat(LARGE) + "y");
        let mut pieces = Pieces::around([&passage].into_iter());
        write(&passage, &mut pieces);
        let whole = pieces.end();
        assert_eq!(whole.size_hint().exact(), Some(whole.pieces.iter().map(|piece| piece.len() as u64).sum()));
        whole.pieces.iter().map(|piece| String::from_utf8(piece.to_vec()).unwrap()).collect()
    }

    #[test]
    fn a_large_passage_is_a_piece_of_its_own() {
        let found = pieces(|passage, pieces| write!(pieces, "<small|{passage}>").unwrap());
        assert_eq!(found, ["<small|".to_owned(), "x".repeat(LARGE) + "y", ">".to_owned()]);
    }

    #[test]
    fn a_part_of_it_is_that_part() {
        let found = pieces(|passage, pieces| {
            pieces.write_str(&passage[1..]).unwrap();
            pieces.write_str(&passage[LARGE..]).unwrap();
        });
        assert_eq!(found, ["x".repeat(LARGE - 1) + "y", "y".to_owned()]);
    }

    #[test]
    fn what_only_reads_the_same_is_written_as_it_is() {
        let found = pieces(|passage, pieces| pieces.write_str(&format!("{passage}z")).unwrap());
        assert_eq!(found, ["x".repeat(LARGE) + "yz"]);
    }
}
