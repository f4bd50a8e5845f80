//! Sessions: kept by the server, known to the browser by a random name. A session shows pages; it never decides.

use approval_core::record::{Identity, RecordKind};
use approval_core::transient::{SealedTransient, TransientError};
use approval_core::{Digest, Entropy, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use serde::{Deserialize, Serialize};

use super::SurfaceOptions;
use crate::accounts::Account;

/// What the server keeps of a session. Encrypted, under a tag of its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Session {
    #[serde(rename = "type")]
    kind: SessionType,
    /// The account with which the person logged in.
    pub(super) account: String,
    /// Whom it stood for then.
    pub(super) identity: Identity,
    /// The account's password as it was then, by a digest of its hash: another password ends the session.
    credential: Digest,
    /// From when on it is over, however busy.
    expires_at: Timestamp,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum SessionType {
    #[serde(rename = "mutation-approval/session/v0")]
    V0,
}

/// That somebody was here. A record of its own, so that writing it can't bring back a session that was logged out meanwhile.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    at: Timestamp,
}

/// A session's name: 256 random bits, base64url. Whoever has it has the session. [AUTH-001]
#[derive(Clone)]
pub(super) struct SessionId(String);

impl SessionId {
    /// What a form is bound to in place of the name itself.
    pub(super) fn digest(&self) -> Digest {
        Digest::of_bytes(self.0.as_bytes())
    }

    fn seen(&self) -> String {
        format!("{}/seen", self.0)
    }
}

impl Session {
    /// Whether the account is still the one that logged in.
    pub(super) fn is_of(&self, account: &Account) -> bool {
        !account.disabled && account.identity() == self.identity && account.credential() == self.credential
    }
}

/// Begins a session, always under a fresh name.
pub(super) async fn begin(
    kept: &SealedTransient,
    entropy: &dyn Entropy,
    options: &SurfaceOptions,
    account: &Account,
    now: Timestamp,
) -> Result<SessionId, TransientError> {
    let mut random = [0; 32];
    entropy.fill(&mut random).map_err(|error| TransientError::Unavailable(error.to_string()))?;
    let id = SessionId(URL_SAFE_NO_PAD.encode(random));
    let expires_at = now.after(options.session_length);
    let session = Session {
        kind: SessionType::V0,
        account: account.name.clone(),
        identity: account.identity(),
        credential: account.credential(),
        expires_at,
    };
    kept.put(RecordKind::Session, &id.seen(), &Seen { at: now }, now.after(options.session_idle)).await?;
    kept.put(RecordKind::Session, &id.0, &session, expires_at).await?;
    Ok(id)
}

/// The session under this name, unless it is over; and notes that somebody was here. [AUTH-002]
pub(super) async fn find(
    kept: &SealedTransient,
    options: &SurfaceOptions,
    id: &SessionId,
    now: Timestamp,
) -> Result<Option<Session>, TransientError> {
    let Some(session) = kept.find::<Session>(RecordKind::Session, &id.0, now).await? else { return Ok(None) };
    let Some(seen) = kept.find::<Seen>(RecordKind::Session, &id.seen(), now).await? else { return Ok(None) };
    // Not at every request: a minute more or less is no matter.
    if now.since(seen.at) >= options.session_idle / 30 {
        let until = now.after(options.session_idle).min(session.expires_at);
        kept.put(RecordKind::Session, &id.seen(), &Seen { at: now }, until).await?;
    }
    Ok((now < session.expires_at).then_some(session))
}

/// Ends a session, whether it was one or not.
pub(super) async fn end(kept: &SealedTransient, id: &SessionId, now: Timestamp) -> Result<(), TransientError> {
    kept.take::<Session>(RecordKind::Session, &id.0, now).await.map(drop)
}

/// The cookie in which the browser keeps a session's name.
#[derive(Clone, Debug)]
pub(super) struct Cookie {
    name: String,
    attributes: String,
}

impl Cookie {
    /// `SameSite=Strict`, not `Lax`: so no page of another site, not even by a link, makes the browser show that somebody is
    /// logged in here, and no form of theirs comes with a session. The price: who follows a link from another site finds the
    /// login, which offers them to go on. `__Host-` demands `Path=/`; where that prefix can't be had the path is ours alone.
    /// [AUTH-004]
    pub(super) fn new(address: &super::address::Address, audience: &str) -> Self {
        let attributes = if address.is_https() {
            "Path=/; HttpOnly; SameSite=Strict; Secure".to_owned()
        } else {
            format!("Path={}; HttpOnly; SameSite=Strict", address.inbox())
        };
        Self { name: address.cookie(audience), attributes }
    }

    /// The session's name in a request, where there is one that could be ours.
    pub(super) fn read(&self, headers: &HeaderMap) -> Option<SessionId> {
        let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == self.name)?;
        let is_name = value.len() == 43 && URL_SAFE_NO_PAD.decode(value).is_ok();
        is_name.then(|| SessionId(value.to_owned()))
    }

    /// `Set-Cookie` for a new session; it ends with the browser.
    pub(super) fn set(&self, id: &SessionId) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("{}={}; {}", self.name, id.0, self.attributes)).ok()
    }

    /// `Set-Cookie` that takes it away.
    pub(super) fn remove(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("{}=; {}; Max-Age=0", self.name, self.attributes)).ok()
    }
}
