//! An identity provider that can be made to do wrong: a real server on loopback, with keys made for the run.

use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode, header};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A key of the provider.
#[derive(Clone)]
pub struct Key {
    pub kid: String,
    pub secret: EncodingKey,
    pub public: Value,
}

impl Key {
    pub fn new(kid: &str) -> Self {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let secret = EncodingKey::from_ec_der(document.as_ref());
        let mut jwk = Jwk::from_encoding_key(&secret, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        Self { kid: kid.to_owned(), secret, public: serde_json::to_value(jwk).unwrap() }
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(claims, Some("JWT"))
    }

    pub fn sign_as(&self, claims: &Value, kind: Option<&str>) -> String {
        let mut header = Header::new(Algorithm::ES256);
        (header.kid, header.typ) = (Some(self.kid.clone()), kind.map(str::to_owned));
        jsonwebtoken::encode(&header, claims, &self.secret).unwrap()
    }
}

/// A token with this header and claims and no signature that counts.
pub fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

/// What the provider does.
pub struct Conduct {
    pub metadata: Value,
    pub keys: Vec<Value>,
    /// What the token endpoint answers.
    pub tokens: (StatusCode, Value),
    /// The requests that the token endpoint got: `Authorization`, and the form.
    pub redeemed: Vec<(Option<String>, String)>,
    /// How often metadata and keys were asked for.
    pub asked: usize,
    pub is_down: bool,
    /// The next request for the keys says that it is there, and waits.
    held: Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>,
}

/// The provider.
#[derive(Clone)]
pub struct Issuer {
    pub url: String,
    pub key: Key,
    conduct: Arc<Mutex<Conduct>>,
}

impl Issuer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = Key::new("first");
        let metadata = json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/keys"),
            "end_session_endpoint": format!("{url}/end"),
        });
        let conduct = Conduct {
            metadata,
            keys: vec![key.public.clone()],
            tokens: (StatusCode::OK, Value::Null),
            redeemed: Vec::new(),
            asked: 0,
            is_down: false,
            held: None,
        };
        let conduct = Arc::new(Mutex::new(conduct));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata_of))
            .route("/keys", get(keys_of))
            .route("/token", post(redeem))
            .with_state(Arc::clone(&conduct));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, key, conduct }
    }

    pub fn conduct(&self) -> MutexGuard<'_, Conduct> {
        self.conduct.lock().unwrap()
    }

    /// The next code is good for this ID token.
    pub fn gives(&self, id_token: &str) {
        let tokens = json!({ "access_token": "a", "token_type": "Bearer", "id_token": id_token });
        self.conduct().tokens = (StatusCode::OK, tokens);
    }

    /// The next request for the keys gets no answer until the sender says so; the receiver tells that it is there.
    pub fn holds_keys(&self) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
        let ((there, is_there), (go_on, goes_on)) = (oneshot::channel(), oneshot::channel());
        self.conduct().held = Some((there, goes_on));
        (is_there, go_on)
    }
}

type Kept = State<Arc<Mutex<Conduct>>>;

async fn metadata_of(State(conduct): Kept) -> impl IntoResponse {
    let mut conduct = conduct.lock().unwrap();
    conduct.asked += 1;
    answer(&conduct, StatusCode::OK, &conduct.metadata)
}

async fn keys_of(State(conduct): Kept) -> impl IntoResponse {
    let held = conduct.lock().unwrap().held.take();
    if let Some((there, goes_on)) = held {
        there.send(()).unwrap();
        goes_on.await.unwrap();
    }
    let conduct = conduct.lock().unwrap();
    answer(&conduct, StatusCode::OK, &json!({ "keys": conduct.keys }))
}

async fn redeem(State(conduct): Kept, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let mut conduct = conduct.lock().unwrap();
    let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    conduct.redeemed.push((authorization, String::from_utf8(body.to_vec()).unwrap()));
    let (status, tokens) = conduct.tokens.clone();
    answer(&conduct, status, &tokens)
}

fn answer(conduct: &Conduct, status: StatusCode, body: &Value) -> impl IntoResponse + use<> {
    let status = if conduct.is_down { StatusCode::SERVICE_UNAVAILABLE } else { status };
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string())
}
