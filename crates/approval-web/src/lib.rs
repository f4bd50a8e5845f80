//! wip
pub mod accounts;
pub mod bearer;
mod page;
mod private_file;
pub use private_file::{FileError, FileFault};
