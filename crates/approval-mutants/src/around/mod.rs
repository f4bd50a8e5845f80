//! What stands around a router: around the endpoint as messages of JSON-RPC, around the pages as pages.

mod beyond;
mod messages;
mod pages;

pub(crate) use beyond::Beyond;
pub(crate) use messages::{Messages, around_messages, content, member, tool};
pub(crate) use pages::{Page, Pages, Surface, around_pages};
