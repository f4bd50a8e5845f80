//! The approval surface: pages, sessions, forms (approval-surface.md).

mod acts;
mod beside;
mod bounds;
mod contents;
mod decisions;
mod documents;
mod doors;
mod forms;
mod headers;
mod logins;
mod secrets;
mod texts;
mod ways;

use crate::check::Check;

pub(super) const ALL: &[&[Check]] = &[
    beside::ALL,
    bounds::ALL,
    contents::ALL,
    decisions::ALL,
    documents::ALL,
    doors::ALL,
    forms::ALL,
    headers::ALL,
    logins::ALL,
    secrets::ALL,
    texts::ALL,
    ways::ALL,
];
