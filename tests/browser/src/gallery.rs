//! One page of each kind.

use anyhow::Result;
use approval_core::record::{Outcome, Rule, Verdict};
use approval_core::{Clause, Group, Matcher, PlanView, Policy, PolicyVerdict, Terms};
use approval_testkit::Room;
use serde_json::json;

use crate::site::{Kind, Site, WRONG, fill_in_login, log_in_as_dora, path};
use crate::webdriver::Browser;

/// Whose pages they are, but for those of nobody.
const VIEWER: &str = "alice";

const LOGOUT: &str = "form.logout button";
const AT_PROVIDER: &str = "form[action*='/login/at/'] button";

/// The target of the plan on which somebody else decides.
const TARGET: &str = "prod-eu-1";

/// A surface on which there is a page of each kind.
#[derive(Debug)]
pub struct Gallery {
    /// Where they are.
    pub site: Site,
    /// The pages: first those before a login, then those of a person.
    pub pages: Vec<Page>,
}

/// A page.
#[derive(Clone, Debug)]
pub struct Page {
    /// What it is called here.
    pub name: &'static str,
    /// The status with which it comes.
    pub status: u64,
    path: String,
    way: Way,
}

/// How to come to a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Before the login.
    Before,
    /// By a login with a wrong password.
    RefusedLogin,
    /// By its address, after the login.
    Address,
    /// By a decision with a wrong password.
    RefusedDecision,
    /// By a decision of somebody else, who has logged in for it at an identity provider.
    ProvenDecision,
    /// By their logout.
    Logout,
}

impl Gallery {
    /// Puts all the plans.
    ///
    /// # Errors
    /// When the service refuses one.
    pub fn new() -> Result<Self> {
        let site = Site::with_provider(policy())?;
        let plans = Plans::put(&site)?;
        let page = |name, path: String| Page { name, status: 200, path, way: Way::Address };
        let pages = vec![
            Page { way: Way::Before, ..page("login", "/login".to_owned()) },
            Page { way: Way::RefusedLogin, status: 401, ..page("login-refused", "/login".to_owned()) },
            page("inbox", "/".to_owned()),
            page("mine", "/mine".to_owned()),
            page("history", "/history".to_owned()),
            page("inbox-filtered", "/?target=nothing+like+that".to_owned()),
            page("plan-simple", path(&plans.simple)),
            page("plan", path(&plans.benign)),
            page("plan-findings", path(&plans.dangerous)),
            page("plan-hostile", path(&plans.hostile)),
            page("plan-folded", path(&plans.long)),
            page("plan-warnings", path(&plans.warned)),
            page("plan-of-a-quorum", path(&plans.watched)),
            page("plan-approved", path(&plans.approved)),
            page("plan-executed", path(&plans.executed)),
            page("plan-rejected", path(&plans.rejected)),
            page("decided", format!("{}/decided", path(&plans.approved))),
            Page { way: Way::RefusedDecision, status: 403, ..page("plan-refused", path(&plans.simple)) },
            Page { way: Way::ProvenDecision, ..page("confirm", path(&plans.watched)) },
            Page { status: 404, ..page("not-found", "/plans/unknown".to_owned()) },
            Page { status: 400, ..page("unreadable", "/?state=nonsense".to_owned()) },
            Page { way: Way::Logout, ..page("logged-out", "/".to_owned()) },
        ];
        Ok(Self { site, pages })
    }

    /// Shows each page in turn.
    ///
    /// # Errors
    /// When a page isn't there, or the act fails.
    pub fn each(&self, browser: &Browser<'_>, mut act: impl FnMut(&Page) -> Result<()>) -> Result<()> {
        let mut is_in = false;
        for page in &self.pages {
            if !is_in && !matches!(page.way, Way::Before | Way::RefusedLogin) {
                self.site.log_in(browser, VIEWER)?;
                is_in = true;
            }
            browser.open(&format!("{}{}", self.site.origin, page.path))?;
            match page.way {
                Way::Address | Way::Before => {}
                Way::RefusedLogin => {
                    fill_in_login(browser, VIEWER, WRONG)?;
                    browser.find(".error")?;
                }
                Way::ProvenDecision => {
                    browser.find(LOGOUT)?.click()?;
                    browser.find(AT_PROVIDER)?;
                    browser.open(&format!("{}{}", self.site.origin, page.path))?;
                    browser.find(AT_PROVIDER)?.click()?;
                    log_in_as_dora(browser, "#target")?.enter(TARGET)?;
                    browser.find("button.approve")?.click()?;
                    log_in_as_dora(browser, "#confirm")?;
                }
                Way::Logout => {
                    browser.find(LOGOUT)?.click()?;
                    browser.find("a[href*='/end']")?;
                }
                Way::RefusedDecision => {
                    browser.find("#password")?.enter(WRONG)?;
                    browser.find("button.reject")?.click()?;
                    browser.find(".error")?;
                }
            }
            act(page)?;
        }
        Ok(())
    }
}

/// Everybody approves for themselves, but for pods.
fn policy() -> Policy {
    let mut policy = Policy::always(Terms::same_subject());
    let quorum = Terms { rule: Rule::quorum(2, [Group::from("sre")]), ..Terms::same_subject() };
    let when = Matcher { tools: vec!["create_role".to_owned()], ..Matcher::default() };
    policy.clauses.push(Clause { when, then: PolicyVerdict::Require(quorum) });
    policy
}

struct Plans {
    simple: PlanView,
    benign: PlanView,
    dangerous: PlanView,
    hostile: PlanView,
    long: PlanView,
    warned: PlanView,
    watched: PlanView,
    approved: PlanView,
    executed: PlanView,
    rejected: PlanView,
}

impl Plans {
    fn put(site: &Site) -> Result<Self> {
        let room = &site.room;
        room.target.meddle("shelf", json!({ "a": 1 }));
        let executed = site.on(room.plan_with_token("shelf", json!({ "a": 2 }), "s3cret-token"))?;
        site.on(room.decide(&executed, VIEWER, Verdict::Approve))?;
        site.on(room.execute(&executed))?;

        room.target.report(Outcome::Unknown);
        let lost = site.on(room.plan("lost", json!(1)))?;
        site.on(room.decide(&lost, VIEWER, Verdict::Approve))?;
        site.on(room.execute(&lost))?;

        let rejected = site.on(room.plan("rejected", json!("no")))?;
        let mut decision = site.on(room.prepare(&rejected, VIEWER, Verdict::Reject))?;
        decision.comment = Some("Not on a Friday.\nAsk again next week.".to_owned());
        site.on(room.approvals.decide(decision))?;

        let approved = site.on(room.plan("approved", json!({ "b": [1, 2, 3] })))?;
        let mut decision = site.on(room.prepare(&approved, VIEWER, Verdict::Approve))?;
        decision.comment = Some("Looks right.".to_owned());
        site.on(room.approvals.decide(decision))?;

        let watched = site.put_watched()?;
        Ok(Self {
            warned: site.plan_without_boundary("lost")?,
            long: site.put(Kind::Long)?,
            hostile: site.put(Kind::Hostile)?,
            dangerous: site.put(Kind::Dangerous)?,
            benign: site.put(Kind::Benign)?,
            simple: site.plan("simple")?,
            watched,
            approved,
            executed,
            rejected,
        })
    }
}

impl Site {
    /// A plan on which two others decide; one has.
    fn put_watched(&self) -> Result<PlanView> {
        let draft = crate::plans::dangerous();
        let plan = self.put_draft(&Room::alice(), "create_role", &json!({ "role": "debug" }), draft)?;
        self.on(self.room.decide(&plan, "bob", Verdict::Approve))?;
        Ok(plan)
    }
}
