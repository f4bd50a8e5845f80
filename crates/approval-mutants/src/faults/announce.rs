//! The tool of which nothing is known but its definition.

use reference_target::Parts;

use crate::fault::Fault;

pub(super) const ALL: &[Fault] = &[
    // Whatever ends with an error has had no effect: nobody knows that. [EXEC-003]
    Fault::new("errors-count-as-harmless", |parts| Parts {
        announce: parts.announce.clone().errors_are_effect_free(),
        ..parts
    }),
];
