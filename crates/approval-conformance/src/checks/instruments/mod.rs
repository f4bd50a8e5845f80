//! What takes somebody with the server's machine: level 2.

use crate::check::Check;

pub(super) const ALL: &[&[Check]] = &[];
