//! What stands before every page: the right host, the right origin, and the headers.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

use super::Desk;
use super::address::Address;
use super::notice;

/// Nothing inline, nothing from elsewhere, in nobody's frame. [SURF-015]
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

const HEADERS: [(HeaderName, &str); 9] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Two years, as HSTS preload lists ask for; without `includeSubDomains`, which isn't the surface's to say.
const STRICT_TRANSPORT: &str = "max-age=63072000";

pub(super) async fn guard(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let address = &desk.address;
    let mut response = if !address.is_addressed(request.uri(), request.headers()) {
        // Against DNS rebinding: a page of another name gets nothing, not even a login. [SURF-014]
        notice::misdirected(&desk)
    } else if is_change(request.method()) && !is_own(address, request.headers()) {
        notice::foreign(&desk)
    } else {
        next.run(request).await
    };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let allowed = response.headers().get(header::ALLOW).cloned();
        response = (StatusCode::METHOD_NOT_ALLOWED, "this can't be done here\n").into_response();
        allowed.map(|allowed| response.headers_mut().insert(header::ALLOW, allowed));
    }
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if address.is_https() {
        let value = HeaderValue::from_static(STRICT_TRANSPORT);
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}

fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a form was sent from a page of this surface, as far as the browser says. [FORM-003]
///
/// `Sec-Fetch-Site` is set by the browser alone. Since our pages send no referrer, browsers write `Origin: null` beside it
/// (Fetch, "append a request `Origin` header"); where there is no `Sec-Fetch-Site`, only our own origin will do. This is the
/// second defence: the form itself is sealed to the session.
fn is_own(address: &Address, headers: &HeaderMap) -> bool {
    let one = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().map(|value| value.as_bytes());
        if values.next().is_some() { Some(b"".as_slice()) } else { value }
    };
    let origin = one(header::ORIGIN);
    let is_ours = origin.is_some_and(|origin| origin == address.origin().as_bytes());
    match one(HeaderName::from_static("sec-fetch-site")) {
        Some(site) => site == b"same-origin" && (is_ours || origin.is_none_or(|origin| origin == b"null")),
        None => is_ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_come_from_own_pages() {
        let address = Address::parse("https://approvals.example/approve").unwrap();
        let own = |headers: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, HeaderValue::from_static(value));
            }
            is_own(&address, &map)
        };
        let ours = ("origin", "https://approvals.example");
        assert!(own(&[ours]));
        assert!(own(&[ours, ("sec-fetch-site", "same-origin")]));
        assert!(own(&[("origin", "null"), ("sec-fetch-site", "same-origin")]));
        assert!(!own(&[]));
        assert!(!own(&[("origin", "null")]));
        assert!(!own(&[("origin", "https://evil.example")]));
        assert!(!own(&[("origin", "https://approvals.example:8443")]));
        assert!(!own(&[("origin", "http://approvals.example")]));
        assert!(!own(&[ours, ours]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!own(&[ours, ("sec-fetch-site", site)]), "{site}");
        }
        assert!(!own(&[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")]));
    }
}
