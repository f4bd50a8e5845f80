//! Planning, who may ask, and whose words a plan holds (gate.md, section 5; profile.md, section 3).

use crate::check::Check;

pub(super) const ALL: &[&[Check]] = &[];
