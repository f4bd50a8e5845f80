//! What takes somebody with the server's machine: level 2.

mod acts;
mod changes;
mod clock;
mod counts;
mod crashes;
mod operator;
mod outages;
mod rollback;
mod sessions;
mod tampering;

use crate::check::Check;

pub(super) const ALL: &[&[Check]] = &[
    changes::ALL,
    clock::ALL,
    counts::ALL,
    crashes::ALL,
    operator::ALL,
    outages::ALL,
    rollback::ALL,
    sessions::ALL,
    tampering::ALL,
];
