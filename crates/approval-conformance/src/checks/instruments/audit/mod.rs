//! What the audit tells, by its export (audit.md, sections 3 to 6).

mod chain;
mod export;
mod kinds;
mod told;
mod way;

use crate::check::Check;

pub(super) use self::export::Export;

pub(super) const CHAIN: &[Check] = chain::ALL;
pub(super) const TOLD: &[Check] = told::ALL;
pub(super) const WAY: &[Check] = way::ALL;
