//! Who does what in an exploration, and within which bounds.

use approval_core::record::{Limits, Outcome, Reconciled, Rule, Verdict};
use approval_core::{Policy, Terms};

/// The grain of the model's time, in seconds.
pub(crate) const TICK: u32 = 10;

#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) rule: RuleOf,
    /// The plans that there are to begin with: who asks for what.
    pub(crate) plans: &'static [(&'static str, &'static str)],
    /// Whether those are approved to begin with.
    pub(crate) approved: bool,
    /// How many plans may be made in all, and by whom the later ones.
    pub(crate) most_plans: usize,
    pub(crate) replanning: &'static [(&'static str, &'static str)],
    /// Who decides, and what.
    pub(crate) persons: &'static [&'static str],
    pub(crate) verdicts: &'static [Verdict],
    /// Whether persons also decide on pages that they should not decide on.
    pub(crate) wrong_pages: bool,
    /// How many calls may be under way at once.
    pub(crate) concurrent: usize,
    pub(crate) outcomes: &'static [Outcome],
    pub(crate) findings: &'static [Reconciled],
    pub(crate) with: With,
    pub(crate) limits: Limits,
    /// The least number of states that a whole exploration finds: fewer, and something was not explored.
    pub(crate) at_least: usize,
}

/// What else may happen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct With {
    pub(crate) cancel: bool,
    pub(crate) pause: bool,
    pub(crate) crash: bool,
    pub(crate) renew: bool,
    /// Another requester tries to execute.
    pub(crate) foreigner: bool,
    pub(crate) approver_disabled: bool,
    pub(crate) target_changed: bool,
    /// Commits and anchor fail, or their answers are lost.
    pub(crate) outages: bool,
    /// The store is put back to an older copy.
    pub(crate) put_back: bool,
    /// Calls other than executions are interleaved too, between what they read and what they write.
    pub(crate) fine_calls: bool,
    /// Executions are interleaved between what they read as well.
    pub(crate) fine_reads: bool,
}

/// A rule, as the explorer itself counts it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RuleOf {
    SameSubject,
    /// So many persons other than the requester.
    Others(u32),
}

impl RuleOf {
    fn rule(self) -> Rule {
        match self {
            Self::SameSubject => Rule::same_subject(),
            Self::Others(1) => Rule::other_subject([]),
            Self::Others(required) => Rule::quorum(required, []),
        }
    }

    /// Whether these persons are enough, told without the service's own counting.
    pub(crate) fn is_satisfied(self, requester: &str, approvers: &[&str]) -> bool {
        let mut counted: Vec<_> = match self {
            Self::SameSubject => approvers.iter().filter(|person| **person == requester).collect(),
            Self::Others(_) => approvers.iter().filter(|person| **person != requester).collect(),
        };
        counted.sort_unstable();
        counted.dedup();
        match self {
            Self::SameSubject => counted.len() == 1,
            Self::Others(required) => counted.len() >= usize::try_from(required).unwrap_or(usize::MAX),
        }
    }
}

impl Scenario {
    pub(crate) fn policy(&self) -> Policy {
        Policy::always(Terms { rule: self.rule.rule(), limits: self.limits, requester_reads_target: false })
    }
}

/// Limits in ticks.
const fn limits(plan: u32, challenge: u32, approval: u32, lease: u32, execution: u32) -> Limits {
    Limits {
        plan_seconds: plan * TICK,
        challenge_seconds: challenge * TICK,
        approval_seconds: approval * TICK,
        cool_down_seconds: 2 * TICK,
        lease_seconds: lease * TICK,
        execution_seconds: execution * TICK,
        gate_attempts: 2,
        open_plans: 5,
    }
}

const ALL_VERDICTS: &[Verdict] = &[Verdict::Approve, Verdict::Reject, Verdict::Withdraw];
const ALL_OUTCOMES: &[Outcome] = &[Outcome::Applied, Outcome::Failed, Outcome::Partial, Outcome::Unknown];

const NOTHING: With = With {
    cancel: false,
    pause: false,
    crash: false,
    renew: false,
    foreigner: false,
    approver_disabled: false,
    target_changed: false,
    outages: false,
    put_back: false,
    fine_calls: false,
    fine_reads: false,
};

/// The explorations of each run.
pub(crate) const EACH: &[Scenario] = &[
    Scenario {
        name: "decisions",
        about: "two of two approvers; wrong pages, withdrawal, cancelling; challenge and approval run out",
        rule: RuleOf::Others(2),
        plans: &[("alice", "a")],
        approved: false,
        most_plans: 1,
        replanning: &[],
        persons: &["alice", "bob", "carol"],
        verdicts: ALL_VERDICTS,
        wrong_pages: true,
        concurrent: 1,
        outcomes: &[Outcome::Applied],
        findings: &[Reconciled::NotApplied],
        with: With { cancel: true, ..NOTHING },
        limits: limits(4, 2, 2, 2, 3),
        at_least: 200,
    },
    Scenario {
        name: "races",
        about: "one plan; challenges, decisions, cancelling and executions, each interleaved between what it reads and what it writes",
        rule: RuleOf::Others(1),
        plans: &[("alice", "a")],
        approved: false,
        most_plans: 1,
        replanning: &[],
        persons: &["bob"],
        verdicts: ALL_VERDICTS,
        wrong_pages: false,
        concurrent: 2,
        outcomes: &[Outcome::Applied],
        findings: &[Reconciled::NotApplied],
        with: With { cancel: true, fine_calls: true, ..NOTHING },
        limits: limits(2, 1, 1, 2, 3),
        at_least: 1_100,
    },
    Scenario {
        name: "stops",
        about: "one approved plan, two executions at once; rejection, withdrawal, cancelling, pause, an approver who may no longer",
        rule: RuleOf::Others(1),
        plans: &[("alice", "a")],
        approved: true,
        most_plans: 1,
        replanning: &[],
        persons: &["bob"],
        verdicts: &[Verdict::Reject, Verdict::Withdraw],
        wrong_pages: false,
        concurrent: 2,
        outcomes: &[Outcome::Applied],
        findings: &[Reconciled::NotApplied],
        with: With { pause: true, cancel: true, approver_disabled: true, target_changed: true, ..NOTHING },
        limits: limits(3, 2, 2, 2, 3),
        at_least: 950,
    },
    Scenario {
        name: "attempts",
        about: "one approved plan, two executions at once; crash, lost leases, late outcomes, reconciliation",
        rule: RuleOf::SameSubject,
        plans: &[("alice", "a")],
        approved: true,
        most_plans: 1,
        replanning: &[],
        persons: &["alice"],
        verdicts: &[Verdict::Reject],
        wrong_pages: false,
        concurrent: 2,
        outcomes: ALL_OUTCOMES,
        findings: &[Reconciled::Applied, Reconciled::NotApplied],
        with: With { crash: true, renew: true, ..NOTHING },
        limits: limits(3, 2, 3, 2, 3),
        at_least: 350,
    },
    Scenario {
        name: "rivals",
        about: "two requesters' approved plans on one key, executed at once",
        rule: RuleOf::SameSubject,
        plans: &[("alice", "a"), ("dave", "a")],
        approved: true,
        most_plans: 2,
        replanning: &[],
        persons: &[],
        verdicts: &[],
        wrong_pages: false,
        concurrent: 2,
        outcomes: &[Outcome::Partial],
        findings: &[Reconciled::NotApplied],
        with: With { crash: true, foreigner: true, ..NOTHING },
        limits: limits(3, 2, 3, 2, 3),
        at_least: 3_900,
    },
    Scenario {
        name: "old-copy",
        about: "the store is put back to an older copy, and only the anchor remembers",
        rule: RuleOf::SameSubject,
        plans: &[("alice", "a")],
        approved: true,
        most_plans: 1,
        replanning: &[],
        persons: &["alice"],
        verdicts: &[Verdict::Reject, Verdict::Withdraw],
        wrong_pages: false,
        concurrent: 2,
        outcomes: &[Outcome::Applied],
        findings: &[Reconciled::NotApplied],
        with: With { crash: true, put_back: true, ..NOTHING },
        limits: limits(3, 2, 3, 2, 3),
        at_least: 2_850,
    },
];

/// What else `cargo xtask ci --full` explores.
pub(crate) const FULL: &[Scenario] = &[
    Scenario {
        name: "beside",
        about: "one approved plan, and another requester's on the same key, made at any time: beside what runs or is unresolved",
        rule: RuleOf::SameSubject,
        plans: &[("alice", "a")],
        approved: true,
        most_plans: 2,
        replanning: &[("dave", "a")],
        persons: &["dave"],
        verdicts: &[Verdict::Approve],
        wrong_pages: false,
        concurrent: 2,
        outcomes: &[Outcome::Partial],
        findings: &[Reconciled::NotApplied],
        with: NOTHING,
        limits: limits(2, 1, 1, 1, 2),
        at_least: 8_000,
    },
    Scenario {
        name: "decisions-wide",
        about: "two plans of two requesters, two of two approvers each; pages of the other plan",
        rule: RuleOf::Others(2),
        plans: &[("alice", "a"), ("dave", "a")],
        approved: false,
        most_plans: 2,
        replanning: &[],
        persons: &["alice", "bob", "carol"],
        verdicts: &[Verdict::Approve, Verdict::Reject],
        wrong_pages: true,
        concurrent: 1,
        outcomes: &[Outcome::Applied],
        findings: &[Reconciled::NotApplied],
        with: NOTHING,
        limits: limits(2, 1, 1, 2, 3),
        at_least: 7_700,
    },
    Scenario {
        name: "races-fine",
        about: "one plan; challenges, decisions and executions, every call interleaved between all that it reads and writes",
        rule: RuleOf::Others(1),
        plans: &[("alice", "a")],
        approved: false,
        most_plans: 1,
        replanning: &[],
        persons: &["bob"],
        verdicts: &[Verdict::Approve, Verdict::Reject],
        wrong_pages: false,
        concurrent: 2,
        outcomes: &[Outcome::Applied],
        findings: &[Reconciled::NotApplied],
        with: With { fine_calls: true, fine_reads: true, ..NOTHING },
        limits: limits(2, 1, 1, 2, 3),
        at_least: 5_700,
    },
    Scenario {
        name: "attempts-outages",
        about: "one approved plan, three executions at once; every commit and the anchor may fail, and answers may be lost",
        rule: RuleOf::SameSubject,
        plans: &[("alice", "a")],
        approved: true,
        most_plans: 1,
        replanning: &[],
        persons: &["alice"],
        verdicts: &[Verdict::Reject, Verdict::Withdraw],
        wrong_pages: false,
        concurrent: 3,
        outcomes: ALL_OUTCOMES,
        findings: &[Reconciled::Applied, Reconciled::NotApplied],
        with: With { crash: true, renew: true, pause: true, outages: true, ..NOTHING },
        limits: limits(3, 2, 3, 3, 4),
        at_least: 1_500,
    },
    Scenario {
        name: "beside-wide",
        about: "as `beside`, with more outcomes and more time",
        rule: RuleOf::SameSubject,
        plans: &[("alice", "a")],
        approved: true,
        most_plans: 2,
        replanning: &[("dave", "a")],
        persons: &["dave"],
        verdicts: &[Verdict::Approve],
        wrong_pages: true,
        concurrent: 2,
        outcomes: &[Outcome::Applied, Outcome::Partial],
        findings: &[Reconciled::NotApplied],
        with: With { crash: true, renew: true, ..NOTHING },
        limits: limits(3, 2, 3, 2, 3),
        at_least: 35_000,
    },
];
