//! Pages of plans.

use approval_core::record::{RecordKind, State};
use approval_core::store::{Asked, PlanIndex, PlanPage, PlanQuery, Write};
use approval_core::{Group, Person, PlanId};

use super::fixture::{Fixture, event, everything, plan_row};
use crate::report::{Seen, ensure, same};

fn ids(page: &PlanPage) -> Vec<PlanId> {
    page.plans.iter().map(|(plan, _)| *plan).collect()
}

/// A plan, and whom it asks.
struct Made {
    index: PlanIndex,
    asked: Vec<Asked>,
}

/// Plans of three requesters on two targets in every state, oldest first. They ask nobody, a person, a group, or two groups; some
/// are pruned.
async fn many(fixture: &Fixture) -> Result<Vec<Made>, Seen> {
    let mut made: Vec<Made> = Vec::new();
    for requester in ["alice", "bob", "Alice"] {
        for target in ["the shelf", "the_shelf"] {
            for state in State::ALL {
                let plan = if made.len().is_multiple_of(3) { fixture.plan()? } else { fixture.plan_at_once()? };
                let (requester, target) = (requester.to_owned(), target.to_owned());
                let pruned = made.len().is_multiple_of(5);
                let asked = match made.len() % 4 {
                    0 => Vec::new(),
                    1 => vec![person("bob")],
                    2 => vec![group("sre")],
                    _ => vec![group("sre"), group("dba"), group("sre")],
                };
                made.push(Made { index: PlanIndex { requester, target, pruned, ..fixture.index(plan, state) }, asked });
            }
        }
    }
    // In another state first: they are found by the one that they are in.
    let before = |made: &Made| Write::Index(PlanIndex { state: State::Stale, ..made.index.clone() });
    let ask = |made: &Made| Write::Ask { plan: made.index.plan, asked: made.asked.clone() };
    fixture.write(made.iter().flat_map(|made| [before(made), ask(made)]).collect()).await?;
    fixture.write(made.iter().map(|made| Write::Index(made.index.clone())).collect()).await?;
    made.sort_by_key(|made| made.index.plan);
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
    let asked = [
        vec![],
        vec![group("sre")],
        vec![person("bob"), group("dba"), group("sre"), person("bob")],
        vec![person("sre"), Asked::anyone()],
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
    for asked in asked {
        for (states, requester) in states.iter().zip(requesters.iter().cycle()) {
            for pruned in [None, Some(false), Some(true)] {
                let (asked, states, requester) = (asked.clone(), states.clone(), requester.clone());
                queries.push(PlanQuery { asked, states, requester, pruned, ..everything() });
            }
        }
    }
    queries
}

fn group(name: &str) -> Asked {
    Asked::group(&Group::new(name))
}

fn person(name: &str) -> Asked {
    Asked::person(&Person::new(name))
}

fn matching(made: &[Made], query: &PlanQuery) -> Vec<PlanId> {
    let matches = |made: &&Made| {
        let index = &made.index;
        query.requester.as_ref().is_none_or(|requester| *requester == index.requester)
            && query.target.as_ref().is_none_or(|target| *target == index.target)
            && (query.states.is_empty() || query.states.contains(&index.state))
            && query.expires_after.is_none_or(|moment| index.expires_at > moment)
            && query.expires_before.is_none_or(|moment| index.expires_at < moment)
            && query.pruned.is_none_or(|pruned| index.pruned == pruned)
            && (query.asked.is_empty() || query.asked.iter().any(|asked| made.asked.contains(asked)))
            && query.after.is_none_or(|after| index.plan < after)
    };
    made.iter().rev().filter(matches).map(|made| made.index.plan).collect()
}

/// Everything that is given must match.
pub(super) async fn filter(fixture: Fixture) -> Result<(), Seen> {
    let made = many(&fixture).await?;
    let expiries = made.iter().skip(3).step_by(17).map(|made| made.index.expires_at);
    let expiring = expiries.clone().map(|expiry| PlanQuery { expires_after: Some(expiry), ..everything() });
    let expired =
        expiries.map(|expiry| PlanQuery { expires_before: Some(expiry), pruned: Some(false), ..everything() });
    let both = expiring.clone().chain(expired.clone());
    let both = both.map(|query| PlanQuery { states: vec![State::Planned, State::Unknown], ..query });
    for query in queries().into_iter().chain(expiring).chain(expired).chain(both) {
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
    let newest_first: Vec<PlanId> = made.iter().rev().map(|made| made.index.plan).collect();
    same("all plans", &ids(&fixture.store.list(&everything()).await?), &newest_first)?;
    let asked = made.iter().map(|made| made.index.plan).chain([nobodys_oldest, nobodys_newest]);
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
    let expected: Vec<PlanId> = made.iter().rev().take(10).map(|made| made.index.plan).collect();
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
