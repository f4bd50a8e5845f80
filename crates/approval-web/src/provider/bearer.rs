//! Bearer tokens that an identity provider signed (RFC 9068, and what is usual besides).

use approval_core::Requester;
use approval_core::record::RequesterAssurance;
use async_trait::async_trait;

use super::standing::Source;
use super::token::{Claims, claimed_issuer};
use super::{Provider, Providers, TokenFault};
use crate::bearer::{BearerError, BearerVerifier, Verified};

/// What tokens are called that are no access tokens, in the header's `typ` or in Keycloak's claim of that name.
const OTHERS: [&str; 6] = ["id", "refresh", "offline", "logout", "logout+jwt", "id+jwt"];

/// JSON Web Tokens of the providers that have a `resource`: access tokens for this MCP endpoint, and nothing else.
///
/// The signature must be by a key that the issuer publishes and by an algorithm of the configuration; `iss`, `aud`, `exp` and
/// `nbf` must hold, within half a minute; the required scope must be there; and the token must stand for a person, not for a
/// client that acts for itself.
#[derive(Clone, Debug)]
pub struct ProviderTokens {
    providers: Providers,
}

impl ProviderTokens {
    /// The tokens of these providers.
    #[must_use]
    pub fn new(providers: Providers) -> Self {
        Self { providers }
    }

    async fn look(&self, provider: &Provider, token: &str) -> Result<Result<Verified, TokenFault>, BearerError> {
        let Some(resource) = &provider.settings.resource else { return Ok(Err(TokenFault::Issuer)) };
        let unavailable = |error: &dyn std::fmt::Display| BearerError(error.to_string());
        let claims = self.providers.claims(provider, token, &resource.audience).await;
        let claims = match claims.map_err(|error| unavailable(&error))? {
            Ok(claims) => claims,
            Err(fault) => return Ok(Err(fault)),
        };
        if is_other(&claims) {
            return Ok(Err(TokenFault::Type));
        }
        if is_clients_own(&claims) {
            return Ok(Err(TokenFault::Nobody));
        }
        let attested = match provider.attested(&claims) {
            Ok(attested) => attested,
            Err(fault) => return Ok(Err(fault)),
        };
        if let Some(scope) = resource.scope.as_ref().filter(|scope| !has_scope(&claims, scope)) {
            return Ok(Ok(Verified::Lacks { scope: scope.clone() }));
        }
        self.providers.keep(provider, &attested, Source::Bearer).await.map_err(|error| unavailable(&error))?;
        let assurance = RequesterAssurance::VerifiedToken;
        Ok(Ok(Verified::For(Requester { identity: attested.identity, assurance })))
    }
}

#[async_trait]
impl BearerVerifier for ProviderTokens {
    async fn verify(&self, token: &str) -> Result<Verified, BearerError> {
        let Some(issuer) = claimed_issuer(token) else { return Ok(Verified::Nobody) };
        let provider = self.providers.by_issuer(&issuer).map_err(|error| BearerError(error.to_string()))?;
        let Some(provider) = provider else { return Ok(Verified::Nobody) };
        match self.look(&provider, token).await? {
            Ok(verified) => Ok(verified),
            Err(fault) => {
                tracing::info!(provider = provider.settings.id, %fault, "a bearer token was refused");
                Ok(Verified::Nobody)
            }
        }
    }
}

/// Whether a token says that it is for something else than access. A token may say nothing.
fn is_other(claims: &Claims) -> bool {
    let kinds = [claims.kind(), claims.text("typ").map(str::to_ascii_lowercase)];
    kinds.into_iter().flatten().any(|kind| OTHERS.contains(&kind.as_str()))
        // Only a login has one of these, and it is an ID token that has it.
        || claims.get("nonce").is_some()
        || claims.get("at_hash").is_some()
}

/// Whether a token stands for a client itself (RFC 6749, 4.4): by RFC 9068's rule, and as some providers mark it.
fn is_clients_own(claims: &Claims) -> bool {
    let subject = claims.text("sub");
    ["client_id", "azp"].into_iter().any(|claim| claims.text(claim).is_some_and(|client| Some(client) == subject))
        || claims.text("gty") == Some("client-credentials")
        || claims.text("idtyp") == Some("app")
        || claims.text("preferred_username").is_some_and(|name| name.starts_with("service-account-"))
}

fn has_scope(claims: &Claims, scope: &str) -> bool {
    let listed = claims.text("scope").into_iter().chain(claims.text("scp")).flat_map(|scopes| scopes.split(' '));
    listed.chain(claims.texts("scp")).any(|known| known == scope)
}
