//! An identity provider (OpenID Connect) beside the surface, with a page of its own on which Dora logs in by a click. Whoever clicks
//! is her: what a provider may do wrong is looked at elsewhere.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, anyhow};
use approval_core::Clock as _;
use approval_testkit::FakeClock;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// What the surface is called there.
const CLIENT: &str = "mutation-approval";

/// The provider.
#[derive(Clone)]
pub(crate) struct Provider {
    issuer: String,
    key: EncodingKey,
    clock: FakeClock,
    /// The nonce of the login that its page shows.
    nonce: Arc<Mutex<String>>,
}

/// What a browser comes with.
#[derive(Deserialize)]
struct Asked {
    redirect_uri: String,
    state: String,
    nonce: String,
}

/// What the surface redeems.
#[derive(Deserialize)]
struct Redeemed {
    code: String,
}

impl Provider {
    /// Serves it; its clock is that of the surface.
    pub(crate) fn serve(runtime: &Runtime, clock: FakeClock) -> Result<Self> {
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let issuer = format!("http://{}", listener.local_addr()?);
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let document = document.map_err(|_| anyhow!("no key can be made"))?;
        let provider = Self { issuer, key: EncodingKey::from_ec_der(document.as_ref()), clock, nonce: Arc::default() };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(redeem))
            .route("/end", get(async || "logged out"))
            .with_state(provider.clone());
        drop(runtime.spawn(async move { axum::serve(listener, router).await }));
        Ok(provider)
    }

    /// The file that makes it known.
    pub(crate) fn file(&self) -> String {
        format!(
            "[[provider]]\nid = \"sso\"\nissuer = \"{}\"\nname = \"Example SSO\"\nclient-id = \"{CLIENT}\"\n\
             algorithms = [\"ES256\"]\nperson-claim = \"preferred_username\"\ngroups-claim = \"groups\"\n",
            self.issuer
        )
    }

    fn jwk(&self) -> Result<Value> {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::ES256)?;
        jwk.common.key_id = Some("first".to_owned());
        Ok(serde_json::to_value(jwk)?)
    }

    fn id_token(&self, nonce: &str) -> Result<String> {
        let now = self.clock.now().unix_millis() / 1000;
        let claims = json!({
            "iss": self.issuer, "aud": CLIENT, "sub": "4711", "preferred_username": "dora", "groups": ["sre"],
            "iat": now, "exp": now + 300, "auth_time": now, "nonce": nonce, "acr": "mfa", "amr": ["otp", "pwd"],
        });
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some("first".to_owned());
        Ok(jsonwebtoken::encode(&header, &claims, &self.key)?)
    }
}

async fn metadata(State(provider): State<Provider>) -> Response {
    let Provider { issuer, .. } = provider;
    answer(Ok(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "end_session_endpoint": format!("{issuer}/end"),
        "authorization_response_iss_parameter_supported": true,
    })))
}

async fn keys(State(provider): State<Provider>) -> Response {
    answer(provider.jwk().map(|key| json!({ "keys": [key] })))
}

/// The page on which Dora logs in.
async fn authorize(State(provider): State<Provider>, Query(asked): Query<Asked>) -> Html<String> {
    *provider.nonce.lock().unwrap_or_else(PoisonError::into_inner) = asked.nonce;
    let query = [("code", "one"), ("state", &asked.state), ("iss", &provider.issuer)];
    let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", value.replace(':', "%3A"))).collect();
    let back = format!("{}?{}", asked.redirect_uri, query.join("&amp;"));
    Html(format!("<!doctype html><title>Example SSO</title><p><a id=dora href=\"{back}\">Log in as Dora</a>"))
}

async fn redeem(State(provider): State<Provider>, Form(redeemed): Form<Redeemed>) -> Response {
    if redeemed.code != "one" {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let nonce = provider.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone();
    answer(
        provider
            .id_token(&nonce)
            .context("signing")
            .map(|token| json!({ "access_token": "unused", "token_type": "Bearer", "id_token": token })),
    )
}

fn answer(body: Result<Value>) -> Response {
    match body {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
    }
}
