//! What stands beside a plan on its page: what else its requester asks for, and what was rejected lately.

use std::collections::BTreeMap;
use std::time::Duration;

use super::decide::Visible;
use super::read::is_the_plans_own;
use super::status::{not_found, status_of};
use super::view::StatusView;
use super::{Approvals, cool_down_keys, mute_keys, open_cool_down, open_mute};
use crate::id::{EffectKey, Person, PlanId};
use crate::instant::Timestamp;
use crate::opened::Opened;
use crate::record::{Identity, Intent, State, Verdict};
use crate::refusal::Refusal;
use crate::store::PlanQuery;
use crate::vault::{broken, unavailable};

/// The most plans of each sort that are shown.
const SHOWN: usize = 10;

/// The most open plans that are looked at, among which few may be for the viewer to read.
const LOOKED_AT: u32 = 100;

/// For how long a rejection counts as recent, where it doesn't stick for longer.
const RECENT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What stands beside a plan. [SHOW-012]
#[derive(Clone, Debug, PartialEq)]
pub struct Beside {
    /// The other plans that its requester has open, newest first.
    pub open: Neighbours<OpenNeighbour>,
    /// What of its requester's was rejected lately on one of its effect keys, last first.
    pub rejected: Neighbours<RejectedNeighbour>,
    /// Until when no plan is taken from its requester, where they are muted. [PLAN-006]
    pub muted_until: Option<Timestamp>,
}

/// Plans beside another: those that are shown, and what is said of the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbours<T> {
    /// Those that the viewer may read, as far as they are shown.
    pub shown: Vec<T>,
    /// Whether there are more, which were not looked at.
    pub more: bool,
    /// Whether there are some that the viewer may not read, or that have been pruned: nothing else is said of them. [SHOW-014]
    pub hidden: bool,
    /// Whether there are some that do not hold together: the log says which.
    pub broken: bool,
}

/// An open plan beside another.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenNeighbour {
    /// What the plan is called: the target's name.
    pub target: String,
    /// One sentence: what will happen to what.
    pub headline: String,
    /// Where it stands.
    pub status: StatusView,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it touches something that the other one touches too.
    pub shares_effects: bool,
}

/// A rejected plan beside another.
#[derive(Clone, Debug, PartialEq)]
pub struct RejectedNeighbour {
    /// The plan.
    pub plan_id: PlanId,
    /// What the plan is called: the target's name.
    pub target: String,
    /// One sentence: what would have happened to what.
    pub headline: String,
    /// Who rejected it.
    pub rejected_by: Person,
    /// When.
    pub rejected_at: Timestamp,
    /// Until when it sticks, where it does so still.
    pub sticks_until: Option<Timestamp>,
}

impl Approvals {
    /// What stands beside a plan, for whoever may read that plan; of others' plans as much as the viewer may read. Changes
    /// nothing but what the clock has done to the plan already. [SHOW-012] [SHOW-014]
    ///
    /// # Errors
    /// As for [`view`](Self::view). A plan beside it that does not hold together is left out, and logged.
    pub async fn beside(&self, viewer: &Identity, plan_id: &str) -> Result<Beside, Refusal> {
        let plan: PlanId = plan_id.parse().map_err(|_| not_found())?;
        self.beside_visible(viewer, &self.visible(viewer, plan).await?).await
    }

    pub(super) async fn beside_visible(&self, viewer: &Identity, visible: &Visible) -> Result<Beside, Refusal> {
        let Visible { opened, documents, .. } = visible;
        let of = Of {
            viewer,
            plan: opened.plan(),
            requester: &opened.header.record.requester.person,
            effects: &documents.intent.record.effect_keys,
            now: self.service.clock.now(),
        };
        let (open, mut rejected) = (self.open_beside(&of).await?, self.rejected_beside(&of).await?);
        let muted_until = match self.muted_until(of.requester).await {
            Ok(until) => until,
            Err(refusal) => {
                rejected.leave_out("mute", refusal)?;
                None
            }
        };
        Ok(Beside { open, rejected, muted_until })
    }

    /// Until when no plan is taken from a requester, where they are muted. [PLAN-006]
    ///
    /// # Errors
    /// `store_unavailable`; `integrity_failure` where what is stored of it was tampered with.
    pub async fn muted_until(&self, requester: &Person) -> Result<Option<Timestamp>, Refusal> {
        let vault = &self.service.vault;
        let keys = mute_keys(vault, requester)?;
        let rows = self.service.store.rows(&keys).await.map_err(unavailable)?;
        let mutes = rows.iter().map(|row| open_mute(vault, row)).collect::<Result<Vec<_>, _>>()?;
        let now = self.service.clock.now();
        Ok(mutes.iter().map(|mute| mute.until).max().filter(|until| now < *until))
    }

    async fn open_beside(&self, of: &Of<'_>) -> Result<Neighbours<OpenNeighbour>, Refusal> {
        let query = PlanQuery {
            requester: Some(of.requester.as_str().to_owned()),
            states: State::ALL.into_iter().filter(|state| state.is_open()).collect(),
            expires_after: Some(of.now),
            limit: LOOKED_AT,
            ..PlanQuery::default()
        };
        let page = self.service.store.list(&query).await.map_err(unavailable)?;
        let mut found = Neighbours { more: page.more, ..Neighbours::none() };
        for (plan, _) in page.plans.iter().filter(|(plan, _)| *plan != of.plan) {
            if found.is_full() {
                break;
            }
            let neighbour = self.open_neighbour(of, *plan).await;
            found.take(*plan, neighbour)?;
        }
        Ok(found)
    }

    async fn open_neighbour(&self, of: &Of<'_>, plan: PlanId) -> Result<Seen<OpenNeighbour>, Refusal> {
        let Some((opened, documents)) = self.whole(plan).await? else { return Ok(Seen::Nothing) };
        let status = status_of(&opened, of.now);
        if !status.state.is_open() {
            return Ok(Seen::Nothing);
        }
        let intent = &documents.intent.record;
        if !self.may_read(of.viewer, &opened, intent).await? {
            return Ok(Seen::Hidden);
        }
        Ok(Seen::Shown(OpenNeighbour {
            target: intent.target.name.clone(),
            headline: documents.review.record.headline.text.clone(),
            status,
            created_at: opened.header.record.created_at,
            shares_effects: intent.effect_keys.iter().any(|key| of.effects.contains(key)),
        }))
    }

    /// By the cool-downs: a rejection leaves one on each effect key, which says which plan was rejected there last. [PLAN-005]
    async fn rejected_beside(&self, of: &Of<'_>) -> Result<Neighbours<RejectedNeighbour>, Refusal> {
        let vault = &self.service.vault;
        let keys = cool_down_keys(vault, of.requester, of.effects)?.good;
        let rows = self.service.store.rows(&keys).await.map_err(unavailable)?;
        let mut found = Neighbours::none();
        let mut rejections: BTreeMap<PlanId, Timestamp> = BTreeMap::new();
        for row in &rows {
            match open_cool_down(vault, row) {
                Ok(cool_down) => {
                    let until = rejections.entry(cool_down.plan_id).or_insert(cool_down.until);
                    *until = cool_down.until.max(*until);
                }
                Err(refusal) => found.leave_out(&row.key.id, refusal)?,
            }
        }
        rejections.remove(&of.plan);
        // A rejection is never after the end of its cool-down.
        rejections.retain(|_, until| of.now < until.after(RECENT));
        let mut rejections: Vec<_> = rejections.into_iter().collect();
        rejections.sort_by_key(|(plan, until)| std::cmp::Reverse((*until, *plan)));
        for (plan, until) in rejections {
            if found.is_full() {
                break;
            }
            let neighbour = self.rejected_neighbour(of, plan, until).await;
            found.take(plan, neighbour)?;
        }
        found.shown.sort_by_key(|rejected| std::cmp::Reverse((rejected.rejected_at, rejected.plan_id)));
        Ok(found)
    }

    async fn rejected_neighbour(
        &self,
        of: &Of<'_>,
        plan: PlanId,
        until: Timestamp,
    ) -> Result<Seen<RejectedNeighbour>, Refusal> {
        let Some((opened, documents)) = self.whole(plan).await? else { return Ok(Seen::Hidden) };
        let rejection = opened.decisions.iter().find(|decision| decision.verdict == Verdict::Reject);
        let rejection = rejection.ok_or_else(|| broken("a plan that was rejected is not rejected any more"))?;
        let sticks_until = (of.now < until).then_some(until);
        if sticks_until.is_none() && of.now >= rejection.decided_at.after(RECENT) {
            return Ok(Seen::Nothing);
        }
        let intent = &documents.intent.record;
        if !self.may_read(of.viewer, &opened, intent).await? {
            return Ok(Seen::Hidden);
        }
        Ok(Seen::Shown(RejectedNeighbour {
            plan_id: plan,
            target: intent.target.name.clone(),
            headline: documents.review.record.headline.text.clone(),
            rejected_by: rejection.approver.person.clone(),
            rejected_at: rejection.decided_at,
            sticks_until,
        }))
    }

    /// Whether a person may read a plan: who asked for it, and who may decide on it. [SURF-001]
    async fn may_read(&self, viewer: &Identity, opened: &Opened, intent: &Intent) -> Result<bool, Refusal> {
        Ok(opened.header.record.requester.person == viewer.person || self.may_decide(viewer, opened, intent).await?)
    }
}

/// What is looked for: beside which plan, for whom, and when.
struct Of<'a> {
    viewer: &'a Identity,
    plan: PlanId,
    requester: &'a Person,
    effects: &'a [EffectKey],
    now: Timestamp,
}

/// What a viewer gets to see of one plan.
enum Seen<T> {
    /// That there is one.
    Hidden,
    /// There is none of this sort.
    Nothing,
    Shown(T),
}

impl<T> Neighbours<T> {
    fn none() -> Self {
        Self { shown: Vec::new(), more: false, hidden: false, broken: false }
    }

    /// Whether no more are shown: then it is said that there may be more. [SHOW-007]
    fn is_full(&mut self) -> bool {
        let full = self.shown.len() >= SHOWN;
        self.more |= full;
        full
    }

    fn take(&mut self, plan: PlanId, seen: Result<Seen<T>, Refusal>) -> Result<(), Refusal> {
        match seen {
            Ok(Seen::Hidden) => self.hidden = true,
            Ok(Seen::Nothing) => {}
            Ok(Seen::Shown(neighbour)) => self.shown.push(neighbour),
            Err(refusal) => self.leave_out(&plan.to_string(), refusal)?,
        }
        Ok(())
    }

    /// Passes over what doesn't hold together, and on what can't be asked for.
    fn leave_out(&mut self, id: &str, refusal: Refusal) -> Result<(), Refusal> {
        if !is_the_plans_own(refusal.reason()) {
            return Err(refusal);
        }
        tracing::error!(id, %refusal, "what stands beside a plan does not hold together");
        self.broken = true;
        Ok(())
    }
}
