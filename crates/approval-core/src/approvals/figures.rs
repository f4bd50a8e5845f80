//! How persons decide: figures for the operator.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Approvals;
use crate::id::{Group, PlanId};
use crate::instant::Timestamp;
use crate::opened::Opened;
use crate::record::{Decision, RecordKind, Verdict};
use crate::refusal::{Reason, Refusal};
use crate::store::{PlanQuery, PlanRows};
use crate::vault::{Vault, unavailable};

/// How many plans are looked at together.
const PAGE: u32 = 1000;

/// Whoever decides faster has hardly read the page.
const HASTY: Duration = Duration::from_secs(5);

/// How persons decided in a span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    /// From when on.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// By the groups that the plans' rules name, `None` where a rule names none. A decision on a plan whose rule names several
    /// counts in each of them.
    pub groups: BTreeMap<Option<Group>, GroupFigures>,
    /// Each decision once.
    pub all: GroupFigures,
    /// Plans on which somebody had decided and that were pruned since: when is not known any more, so they are not counted.
    pub pruned: u64,
    /// Plans that do not hold together, and are not counted: the log says which.
    pub broken: u64,
}

/// Approvals and rejections. A withdrawal is neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupFigures {
    /// How many approvals.
    pub approvals: u32,
    /// How many rejections.
    pub rejections: u32,
    /// How many of both were decided in less than five seconds, from the page to the decision: a login in between counts.
    pub hasty: u32,
    /// How long each took, shortest first.
    times: Vec<Duration>,
}

impl Approvals {
    /// How persons decided in the time before now: how often they rejected, and how long they looked at the page that they decided on.
    /// Counted from the stored decisions, each under a seal that holds. [SEC-003]
    ///
    /// # Errors
    /// `store_unavailable`. A plan that does not hold together is counted as such, and logged.
    pub async fn figures(&self, window: Duration) -> Result<Figures, Refusal> {
        let until = self.service.clock.now();
        let mut figures = Figures::new(until.before(window), until);
        // Nobody decides on a plan that has expired, so one that expired before has no decision in this time. [DEC-003]
        let mut query = PlanQuery { expires_after: Some(figures.from), limit: PAGE, ..PlanQuery::default() };
        loop {
            let page = self.service.store.list(&query).await.map_err(unavailable)?;
            for (plan, rows) in &page.plans {
                if let Err(refusal) = figures.add_plan(&self.service.vault, *plan, rows) {
                    tracing::error!(%plan, %refusal, "the decisions on a plan are not counted");
                    figures.broken += 1;
                }
            }
            query.after = page.plans.last().map(|(plan, _)| *plan);
            if !page.more {
                break;
            }
        }
        figures.sort();
        Ok(figures)
    }
}

impl Figures {
    fn new(from: Timestamp, until: Timestamp) -> Self {
        Self { from, until, groups: BTreeMap::new(), all: GroupFigures::default(), pruned: 0, broken: 0 }
    }

    /// Counts the decisions on a plan, those under challenges that ran out too.
    fn add_plan(&mut self, vault: &Vault, plan: PlanId, rows: &PlanRows) -> Result<(), Refusal> {
        let opened = Opened::open(vault, plan, rows)?;
        opened.recompute()?;
        if opened.state.pruned {
            self.pruned += u64::from(!opened.state.decisions.is_empty());
            return Ok(());
        }
        let mut decided = Vec::new();
        for row in rows.rows.iter().filter(|row| row.key.kind == RecordKind::Decision) {
            let decision = vault.open::<Decision>(row, &row.key.id, Some(plan))?;
            if decision.record.plan_digest != opened.header.digest {
                return Err(Refusal::new(Reason::ApprovalHashMismatch, "a decision is for another digest"));
            }
            decided.push(decision);
        }
        let groups = &opened.header.record.policy.rule.groups;
        for decision in decided.iter().map(|sealed| &sealed.record) {
            let in_time = self.from <= decision.decided_at && decision.decided_at <= self.until;
            if !in_time || decision.verdict == Verdict::Withdraw {
                continue;
            }
            self.all.add(decision);
            if groups.is_empty() {
                self.groups.entry(None).or_default().add(decision);
            }
            for group in groups {
                self.groups.entry(Some(group.clone())).or_default().add(decision);
            }
        }
        Ok(())
    }

    fn sort(&mut self) {
        for group in self.groups.values_mut().chain([&mut self.all]) {
            group.times.sort_unstable();
        }
    }
}

impl GroupFigures {
    fn add(&mut self, decision: &Decision) {
        match decision.verdict {
            Verdict::Approve => self.approvals += 1,
            Verdict::Reject => self.rejections += 1,
            Verdict::Withdraw => return,
        }
        let time = decision.decided_at.since(decision.rendered_at);
        self.hasty += u32::from(time < HASTY);
        self.times.push(time);
    }

    /// Which share of the decisions were rejections, where there are any.
    #[must_use]
    pub fn rejection_rate(&self) -> Option<f64> {
        let decisions = f64::from(self.approvals) + f64::from(self.rejections);
        (decisions > 0.0).then(|| f64::from(self.rejections) / decisions)
    }

    /// The time that so many percent of the decisions took at most, where there are any: 50 for the median.
    #[must_use]
    pub fn time_to_decide(&self, percent: u32) -> Option<Duration> {
        let percent = usize::try_from(percent.min(100)).unwrap_or(100);
        let rank = (self.times.len() * percent).div_ceil(100);
        self.times.get(rank.saturating_sub(1)).copied()
    }
}
