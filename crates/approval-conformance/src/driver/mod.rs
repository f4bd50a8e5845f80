//! The driver: who acts as the world (`conformance/driver/PROTOCOL.md`). Either a process that speaks the protocol, or, for pages that are
//! forms, the harness itself as the person.

mod browser;
mod html;
mod people;
mod process;
mod protocol;
mod visitor;

pub(crate) use self::html::Page;
pub(crate) use self::people::People;
pub(crate) use self::process::{Driver, DriverError};
pub(crate) use self::protocol::{
    AnswerHow, Change, Decided, Decision, Form, KillWhen, Op, Opened, PersonVerdict, PutBack, ReconcileFinding,
    Started, Tamper,
};
pub use self::protocol::{answer_schema, request_schema};
pub(crate) use self::visitor::Visitor;
