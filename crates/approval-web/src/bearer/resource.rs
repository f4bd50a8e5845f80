//! What the MCP endpoint says about itself as a resource of OAuth (RFC 9728), so that a client finds out where to get a token.

use axum::response::{IntoResponse as _, Response};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, Uri};
use serde::Serialize;

/// The MCP endpoint as a protected resource (RFC 9728).
///
/// ```
/// use approval_web::ProtectedResource;
///
/// let resource = ProtectedResource::new("https://mcp.example/mcp", ["https://id.example/realms/ops"])?.scope("mcp")?;
/// assert_eq!(resource.metadata_url(), "https://mcp.example/.well-known/oauth-protected-resource/mcp");
/// # Ok::<(), approval_web::ResourceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedResource {
    metadata: Metadata,
    metadata_url: String,
    metadata_path: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Metadata {
    resource: String,
    authorization_servers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<String>,
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<String>,
}

/// Why something is no protected resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// The resource or an authorization server isn't an absolute URL without query and fragment.
    #[error("`{0}` is not an absolute URL, https or http, without query and fragment")]
    Url(String),
    /// It isn't a scope.
    #[error("`{0}` is not one scope (RFC 6749, 3.3)")]
    Scope(String),
}

impl ProtectedResource {
    /// The endpoint at this URL, which is also the audience of its tokens (RFC 8707), for which these authorization servers
    /// issue tokens, each by its issuer.
    ///
    /// # Errors
    /// When one of them isn't an absolute URL.
    pub fn new(
        resource: impl Into<String>,
        authorization_servers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, ResourceError> {
        let resource = resource.into();
        let authorization_servers: Vec<String> = authorization_servers.into_iter().map(Into::into).collect();
        let (origin, path) = split(&resource)?;
        for server in &authorization_servers {
            split(server)?;
        }
        // Between host and path. [RFC 9728, 3.1]
        let metadata_path = format!("/.well-known/oauth-protected-resource{}", path.trim_end_matches('/'));
        let metadata_url = format!("{origin}{metadata_path}");
        let bearer_methods_supported = ["header"];
        let scopes_supported = Vec::new();
        let metadata = Metadata {
            resource,
            authorization_servers,
            scopes_supported,
            bearer_methods_supported,
            resource_name: None,
        };
        Ok(Self { metadata, metadata_url, metadata_path })
    }

    /// A scope that its tokens need.
    ///
    /// # Errors
    /// When it isn't one scope.
    pub fn scope(mut self, scope: impl Into<String>) -> Result<Self, ResourceError> {
        let scope = scope.into();
        if !is_scope(&scope) {
            return Err(ResourceError::Scope(scope));
        }
        self.metadata.scopes_supported.push(scope);
        Ok(self)
    }

    /// What people may call it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.metadata.resource_name = Some(name.into());
        self
    }

    /// Where its metadata are.
    #[must_use]
    pub fn metadata_url(&self) -> &str {
        &self.metadata_url
    }

    pub(super) fn metadata_path(&self) -> &str {
        &self.metadata_path
    }

    /// The scopes that its tokens need, as a challenge names them.
    pub(super) fn scopes(&self) -> String {
        self.metadata.scopes_supported.join(" ")
    }

    /// The metadata. They are public, also for pages of other origins: clients in browsers need them.
    pub(super) fn answer(&self) -> Response {
        match serde_json::to_vec(&self.metadata) {
            Ok(body) => {
                let headers: [(HeaderName, &str); 3] = [
                    (CONTENT_TYPE, "application/json"),
                    (CACHE_CONTROL, "max-age=3600"),
                    (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
                ];
                (headers, body).into_response()
            }
            Err(error) => {
                tracing::error!(%error, "the resource's metadata can't be written");
                http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// Origin and path of a URL that has no more than those.
fn split(url: &str) -> Result<(String, String), ResourceError> {
    let refuse = || ResourceError::Url(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| refuse())?;
    let (Some(scheme @ ("https" | "http")), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(refuse());
    };
    // A path goes into a header and becomes a route: what has a meaning in either isn't taken.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~' | '%');
    if url.contains(['?', '#']) || authority.as_str().contains('@') || !uri.path().chars().all(plain) {
        return Err(refuse());
    }
    Ok((format!("{scheme}://{authority}"), uri.path().to_owned()))
}

/// One scope token (RFC 6749, 3.3), so that it can be written into a header.
pub(crate) fn is_scope(scope: &str) -> bool {
    !scope.is_empty() && scope.bytes().all(|c| (0x21..=0x7e).contains(&c) && c != b'"' && c != b'\\')
}
