//! The tools: notes with a preview, an announcement without one, and a look at a note.

mod board;
mod names;
mod note;
mod notes;
mod shared;

pub(crate) use board::{Board, announcing};
pub use note::Note;
pub use notes::{ARCHIVE, NoteTool, Notes};
pub use shared::Shared;
