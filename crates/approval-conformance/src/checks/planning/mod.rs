//! Planning, who may ask, and whose words a plan holds (gate.md, section 5; profile.md, section 3).

mod limits;
mod policy;

use crate::check::Check;

pub(super) const ALL: &[&[Check]] = &[limits::ALL, policy::ALL];
