//! What takes somebody with the server's machine: level 2.

mod acts;
mod audit;
mod changes;
mod clock;
mod counts;
mod crashes;
mod operator;
mod outages;
mod receipts;
mod rollback;
mod sessions;
mod tampering;
mod vectors;

use crate::check::Check;

pub(super) const ALL: &[&[Check]] = &[
    audit::CHAIN,
    audit::TOLD,
    audit::WAY,
    changes::ALL,
    clock::ALL,
    counts::ALL,
    crashes::ALL,
    operator::ALL,
    outages::ALL,
    receipts::ALL,
    rollback::ALL,
    sessions::ALL,
    tampering::ALL,
    vectors::ALL,
];
