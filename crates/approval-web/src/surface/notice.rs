//! Pages with something to say and nothing to do.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};

use super::Desk;
use super::login::up;
use super::pieces::Pieces;
use crate::page::chrome::{Chrome, NoticePage};
use crate::page::name::Name;
use crate::page::shown::Shown;

/// A rendered page.
pub(super) fn page(status: StatusCode, page: &impl Template) -> Response {
    page_around(status, page, std::iter::empty())
}

/// A rendered page on which texts stand that may be large.
pub(super) fn page_around<'a>(
    status: StatusCode,
    page: &impl Template,
    passages: impl Iterator<Item = &'a Arc<String>>,
) -> Response {
    let mut pieces = Pieces::around(passages);
    match page.render_into(&mut pieces) {
        Ok(()) => {
            let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
            (status, html, Body::new(pieces.end())).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page can't be shown\n").into_response()
        }
    }
}

pub(super) struct Notice {
    pub(super) status: StatusCode,
    pub(super) heading: &'static str,
    pub(super) text: String,
    pub(super) detail: Option<Shown>,
    pub(super) onward: Option<(String, &'static str)>,
}

impl Notice {
    pub(super) fn new(status: StatusCode, heading: &'static str, text: impl Into<String>) -> Self {
        Self { status, heading, text: text.into(), detail: None, onward: None }
    }

    pub(super) fn onward(mut self, path: String, name: &'static str) -> Self {
        self.onward = Some((path, name));
        self
    }

    pub(super) fn detail(mut self, detail: &str) -> Self {
        self.detail = Some(Shown::line(detail));
        self
    }

    pub(super) fn show(self, desk: &Desk, viewer: Option<Name>) -> Response {
        let chrome = Chrome { base: desk.address.base().to_owned(), viewer, title: self.heading };
        let Self { heading, text, detail, onward, .. } = self;
        page(self.status, &NoticePage { chrome, heading, text, detail, onward })
    }
}

/// Says to programs too when to come again (RFC 9110, 10.2.3).
pub(super) fn come_again(wait: Duration, response: Response) -> Response {
    ([(header::RETRY_AFTER, up(wait).as_secs().to_string())], response).into_response()
}

/// There is no such page, or it isn't for this person: both look the same.
pub(super) fn not_found(desk: &Desk, viewer: Option<Name>) -> Response {
    Notice::new(StatusCode::NOT_FOUND, "Not found", "There is no such page for you.")
        .onward(desk.address.inbox(), "All plans")
        .show(desk, viewer)
}

/// The request was meant for another host.
pub(super) fn misdirected(desk: &Desk) -> Response {
    let text = format!("This surface is at {}{} and answers nowhere else.", desk.address.origin(), desk.address.base());
    Notice::new(StatusCode::MISDIRECTED_REQUEST, "Wrong address", text).show(desk, None)
}

/// A form that no page of ours sent.
pub(super) fn foreign(desk: &Desk) -> Response {
    let text = "This form was not sent from a page of this surface. Nothing was changed.";
    Notice::new(StatusCode::FORBIDDEN, "Refused", text).onward(desk.address.inbox(), "All plans").show(desk, None)
}

/// Something that is needed can't be had now.
pub(super) fn unavailable(desk: &Desk, viewer: Option<Name>, error: &dyn std::fmt::Display) -> Response {
    tracing::error!(%error, "the surface can't answer");
    let text = "Something that this page needs can’t be had now. Nothing was changed; try again.";
    Notice::new(StatusCode::SERVICE_UNAVAILABLE, "Not now", text).show(desk, viewer)
}
