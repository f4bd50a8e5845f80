//! What goes wrong outside the store, caused for real: each says what it is, leaves nothing half-written, and once it is over the
//! same service goes on.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod damage;
mod disk;
mod privileges;
mod support;
