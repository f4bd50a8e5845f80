//! A login at an identity provider that is under way: for a session, or for one decision.
//!
//! The browser leaves with a state, a nonce and a PKCE challenge, and comes back with a code. What it left for is kept here, and
//! only the browser that left gets it again. A decision isn't taken when it comes back, because that is a GET, which anybody's
//! link can cause: a page says once more what was decided, and the person confirms it there. [SURF-012] [AUTH-010]

use std::sync::Arc;
use std::time::Duration;

use approval_core::record::{Identity, RecordKind};
use approval_core::{Digest, Timestamp};
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode, Uri, header};
use serde::{Deserialize, Serialize};

use super::Desk;
use super::client::Caller;
use super::confirm::{self, Authentication};
use super::decide::Ready;
use super::login::{Onward, ill_formed, open_session, up, with_session};
use super::notice::{self, Notice, page};
use super::session::{SessionId, random_name};
use super::visitor::Visitor;
use crate::page::chrome::{Chrome, OnwardPage};
use crate::page::words;
use crate::provider::{Asked, Proof, Provider, ProviderError};

/// How long a login may take at the provider.
const LASTS: Duration = Duration::from_secs(10 * 60);

/// A login that is under way.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Flow {
    #[serde(rename = "type")]
    kind: FlowType,
    /// The provider's id: an answer of another one is none. [RFC 9700, 4.4]
    provider: String,
    /// What the nonce is made of, besides the purpose.
    seed: String,
    /// PKCE's secret (RFC 7636).
    verifier: String,
    /// The browser, by a digest of what its cookie says.
    browser: Digest,
    purpose: Purpose,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum FlowType {
    #[serde(rename = "mutation-approval/flow/v0")]
    V0,
}

/// What a person logs in for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Purpose {
    /// A session.
    Session {
        /// Where to go then.
        next: String,
        /// The session that the browser left with, if any: it comes back from another site, and doesn't show it then.
        before: Option<SessionId>,
    },
    /// One decision, of whoever has this session.
    Decision {
        /// The session, by its digest.
        session: Digest,
        /// Whose it is.
        identity: Identity,
        /// The challenge is of this moment: the login must be newer.
        after: Timestamp,
        /// What is to be decided.
        ready: Box<Ready>,
    },
}

impl Purpose {
    /// Where a decision waits for it, the nonce is bound to the challenge and the plan's digest: the ID token that answers it
    /// is for nothing else. [AUTH-010]
    fn nonce(&self, seed: &str) -> String {
        let purpose = match self {
            Self::Session { .. } => "session".to_owned(),
            Self::Decision { ready, .. } => format!("decision {} {}", ready.challenge_id, ready.plan_digest),
        };
        let digest = Digest::of_bytes(format!("mutation-approval/nonce/v0 {purpose} {seed}").as_bytes());
        URL_SAFE_NO_PAD.encode(digest.as_bytes())
    }

    fn after(&self) -> Option<Timestamp> {
        match self {
            Self::Session { .. } => None,
            Self::Decision { after, .. } => Some(*after),
        }
    }
}

/// A login for a session, begun with a button of the login page.
pub(super) async fn log_in(
    State(desk): State<Arc<Desk>>,
    from: Caller,
    uri: Uri,
    headers: HeaderMap,
    form: Result<axum::Form<Onward>, FormRejection>,
) -> Response {
    let Ok(axum::Form(Onward { next })) = form else { return ill_formed(&desk) };
    let provider = match desk.provider(last(&uri)) {
        Ok(Some(provider)) => provider,
        Ok(None) => return notice::not_found(&desk, None),
        Err(error) => return notice::unavailable(&desk, None, &error),
    };
    let allowed = from.attempt(&desk).and_then(|()| desk.begun.attempt(&provider.settings.id, desk.now()));
    if let Err(wait) = allowed {
        let text = format!("Too many logins are under way. Try again in {}.", words::duration(up(wait)));
        let notice = Notice::new(StatusCode::TOO_MANY_REQUESTS, "Not now", text);
        return notice::come_again(wait, notice.show(&desk, None));
    }
    let next = desk.address.onward(&next);
    let before = desk.cookie.read(&headers);
    begin(&desk, &provider, Purpose::Session { next, before }, None).await
}

/// A login for one decision.
pub(super) async fn for_decision(desk: &Desk, visitor: &Visitor, provider: &str, purpose: Purpose) -> Response {
    match desk.provider(provider) {
        Ok(Some(provider)) => begin(desk, &provider, purpose, Some(visitor)).await,
        Ok(None) => notice::not_found(desk, Some(visitor.name())),
        Err(error) => notice::unavailable(desk, Some(visitor.name()), &error),
    }
}

/// Sends the browser to the provider. By a page, not by a redirect: what a form leads to, redirects included, must be of this
/// surface (`form-action 'self'`). [SURF-015]
async fn begin(desk: &Desk, provider: &Provider, purpose: Purpose, visitor: Option<&Visitor>) -> Response {
    let viewer = || visitor.map(Visitor::name);
    match prepare(desk, provider, purpose).await {
        Ok((state, browser, url)) => {
            let settings = &provider.settings;
            let is_decision = visitor.is_some();
            let chrome = Chrome { base: desk.address.base().to_owned(), viewer: viewer(), title: "Log in" };
            let text = if is_decision {
                "A decision takes a new login. You confirm it when you come back."
            } else {
                "Your browser goes on to where you log in."
            };
            let shown = OnwardPage { chrome, heading: format!("On to {}", settings.name), text, url };
            with_cookie(page(StatusCode::OK, &shown), desk.cookie.set_flow(&state, &browser, LASTS))
        }
        Err(error) => unreachable_provider(desk, viewer(), &provider.settings.name, &error),
    }
}

/// Keeps what the login is for; its state, what the browser is known by, and where to go.
async fn prepare(
    desk: &Desk,
    provider: &Provider,
    purpose: Purpose,
) -> Result<(String, String, String), ProviderError> {
    let random = || random_name(desk.entropy.as_ref());
    let (state, browser, seed, verifier) = (random()?, random()?, random()?, random()?);
    let (redirect, nonce) = (desk.address.callback(&provider.settings.id), purpose.nonce(&seed));
    let asked =
        Asked { redirect: &redirect, state: &state, nonce: &nonce, verifier: &verifier, after: purpose.after() };
    let url = desk.providers()?.authorization(provider, asked).await?;
    let id = provider.settings.id.clone();
    let digest = Digest::of_bytes(browser.as_bytes());
    let flow = Flow { kind: FlowType::V0, provider: id, seed, verifier, browser: digest, purpose };
    desk.transient.put(RecordKind::Login, &kept(&state), &flow, desk.now().after(LASTS)).await?;
    Ok((state, browser, url))
}

/// What the provider says when it sends the browser back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    code: String,
    state: String,
    iss: Option<String>,
    error: Option<String>,
}

/// Why nobody is logged in.
enum Unproven {
    /// The browser brought something that doesn't fit.
    Unfit(&'static str),
    /// The provider says no.
    Refused(String),
    /// The provider, or what was kept, can't be had.
    Unavailable(ProviderError),
}

impl<E: Into<ProviderError>> From<E> for Unproven {
    fn from(error: E) -> Self {
        Self::Unavailable(error.into())
    }
}

pub(super) async fn come_back(
    State(desk): State<Arc<Desk>>,
    from: Caller,
    uri: Uri,
    headers: HeaderMap,
    answer: Result<Query<Answer>, QueryRejection>,
) -> Response {
    let answer = answer.map(|Query(answer)| answer).unwrap_or_default();
    let id = last(&uri);
    let response = match prove(&desk, id, &headers, &answer).await {
        Ok((provider, proof, purpose)) => go_on(&desk, &from, &headers, &provider, proof, purpose).await,
        Err(Unproven::Unfit(why)) => {
            tracing::warn!(provider = id, why, "a browser came back from an identity provider with what doesn't fit");
            let text = "This login is not under way in this browser: it took too long, was finished already, or was begun \
                        elsewhere. Nothing was changed.";
            Notice::new(StatusCode::BAD_REQUEST, "Not logged in", text)
                .onward(desk.address.inbox(), "Begin again")
                .show(&desk, None)
        }
        Err(Unproven::Refused(why)) => {
            tracing::warn!(provider = id, why, "a login at an identity provider was refused");
            Notice::new(StatusCode::FORBIDDEN, "Not logged in", "The login was not completed. Nothing was changed.")
                .detail(&why)
                .onward(desk.address.inbox(), "All plans")
                .show(&desk, None)
        }
        Err(Unproven::Unavailable(error)) => unreachable_provider(&desk, None, id, &error),
    };
    with_cookie(response, desk.cookie.remove_flow(&answer.state))
}

/// Who has logged in, and for what. Each login comes back once. [AUTH-014]
async fn prove(
    desk: &Desk,
    id: &str,
    headers: &HeaderMap,
    answer: &Answer,
) -> Result<(Arc<Provider>, Proof, Purpose), Unproven> {
    let (name, none) = (kept(&answer.state), || Unproven::Unfit("no such login is under way"));
    let flow = desk.transient.find::<Flow>(RecordKind::Login, &name, desk.now()).await?.ok_or_else(none)?;
    let browser = desk.cookie.read_flow(headers, &answer.state).map(|value| Digest::of_bytes(value.as_bytes()));
    // Before it is taken: whoever hasn't the cookie ends nobody's login.
    if browser != Some(flow.browser) {
        return Err(Unproven::Unfit("another browser began it"));
    }
    let flow = desk.transient.take::<Flow>(RecordKind::Login, &name, desk.now()).await?.ok_or_else(none)?;
    if flow.provider != id {
        return Err(Unproven::Unfit("it was begun at another provider"));
    }
    let providers = desk.providers()?;
    let provider = providers.by_id(id)?.ok_or(Unproven::Unfit("there is no such provider any more"))?;
    if !providers.is_answer_of(&provider, answer.iss.as_deref()).await? {
        return Err(Unproven::Unfit("the answer is of another issuer"));
    }
    if let Some(error) = &answer.error {
        return Err(Unproven::Refused(error.clone()));
    }
    let (redirect, nonce) = (desk.address.callback(id), flow.purpose.nonce(&flow.seed));
    let (state, verifier, after) = (&answer.state, &flow.verifier, flow.purpose.after());
    let asked = Asked { redirect: &redirect, state, nonce: &nonce, verifier, after };
    match providers.exchange(&provider, asked, &answer.code).await? {
        Ok(proof) => Ok((provider, proof, flow.purpose)),
        Err(fault) => Err(Unproven::Refused(fault.to_string())),
    }
}

async fn go_on(
    desk: &Desk,
    from: &Caller,
    headers: &HeaderMap,
    provider: &Provider,
    proof: Proof,
    purpose: Purpose,
) -> Response {
    match purpose {
        Purpose::Session { next, before } => {
            let login =
                super::session::Login::Provider { id: provider.settings.id.clone(), id_token: proof.id_token.clone() };
            // A login for a decision was never counted.
            from.forgive(desk);
            let before = [before, desk.cookie.read(headers)];
            match open_session(desk, before.into_iter().flatten(), login, proof.attested.identity).await {
                Ok(id) => {
                    // By a page of ours: the browser shows the new cookie only to where it goes from here.
                    let chrome = Chrome { base: desk.address.base().to_owned(), viewer: None, title: "Logged in" };
                    let text = "You are logged in.";
                    let shown = OnwardPage { chrome, heading: "Logged in".to_owned(), text, url: next };
                    with_session(page(StatusCode::OK, &shown), desk.cookie.set(&id))
                }
                Err(error) => notice::unavailable(desk, None, &error),
            }
        }
        Purpose::Decision { session, identity, ready, .. } => {
            if proof.attested.identity != identity {
                let text = "You logged in as somebody else than before. Nothing was decided.";
                return Notice::new(StatusCode::FORBIDDEN, "Not decided", text)
                    .onward(desk.address.plan(ready.plan_id), "Back to the plan")
                    .show(desk, None);
            }
            // There is one: without it the proof would have been refused.
            let auth_time = proof.auth_time.unwrap_or_else(|| desk.now());
            let authentication = Authentication { auth_time, acr: proof.acr, amr: proof.amr };
            confirm::ask(desk, session, identity, *ready, authentication).await
        }
    }
}

fn unreachable_provider(
    desk: &Desk,
    viewer: Option<crate::page::name::Name>,
    name: &str,
    error: &ProviderError,
) -> Response {
    tracing::error!(provider = name, %error, "nobody can log in at an identity provider");
    let text = "Nobody can log in at the identity provider now. Nothing was changed; try again.";
    Notice::new(StatusCode::SERVICE_UNAVAILABLE, "Not now", text)
        .onward(desk.address.inbox(), "All plans")
        .show(desk, viewer)
}

fn kept(state: &str) -> String {
    format!("flow/{state}")
}

/// The path's last part: what a provider is called needs no escapes, and anything else is none.
fn last(uri: &Uri) -> &str {
    uri.path().rsplit('/').next().unwrap_or_default()
}

fn with_cookie(mut response: Response, cookie: Option<http::HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response.into_response()
}
