//! What somebody can do who writes to the store, generated from the schemas of what is stored.
//!
//! Two attackers. One has **no key**: they edit sealed bytes and columns, delete, move and swap rows, and put older ones back.
//! The other is stronger than the profile promises to stand: they have **the key**, and seal anew whatever they edit, so that
//! nothing but the checks behind the seals is left. For each record, each of its members is changed in every way that the
//! record's schema leaves room for (`mutation`), in every state of a plan in which the record is used (`scene`), and every
//! call that reads it (`usage`) must answer as the specification says (`expected`): a table by kind of record, member and
//! edit, in which each exception gives its reason. Nothing may happen to the target but where the call would have been let
//! through untouched.
//!
//! A kind of record, a member, a spelling or a column that is new is tampered with from its first day on: what nobody has
//! said anything about must be refused.
//!
//! Tests that are ignored take the whole product; `cargo xtask ci --full` runs them.
//!
//! What somebody without the key does to a database is the same for every database (`database`); SQLite's part is here, that of
//! PostgreSQL where its servers are.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing"
)]

pub mod database;
mod workshop;

#[cfg(test)]
mod consistently;
#[cfg(test)]
mod expected;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod put_back;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod tally;
#[cfg(test)]
mod transient;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod values;
#[cfg(test)]
mod with_the_key;
#[cfg(test)]
mod without_the_key;
