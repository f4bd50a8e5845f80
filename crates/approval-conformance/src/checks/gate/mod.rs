//! The gate: what is executed, once, and what is refused with which reason (gate.md, sections 4 to 7).

mod way;

use crate::check::Check;

pub(super) const ALL: &[&[Check]] = &[way::ALL];
