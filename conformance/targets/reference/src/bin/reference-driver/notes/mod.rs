//! The notes service: what the server mutates, and where effects are counted, held and cut.

mod object;
mod service;
mod shelf;

pub(crate) use object::Object;
pub(crate) use service::NotesService;
