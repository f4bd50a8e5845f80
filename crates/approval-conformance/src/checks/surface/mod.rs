//! The approval surface: pages, sessions, forms (approval-surface.md).

use crate::check::Check;

pub(super) const ALL: &[&[Check]] = &[];
