//! A person's plans, in three lists.

use std::time::Duration;

use approval_core::record::State;
use approval_core::{InboxEntry, InboxPage, Scope, StatusView, Timestamp};
use askama::Template;

use super::chrome::Chrome;
use super::fold::Passage;
use super::name::Name;
use super::plan::is_over;
use super::shown::Shown;
use super::words;

/// The lists, in the order in which they are offered.
const LISTS: [Scope; 3] = [Scope::Pending, Scope::Mine, Scope::History];

/// One of the lists.
pub(crate) struct List {
    /// What it is called.
    pub(crate) name: &'static str,
    /// Where it is, under the surface's own path.
    pub(crate) path: &'static str,
    /// What it says where there is nothing in it.
    empty: &'static str,
}

pub(crate) fn list(scope: Scope) -> List {
    match scope {
        Scope::Pending => List { name: "Waiting for you", path: "", empty: "Nothing waits for your decision." },
        Scope::Mine => List {
            name: "Asked for in your name",
            path: "mine",
            empty: "No agent has asked for anything in your name.",
        },
        Scope::History => List { name: "History", path: "history", empty: "There was nothing for you to decide yet." },
    }
}

/// What a list is narrowed down to, as it was entered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filters {
    pub(crate) target: String,
    pub(crate) requester: String,
    pub(crate) group: String,
    pub(crate) state: String,
}

impl Filters {
    fn are_set(&self) -> bool {
        *self != Self::default()
    }
}

/// A page of one of the lists.
#[derive(Debug, Template)]
#[template(path = "inbox.html")]
pub(crate) struct InboxView {
    pub(crate) chrome: Chrome,
    pub(crate) scope: Scope,
    pub(crate) filters: Filters,
    /// Whether this is not the first page.
    pub(crate) goes_on: bool,
    pub(crate) listing: Listing,
}

impl InboxView {
    /// The lists, and whether each is this one.
    fn tabs(&self) -> impl Iterator<Item = (List, bool)> {
        LISTS.into_iter().map(|scope| (list(scope), scope == self.scope))
    }

    fn path(&self) -> &'static str {
        list(self.scope).path
    }

    fn empty(&self) -> &'static str {
        match (self.filters.are_set(), self.goes_on) {
            (true, _) => "No plan is like that.",
            (false, true) => "There are no older plans.",
            (false, false) => list(self.scope).empty,
        }
    }

    /// Whether the list can hold plans of several requesters.
    fn has_requesters(&self) -> bool {
        self.scope != Scope::Mine
    }

    /// The states that plans in the list can have: value, words, and whether it is the one looked for.
    fn states(&self) -> Vec<(&'static str, &'static str, bool)> {
        match self.scope {
            Scope::Pending => Vec::new(),
            Scope::History | Scope::Mine => {
                let state =
                    |state: State| (state.name(), words::kind_of_state(state), state.name() == self.filters.state);
                State::ALL.into_iter().map(state).collect()
            }
        }
    }
}

/// A page of plans.
#[derive(Debug)]
pub(crate) struct Listing {
    entries: Vec<EntryView>,
    /// After which plan the next page begins, where there is one.
    next: Option<String>,
}

#[derive(Debug)]
struct EntryView {
    id: String,
    target: Name,
    headline: Passage,
    requester: Name,
    state: &'static str,
    tone: &'static str,
    approvals: String,
    left: Option<Duration>,
    created: Timestamp,
}

impl Listing {
    pub(crate) fn new(page: InboxPage, now: Timestamp) -> Self {
        let entries = page.entries.iter().map(|entry| EntryView::new(entry, now)).collect();
        Self { entries, next: page.next.map(|plan| plan.to_string()) }
    }
}

impl EntryView {
    fn new(entry: &InboxEntry, now: Timestamp) -> Self {
        let status = &entry.status;
        Self {
            id: entry.header.plan_id.to_string(),
            target: Name::new(&entry.target),
            headline: Passage::new(Shown::prose(&entry.headline)),
            requester: Name::new(entry.header.requester.person.as_str()),
            state: words::state(status),
            tone: words::tone(status.state),
            approvals: format!("{} of {}", status.approvals, status.approvals_required),
            left: left(status).map(|until| until.since(now)),
            created: entry.header.created_at,
        }
    }
}

fn left(status: &StatusView) -> Option<Timestamp> {
    let until = status.challenge_expires_at.or(status.approval_expires_at).unwrap_or(status.expires_at);
    (!is_over(status)).then_some(until)
}
