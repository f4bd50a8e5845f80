#![doc = include_str!("lib.md")]

mod agent;
mod answer;
mod check;
mod checks;
mod driver;
mod levels;
mod oracle;
mod recorder;
pub mod report;
mod requirements;
mod run;
mod scene;
pub mod target;
mod time;
mod toml_file;
mod verdict;
mod watch;
mod wire;
mod world;

pub use self::check::Level;
pub use self::checks::check_ids;
pub use self::driver::{answer_schema, request_schema};
pub use self::recorder::Message;
pub use self::run::{Expectation, Expected, Options, OptionsError, Progress, run};
pub use self::toml_file::FileError;
pub use self::verdict::Verdict;
pub use self::wire::Revision;
