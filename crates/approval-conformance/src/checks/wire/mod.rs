//! Messages: what is listed, advertised, answered, and turned away (profile.md, sections 4 to 6).

use crate::check::Check;

pub(super) const ALL: &[&[Check]] = &[];
