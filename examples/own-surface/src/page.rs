//! What the pages show. All text of others is [`Shown`]; every other word is the page's own.

use std::collections::BTreeMap;
use std::error::Error;

use approval_core::record::{Change, Isolation, Record as _, Review, Severity, StepReport};
use approval_core::{Neighbours, PlanId, PlanPageView, Surroundings, Timestamp};
use askama::Template;
use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::text::{self, Shown, line, lines, name};

#[derive(Template)]
#[template(path = "inbox.html")]
pub(crate) struct InboxPage {
    /// Id, headline, target, requester.
    pub(crate) plans: Vec<(String, Shown, Shown, Shown)>,
    pub(crate) next: Option<String>,
}

#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    pub(crate) next: Option<PlanId>,
    pub(crate) error: &'static str,
}

#[derive(Template)]
#[template(path = "notice.html")]
pub(crate) struct NoticePage {
    pub(crate) words: Shown,
}

/// The means to decide, for whoever may. [SHOW-013]
pub(crate) struct DecisionForm {
    pub(crate) token: String,
    pub(crate) comment: String,
    pub(crate) error: &'static str,
    /// Whether an approval takes the target's name, typed. [FORM-006]
    pub(crate) asks_for_name: bool,
    pub(crate) approve: bool,
    pub(crate) reject: bool,
    pub(crate) withdraw: bool,
}

/// A plan: what its digests cover, and apart from that how it stands. [SHOW-002]
#[derive(Template)]
#[template(path = "plan.html")]
pub(crate) struct PlanPage {
    id: PlanId,
    headline: Shown,
    same_user: bool,
    warnings: Vec<(PlanId, Shown)>,
    /// Severity, code, text.
    findings: Vec<(Shown, Shown, Shown)>,
    steps: Vec<StepView>,
    changes: Vec<ChangeView>,
    quotes: Vec<(Shown, Shown)>,
    names: Vec<(&'static str, Shown)>,
    /// What it is, its digest, and the document.
    documents: [(&'static str, String, Shown); 3],
    live: Vec<(&'static str, Shown)>,
    form: Option<DecisionForm>,
}

struct StepView {
    sentence: Shown,
    previewed: bool,
    action: Shown,
    object: Shown,
    /// What is compared, with what, and how.
    conditions: Vec<(Shown, Shown, Shown)>,
}

struct ChangeView {
    what: &'static str,
    object: Shown,
    lines: Vec<(&'static str, String)>,
}

impl PlanPage {
    pub(crate) fn new(
        view: &PlanPageView,
        around: &Surroundings,
        now: Timestamp,
        form: Option<DecisionForm>,
    ) -> Result<Self, Box<dyn Error>> {
        let (header, intent, review) = (&view.header, &view.intent, &view.review);
        let set = intent.secret_leaves.iter().map(|leaf| (leaf.clone(), "secret: set")).collect();
        // The very bytes whose digest is approved, laid out. Everything of the plan is in one of the three. [SHOW-001]
        let document = |bytes: &[u8], secrets: &BTreeMap<String, &str>| {
            Ok::<_, serde_json::Error>(text::json(&serde_json::from_slice(bytes)?, secrets))
        };
        let [header_bytes, intent_bytes, review_bytes] = [header.document()?, intent.document()?, review.document()?];
        let documents = [
            (
                "The header: what is approved",
                view.plan_digest.to_string(),
                document(header_bytes.as_bytes(), &BTreeMap::new())?,
            ),
            ("The intent: what will run", header.intent_digest.to_string(), document(intent_bytes.as_bytes(), &set)?),
            (
                "The review: what is shown",
                header.review_digest.to_string(),
                document(review_bytes.as_bytes(), &secrets_of(review))?,
            ),
        ];
        let mut findings: Vec<_> = review.findings.iter().collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity)); // [SHOW-004]
        let findings = findings.into_iter().map(|f| (word(&f.severity), line(&f.code), lines(&f.text)));
        let steps = intent.steps.iter().enumerate().map(|(number, step)| StepView {
            sentence: lines(review.steps.get(number).map_or("", |step| &step.text)),
            previewed: step.preview_digest.is_some(),
            action: name(&step.action),
            object: name(&step.object),
            conditions: step
                .preconditions
                .iter()
                .map(|only_if| (name(&only_if.kind), line(&only_if.expected.to_string()), word(&only_if.enforcement)))
                .collect(),
        });
        let mut names = vec![
            ("Target", name(&intent.target.name)),
            ("Requester", name(header.requester.person.as_str())),
            ("Known as", name(&header.requester.subject)),
            ("By", name(&header.requester.issuer)),
            ("Tool", name(&intent.tool.name)),
        ];
        names.extend(intent.effect_keys.iter().map(|key| ("Touches", name(key.as_str()))));
        Ok(Self {
            id: header.plan_id,
            headline: lines(&review.headline.text),
            same_user: header.enforcement.isolation == Isolation::SameUser,
            warnings: review.warnings.iter().map(|warning| (warning.plan_id, word(&warning.outcome))).collect(),
            findings: findings.collect(),
            steps: steps.collect(),
            changes: review
                .changes
                .iter()
                .enumerate()
                .map(|(at, change)| ChangeView::new(at, change, review))
                .collect(),
            quotes: review.quotes.iter().map(|quote| (word(&quote.source), lines(&quote.text))).collect(),
            names,
            documents,
            live: live(view, around, now),
            form,
        })
    }
}

/// Whether an approval asks for the target's name. [FORM-006]
pub(crate) fn asks_for_name(review: &Review) -> bool {
    review.findings.iter().any(|finding| finding.severity == Severity::High)
}

impl ChangeView {
    /// The difference of the values, as lines that are gone, new or the same. [SHOW-005]
    fn new(number: usize, change: &Change, review: &Review) -> Self {
        let secrets = secrets_of(review);
        let side = |side: &str, value: &Option<Value>| {
            let place = format!("/changes/{number}/{side}");
            let under =
                secrets.iter().filter_map(|(leaf, words)| Some((leaf.strip_prefix(&place)?.to_owned(), *words)));
            match value {
                None => String::new(),
                // As lines, each behind a sign that no JSON begins with.
                Some(Value::String(text)) if !secrets.contains_key(&place) => {
                    lines(text).to_string().split('\n').map(|line| format!("│{line}\n")).collect()
                }
                Some(value) => format!("{}\n", text::json(value, &under.collect())),
            }
        };
        let (before, after) = (side("before", &change.before), side("after", &change.after));
        let difference = TextDiff::from_lines(before.as_str(), after.as_str());
        let lines = difference.iter_all_changes().map(|line| {
            let sign = match line.tag() {
                ChangeTag::Delete => "−",
                ChangeTag::Insert => "+",
                ChangeTag::Equal => " ",
            };
            (sign, line.value().trim_end_matches('\n').to_owned())
        });
        let what = match (&change.before, &change.after) {
            (None, None) => "no value",
            (None, Some(_)) => "created",
            (Some(_), None) => "removed",
            (Some(before), Some(after)) if before == after => "unchanged",
            (Some(_), Some(_)) => "changed",
        };
        Self { what, object: name(&change.object), lines: lines.collect() }
    }
}

/// What is said in place of the review's secrets. Before and after of a change have the same commitment where they are the same.
/// [SHOW-006]
fn secrets_of(review: &Review) -> BTreeMap<String, &'static str> {
    let document = serde_json::to_value(review).unwrap_or_default();
    let said = |leaf: &String| {
        let (from, to) =
            if leaf.split('/').nth(3) == Some("before") { ("/before", "/after") } else { ("/after", "/before") };
        match (document.pointer(leaf), document.pointer(&leaf.replacen(from, to, 1))) {
            _ if !leaf.starts_with("/changes/") => "secret: set",
            (this, Some(other)) if this == Some(other) => "secret: unchanged",
            (_, Some(_)) if from == "/before" => "secret: the value until now",
            (_, Some(_)) => "secret: changed",
            (_, None) if from == "/before" => "secret: removed",
            (_, None) => "secret: added",
        }
    };
    review.secret_leaves.iter().map(|leaf| (leaf.clone(), said(leaf))).collect()
}

/// How the plan stands, and what else its requester asks for: covered by no digest. [SHOW-011] [SHOW-012]
fn live(view: &PlanPageView, around: &Surroundings, now: Timestamp) -> Vec<(&'static str, Shown)> {
    let status = &view.status;
    let own = |words: String| line(&words);
    let approvals = format!("{} of {}", status.approvals, status.approvals_required);
    let mut live = vec![("State", own(status.state.name().to_owned())), ("Approvals", own(approvals))];
    if status.state.is_open() {
        let until = status.challenge_expires_at.or(status.approval_expires_at).unwrap_or(status.expires_at);
        live.push(("Time left", own(format!("{} seconds, until {until}", until.since(now).as_secs()))));
    }
    for decision in &view.decisions {
        let (person, comment) =
            (decision.approver.person.as_str(), decision.comment.as_deref().unwrap_or("no comment"));
        live.push(("Decision", own(format!("{} at {} by", word(&decision.verdict), decision.decided_at))));
        live.extend([("Person", name(person)), ("Comment", lines(comment))]);
    }
    if let Some(execution) = &view.execution {
        live.push(("Outcome", own(format!("{} at {}", word(&execution.outcome), execution.settled_at))));
        let step = |step: &StepReport| {
            let code = step.code.as_ref().map_or_else(String::new, |code| format!(", {code}"));
            own(format!("{}{code}", word(&step.outcome)))
        };
        live.extend(execution.steps.iter().map(|report| ("Step", step(report))));
    }
    if let Some(found) = &view.reconciliation {
        live.extend([("Operator", name(&found.operator)), ("Found", word(&found.finding))]);
    }
    let beside = &around.beside;
    let open = beside.open.shown.iter().map(|plan| own(format!("{}: {}", plan.status.plan_id, plan.headline)));
    live.extend(open.chain(rest(&beside.open)).map(|shown| ("Also asked for", shown)));
    let rejected = beside.rejected.shown.iter().map(|plan| own(format!("{}: {}", plan.plan_id, plan.headline)));
    live.extend(rejected.chain(rest(&beside.rejected)).map(|shown| ("Rejected lately", shown)));
    live
}

/// What is said of plans that aren't shown: that there are some, and no more. [SHOW-014] [SHOW-007]
fn rest<T>(neighbours: &Neighbours<T>) -> impl Iterator<Item = Shown> {
    let said = [
        (neighbours.more, "There are more."),
        (neighbours.hidden, "There are some that you may not read, or that are gone."),
        (neighbours.broken, "There are some that do not hold together: tell the operator."),
    ];
    said.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| line(words))
}

/// A record's fixed value, as the record has it.
fn word(value: &impl Serialize) -> Shown {
    let value = serde_json::to_value(value).unwrap_or_default();
    line(value.as_str().unwrap_or_default())
}
