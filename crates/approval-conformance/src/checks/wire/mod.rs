//! Messages: what is listed, advertised, answered, and turned away (profile.md, sections 4 to 6).

mod addresses;
mod advertised;
mod arguments;
mod came;
mod doubled;
mod hang_up;
mod ids;
mod limits;
mod listed;
mod malformed;
mod plans;
mod repeated;
mod requester;
mod results;
mod schemas;
mod secrets;
mod strict;
mod unasked;
mod waiting;

use crate::check::Check;

pub(super) const ALL: &[&[Check]] = &[
    addresses::ALL,
    advertised::ALL,
    arguments::ALL,
    doubled::ALL,
    hang_up::ALL,
    ids::ALL,
    limits::ALL,
    listed::ALL,
    malformed::ALL,
    plans::ALL,
    repeated::ALL,
    requester::ALL,
    results::ALL,
    schemas::ALL,
    secrets::ALL,
    strict::ALL,
    unasked::ALL,
    waiting::ALL,
];
