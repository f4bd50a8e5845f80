//! What the tests share.

mod bench;
mod client;
mod schema;
mod workshop;

pub(crate) use bench::Bench;
pub(crate) use client::{Client, Era, pipe, request};
pub(crate) use schema::assert_answers;
pub(crate) use workshop::Workshop;
