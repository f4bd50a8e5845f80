//! What all pages have around them, and the pages that are little else.

use approval_core::Timestamp;
use approval_core::record::Verdict;
use askama::Template;

use super::fold::Passage;
use super::name::Name;
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
    /// Whether one can log in with an account of this installation.
    pub(crate) accounts: bool,
    /// The identity providers: what they are in paths, and what they are called.
    pub(crate) providers: Vec<(String, String)>,
    /// The person came from another site, to where their browser sends no session.
    pub(crate) arrived: bool,
}

/// A page from which the browser goes on by itself.
#[derive(Debug, Template)]
#[template(path = "onward.html")]
pub(crate) struct OnwardPage {
    pub(crate) chrome: Chrome,
    pub(crate) heading: String,
    pub(crate) text: &'static str,
    pub(crate) url: String,
}

/// Where a person says once more what they decide, after a login for it.
#[derive(Debug, Template)]
#[template(path = "confirm.html")]
pub(crate) struct ConfirmPage {
    pub(crate) chrome: Chrome,
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) verdict: Verdict,
    pub(crate) headline: Passage,
    pub(crate) target: Name,
    pub(crate) requester: Name,
    pub(crate) comment: Option<Passage>,
    pub(crate) mutes: bool,
    pub(crate) plan_digest: String,
}

/// Where a person who has logged out may do so at their identity provider too.
#[derive(Debug, Template)]
#[template(path = "logged_out.html")]
pub(crate) struct LoggedOutPage {
    pub(crate) chrome: Chrome,
    pub(crate) provider: String,
    pub(crate) url: String,
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
    /// The requester, and until when they are muted.
    pub(crate) muted: Option<(Name, Timestamp)>,
    pub(crate) plan_digest: String,
}
