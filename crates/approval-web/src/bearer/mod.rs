//! Bearer tokens for MCP over HTTP (RFC 6750): who it is for whom the agent acts.
//!
//! This stands before the MCP endpoint, never before the approval surface, and neither knows what the other goes by: here
//! cookies mean nothing, there tokens mean nothing. So nothing that the agent holds gets it onto a page. [SURF-010]

mod tokens;

use std::fmt;
use std::sync::Arc;

use approval_core::Requester;
use async_trait::async_trait;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http::header::{AUTHORIZATION, CACHE_CONTROL, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};

pub use tokens::TokenFile;

/// The longest token that is looked at, in bytes.
const LONGEST_TOKEN: usize = 8 * 1024;

/// Tells for whom the bearer of a token acts.
#[async_trait]
pub trait BearerVerifier: Send + Sync + fmt::Debug {
    /// The person for whom the bearer acts; `None` where the token is unknown, expired, for another audience, or for nobody
    /// who is a person.
    ///
    /// # Errors
    /// When it can't be told.
    async fn verify(&self, token: &str) -> Result<Option<Requester>, BearerError>;
}

/// It can't be told whether a token is good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tokens can't be verified: {0}")]
pub struct BearerError(pub String);

/// Lets through who presents a good token, and puts an [`approval_core::Requester`] into the request's extensions.
///
/// | request | answer |
/// |---|---|
/// | from a page of an origin that isn't allowed | 403, before the token is looked at |
/// | without a token | 401, `WWW-Authenticate: Bearer` |
/// | with a token that is unknown or expired | 401, `error="invalid_token"` |
/// | with an ill-formed or doubled `Authorization` | 400, `error="invalid_request"` |
/// | with a token that can't be verified now | 503 |
#[derive(Clone, Debug)]
pub struct BearerGuard {
    verifier: Arc<dyn BearerVerifier>,
    origins: Arc<[String]>,
}

impl BearerGuard {
    /// Goes by this verifier, and allows no browser's origin.
    #[must_use]
    pub fn new(verifier: Arc<dyn BearerVerifier>) -> Self {
        Self { verifier, origins: Arc::default() }
    }

    /// Allows requests from pages of these origins too (`https://host[:port]`), compared octet by octet.
    #[must_use]
    pub fn allow_origins(mut self, origins: impl IntoIterator<Item = String>) -> Self {
        self.origins = origins.into_iter().collect();
        self
    }

    /// Puts the guard before every route that `router` has now.
    pub fn protect(self, router: Router) -> Router {
        router.layer(from_fn_with_state(self, guard))
    }
}

async fn guard(State(guard): State<BearerGuard>, mut request: Request, next: Next) -> Response {
    // Against DNS rebinding and foreign pages: a client that is no browser sends no Origin.
    let foreign = |origin: &http::HeaderValue| !guard.origins.iter().any(|known| known.as_bytes() == origin.as_bytes());
    if request.headers().get_all(ORIGIN).iter().any(foreign) {
        return (StatusCode::FORBIDDEN, "this origin is not allowed\n").into_response();
    }
    let token = match presented(request.headers()) {
        Presented::Token(token) => token.to_owned(),
        Presented::Nothing => return refuse(StatusCode::UNAUTHORIZED, "Bearer"),
        Presented::Malformed => return refuse(StatusCode::BAD_REQUEST, r#"Bearer error="invalid_request""#),
    };
    match guard.verifier.verify(&token).await {
        Ok(Some(requester)) => {
            request.extensions_mut().insert(requester);
            next.run(request).await
        }
        Ok(None) => refuse(StatusCode::UNAUTHORIZED, r#"Bearer error="invalid_token""#),
        Err(error) => {
            tracing::error!(%error, "a bearer token could not be verified");
            (StatusCode::SERVICE_UNAVAILABLE, "tokens can't be verified now\n").into_response()
        }
    }
}

enum Presented<'a> {
    Malformed,
    Nothing,
    Token(&'a str),
}

/// The token in the `Authorization` header, and nowhere else: not in the URL, not in a form, not in a cookie.
fn presented(headers: &HeaderMap) -> Presented<'_> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, another) = (values.next(), values.next());
    let Some(value) = value else { return Presented::Nothing };
    let Ok(text) = value.to_str() else { return Presented::Malformed };
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if another.is_some() {
        return Presented::Malformed;
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Presented::Nothing;
    }
    let token = token.trim_start_matches(' ');
    let is_b64token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/' | '=');
    if token.is_empty() || token.len() > LONGEST_TOKEN || !token.chars().all(is_b64token) {
        return Presented::Malformed;
    }
    Presented::Token(token)
}

fn refuse(status: StatusCode, challenge: &'static str) -> Response {
    (status, [(WWW_AUTHENTICATE, challenge), (CACHE_CONTROL, "no-store")]).into_response()
}
