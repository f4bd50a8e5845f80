//! The gate: what is executed, once, and what is refused with which reason (gate.md, sections 4 to 7).

mod challenge;
mod drift;
mod ends;
mod expiry;
mod once;
mod order;
mod outcome;
mod rules;
mod way;

use crate::check::Check;

pub(super) const ALL: &[&[Check]] =
    &[challenge::ALL, drift::ALL, ends::ALL, expiry::ALL, once::ALL, order::ALL, outcome::ALL, rules::ALL, way::ALL];
