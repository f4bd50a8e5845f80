//! What stands before every page, the login too.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::desk::Desk;

/// No script at all, nobody's frame, no copy kept, no address told to others. [SURF-015]
const HEADERS: [(HeaderName, &str); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
];

pub(crate) async fn guard(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let (changes, headers) = (!matches!(*request.method(), Method::GET | Method::HEAD), request.headers());
    let mut response = if !is_addressed(&desk.origin, headers) {
        (StatusCode::MISDIRECTED_REQUEST, "this is another host\n").into_response()
    } else if changes && !is_own(&desk.origin, headers) {
        (StatusCode::FORBIDDEN, "this form is not from here: nothing was changed\n").into_response()
    } else {
        next.run(request).await
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The one value of a header; one that is there twice is none of these.
fn one(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let value = values.next();
    if values.next().is_some() { Some(b"") } else { value }
}

/// A page of another name that was made to lead here says its own name. [SURF-014]
fn is_addressed(origin: &str, headers: &HeaderMap) -> bool {
    one(headers, header::HOST) == origin.strip_prefix("http://").map(str::as_bytes)
}

/// Whether a form comes from a page of ours. Since these send no referrer, browsers write `Origin: null`, and say in
/// `Sec-Fetch-Site`, which no page can set, where it is from; who says neither is refused. [FORM-003]
fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let (named, site) = (one(headers, header::ORIGIN), one(headers, HeaderName::from_static("sec-fetch-site")));
    let is_ours = named == Some(origin.as_bytes());
    match site {
        Some(site) => site == b"same-origin" && (is_ours || matches!(named, None | Some(b"null"))),
        None => is_ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_come_from_own_pages() {
        let own = |headers: &[(&'static str, &'static str)]| {
            let headers =
                headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            is_own("http://127.0.0.1:8377", &headers.collect())
        };
        let ours = ("origin", "http://127.0.0.1:8377");
        assert!(own(&[ours]) && own(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(!own(&[]) && !own(&[("origin", "null")]) && !own(&[("origin", "http://127.0.0.1:8378")]));
        assert!(!own(&[ours, ("sec-fetch-site", "same-site")]));
    }
}
