//! The `Authorization` header, and who gets past the guard with it.

use std::sync::Arc;

use approval_testkit::FakeDirectory;
use approval_web::{BearerError, BearerGuard, BearerVerifier, Verified};
use axum::Router;
use axum::body::Body;
use axum::routing::get;
use fuzz::{corpus, explore};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, StatusCode};
use tower::ServiceExt as _;

use crate::history::run;

/// Knows one token.
#[derive(Debug)]
struct OneToken;

const TOKEN: &str = "good-token";

impl BearerVerifier for OneToken {
    fn verify<'a, 'b, 'c>(
        &'a self,
        token: &'b str,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Verified, BearerError>> + Send + 'c>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        let known = token == TOKEN;
        Box::pin(
            async move { Ok(if known { Verified::For(FakeDirectory::requester("alice")) } else { Verified::Nobody }) },
        )
    }
}

#[test]
fn the_guard_lets_through_a_good_token_and_nothing_else() {
    let inside = Router::new().route("/", get(|| async { "inside" }));
    let router = BearerGuard::new(Arc::new(OneToken)).protect(inside);
    explore!(corpus("authorization"), |input: &[u8]| {
        // One header, or two where a line ends.
        let headers: Vec<_> = input.split(|byte| *byte == b'|').map(HeaderValue::from_bytes).collect();
        let Ok(headers) = headers.into_iter().collect::<Result<Vec<_>, _>>() else { return };
        let mut request = Request::builder().uri("/");
        for header in &headers {
            request = request.header(AUTHORIZATION, header);
        }
        let response = run(router.clone().oneshot(request.body(Body::empty()).unwrap())).unwrap();
        let good = match headers.as_slice() {
            [header] => is_good(header.as_bytes()),
            _ => false,
        };
        assert_eq!(response.status() == StatusCode::OK, good, "{}", input.escape_ascii());
        if !good {
            assert!([StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST].contains(&response.status()));
            assert!(response.headers()[WWW_AUTHENTICATE].as_bytes().starts_with(b"Bearer"));
        }
    });
}

/// `Bearer`, in any case, spaces, and the token.
fn is_good(header: &[u8]) -> bool {
    let Some((scheme, rest)) = header.split_at_checked(7) else { return false };
    let token: Vec<u8> = rest.iter().copied().skip_while(|byte| *byte == b' ').collect();
    scheme.eq_ignore_ascii_case(b"bearer ") && token == TOKEN.as_bytes()
}
