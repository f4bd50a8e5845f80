//! What an identity provider publishes: its endpoints (OpenID Connect Discovery 1.0) and its keys (RFC 7517).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use approval_core::{Clock, Timestamp};
use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{Jwk, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use tokio::sync::Mutex as AsyncMutex;

use super::ProviderError;
use super::http::{Web, is_protected};

/// After this time all is fetched again, so that a key that was withdrawn is of no use for longer.
const FRESH: Duration = Duration::from_secs(60 * 60);

/// A provider that doesn't answer is believed for so long: what was fetched before still holds.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Between two attempts there is at least this time: tokens that name made-up keys, or a provider that is down, cause no flood.
const PAUSE: Duration = Duration::from_secs(15);

/// What a provider says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Metadata {
    issuer: String,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: Option<String>,
    pub(crate) end_session_endpoint: Option<String>,
    jwks_uri: String,
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    pub(super) token_endpoint_auth_methods_supported: Vec<String>,
}

impl Metadata {
    fn endpoints(&self) -> impl Iterator<Item = &String> {
        let named = [&self.authorization_endpoint, &self.token_endpoint, &self.end_session_endpoint];
        named.into_iter().flatten().chain([&self.jwks_uri])
    }
}

/// A provider's endpoints and keys, as they were at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) metadata: Metadata,
    keys: Vec<Jwk>,
    fetched_at: Timestamp,
}

impl Snapshot {
    /// The keys that may have signed what names this key and algorithm. Where it names none, only a single one will do.
    pub(super) fn key(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Jwk> {
        let mut fitting = self.keys.iter().filter(|key| is_for(key, algorithm));
        match kid {
            Some(kid) => fitting.find(|key| key.common.key_id.as_deref() == Some(kid)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }
}

/// Whether a key may verify signatures of this algorithm, as far as it says.
fn is_for(key: &Jwk, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let named = common.key_algorithm.is_none_or(|named| named.to_string() == format!("{algorithm:?}"));
    let signs = common.public_key_use.as_ref().is_none_or(|named| *named == PublicKeyUse::Signature);
    let verifies = common.key_operations.as_ref().is_none_or(|named| named.contains(&KeyOperations::Verify));
    named && signs && verifies
}

/// The newest snapshot of one provider, shared by all who verify.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// Never kept over a wait: a fetch takes as long as the provider likes, and anybody's token can cause one.
    held: Mutex<Held>,
    /// Whose turn it is to fetch.
    turn: AsyncMutex<()>,
}

#[derive(Clone, Debug, Default)]
struct Held {
    snapshot: Option<Arc<Snapshot>>,
    tried_at: Option<Timestamp>,
}

impl Held {
    /// The snapshot, where it is one that nobody need wait for.
    fn fresh(&self, now: Timestamp, unknown: Option<&Snapshot>) -> Option<Arc<Snapshot>> {
        let is_newer = |snapshot: &Snapshot| unknown.is_none_or(|had| snapshot.fetched_at > had.fetched_at);
        self.younger(now, FRESH).filter(|snapshot| is_newer(snapshot))
    }

    fn younger(&self, now: Timestamp, age: Duration) -> Option<Arc<Snapshot>> {
        self.snapshot.clone().filter(|snapshot| now.since(snapshot.fetched_at) < age)
    }

    fn is_paused(&self, now: Timestamp) -> bool {
        self.tried_at.is_some_and(|tried| now.since(tried) < PAUSE && tried <= now)
    }
}

impl Published {
    /// What the provider publishes. `unknown`: a key that isn't in what the caller had is asked for.
    ///
    /// One caller fetches. The others wait for it only where what is held won't do for them.
    pub(super) async fn get(
        &self,
        issuer: &str,
        web: &Web,
        clock: &dyn Clock,
        unknown: Option<&Snapshot>,
    ) -> Result<Arc<Snapshot>, ProviderError> {
        if let Some(snapshot) = self.held().fresh(clock.now(), unknown) {
            return Ok(snapshot);
        }
        let _turn = self.turn.lock().await;
        let (held, now) = (self.held().clone(), clock.now());
        if let Some(snapshot) = held.fresh(now, unknown) {
            return Ok(snapshot);
        }
        let stale = held.younger(now, STALE);
        if held.is_paused(now) {
            let refused = || ProviderError::Unreachable("it didn't answer a moment ago".to_owned());
            return stale.ok_or_else(refused);
        }
        self.held().tried_at = Some(now);
        match fetch(issuer, web, now).await {
            Ok(snapshot) => Ok(Arc::clone(self.held().snapshot.insert(Arc::new(snapshot)))),
            Err(error) => {
                // From the end on: who waited meanwhile doesn't try as long again.
                self.held().tried_at = Some(clock.now());
                let Some(stale) = stale else { return Err(error) };
                tracing::warn!(issuer, %error, "an identity provider's keys were not fetched again");
                Ok(stale)
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch(issuer: &str, web: &Web, now: Timestamp) -> Result<Snapshot, ProviderError> {
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let unreadable =
        |address: &str, error: &serde_json::Error| ProviderError::Answer(format!("`{address}` is unreadable: {error}"));
    let found = web.get(&address).await?;
    let metadata: Metadata = serde_json::from_slice(&found).map_err(|error| unreadable(&address, &error))?;
    // Else one provider could speak for another. [OpenID Connect Discovery 1.0, 4.3]
    if metadata.issuer != issuer {
        return Err(ProviderError::Answer(format!("`{address}` is of another issuer: `{}`", metadata.issuer)));
    }
    if let Some(bare) = metadata.endpoints().find(|endpoint| !is_protected(endpoint)) {
        return Err(ProviderError::Answer(format!("`{address}` names an endpoint without https: `{bare}`")));
    }
    let found = web.get(&metadata.jwks_uri).await?;
    let unreadable = |error: serde_json::Error| unreadable(&metadata.jwks_uri, &error);
    // Keys of kinds that aren't known here are no fault: they are left out.
    let set: RawSet = serde_json::from_slice(&found).map_err(unreadable)?;
    let keys = set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect();
    Ok(Snapshot { metadata, keys, fetched_at: now })
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<serde_json::Value>,
}
