//! A fault, and what it replaces.

use std::fmt;
use std::sync::Arc;

use approval_core::Clock;
use reference_target::{Parts, Replace};

use crate::faults;

/// A fault: the reference with one part replaced.
#[derive(Clone, Copy)]
pub struct Fault {
    /// Its name, in `conformance/mutants.toml` too.
    pub name: &'static str,
    seam: Seam,
}

#[derive(Clone, Copy)]
enum Seam {
    Clock(fn(Arc<dyn Clock>) -> Arc<dyn Clock>),
    Parts(fn(Parts) -> Parts),
}

impl Fault {
    /// A fault in a part of the server.
    pub(crate) const fn new(name: &'static str, parts: fn(Parts) -> Parts) -> Self {
        Self { name, seam: Seam::Parts(parts) }
    }

    /// A fault in the clock, by which the store goes too.
    pub(crate) const fn of_clock(name: &'static str, clock: fn(Arc<dyn Clock>) -> Arc<dyn Clock>) -> Self {
        Self { name, seam: Seam::Clock(clock) }
    }
}

impl Replace for Fault {
    fn clock(&self, clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        match self.seam {
            Seam::Clock(replace) => replace(clock),
            Seam::Parts(_) => clock,
        }
    }

    fn parts(&self, parts: Parts) -> Parts {
        match self.seam {
            Seam::Clock(_) => parts,
            Seam::Parts(replace) => replace(parts),
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All faults.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    faults::ALL.iter().copied().flatten()
}

/// The fault of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Fault> {
    all().find(|fault| fault.name == name)
}
