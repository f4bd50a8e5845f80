//! Worlds that do not keep to their contracts: the exploration must find out each, by the invariant that it breaks.

use crate::invariant::{ALONE_ON_KEY, Invariant, ONE_CLAIM, WITHIN_BOUNDS};

/// What is wrong with the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Every entry is taken for the first one.
    AnchorForgets,
    /// The store's clock stands still. [STORE-005]
    StoreClockStands,
    /// The store finds no attempts on an effect key. [STORE-006]
    StoreForgetsAttempts,
    /// A transition is applied to what was stored before it was committed; rows are compared with what it read. [STORE-001]
    StoreReadsEarlier,
    /// As that, and rows are not compared with what it read. [STORE-004]
    StoreReplacesAnything,
}

impl Fault {
    /// Whether a transition is applied to an earlier snapshot.
    pub(crate) fn reads_earlier(self) -> bool {
        matches!(self, Self::StoreReadsEarlier | Self::StoreReplacesAnything)
    }
}

/// A fault of the world, where it must be found, and by what.
pub(crate) struct Case {
    pub(crate) fault: Fault,
    pub(crate) name: &'static str,
    pub(crate) scenario: &'static str,
    pub(crate) breaks: Invariant,
}

pub(crate) const CASES: [Case; 5] = [
    Case { fault: Fault::AnchorForgets, name: "anchor-forgets", scenario: "old-copy", breaks: ONE_CLAIM },
    Case { fault: Fault::StoreClockStands, name: "store-clock-stands", scenario: "stops", breaks: WITHIN_BOUNDS },
    Case {
        fault: Fault::StoreForgetsAttempts,
        name: "store-forgets-attempts",
        scenario: "rivals",
        breaks: ALONE_ON_KEY,
    },
    Case { fault: Fault::StoreReadsEarlier, name: "store-reads-earlier", scenario: "rivals", breaks: ALONE_ON_KEY },
    Case {
        fault: Fault::StoreReplacesAnything,
        name: "store-replaces-anything",
        scenario: "attempts",
        breaks: ONE_CLAIM,
    },
];
