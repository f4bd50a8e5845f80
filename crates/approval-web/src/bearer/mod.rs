//! Bearer tokens for MCP over HTTP (RFC 6750): who it is for whom the agent acts.
//!
//! This stands before the MCP endpoint, never before the approval surface, and neither knows what the other goes by: here
//! cookies mean nothing, there tokens mean nothing. So nothing that the agent holds gets it onto a page. [SURF-010]

mod resource;
mod tokens;

use std::fmt;
use std::sync::Arc;

use approval_core::Requester;
use async_trait::async_trait;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{AUTHORIZATION, CACHE_CONTROL, ORIGIN, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};

pub(crate) use resource::is_scope;
pub use resource::{ProtectedResource, ResourceError};
pub use tokens::TokenFile;

/// The longest token that is looked at, in bytes.
const LONGEST_TOKEN: usize = 8 * 1024;

/// Tells for whom the bearer of a token acts.
#[async_trait]
pub trait BearerVerifier: Send + Sync + fmt::Debug {
    /// For whom the bearer acts.
    ///
    /// # Errors
    /// When it can't be told.
    async fn verify(&self, token: &str) -> Result<Verified, BearerError>;
}

/// What a bearer token is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// Its bearer acts for this person.
    For(Requester),
    /// It is a good token, and lacks a scope.
    Lacks {
        /// The scope.
        scope: String,
    },
    /// It is unknown, expired, for another audience, or for nobody who is a person.
    Nobody,
}

/// Tokens of any of several kinds, asked in their order: those of a file beside those of identity providers, say.
#[async_trait]
impl BearerVerifier for Vec<Arc<dyn BearerVerifier>> {
    async fn verify(&self, token: &str) -> Result<Verified, BearerError> {
        for verifier in self {
            match verifier.verify(token).await? {
                Verified::Nobody => {}
                verified => return Ok(verified),
            }
        }
        Ok(Verified::Nobody)
    }
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
/// | with a token that is unknown or expired, of another issuer or audience | 401, `error="invalid_token"` |
/// | with a token that lacks a scope | 403, `error="insufficient_scope"` with the scope |
/// | with an ill-formed or doubled `Authorization` | 400, `error="invalid_request"` |
/// | with a token that can't be verified now | 503 |
///
/// Where it knows its [`ProtectedResource`], each challenge says where the metadata are (RFC 9728), and they are served.
#[derive(Clone, Debug)]
pub struct BearerGuard {
    verifier: Arc<dyn BearerVerifier>,
    origins: Arc<[String]>,
    resource: Option<Arc<ProtectedResource>>,
}

impl BearerGuard {
    /// Goes by this verifier, and allows no browser's origin.
    #[must_use]
    pub fn new(verifier: Arc<dyn BearerVerifier>) -> Self {
        Self { verifier, origins: Arc::default(), resource: None }
    }

    /// Allows requests from pages of these origins too, compared octet by octet with what browsers write: `https://app.example`, and
    /// a port only where it isn't the scheme's own.
    ///
    /// The endpoint behind the guard may have a list of its own, in another notation, and a page has to be on both: to
    /// `streamable_http` of approval-rmcp, the same origin is `https://app.example:443`.
    #[must_use]
    pub fn allow_origins(mut self, origins: impl IntoIterator<Item = String>) -> Self {
        self.origins = origins.into_iter().collect();
        self
    }

    /// Tells clients where to get a token.
    #[must_use]
    pub fn resource(mut self, resource: ProtectedResource) -> Self {
        self.resource = Some(Arc::new(resource));
        self
    }

    /// Puts the guard before every route that `router` has now, and the resource's metadata, where there are any, beside it.
    pub fn protect(self, router: Router) -> Router {
        let resource = self.resource.clone();
        let router = router.layer(from_fn_with_state(self, guard));
        match resource {
            None => router,
            Some(resource) => {
                let path = resource.metadata_path().to_owned();
                router.route(&path, get(move || async move { resource.answer() }))
            }
        }
    }

    /// A challenge (RFC 6750, 3): of what is wrong, and where to get what is right.
    fn refuse(&self, status: StatusCode, error: Option<&str>, scope: Option<&str>) -> Response {
        let mut members = Vec::new();
        members.extend(error.map(|error| format!(r#"error="{error}""#)));
        let scopes = self.resource.as_ref().map(|resource| resource.scopes()).filter(|scopes| !scopes.is_empty());
        members.extend(scope.or(scopes.as_deref()).map(|scope| format!(r#"scope="{scope}""#)));
        let metadata = self.resource.as_ref().map(|resource| resource.metadata_url());
        members.extend(metadata.map(|url| format!(r#"resource_metadata="{url}""#)));
        let challenge = format!("Bearer {}", members.join(", "));
        (status, [(WWW_AUTHENTICATE, challenge.trim_end().to_owned()), (CACHE_CONTROL, "no-store".to_owned())])
            .into_response()
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
        Presented::Nothing => return guard.refuse(StatusCode::UNAUTHORIZED, None, None),
        Presented::Malformed => return guard.refuse(StatusCode::BAD_REQUEST, Some("invalid_request"), None),
    };
    match guard.verifier.verify(&token).await {
        Ok(Verified::For(requester)) => {
            request.extensions_mut().insert(requester);
            next.run(request).await
        }
        Ok(Verified::Lacks { scope }) => guard.refuse(StatusCode::FORBIDDEN, Some("insufficient_scope"), Some(&scope)),
        Ok(Verified::Nobody) => guard.refuse(StatusCode::UNAUTHORIZED, Some("invalid_token"), None),
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
