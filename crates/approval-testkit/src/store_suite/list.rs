//! Pages of plans.

use approval_core::PlanId;
use approval_core::record::{RecordKind, State};
use approval_core::store::{PlanIndex, PlanPage, PlanQuery, Write};

use super::fixture::{Fixture, event, everything, plan_row};
use crate::report::{Seen, ensure, same};

fn ids(page: &PlanPage) -> Vec<PlanId> {
    page.plans.iter().map(|(plan, _)| *plan).collect()
}

/// Plans of three requesters on two targets in every state, oldest first.
async fn many(fixture: &Fixture) -> Result<Vec<PlanIndex>, Seen> {
    let mut made = Vec::new();
    for requester in ["alice", "bob", "Alice"] {
        for target in ["the shelf", "the_shelf"] {
            for state in State::ALL {
                let plan = if made.len() % 3 == 0 { fixture.plan()? } else { fixture.plan_at_once()? };
                let (requester, target) = (requester.to_owned(), target.to_owned());
                made.push(PlanIndex { requester, target, ..fixture.index(plan, state) });
            }
        }
    }
    fixture.write(made.iter().cloned().map(Write::Index).collect()).await?;
    made.sort_by_key(|index| index.plan);
    Ok(made)
}

fn queries() -> Vec<PlanQuery> {
    let requesters = [None, Some("alice".to_owned()), Some("nobody".to_owned())];
    let targets = [None, Some("the shelf".to_owned()), Some("nowhere".to_owned())];
    let states = [
        vec![],
        vec![State::Planned],
        vec![State::Unknown, State::Executing, State::Approved],
        State::ALL.to_vec(),
        vec![State::Stale, State::Stale],
    ];
    let mut queries = Vec::new();
    for requester in &requesters {
        for target in &targets {
            for states in &states {
                let (requester, target, states) = (requester.clone(), target.clone(), states.clone());
                queries.push(PlanQuery { requester, target, states, ..everything() });
            }
        }
    }
    queries
}

fn matching(made: &[PlanIndex], query: &PlanQuery) -> Vec<PlanId> {
    let matches = |index: &&PlanIndex| {
        query.requester.as_ref().is_none_or(|requester| *requester == index.requester)
            && query.target.as_ref().is_none_or(|target| *target == index.target)
            && (query.states.is_empty() || query.states.contains(&index.state))
            && query.expires_after.is_none_or(|moment| index.expires_at > moment)
            && query.after.is_none_or(|after| index.plan < after)
    };
    made.iter().rev().filter(matches).map(|index| index.plan).collect()
}

/// Everything that is given must match.
pub(super) async fn filter(fixture: Fixture) -> Result<(), Seen> {
    let made = many(&fixture).await?;
    let expiries = made.iter().skip(3).step_by(17).map(|index| index.expires_at);
    let expiring = expiries.map(|expiry| PlanQuery { expires_after: Some(expiry), ..everything() });
    let both = expiring.clone().map(|query| PlanQuery { states: vec![State::Planned, State::Unknown], ..query });
    for query in queries().into_iter().chain(expiring).chain(both) {
        let page = fixture.store.list(&query).await?;
        same(&format!("the plans of {query:?}"), &ids(&page), &matching(&made, &query))?;
        ensure(!page.more, || format!("more is said to follow the last plan of {query:?}"))?;
    }
    Ok(())
}

/// Newest first; and after a plan come the ones before it, whether the query matches it, or it exists, or not.
pub(super) async fn order(fixture: Fixture) -> Result<(), Seen> {
    let nobodys_oldest = fixture.plan()?;
    let made = many(&fixture).await?;
    let nobodys_newest = fixture.plan()?;
    let newest_first: Vec<PlanId> = made.iter().rev().map(|index| index.plan).collect();
    same("all plans", &ids(&fixture.store.list(&everything()).await?), &newest_first)?;
    let asked = made.iter().map(|index| index.plan).chain([nobodys_oldest, nobodys_newest]);
    for after in asked {
        for requester in [None, Some("bob".to_owned())] {
            let query = PlanQuery { requester, after: Some(after), ..everything() };
            let found = ids(&fixture.store.list(&query).await?);
            same(&format!("the plans of {query:?}"), &found, &matching(&made, &query))?;
        }
    }
    Ok(())
}

/// Pages of any size hold every plan once; a plan that is made meanwhile moves nothing.
pub(super) async fn page(fixture: Fixture) -> Result<(), Seen> {
    let made = many(&fixture).await?;
    let count = u32::try_from(made.len())?;
    for query in queries() {
        let expected = matching(&made, &query);
        for limit in [1, 2, 7, count - 1, count, count + 1] {
            let (found, pages) = pages(&fixture, PlanQuery { limit, ..query.clone() }).await?;
            same(&format!("the plans of {query:?}, in pages of {limit}"), &found, &expected)?;
            let needed = expected.len().div_ceil(limit as usize).max(1);
            same(&format!("how many pages of {limit} {query:?} takes"), &pages, &needed)?;
        }
    }
    let first = fixture.store.list(&PlanQuery { limit: 5, ..everything() }).await?;
    fixture.write(vec![Write::Index(fixture.index(fixture.plan()?, State::Planned))]).await?;
    let after = ids(&first).last().copied();
    let second = fixture.store.list(&PlanQuery { limit: 5, after, ..everything() }).await?;
    let found: Vec<PlanId> = ids(&first).into_iter().chain(ids(&second)).collect();
    let expected: Vec<PlanId> = made.iter().rev().take(10).map(|index| index.plan).collect();
    same("two pages, between which a plan was made", &found, &expected)
}

async fn pages(fixture: &Fixture, mut query: PlanQuery) -> Result<(Vec<PlanId>, usize), Seen> {
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let page = fixture.store.list(&query).await?;
        let limit = query.limit as usize;
        ensure(page.plans.len() <= limit, || format!("{} plans where {limit} were asked for", page.plans.len()))?;
        pages += 1;
        found.extend(ids(&page));
        if !page.more {
            return Ok((found, pages));
        }
        let last = ids(&page).last().copied();
        ensure(last.is_some() && last != query.after, || "more is said to follow, and nothing does".to_owned())?;
        query.after = last;
    }
}

/// A listed plan comes with its index, its small rows and its last event.
pub(super) async fn rows(fixture: Fixture) -> Result<(), Seen> {
    let (plan, writer) = (fixture.plan()?, fixture.writer()?);
    let state = plan_row(RecordKind::PlanState, plan, 1, "state");
    let writes = vec![
        Write::Insert(plan_row(RecordKind::Review, plan, 0, "review")),
        Write::Insert(state.clone()),
        Write::Index(fixture.index(plan, State::AwaitingApproval)),
        Write::Event(event(writer, 1, Some(plan))),
    ];
    fixture.write(writes).await?;
    let page = fixture.store.list(&everything()).await?;
    let [(found, rows)] = page.plans.as_slice() else {
        return Err(Seen::new(format!("{} plans, where one was made", page.plans.len())));
    };
    same("the plan that is listed", &(*found, &rows.index), &(plan, &fixture.index(plan, State::AwaitingApproval)))?;
    same("its rows", &rows.rows, &vec![state])?;
    same("its last event", &rows.last_event.as_ref().map(|event| event.sequence), &Some(1))
}
