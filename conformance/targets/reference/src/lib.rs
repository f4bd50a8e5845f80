#![doc = include_str!("lib.md")]
#![warn(clippy::missing_errors_doc)]

mod control;
mod installation;
mod notebook;
mod operator;
mod parts;
mod permissions;
mod processes;
mod program;
mod server;
mod settings;
mod tools;

pub use control::Control;
pub use installation::Installation;
pub use notebook::{Found, Notebook, PROCESS, SERVICE, Trouble};
pub use parts::{Layer, Parts, as_it_is};
pub use permissions::{KEEPERS, Permissions};
pub use processes::{Presence, Process, Processes};
pub use program::{AsItIs, Replace, run, run_with};
pub use server::Server;
pub use settings::Settings;
pub use tools::{ARCHIVE, Note, NoteTool, Notes, Shared};
