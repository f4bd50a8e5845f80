//! The inbox: what waits for the person, what was asked for in their name, and what was theirs to decide before.

use std::sync::Arc;

use approval_core::record::State as PlanState;
use approval_core::{Group, InboxQuery, Person, PlanId, Scope};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::Desk;
use super::notice::{Notice, page};
use super::visitor::Visitor;
use crate::page::inbox::{Filters, InboxView, Listing, list};

/// Plans on a page.
const PAGE: u32 = 25;

/// The longest text that is looked for, in bytes: no name is longer.
const LONGEST: usize = 512;

/// What is looked for. A field that was left empty is as if it weren't there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    target: String,
    requester: String,
    group: String,
    state: String,
    /// After which plan the page begins. Anything that is no plan id is as nothing.
    after: String,
}

type Asked = Result<Query<Wanted>, QueryRejection>;

pub(super) async fn pending(State(desk): State<Arc<Desk>>, visitor: Visitor, asked: Asked) -> Response {
    show(&desk, &visitor, Scope::Pending, asked).await
}

pub(super) async fn mine(State(desk): State<Arc<Desk>>, visitor: Visitor, asked: Asked) -> Response {
    show(&desk, &visitor, Scope::Mine, asked).await
}

pub(super) async fn history(State(desk): State<Arc<Desk>>, visitor: Visitor, asked: Asked) -> Response {
    show(&desk, &visitor, Scope::History, asked).await
}

async fn show(desk: &Desk, visitor: &Visitor, scope: Scope, asked: Asked) -> Response {
    let wanted = match asked {
        Ok(Query(wanted)) => wanted,
        Err(rejection) => return unreadable(desk, visitor, &rejection.body_text()),
    };
    let query = match query(scope, &wanted) {
        Ok(query) => query,
        Err(why) => return unreadable(desk, visitor, &why),
    };
    let goes_on = query.after.is_some();
    match desk.approvals.inbox(&visitor.identity, query).await {
        Ok(found) => {
            let Wanted { target, requester, group, state, .. } = wanted;
            let filters = Filters { target, requester, group, state };
            let (chrome, listing) = (visitor.chrome(desk, list(scope).name), Listing::new(found, desk.now()));
            page(StatusCode::OK, &InboxView { chrome, scope, filters, goes_on, listing })
        }
        Err(refusal) => {
            tracing::error!(%refusal, "an inbox can't be shown");
            Notice::new(StatusCode::SERVICE_UNAVAILABLE, "Not now", "Your plans can’t be listed now.")
                .detail(refusal.reason().code())
                .show(desk, Some(visitor.name()))
        }
    }
}

/// What the service is asked for.
fn query(scope: Scope, wanted: &Wanted) -> Result<InboxQuery, String> {
    fn named<'a>(what: &str, name: &'a str) -> Result<Option<&'a str>, String> {
        match name {
            "" => Ok(None),
            name if name.len() > LONGEST => Err(format!("{what}: more than {LONGEST} bytes")),
            name if name.contains('\0') => Err(format!("{what}: a null character")),
            name => Ok(Some(name)),
        }
    }
    let state = match wanted.state.as_str() {
        "" => None,
        name => {
            let state = PlanState::ALL.into_iter().find(|state| state.name() == name);
            Some(state.ok_or_else(|| format!("state: no plan is ever `{name}`"))?)
        }
    };
    Ok(InboxQuery {
        target: named("target", &wanted.target)?.map(str::to_owned),
        requester: named("requester", &wanted.requester)?.map(Person::from),
        group: named("group", &wanted.group)?.map(Group::from),
        states: state.into_iter().collect(),
        after: wanted.after.parse::<PlanId>().ok(),
        ..InboxQuery::new(scope, PAGE)
    })
}

fn unreadable(desk: &Desk, visitor: &Visitor, why: &str) -> Response {
    Notice::new(StatusCode::BAD_REQUEST, "Not a question", "Plans can’t be looked for like this.")
        .detail(why)
        .onward(desk.address.inbox(), "All plans")
        .show(desk, Some(visitor.name()))
}
