//! Bytes in a vector: as text where they are UTF-8, otherwise in base64; long ones by what they are made of.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Bytes, and how a vector writes them.
#[derive(Clone)]
pub(crate) struct Bytes {
    pieces: Vec<Piece>,
}

#[derive(Clone)]
enum Piece {
    Once(Vec<u8>),
    Repeated(String, usize),
}

impl Bytes {
    pub(crate) fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self { pieces: vec![Piece::Once(bytes.as_ref().to_vec())] }
    }

    pub(crate) fn and(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.pieces.push(Piece::Once(bytes.as_ref().to_vec()));
        self
    }

    pub(crate) fn repeat(mut self, text: &str, times: usize) -> Self {
        self.pieces.push(Piece::Repeated(text.to_owned(), times));
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let bytes = self.pieces.iter().flat_map(|piece| match piece {
            Piece::Once(bytes) => bytes.clone(),
            Piece::Repeated(text, times) => text.repeat(*times).into_bytes(),
        });
        bytes.collect()
    }

    /// Whether the vector writes them out.
    pub(crate) fn is_short(&self) -> bool {
        self.pieces.len() == 1
    }

    pub(crate) fn written(&self) -> Value {
        let mut pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Once(bytes) => written(bytes),
            Piece::Repeated(text, times) => json!({ "repeat": text, "times": times }),
        });
        match (pieces.next(), self.is_short()) {
            (Some(piece), true) => piece,
            (first, _) => json!({ "pieces": first.into_iter().chain(pieces).collect::<Vec<_>>() }),
        }
    }
}

fn written(bytes: &[u8]) -> Value {
    match str::from_utf8(bytes) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "base64": base64(bytes) }),
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
