//! What must become of a call that reads a record which the key's holder has edited: by kind, member and edit, as the
//! specification says.

use approval_core::Reason;
use approval_core::record::{RecordKind, State};
use serde_json::Value;

use crate::mutation::{Edit, Mutation};
use crate::scene::Scene;
use crate::usage::{Answer, Use};

/// What must become of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Done, though untouched it may be refused.
    Done(&'static str),
    /// A look-up leaves the plan out, and nothing else.
    LeftOut,
    /// Never more than untouched: what was refused is refused, and nothing more happens to the target.
    NoMore(&'static str),
    /// Refused, and nothing happens to the target.
    Refused(Reason),
    /// As untouched, to the letter.
    Same(&'static str),
    /// As untouched, but for what it shows.
    Shows(&'static str),
}

const INTEGRITY: Expect = Expect::Refused(Reason::IntegrityFailure);
const MISMATCH: Expect = Expect::Refused(Reason::ApprovalHashMismatch);

impl Expect {
    /// What is wrong with the answer, if anything is.
    pub(crate) fn fault(self, control: &Answer, answer: &Answer) -> Option<String> {
        let as_untouched = answer.verdict == control.verdict && answer.effects == control.effects;
        let holds = match self {
            Self::Done(_) => answer.verdict.is_ok(),
            Self::NoMore(_) => {
                answer.effects <= control.effects && (control.verdict.is_ok() || answer.verdict.is_err())
            }
            Self::LeftOut => match (&answer.verdict, &control.verdict) {
                (Ok(answer), Ok(control)) => *answer == control.replace("found", "left out"),
                _ => false,
            },
            Self::Refused(reason) => answer.verdict == Err(reason) && answer.effects == 0,
            Self::Same(_) => as_untouched && answer.shown == control.shown,
            Self::Shows(_) => as_untouched,
        };
        let said = || match (&answer.verdict, &control.verdict) {
            (answer, control) if answer == control => format!("{answer:?}, but says otherwise"),
            (answer, control) => format!("{answer:?} where untouched it is {control:?}"),
        };
        (!holds).then(|| format!("expected {self:?}, got {} ({} effects)", said(), answer.effects))
    }
}

/// What somebody without the key does to a row.
#[derive(Clone, Debug)]
pub(crate) enum Blow {
    /// Its bytes are others, or are said to be something else.
    Altered,
    /// It isn't where it is looked for.
    Gone,
    /// It is in its place, and what is different about it nobody looks at.
    Passed,
    /// It is the older one that this is, whole.
    PutBack(Value),
}

/// A column by which a plan is looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    CreatedAt,
    /// All of them.
    Entry,
    ExpiresAt,
    Plan,
    Requester,
    Revision,
    /// To this.
    State(State),
    Target,
}

/// Whose record it is, seen from the plan that is tampered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Another plan, with an attempt on the same effect keys.
    Another,
    /// The plan, and its state names the record or it is the one of its kind.
    Plan,
    /// The server.
    Server,
    /// The plan, but its state does not name it (any more).
    Unnamed,
}

/// One call in one scene, and one record.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) usage: Use,
    pub(crate) control: &'a Answer,
    pub(crate) owner: Owner,
    pub(crate) kind: RecordKind,
    /// The record's own plan's state.
    pub(crate) state: State,
    /// The record before.
    pub(crate) record: &'a Value,
}

impl Case<'_> {
    /// Whether the call reads the record.
    pub(crate) fn reads(&self) -> bool {
        let Self { usage, control, .. } = *self;
        match self.owner {
            // [REC-040]
            Owner::Unnamed => false,
            Owner::Another => {
                let looks = matches!(usage, Use::ExecuteAnother | Use::Plan) || usage.executes() && control.did();
                looks && !self.kind.is_document()
            }
            Owner::Plan if usage == Use::ExecuteAnother => !self.kind.is_document(),
            // The end of the writer's own lane: a process that begins names the ends that nobody has named.
            // Who reconciles opens the lane before they find that there is nothing to do.
            Owner::Server if self.kind == RecordKind::Event => {
                control.did() || matches!(usage, Use::Reconcile | Use::Start)
            }
            Owner::Plan | Owner::Server => usage.reads(self.kind, self.state),
        }
    }

    /// After an edit of the record, under a seal that holds; nothing else was changed.
    pub(crate) fn forged(&self, mutation: &Mutation) -> Expect {
        if !self.reads() {
            return Expect::Same("the call does not read it");
        }
        // What the schema refuses is not of its type. [GATE-030, REC-001, REC-004]
        let expect = if mutation.well_typed { self.well_typed(mutation) } else { INTEGRITY };
        let of_another = self.owner == Owner::Another || self.usage == Use::ExecuteAnother;
        match expect {
            MISMATCH if of_another => Expect::Same("of another plan only its standing counts"),
            Expect::Refused(reason) => self.refused(reason),
            expect => expect,
        }
    }

    /// After somebody without the key has done this to the record's row.
    pub(crate) fn struck(&self, blow: &Blow) -> Expect {
        if !self.reads() {
            return Expect::Same("the call does not read it");
        }
        match blow {
            Blow::Altered => self.refused(Reason::IntegrityFailure),
            Blow::Passed => Expect::Same("a column that nothing goes by"),
            Blow::Gone => match self.kind {
                RecordKind::Pause if self.usage.executes() => Expect::Done("a pause can be hidden"),
                RecordKind::Mute if self.usage == Use::Plan => Expect::Done("a mute can be hidden"),
                RecordKind::CoolDown | RecordKind::Mute | RecordKind::Pause => {
                    Expect::Shows("what can be hidden has no say in it")
                }
                RecordKind::Event if self.usage == Use::Start => Expect::Same("what is gone is not named"),
                RecordKind::Event if self.usage == Use::Checkpoint => Expect::NoMore("there is nothing to sign"),
                // A checkpoint of this number is there. [CKPT-003]
                RecordKind::Checkpoint => Expect::Refused(Reason::StoreUnavailable),
                // [GATE-031, AUDIT-009]
                _ => self.refused(Reason::IntegrityFailure),
            },
            Blow::PutBack(older) => match self.kind {
                RecordKind::Pause if !self.usage.executes() => Expect::Shows("the one or the other has nothing to do"),
                RecordKind::Pause if older["paused"] == true => Expect::Refused(Reason::Paused),
                RecordKind::Pause => Expect::Done("a pause can be undone"),
                RecordKind::Mute if self.usage == Use::Plan => Expect::Done("a mute can be undone"),
                RecordKind::CoolDown | RecordKind::Mute => Expect::Shows("what can be undone has no say in it"),
                RecordKind::Checkpoint => Expect::Refused(Reason::StoreUnavailable),
                // [STORE-008, SEAL-007]
                _ => self.refused(Reason::IntegrityFailure),
            },
        }
    }

    /// After somebody has edited a column by which the plan is looked up, or has deleted the plan's entry.
    pub(crate) fn indexed(&self, column: &Column) -> Expect {
        let looks_for_attempts = matches!(self.usage, Use::ExecuteAnother | Use::Plan);
        let is_hidden = match column {
            Column::State(state) => !matches!(state, State::Executing | State::Partial | State::Unknown),
            Column::Entry => true,
            _ => false,
        };
        let has_an_attempt =
            self.state == State::Executing || self.state.outcome().is_some_and(|outcome| outcome.is_unresolved());
        match column {
            _ if looks_for_attempts && !has_an_attempt => Expect::Same("the plan has no attempt"),
            _ if looks_for_attempts && is_hidden => {
                Expect::Done("an attempt can be hidden from a look-up: the anchor finds it")
            }
            Column::Target if looks_for_attempts => Expect::Same("of another plan only its standing counts"),
            _ if !self.usage.is_about_the_plan() && !looks_for_attempts => Expect::Same("it is about something else"),
            Column::Target if !self.usage.reads(RecordKind::Intent, self.state) => {
                Expect::Same("the call does not read the intent")
            }
            // [GATE-020]
            Column::Entry | Column::Requester if self.usage.is_the_requesters() => {
                Expect::Refused(Reason::PlanNotFound)
            }
            Column::Entry => self.refused(Reason::PlanNotFound),
            // [STORE-008]
            _ => self.refused(Reason::IntegrityFailure),
        }
    }

    /// After the links from effect keys to the plan's attempt are gone.
    pub(crate) fn unlinked(&self) -> Expect {
        match self.usage {
            Use::ExecuteAnother => Expect::Done("an attempt can be hidden from a look-up: the anchor finds it"),
            _ => Expect::Same("the call does not look for the plan's attempt"),
        }
    }

    fn refused(&self, reason: Reason) -> Expect {
        match self.usage.is_a_look_up() && self.owner == Owner::Plan {
            true => Expect::LeftOut, // [SURF-003]
            false => Expect::Refused(reason),
        }
    }

    fn well_typed(&self, mutation: &Mutation) -> Expect {
        match self.kind {
            RecordKind::Header => self.header(mutation),
            RecordKind::Intent | RecordKind::Review => self.document(mutation),
            RecordKind::PlanState => self.plan_state(mutation),
            RecordKind::Secrets => self.secrets(mutation),
            RecordKind::CoolDown => self.until(mutation, Reason::RecentlyRejected),
            RecordKind::Mute => self.until(mutation, Reason::RateLimited),
            RecordKind::Event if self.owner == Owner::Server => match mutation.member.as_str() {
                "/writer" | "/sequence" | "/event/planId" => INTEGRITY,
                _ => Expect::Same("who has the key rewrites the end of a lane: only a checkpoint tells"),
            },
            RecordKind::Checkpoint => match mutation.member.as_str() {
                "/checkpoint/number" => INTEGRITY,
                _ => Expect::NoMore("verification with public keys tells"),
            },
            RecordKind::Pause => match mutation.member.as_str() {
                "/revision" => INTEGRITY,
                "/paused" if !self.usage.executes() => Expect::Shows("the one or the other has nothing to do"),
                "/paused" if mutation.record["paused"] == true => Expect::Refused(Reason::Paused),
                "/paused" => Expect::Done("the key's holder may let execution go on"),
                _ => Expect::Same("no decision depends on who paused, and when"),
            },
            // The state names these by their digests, and the result is named by the execution. [GATE-031]
            _ => INTEGRITY,
        }
    }

    /// The digest of the header is the state's [GATE-040]; plan, audience and what is indexed are looked at before [STORE-008],
    /// and the times of a claim follow from its limits [GATE-030].
    fn header(&self, mutation: &Mutation) -> Expect {
        match mutation.member.as_str() {
            "/planId" | "/audience" | "/requester/person" | "/createdAt" | "/expiresAt" => INTEGRITY,
            "/policy/limits/executionSeconds" if self.has_claim() => INTEGRITY,
            "/policy/limits/leaseSeconds" if self.has_claim() && is_more(&mutation.member, mutation, self.record) => {
                INTEGRITY
            }
            _ => MISMATCH,
        }
    }

    /// Intent and review are the header's [GATE-041], the index names the target [STORE-008], and their commitments are to
    /// the plan's secret values [LEAF-006].
    fn document(&self, mutation: &Mutation) -> Expect {
        if self.kind == RecordKind::Intent && target_name(&mutation.record) != target_name(self.record) {
            return INTEGRITY;
        }
        let erased = !self.state.is_open();
        if self.usage.takes_first_steps() && !erased && !same_commitments(self.record, &mutation.record) {
            return INTEGRITY;
        }
        MISMATCH
    }

    fn secrets(&self, mutation: &Mutation) -> Expect {
        let reaches_preview = self.usage.executes() && self.control.did();
        let preview = |leaf: &Value| leaf["pointer"].as_str().is_some_and(|pointer| pointer.starts_with("/preview/"));
        let others = |record: &Value| -> Vec<Value> {
            let mut leaves = record["leaves"].as_array().cloned().unwrap_or_default();
            leaves.retain(|leaf| !preview(leaf));
            leaves.sort_by_key(|leaf| leaf["pointer"].to_string());
            leaves
        };
        let previews = |record: &Value| -> Vec<(String, String)> {
            let leaves = record["leaves"].as_array().cloned().unwrap_or_default();
            let leaves = leaves.iter().filter(|leaf| preview(leaf));
            leaves.map(|leaf| (leaf["pointer"].to_string(), leaf["nonce"].to_string())).collect()
        };
        if others(&mutation.record) != others(self.record) {
            return INTEGRITY; // [LEAF-006]
        }
        match previews(&mutation.record) {
            // [GATE-103]
            after if after != previews(self.record) && after.len() <= 1 && reaches_preview => {
                Expect::Refused(Reason::PreviewChanged)
            }
            after if after.len() > 1 => INTEGRITY,
            after if after != previews(self.record) => Expect::Same("the preview is not looked at before step 10"),
            _ => Expect::Shows("leaves have no order, and of a preview's leaf the fresh value is committed to"),
        }
    }

    /// A cool-down or a mute.
    fn until(&self, mutation: &Mutation, reason: Reason) -> Expect {
        match mutation.member.as_str() {
            "/revision" => INTEGRITY,
            "/until" if self.usage == Use::Plan => {
                let until: approval_core::Timestamp = mutation.record["until"].as_str().unwrap().parse().unwrap();
                // A plan that was rejected has a cool-down on each of its effect keys.
                match self.kind == RecordKind::CoolDown || self.scene.now < until {
                    true => Expect::Refused(reason),
                    false => Expect::Done("the key's holder may end it"),
                }
            }
            _ => Expect::Same("it says nothing about whether it holds"),
        }
    }

    fn plan_state(&self, mutation: &Mutation) -> Expect {
        use Edit::{Added, Changed, Doubled, Dropped, Emptied, Nulled, Removed, Swapped};
        let gone = matches!(mutation.edit, Nulled | Removed);
        let open = self.state.is_open();
        let ended_well = matches!(self.state, State::Applied | State::Failed)
            || self.record.get("reconciliation").is_some()
            || matches!(self.state, State::Cancelled | State::Expired | State::Rejected | State::Stale);
        let top = mutation.member.split('/').nth(1).unwrap_or_default();
        match (top, mutation.edit) {
            (name, Added) if mutation.record[name].is_null() => {
                Expect::Same("a member that is absent says nothing else")
            }
            // [STORE-008, SEAL-007]
            ("planId" | "revision" | "state" | "lastEvent", _) => INTEGRITY,
            ("planDigest", _) => MISMATCH,
            ("requestTag", _) if self.usage == Use::ExecuteRepeated && self.owner == Owner::Plan => MISMATCH,
            ("requestTag", _) => Expect::Same("it is looked at where the request is repeated"),
            ("gateAttempts", _) => Expect::Same("how often it was refused is kept nowhere else"),
            ("cause", Changed) if self.state == State::Expired => Expect::NoMore("which of two clocks ran out first"),
            ("cause", _) => INTEGRITY,
            // What it names is not there. [GATE-031]
            ("challenge" | "execution" | "reconciliation", Added | Changed) => INTEGRITY,
            ("execution", _) => INTEGRITY,
            ("reconciliation", _) => Expect::NoMore("the attempt stands in the way again"),
            ("challenge", _) if self.state == State::Planned => Expect::NoMore("who was never asked is asked"),
            ("challenge", _) => INTEGRITY,
            ("decisions", Added | Changed | Doubled) => INTEGRITY,
            ("decisions", Swapped) => Expect::Shows("the order of approvals decides nothing"),
            ("decisions", Dropped | Emptied | Removed) => self.fewer_decisions(mutation),
            ("approvalExpiresAt", Added) => INTEGRITY,
            ("approvalExpiresAt", _) if gone && (open || self.has_claim() || self.state == State::Expired) => INTEGRITY,
            ("approvalExpiresAt", _) => Expect::NoMore("the end of an approval is kept nowhere else"),
            ("claim", Added) => INTEGRITY,
            ("claim", _) if mutation.member == "/claim" => INTEGRITY,
            ("claim", _) => match mutation.member.as_str() {
                "/claim/claimId" if self.state == State::Executing => {
                    Expect::Same("only the attempt itself goes by it")
                }
                "/claim/lease" if !is_earlier("/claim/lease", mutation, self.record) => match self.state {
                    State::Executing => Expect::NoMore("renewing a lease is told of nowhere"),
                    _ => Expect::Same("the attempt has ended"),
                },
                _ => INTEGRITY,
            },
            ("secretsErased", _) if !open => INTEGRITY,
            ("secretsErased", _) if self.usage.takes_first_steps() => INTEGRITY,
            ("secretsErased", _) => Expect::Same("the call does not read secret values"),
            // [STATE-032]
            ("pruned", _) if !ended_well => INTEGRITY,
            ("pruned", _) => Expect::NoMore("what is marked as pruned is not shown any more"),
            // Nobody has said anything about it.
            _ => INTEGRITY,
        }
    }

    fn has_claim(&self) -> bool {
        self.state == State::Executing || self.state.outcome().is_some()
    }

    fn fewer_decisions(&self, mutation: &Mutation) -> Expect {
        let last = self.record["decisions"].as_array().and_then(|all| all.last()).expect("one decision at least");
        let lacks_last = !mutation.record["decisions"].as_array().is_some_and(|kept| kept.contains(last));
        let withdrawn = self.record.get("cause") == Some(&"withdrawn".into());
        match self.state {
            // By what it ended is the last of them.
            State::Rejected if lacks_last => INTEGRITY,
            State::Cancelled if withdrawn && lacks_last => INTEGRITY,
            // [GATE-080]
            State::Approved if self.usage.executes() && self.control.did() => Expect::Refused(Reason::ApprovalPending),
            _ => Expect::NoMore("fewer have approved"),
        }
    }
}

fn is_more(pointer: &str, mutation: &Mutation, record: &Value) -> bool {
    mutation.record.pointer(pointer).and_then(Value::as_u64) > record.pointer(pointer).and_then(Value::as_u64)
}

fn is_earlier(pointer: &str, mutation: &Mutation, record: &Value) -> bool {
    mutation.record.pointer(pointer).and_then(Value::as_str) < record.pointer(pointer).and_then(Value::as_str)
}

fn target_name(intent: &Value) -> Option<&str> {
    intent.pointer("/target/name").and_then(Value::as_str)
}

/// Whether a document lists the same secret leaves, with the same commitments there.
fn same_commitments(before: &Value, after: &Value) -> bool {
    let listed = |document: &Value| -> Vec<String> {
        let listed = document["secretLeaves"].as_array().cloned().unwrap_or_default();
        let mut listed: Vec<_> = listed.iter().filter_map(|pointer| pointer.as_str().map(str::to_owned)).collect();
        listed.sort_unstable();
        listed
    };
    let pointers = listed(before);
    pointers == listed(after) && pointers.iter().all(|pointer| before.pointer(pointer) == after.pointer(pointer))
}
