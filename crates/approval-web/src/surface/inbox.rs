//! The inbox: what waits for the person, and what was asked for in their name.

use std::sync::Arc;

use approval_core::{InboxQuery, PlanId, Refusal, Scope};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;

use super::Desk;
use super::notice::{Notice, page};
use super::visitor::Visitor;
use crate::page::chrome::{InboxView, Listing};

/// Plans on a page, of each kind.
const PAGE: u32 = 25;

/// After which plans the pages begin. Anything that is no plan id is as nothing.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Place {
    pending: Option<String>,
    mine: Option<String>,
}

pub(super) async fn show(
    State(desk): State<Arc<Desk>>,
    visitor: Visitor,
    query: Result<Query<Place>, QueryRejection>,
) -> Response {
    let Place { pending, mine } = query.map(|Query(place)| place).unwrap_or_default();
    let listed = async {
        let pending = listing(&desk, &visitor, Scope::Pending, pending).await?;
        Ok::<_, Refusal>((pending, listing(&desk, &visitor, Scope::Mine, mine).await?))
    };
    match listed.await {
        Ok((pending, mine)) => {
            page(StatusCode::OK, &InboxView { chrome: visitor.chrome(&desk, "Plans"), pending, mine })
        }
        Err(refusal) => {
            tracing::error!(%refusal, "an inbox can't be shown");
            Notice::new(StatusCode::SERVICE_UNAVAILABLE, "Not now", "Your plans can’t be listed now.")
                .detail(refusal.reason().code())
                .show(&desk, Some(visitor.name()))
        }
    }
}

async fn listing(desk: &Desk, visitor: &Visitor, scope: Scope, after: Option<String>) -> Result<Listing, Refusal> {
    let after = after.and_then(|plan| plan.parse::<PlanId>().ok());
    let query = InboxQuery { after, ..InboxQuery::new(scope, PAGE) };
    Ok(Listing::new(desk.approvals.inbox(&visitor.identity, query).await?, desk.now()))
}
