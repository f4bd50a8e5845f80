//! The approval surface as a person meets it: in a real Chromium, over real sockets.
//!
//! - [`Driver`] and [`Browser`]: Chromium, by the W3C WebDriver protocol. Each waits through the driver for what must be there;
//!   nothing sleeps.
//! - [`Site`]: the surface on a loopback port, over the real service and a store in memory, with a clock that stands still.
//! - [`Foreign`]: another server on this machine, with whatever pages an attacker likes.
//! - [`Request`]: HTTP as bytes, for what no browser would send.
//! - [`Gallery`]: one page of each kind, for what must hold on all of them, and for pictures.
//!
//! What is decided is never read from a page alone: the service says it.
#![forbid(unsafe_code)]

mod foreign;
mod gallery;
mod http;
#[path = "../../../crates/approval-web/tests/kit/plans.rs"]
mod plans;
mod provider;
mod site;
mod webdriver;

pub use foreign::{Foreign, Received};
pub use gallery::{Gallery, Page};
pub use http::{Answer, Request};
pub use site::{Kind, PASSWORD, Person, Seen, Site, WRONG, fill_in_login, log_in_as_dora, path};
pub use webdriver::{Browser, Driver, Element, Key, Palette};
