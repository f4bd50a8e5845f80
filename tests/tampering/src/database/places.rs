//! Who finds what, by table and column. A column that isn't here is new, and nobody has said yet who finds out.

use super::calls::Use;

/// What may come of an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// Somebody can do more, or less, than untouched: what the specification says of it is this.
    Beyond(&'static str),
    /// Nobody is refused but whoever looks: the audit's verification, a checkpoint, or the next process that begins; by these
    /// requirements.
    Found(&'static str),
    /// Nothing: the column says where to look, or how long to keep, and decides nothing.
    Nothing(&'static str),
    /// Whoever reads it is refused, by these requirements.
    Refused(&'static str),
}

use Held::{Beyond, Found, Nothing, Refused};

/// What the specification says of whoever can write: that something can be undone, or that somebody is logged out.
const UNDONE: Held = Beyond(
    "Who can write the store can delete plans, hide them, and put an older consistent state back, and so undo a pause, a mute, \
     a cool-down or a logout",
);
/// And of these: the plan was executed once, and what came of it can't be recorded.
const UNRECORDED: Held =
    Beyond("They can put rows where an outcome will be recorded, so that what was executed once can't be told of.");

const BY_THE_SEAL: Held = Refused("GATE-030, SEAL-003");
const BY_THE_INDEX: Held = Refused("STORE-008");
const BY_THE_LAST_EVENT: Held = Refused("SEAL-007, GATE-031");
const BY_THE_AUDIT: Held = Found("AUDIT-003, AUDIT-010, CKPT-003, CKPT-012");
const A_HINT: Held = Nothing("it says where to look, and the anchor looks there too");
const FOUND_BY: Held =
    Nothing("it says in which lists a plan is looked for, and each list looks again at what is sealed");
const FALSE_LINK: Held = Refused("GATE-100, GATE-101");
const NAMED_ANYWAY: Held =
    Nothing("which ends have been named is a hint: the next process names them once more, or a checkpoint does");
const UNNAMED: Held = Nothing("a record that no plan state names counts for nothing (REC-040)");
const BESIDE: Held = Nothing("what stands beside the plans is found by its kind and id");
const SEVERAL: Held = Nothing("each effect key has a cool-down of its own, and one is enough");
const FULL: Held = Refused("GATE-006");
const BY_OPENING: Held = Found("whoever opens the store next: it is newer, or nobody's");
const SIGNED: Held = Nothing("what a checkpoint says is signed, whatever its row says of it");
const KEPT: Held = Nothing("how long it is kept: when a session ends is sealed in it");
const COUNTED: Held = Nothing("the order in which events came stays the same");

/// By table and column; without a column, what is done to whole rows.
pub(super) const PLACES: &[(&str, &str, &[Held])] = &[
    ("asked", "", &[FOUND_BY]),
    ("asked", "asked", &[FOUND_BY]),
    ("asked", "plan", &[FOUND_BY]),
    ("asked", "shelf", &[FOUND_BY]),
    ("attempts", "", &[A_HINT, FALSE_LINK]),
    ("attempts", "effect", &[A_HINT, FALSE_LINK]),
    ("attempts", "plan", &[A_HINT, FALSE_LINK]),
    ("events", "", &[BY_THE_LAST_EVENT, BY_THE_AUDIT]),
    ("events", "entry", &[BY_THE_LAST_EVENT, BY_THE_AUDIT, UNRECORDED]),
    ("events", "plan", &[BY_THE_LAST_EVENT, BY_THE_AUDIT]),
    ("events", "position", &[BY_THE_LAST_EVENT, BY_THE_AUDIT]),
    ("events", "sealed", &[BY_THE_LAST_EVENT, BY_THE_AUDIT]),
    ("events", "sequence", &[BY_THE_LAST_EVENT, BY_THE_AUDIT]),
    ("events", "writer", &[BY_THE_LAST_EVENT, BY_THE_AUDIT]),
    ("events", "xact", &[COUNTED]),
    ("lanes", "", &[NAMED_ANYWAY]),
    ("lanes", "named", &[NAMED_ANYWAY]),
    ("lanes", "writer", &[NAMED_ANYWAY, Found("AUDIT-004")]),
    ("numbered", "", &[COUNTED]),
    ("numbered", "before", &[COUNTED]),
    ("numbered", "is_only_row", &[]),
    ("plans", "", &[BY_THE_INDEX]),
    ("plans", "created_at", &[BY_THE_INDEX]),
    ("plans", "expires_at", &[BY_THE_INDEX]),
    ("plans", "plan", &[BY_THE_INDEX]),
    ("plans", "pruned", &[FOUND_BY]),
    ("plans", "requester", &[BY_THE_INDEX]),
    ("plans", "revision", &[BY_THE_INDEX]),
    ("plans", "shelf", &[FOUND_BY]),
    ("plans", "state", &[BY_THE_INDEX]),
    ("plans", "target", &[BY_THE_INDEX]),
    ("positions", "", &[BY_THE_AUDIT]),
    ("positions", "entry", &[BY_THE_AUDIT]),
    ("positions", "position", &[BY_THE_AUDIT]),
    ("records", "", &[BY_THE_SEAL, BY_THE_AUDIT, UNNAMED, SEVERAL, UNDONE, UNRECORDED]),
    ("records", "id", &[BY_THE_SEAL, BY_THE_AUDIT, SEVERAL, UNDONE, UNRECORDED]),
    ("records", "kind", &[BY_THE_SEAL, BY_THE_AUDIT, SEVERAL, UNDONE]),
    ("records", "plan", &[BY_THE_SEAL, BY_THE_AUDIT, BESIDE]),
    ("records", "revision", &[BY_THE_SEAL, BY_THE_AUDIT, SIGNED]),
    ("records", "sealed", &[BY_THE_SEAL, BY_THE_AUDIT, SIGNED]),
    ("sqlite_sequence", "", &[COUNTED]),
    ("sqlite_sequence", "name", &[COUNTED]),
    ("sqlite_sequence", "seq", &[COUNTED, Found("CKPT-003"), FULL]),
    ("transient", "", &[Refused("SEAL-001"), UNDONE]),
    ("transient", "expires_at", &[KEPT, UNDONE]),
    ("transient", "key", &[UNDONE]),
    ("transient", "sealed", &[Refused("SEAL-001")]),
    ("version", "", &[BY_OPENING]),
    ("version", "version", &[BY_OPENING]),
];

impl Held {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Beyond(_) => "beyond",
            Self::Found(_) => "found",
            Self::Nothing(_) => "nothing",
            Self::Refused(_) => "refused",
        }
    }
}

/// The calls that look for what is wrong.
pub(super) const LOOKS: [Use; 4] = [Use::Checkpoint, Use::Open, Use::Start, Use::Verify];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_out_is_a_requirement() {
        let known = include_str!("../../../../spec/v0/requirements.toml");
        let mut named = 0;
        for held in PLACES.iter().flat_map(|(.., held)| *held) {
            let (Beyond(text) | Found(text) | Nothing(text) | Refused(text)) = held;
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            for id in words.filter(|word| word.contains('-') && word.starts_with(|c: char| c.is_ascii_uppercase())) {
                assert!(known.contains(&format!("id = \"{id}\"")), "{id}");
                named += 1;
            }
        }
        assert!(named > 20, "{named}");
    }

    #[test]
    fn what_is_beyond_is_what_the_specification_lists() {
        let listed = include_str!("../../../../spec/v0/security.md").split_whitespace().collect::<Vec<_>>().join(" ");
        for held in PLACES.iter().flat_map(|(.., held)| *held) {
            if let Beyond(sentence) = held {
                assert!(listed.contains(sentence), "{sentence}");
            }
        }
    }
}
