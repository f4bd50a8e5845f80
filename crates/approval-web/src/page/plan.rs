//! The page of a plan: its own part, which the digests cover, and the live part, which they don't.

use std::sync::Arc;

use approval_core::record::{
    Execution, Finding, Intent, Isolation, PlanHeader, Review, Severity, State, Step, Text, Verdict,
};
use approval_core::{PlanPageView, StatusView, Timestamp};
use askama::Template;
use serde_json::{Map, Value};

use super::block::{Block, Patience};
use super::change::{Body, ChangeView};
use super::chrome::Chrome;
use super::fold::Passage;
use super::json_text::{Secrets, compact, object_lines, value_lines};
use super::live::Live;
use super::name::Name;
use super::rows::Side;
use super::shown::Shown;
use super::timeline::ActorView;
use super::words;

/// What a decision asks for, beside the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asks {
    /// The target's name, typed: a finding of high severity is there.
    pub(crate) name: bool,
    /// The word that all of the plan was read: a part of it is folded.
    pub(crate) whole: bool,
}

/// How a person authenticates for a decision.
#[derive(Clone, Debug)]
pub(crate) enum By {
    /// By their password, with the decision.
    Password {
        /// The account.
        account: String,
    },
    /// By a login at an identity provider, after it.
    Provider {
        /// What that is called.
        name: String,
    },
}

/// The decision that the viewer may take, and what they entered already.
#[derive(Clone, Debug)]
pub(crate) struct DecisionForm {
    pub(crate) token: String,
    pub(crate) by: By,
    pub(crate) asks: Asks,
    pub(crate) approve: bool,
    pub(crate) reject: bool,
    pub(crate) withdraw: bool,
    /// For how long a rejection can mute the requester, where it can.
    pub(crate) mute: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) comment: String,
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "plan.html")]
pub(crate) struct PlanPage {
    chrome: Chrome,
    plan: PlanPart,
    live: Live,
    form: Option<DecisionForm>,
}

impl PlanPage {
    pub(crate) fn new(chrome: Chrome, plan: PlanPart, live: Live, form: Option<DecisionForm>) -> Self {
        Self { chrome, plan, live, form }
    }

    /// Texts that stand on it as they are here, and may be large.
    pub(crate) fn passages(&self) -> impl Iterator<Item = &Arc<String>> {
        self.plan.blocks().map(Block::html)
    }
}

/// What the digests cover. [SHOW-001] [SHOW-002]
#[derive(Clone, Debug)]
pub(crate) struct PlanPart {
    id: String,
    headline: Passage,
    findings: Vec<FindingView>,
    steps: Vec<(Passage, bool)>,
    warnings: Vec<(String, &'static str)>,
    same_user: bool,
    requester: Name,
    issuer: Name,
    subject: Name,
    tool: Name,
    tool_digest: String,
    target: Name,
    target_identity: Block,
    changes: Vec<ChangeView>,
    exact: Vec<StepView>,
    arguments: Block,
    generated: Option<Block>,
    effects: Vec<Name>,
    quotes: Vec<(&'static str, Passage)>,
    enforcement: [&'static str; 3],
    rule: Shown,
    limits: String,
    normaliser: Option<(Name, Vec<Name>)>,
    created: Timestamp,
    expires: Timestamp,
    digests: [(&'static str, &'static str, String); 3],
    audience: String,
}

#[derive(Clone, Debug)]
struct FindingView {
    severity: &'static str,
    code: Name,
    text: Passage,
}

/// A step as the executor gets it.
#[derive(Clone, Debug)]
struct StepView {
    action: Name,
    object: Name,
    preconditions: Vec<(Name, Passage, &'static str, bool)>,
    body: Option<Block>,
    previewed: bool,
}

impl PlanPart {
    pub(crate) fn new(view: &PlanPageView) -> Self {
        let PlanHeader { requester, policy, enforcement, .. } = &*view.header;
        let (intent, review) = (&view.intent, &view.review);
        let (leaves, patience) = (set_leaves(intent), Patience::begin());
        let under = |prefix: &str| under(&leaves, prefix);
        let json = |members: &Map<String, Value>, prefix: &str| {
            Block::of(Side::Both, |lines| object_lines(members, &under(prefix), lines))
        };
        let digests = [
            ("planDigest", "what is approved: the header", view.plan_digest.to_string()),
            ("intentDigest", "what will run", view.header.intent_digest.to_string()),
            ("reviewDigest", "what is shown", view.header.review_digest.to_string()),
        ];
        Self {
            id: view.header.plan_id.to_string(),
            headline: quote(&review.headline),
            findings: findings(&review.findings),
            steps: steps(review, intent),
            warnings: review
                .warnings
                .iter()
                .map(|warning| (warning.plan_id.to_string(), words::outcome(warning.outcome)))
                .collect(),
            same_user: enforcement.isolation == Isolation::SameUser,
            requester: Name::new(requester.person.as_str()),
            issuer: Name::new(&requester.issuer),
            subject: Name::new(&requester.subject),
            tool: Name::new(&intent.tool.name),
            tool_digest: intent.tool.definition_digest.to_string(),
            target: Name::new(&intent.target.name),
            target_identity: json(&intent.target.identity, "/target/identity"),
            changes: review
                .changes
                .iter()
                .enumerate()
                .map(|(number, change)| ChangeView::new(number, change, &review.secret_leaves, patience))
                .collect(),
            exact: intent
                .steps
                .iter()
                .enumerate()
                .map(|(number, step)| StepView::new(step, &under(&format!("/steps/{number}/body"))))
                .collect(),
            arguments: json(&intent.arguments, "/arguments"),
            generated: (!intent.generated.is_empty())
                .then(|| json(&intent.generated.clone().into_iter().collect(), "/generated")),
            effects: intent.effect_keys.iter().map(|key| Name::new(key.as_str())).collect(),
            quotes: review.quotes.iter().map(|text| (words::source(text.source), quote(text))).collect(),
            enforcement: words::enforcement(enforcement),
            rule: Shown::line(&words::rule(&policy.rule)),
            limits: words::duration(policy.limits.approval()),
            normaliser: intent.normaliser.as_ref().map(|normaliser| {
                (Name::new(&normaliser.name), normaliser.exclusions.iter().map(|path| Name::new(path)).collect())
            }),
            created: view.header.created_at,
            expires: view.header.expires_at,
            digests,
            audience: view.header.audience.to_string(),
        }
    }

    /// All that is laid out in lines.
    fn blocks(&self) -> impl Iterator<Item = &Block> {
        let always = [&self.target_identity, &self.arguments].into_iter().chain(&self.generated);
        let changes = self.changes.iter().filter_map(ChangeView::block);
        always.chain(changes).chain(self.exact.iter().filter_map(|step| step.body.as_ref()))
    }

    /// Whether a part of the plan is folded, so that nobody has seen all of it without opening that. [FORM-007]
    pub(crate) fn is_folded(&self) -> bool {
        let names = [&self.requester, &self.issuer, &self.subject, &self.tool, &self.target];
        self.headline.is_folded()
            || names.into_iter().chain(&self.effects).any(Name::is_folded)
            || self.blocks().any(Block::is_folded)
            || self.findings.iter().any(|finding| finding.code.is_folded() || finding.text.is_folded())
            || self.steps.iter().any(|(text, _)| text.is_folded())
            || self.changes.iter().any(|change| change.object.is_folded())
            || self.exact.iter().any(StepView::is_folded)
            || self.quotes.iter().any(|(_, text)| text.is_folded())
            || self.normaliser.iter().any(|(name, paths)| name.is_folded() || paths.iter().any(Name::is_folded))
    }
}

impl StepView {
    fn new(step: &Step, secrets: &Secrets) -> Self {
        let preconditions = step.preconditions.iter().map(|condition| {
            // A precondition is a digest or a version as a rule; whatever it is, it is shown on one line.
            let expected = Passage::new(compact(&condition.expected));
            let enforcement = condition.enforcement;
            (Name::new(&condition.kind), expected, words::precondition(enforcement), words::is_weak(enforcement))
        });
        Self {
            action: Name::new(&step.action),
            object: Name::new(&step.object),
            preconditions: preconditions.collect(),
            body: step.body.as_ref().map(|body| Block::of(Side::Both, |lines| value_lines(body, secrets, lines))),
            previewed: step.preview_digest.is_some(),
        }
    }

    fn is_folded(&self) -> bool {
        self.action.is_folded()
            || self.object.is_folded()
            || self.preconditions.iter().any(|(kind, expected, ..)| kind.is_folded() || expected.is_folded())
    }
}

/// The sentences of the steps, and whether each could be previewed.
fn steps(review: &Review, intent: &Intent) -> Vec<(Passage, bool)> {
    let previewed = |number: usize| intent.steps.get(number).is_some_and(|step| step.preview_digest.is_some());
    review.steps.iter().enumerate().map(|(number, text)| (quote(text), previewed(number))).collect()
}

/// The findings, the worst first. [SHOW-004]
fn findings(findings: &[Finding]) -> Vec<FindingView> {
    let mut sorted: Vec<_> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let view = |finding: &Finding| FindingView {
        severity: words::severity(finding.severity),
        code: Name::new(&finding.code),
        text: Passage::new(Shown::prose(&finding.text)),
    };
    sorted.into_iter().map(view).collect()
}

fn quote(text: &Text) -> Passage {
    Passage::new(Shown::prose(&text.text))
}

fn set_leaves(intent: &Intent) -> Secrets {
    intent.secret_leaves.iter().map(|leaf| (leaf.clone(), "secret: set")).collect()
}

/// The leaves under a place, from there on.
fn under(leaves: &Secrets, prefix: &str) -> Secrets {
    let under = |pointer: &&str| pointer.is_empty() || pointer.starts_with('/');
    let found = leaves.iter().filter_map(|(leaf, words)| {
        leaf.strip_prefix(prefix).filter(under).map(|pointer| (pointer.to_owned(), *words))
    });
    found.collect()
}

/// Whether an approval asks for the target's name. [FORM-006]
pub(crate) fn asks_for_name(review: &Review) -> bool {
    review.findings.iter().any(|finding| finding.severity == Severity::High)
}

/// Whether the target's name was typed: as it is, or as the page shows it where it can't be typed; blanks around it don't matter.
/// Nothing is nobody's name.
pub(crate) fn is_name_of_target(intent: &Intent, typed: &str) -> bool {
    let (name, typed) = (intent.target.name.as_str(), typed.trim());
    !typed.is_empty() && (typed == name.trim() || typed == Shown::line(name).text().trim())
}

/// What a viewer said last about a plan.
pub(crate) fn last_verdict(view: &PlanPageView, person: &approval_core::Person) -> Option<(Verdict, Timestamp)> {
    let own = view.decisions.iter().rev().find(|decision| decision.approver.person == *person);
    own.map(|decision| (decision.verdict, decision.decided_at))
}

/// Whether a viewer may take an approval back.
pub(crate) fn may_withdraw(view: &PlanPageView, person: &approval_core::Person) -> bool {
    view.may_reject && last_verdict(view, person).is_some_and(|(verdict, _)| verdict == Verdict::Approve)
}

/// Whether there is nothing left to decide.
pub(crate) fn is_over(status: &StatusView) -> bool {
    !status.state.is_open() && status.state != State::Executing
}

/// What came of the steps of an execution.
pub(crate) fn step_outcomes(execution: &Execution) -> Vec<(&'static str, Option<Name>)> {
    let steps = execution.steps.iter();
    steps.map(|step| (words::step_outcome(step.outcome), step.code.as_deref().map(Name::new))).collect()
}
