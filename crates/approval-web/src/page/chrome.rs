//! What all pages have around them, and the pages that are little else.

use approval_core::{InboxEntry, InboxPage, StatusView, Timestamp};
use askama::Template;

use super::fold::Passage;
use super::name::Name;
use super::plan::is_over;
use super::shown::Shown;
use super::words;

/// What all pages have around them.
#[derive(Clone, Debug)]
pub(crate) struct Chrome {
    /// The path under which the surface is mounted, without a slash at its end.
    pub(crate) base: String,
    /// Who is logged in.
    pub(crate) viewer: Option<Name>,
    /// What the window is called.
    pub(crate) title: &'static str,
}

/// Where a person logs in.
#[derive(Debug, Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    pub(crate) chrome: Chrome,
    pub(crate) next: String,
    pub(crate) error: Option<String>,
    pub(crate) account: String,
    /// The person came from another site, to where their browser sends no session.
    pub(crate) arrived: bool,
}

/// A page with something to say and nothing to do.
#[derive(Debug, Template)]
#[template(path = "notice.html")]
pub(crate) struct NoticePage {
    pub(crate) chrome: Chrome,
    pub(crate) heading: &'static str,
    pub(crate) text: String,
    pub(crate) detail: Option<Shown>,
    /// Where to go on: a path and its name.
    pub(crate) onward: Option<(String, &'static str)>,
}

/// What became of a decision.
#[derive(Debug, Template)]
#[template(path = "decided.html")]
pub(crate) struct DecidedPage {
    pub(crate) chrome: Chrome,
    pub(crate) id: String,
    pub(crate) verdict: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) headline: Passage,
    pub(crate) target: Name,
    pub(crate) state: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) next: String,
    pub(crate) plan_digest: String,
}

/// A person's plans.
#[derive(Debug, Template)]
#[template(path = "inbox.html")]
pub(crate) struct InboxView {
    pub(crate) chrome: Chrome,
    pub(crate) pending: Listing,
    pub(crate) mine: Listing,
}

/// A part of the inbox.
#[derive(Debug)]
pub(crate) struct Listing {
    entries: Vec<EntryView>,
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
    left: Option<String>,
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
            left: left(status).map(|until| words::duration(until.since(now))),
            created: entry.header.created_at,
        }
    }
}

fn left(status: &StatusView) -> Option<Timestamp> {
    let until = status.challenge_expires_at.or(status.approval_expires_at).unwrap_or(status.expires_at);
    (!is_over(status)).then_some(until)
}
