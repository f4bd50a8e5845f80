#![doc = include_str!("lib.md")]
#![allow(dead_code, unused_imports, reason = "checks that use all of it are being written")]

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
mod verdict;
mod watch;
mod wire;
mod world;

pub use self::check::Level;
pub use self::checks::check_ids;
pub use self::driver::{answer_schema, request_schema};
pub use self::recorder::Message;
pub use self::run::{Expectation, Expected, ExpectedError, Options, OptionsError, Progress, run};
pub use self::verdict::Verdict;
pub use self::wire::Revision;
