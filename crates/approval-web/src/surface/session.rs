//! Sessions: kept by the server, known to the browser by a random name. A session shows pages; it never decides.

use std::fmt;
use std::time::Duration;

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
    /// How the person logged in.
    pub(super) login: Login,
    /// Whom that stood for then.
    pub(super) identity: Identity,
    /// From when on it is over, however busy.
    expires_at: Timestamp,
}

/// How a person logged in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(super) enum Login {
    /// With a local account.
    Account {
        /// Its name.
        name: String,
        /// Its password as it was then, by a digest of its hash: another password ends the session.
        credential: Digest,
    },
    /// At an identity provider.
    Provider {
        /// Its id.
        id: String,
        /// The ID token, by which the provider knows which login a logout is about.
        id_token: String,
    },
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
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct SessionId(String);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionId").finish_non_exhaustive()
    }
}

impl SessionId {
    /// What a form is bound to in place of the name itself.
    pub(super) fn digest(&self) -> Digest {
        Digest::of_bytes(self.0.as_bytes())
    }

    fn seen(&self) -> String {
        format!("{}/seen", self.0)
    }
}

impl Login {
    /// With this account, as it is now.
    pub(super) fn with(account: &Account) -> Self {
        Self::Account { name: account.name.clone(), credential: account.credential() }
    }
}

/// A name that nobody guesses: 256 random bits, base64url.
pub(super) fn random_name(entropy: &dyn Entropy) -> Result<String, TransientError> {
    let mut random = [0; 32];
    entropy.fill(&mut random).map_err(|error| TransientError::Unavailable(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

/// Begins a session, always under a fresh name.
pub(super) async fn begin(
    kept: &SealedTransient,
    entropy: &dyn Entropy,
    options: &SurfaceOptions,
    login: Login,
    identity: Identity,
    now: Timestamp,
) -> Result<SessionId, TransientError> {
    let id = SessionId(random_name(entropy)?);
    let expires_at = now.after(options.session_length);
    let session = Session { kind: SessionType::V0, login, identity, expires_at };
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

/// Ends a session, whether it was one or not, and says which it was.
pub(super) async fn end(
    kept: &SealedTransient,
    id: &SessionId,
    now: Timestamp,
) -> Result<Option<Session>, TransientError> {
    kept.take::<Session>(RecordKind::Session, &id.0, now).await
}

/// The cookies of a surface: one with the session's name, and for a moment one for each login at an identity provider.
#[derive(Clone, Debug)]
pub(super) struct Cookie {
    name: String,
    path: String,
    secure: &'static str,
}

impl Cookie {
    /// `SameSite=Strict`, not `Lax`: so no page of another site, not even by a link, makes the browser show that somebody is
    /// logged in here, and no form of theirs comes with a session. The price: who follows a link from another site finds the
    /// login, which offers them to go on. `__Host-` demands `Path=/`; where that prefix can't be had the path is ours alone.
    /// [AUTH-004]
    pub(super) fn new(address: &super::address::Address, audience: &str) -> Self {
        let (path, secure) = if address.is_https() { ("/".to_owned(), "; Secure") } else { (address.inbox(), "") };
        Self { name: address.cookie(audience), path, secure }
    }

    /// The session's name in a request, where there is one that could be ours.
    pub(super) fn read(&self, headers: &HeaderMap) -> Option<SessionId> {
        read(headers, &self.name).map(SessionId)
    }

    /// `Set-Cookie` for a new session; it ends with the browser.
    pub(super) fn set(&self, id: &SessionId) -> Option<HeaderValue> {
        self.header(&self.name, &id.0, "Strict", "")
    }

    /// `Set-Cookie` that takes it away.
    pub(super) fn remove(&self) -> Option<HeaderValue> {
        self.header(&self.name, "", "Strict", "; Max-Age=0")
    }

    /// `Set-Cookie` by which a browser is known again when the identity provider sends it back. `SameSite=Lax`, because that
    /// comes from another site; it shows and decides nothing.
    pub(super) fn set_flow(&self, state: &str, value: &str, lasts: Duration) -> Option<HeaderValue> {
        self.header(&self.flow(state), value, "Lax", &format!("; Max-Age={}", lasts.as_secs()))
    }

    /// What [`Self::set_flow`] gave the browser for this login.
    pub(super) fn read_flow(&self, headers: &HeaderMap, state: &str) -> Option<String> {
        read(headers, &self.flow(state))
    }

    /// `Set-Cookie` that takes it away.
    pub(super) fn remove_flow(&self, state: &str) -> Option<HeaderValue> {
        self.header(&self.flow(state), "", "Lax", "; Max-Age=0")
    }

    /// One for each login, so that two tabs don't disturb each other. The state itself is the provider's business too: the
    /// name is a digest of it.
    fn flow(&self, state: &str) -> String {
        let digest = Digest::of_bytes(state.as_bytes());
        let short = digest.as_bytes().get(..6).map(hex::encode).unwrap_or_default();
        format!("{}-login-{short}", self.name)
    }

    fn header(&self, name: &str, value: &str, same_site: &str, lasts: &str) -> Option<HeaderValue> {
        let Self { path, secure, .. } = self;
        let text = format!("{name}={value}; Path={path}; HttpOnly; SameSite={same_site}{secure}{lasts}");
        HeaderValue::from_str(&text).ok()
    }
}

/// A random name that the browser keeps under this one.
fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(named, _)| *named == name)?;
    let is_name = value.len() == 43 && URL_SAFE_NO_PAD.decode(value).is_ok();
    is_name.then(|| value.to_owned())
}
