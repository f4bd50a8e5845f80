//! The tool of which nothing is known but its definition.

use approval_rmcp::GatedTool;
use reference_target::Parts;

use crate::fault::Fault;

pub(super) const ALL: &[Fault] = &[
    // Whatever ends with an error has had no effect: nobody knows that. [EXEC-003]
    Fault::new("errors-count-as-harmless", |parts| Parts {
        announce: parts.announce.clone().errors_are_effect_free(),
        ..parts
    }),
    // All announcements touch the same, whatever their topic. [GATE-100]
    Fault::new("announcements-in-each-others-way", |parts| Parts {
        announce: GatedTool::opaque().secrets_at(["/password"]),
        ..parts
    }),
];
