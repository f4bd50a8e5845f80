//! For whom an agent acts, by the token of an identity provider; and what clients are told of where to get one.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed"
)]

mod kit;

use std::time::Duration;

use approval_core::{Clock as _, Directory as _, Group, Requester};
use approval_web::{FileFault, ProtectedResource, ProvidersDirectory, ResourceError};
use axum::body::Body;
use axum::routing::post;
use axum::{Extension, Router};
use http::{Request, StatusCode, header};
use kit::door::{Door, METADATA, RESOURCE, open};
use kit::issuer::{Key, unsigned};
use kit::write_private;
use serde_json::{Value, json};
use tower::ServiceExt as _;

async fn whoami(Extension(requester): Extension<Requester>) -> String {
    format!("{} {} {}", requester.identity.person, requester.identity.issuer, requester.identity.subject)
}

impl Door {
    /// Status, challenge and body of what answers behind it.
    async fn call(&self, token: &str) -> (StatusCode, String, String) {
        let request = Request::post("/mcp").header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, String, String) {
        let router = self.guard.clone().protect(Router::new().route("/mcp", post(whoami)));
        let response = router.oneshot(request).await.unwrap();
        let challenge = response.headers().get(header::WWW_AUTHENTICATE);
        let challenge = challenge.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        (status, challenge, String::from_utf8(body.to_vec()).unwrap())
    }
}

#[test]
fn an_endpoint_is_as_the_file_tells_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let provider = |id: &str, more: &str| {
        format!("[[provider]]\nid = \"{id}\"\nissuer = \"https://{id}.example\"\nperson-prefix = \"{id}:\"\n{more}\n")
    };
    let ours = format!("resource = \"{RESOURCE}\"\nresource-scope = \"mcp\"");
    let file = [
        provider("a", &ours),
        provider("b", &ours),
        provider("c", "resource = \"https://other.example/mcp\"\nresource-scope = \"other\""),
        provider("d", "client-id = \"mutation-approval\""),
    ];
    let (providers, _) = open(folder.path(), &file.concat());
    let told =
        ProtectedResource::new(RESOURCE, ["https://a.example", "https://b.example"]).unwrap().scope("mcp").unwrap();
    assert_eq!(providers.protected_resource(RESOURCE).unwrap(), Some(told));
    assert_eq!(providers.protected_resource("https://mcp.example").unwrap(), None);
    write_private(&folder.path().join("providers.toml"), &provider("a", "resource = \"no URL\""));
    let error = providers.protected_resource("no URL").unwrap_err();
    assert_eq!(error.to_string(), "`no URL` is not an absolute URL, https or http, without query and fragment");
}

#[tokio::test]
async fn a_token_of_the_issuer_names_its_person() {
    let door = Door::new().await;
    for kind in [None, Some("JWT"), Some("at+jwt"), Some("application/at+jwt")] {
        let (status, _, body) = door.call(&door.issuer.key.sign_as(&door.claims(), kind)).await;
        assert_eq!((status, body), (StatusCode::OK, format!("dora {} 4711", door.issuer.url)), "{kind:?}");
    }
    assert_eq!(door.issuer.conduct().asked, 1);
    // And the service knows them from then on.
    let standing = ProvidersDirectory::new(door.providers.clone()).standing(&"dora".into()).await.unwrap();
    assert_eq!((standing.enabled, standing.groups), (true, [Group::from("dev")].into()));
    // Within the leeway, and as one of several audiences.
    let mut claims = door.claims();
    claims["aud"] = json!(["x", RESOURCE]);
    door.clock.advance(Duration::from_secs(329));
    assert_eq!(door.call(&door.issuer.key.sign(&claims)).await.0, StatusCode::OK);
    door.clock.advance(Duration::from_secs(1));
    assert_eq!(door.call(&door.issuer.key.sign(&claims)).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_that_is_wrong_is_told_so() {
    let door = Door::new().await;
    let with = |member: &str, value: Value| door.with(member, value);
    let shared = jsonwebtoken::EncodingKey::from_secret(door.issuer.key.public.to_string().as_bytes());
    let soon = door.clock.now().unix_millis() / 1000 + 60;
    for (what, token) in [
        ("another audience", with("aud", json!("https://other.example/mcp"))),
        ("the surface's audience", with("aud", json!("mutation-approval"))),
        ("no audience", with("aud", Value::Null)),
        ("another issuer", with("iss", json!("https://evil.example"))),
        ("expired", with("exp", json!(1))),
        ("not yet", with("nbf", json!(soon))),
        ("no subject", with("sub", Value::Null)),
        ("an empty subject", with("sub", json!(""))),
        ("an ID token", with("nonce", json!("n"))),
        ("an ID token by its type", door.issuer.key.sign_as(&door.claims(), Some("ID"))),
        ("a refresh token", with("typ", json!("Refresh"))),
        ("a logout token", door.issuer.key.sign_as(&door.claims(), Some("logout+jwt"))),
        ("a client's own", with("client_id", json!("4711"))),
        ("a service account's", with("preferred_username", json!("service-account-agent"))),
        ("a person without a name", with("preferred_username", json!(""))),
        ("unsigned", unsigned(&json!({ "alg": "none" }), &door.claims(), "")),
        ("signed with the public key", jsonwebtoken::encode(&Default::default(), &door.claims(), &shared).unwrap()),
        ("signed by a key that isn't published", Key::new("second").sign(&door.claims())),
        ("signed by another of the same name", Key::new("first").sign(&door.claims())),
        ("no token", "x".to_owned()),
        ("half a token", "a.b".to_owned()),
    ] {
        let (status, challenge, body) = door.call(&token).await;
        assert_eq!((status, body.as_str()), (StatusCode::UNAUTHORIZED, ""), "{what}");
        assert_eq!(challenge, format!(r#"Bearer error="invalid_token", scope="mcp", {METADATA}"#), "{what}");
    }
    // The control.
    assert_eq!(door.call(&door.issuer.key.sign(&door.claims())).await.0, StatusCode::OK);
}

#[tokio::test]
async fn clients_are_told_where_to_get_a_token() {
    // RFC 9728
    let door = Door::new().await;
    let (status, challenge, _) = door.send(Request::post("/mcp").body(Body::empty()).unwrap()).await;
    assert_eq!((status, challenge), (StatusCode::UNAUTHORIZED, format!(r#"Bearer scope="mcp", {METADATA}"#)));
    let mut claims = door.claims();
    claims["scope"] = json!("openid mcp:read");
    let (status, challenge, _) = door.call(&door.issuer.key.sign(&claims)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(challenge, format!(r#"Bearer error="insufficient_scope", scope="mcp", {METADATA}"#));
    (claims["scope"], claims["scp"]) = (Value::Null, json!(["mcp"]));
    assert_eq!(door.call(&door.issuer.key.sign(&claims)).await.0, StatusCode::OK);

    let well_known = Request::get("/.well-known/oauth-protected-resource/mcp").body(Body::empty()).unwrap();
    let (status, _, body) = door.send(well_known).await;
    assert_eq!(status, StatusCode::OK);
    let metadata: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        metadata,
        json!({
            "resource": RESOURCE, "authorization_servers": [door.issuer.url], "scopes_supported": ["mcp"],
            "bearer_methods_supported": ["header"], "resource_name": "Example",
        })
    );
}

#[tokio::test]
async fn tokens_that_cant_be_verified_are_nobodys_fault() {
    let door = Door::new().await;
    door.issuer.conduct().is_down = true;
    let token = door.issuer.key.sign(&door.claims());
    assert_eq!(door.call(&token).await.0, StatusCode::SERVICE_UNAVAILABLE);
    // A token of nobody's needs no look at any key.
    assert_eq!(door.call("x").await.0, StatusCode::UNAUTHORIZED);
    door.issuer.conduct().is_down = false;
    door.clock.advance(Duration::from_secs(15));
    assert_eq!(door.call(&token).await.0, StatusCode::OK);
    write_private(&door.folder.path().join("providers.toml"), "[[provider]]\n");
    assert_eq!(door.call(&token).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_made_up_key_keeps_nobody_waiting() {
    let door = Door::new().await;
    let (good, made_up) = (door.issuer.key.sign(&door.claims()), Key::new("made up").sign(&door.claims()));
    assert_eq!(door.call(&good).await.0, StatusCode::OK);
    door.clock.advance(Duration::from_secs(15));
    let (is_there, go_on) = door.issuer.holds_keys();
    let mut refused = std::pin::pin!(door.call(&made_up));
    let meanwhile = async {
        is_there.await.unwrap();
        door.call(&good).await.0
    };
    let taken = tokio::select! {
        answer = &mut refused => panic!("the issuer has not answered, and there is {answer:?}"),
        taken = meanwhile => taken,
    };
    assert_eq!(taken, StatusCode::OK);
    go_on.send(()).unwrap();
    assert_eq!(refused.await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(door.issuer.conduct().asked, 2);
}

#[test]
fn a_resource_is_a_plain_url() {
    for url in
        ["", "mcp.example", "ftp://mcp.example", "https://a@b/mcp", "https://a/?b", "https://a/#b", "https://a/{b}"]
    {
        let refused = ProtectedResource::new(url, ["https://id.example"]);
        assert_eq!(refused, Err(ResourceError::Url(url.to_owned())));
    }
    assert!(ProtectedResource::new(RESOURCE, ["id"]).is_err());
    let resource = ProtectedResource::new("https://mcp.example", ["https://id.example"]).unwrap();
    assert_eq!(resource.metadata_url(), "https://mcp.example/.well-known/oauth-protected-resource");
    for scope in ["", "a b", "a\"", "ä"] {
        assert_eq!(resource.clone().scope(scope), Err(ResourceError::Scope(scope.to_owned())));
    }
}

#[test]
fn a_faulty_file_says_what_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let whole = "[[provider]]\nid = \"a\"\nissuer = \"https://a.example\"\nclient-id = \"c\"\n";
    let (providers, _) = open(folder.path(), whole);
    assert_eq!(providers.check().unwrap(), 1);
    for (change, line, words) in [
        (whole.replace("\"a\"", "\"A b\""), 2, "`id` is 1 to 32"),
        (whole.replace("https://a", "http://a"), 3, "plain http is for loopback"),
        (whole.replace("a.example", "a.example?b"), 3, "without query"),
        (whole.replace("client-id = \"c\"", ""), 2, "the provider is for nothing"),
        (whole.replace("client-id = \"c\"", "client-id = \"\""), 4, "`client-id` is empty"),
        (whole.replace("client-id = \"c\"", "resource = \"r\"\nclient-secret-file = \"s\""), 5, "a secret without"),
        (format!("{whole}resource = \"c\""), 5, "the same as `client-id`"),
        (format!("{whole}resource-scope = \"c\""), 5, "a scope without `resource`"),
        (format!("{whole}resource = \"r\"\nresource-scope = \"a b\""), 6, "not one scope"),
        (format!("{whole}algorithms = [\"HS256\"]"), 5, "`algorithms` are some of"),
        (format!("{whole}algorithms = [\"none\"]"), 5, "`algorithms` are some of"),
        (format!("{whole}algorithms = []"), 5, "`algorithms` are some of"),
        (format!("{whole}person-claim = \"\""), 5, "a claim has a name"),
        (format!("{whole}person-prefix = \" \""), 5, "a person is 1 to 256 bytes"),
        (format!("{whole}colour = 1"), 5, "unknown field `colour`"),
        (format!("{whole}[[provider.person]]\nvalue = \"v\"\nperson = \"\""), 7, "a person is 1 to 256 bytes"),
        (
            format!(
                "{whole}[[provider.person]]\nvalue = \"v\"\nperson = \"p\"\n[[provider.person]]\nvalue = \"v\"\nperson = \"q\""
            ),
            9,
            "`v` is there twice",
        ),
        (format!("{whole}{whole}"), 6, "`a` is there twice"),
        (format!("{whole}{}", whole.replace("\"a\"", "\"b\"")), 7, "`https://a.example` is there twice"),
        (
            format!("{whole}{}", whole.replace("\"a\"", "\"b\"").replace("a.ex", "b.ex")),
            6,
            "`a` and `b` could name the same person",
        ),
    ] {
        write_private(&folder.path().join("providers.toml"), &change);
        let error = providers.check().expect_err(&change);
        assert!(error.to_string().contains(words), "{change}: {error}");
        assert_eq!(error.line(), Some(line), "{change}: {error}");
    }
    let apart = whole.replace("\"a\"", "\"b\"").replace("a.ex", "b.ex");
    for more in ["person-prefix = \"b:\"\n", "[[provider.person]]\nvalue = \"v\"\nperson = \"p\"\n"] {
        let whole = if more.starts_with('p') { format!("{whole}person-prefix = \"a:\"\n") } else { whole.to_owned() };
        write_private(&folder.path().join("providers.toml"), &format!("{whole}{apart}{more}"));
        assert_eq!(providers.check().unwrap(), 2);
    }
    use std::os::unix::fs::PermissionsExt as _;
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(folder.path().join("providers.toml"), open).unwrap();
    assert_eq!(*providers.check().unwrap_err().fault(), FileFault::NotOwnerOnly(0o644));
}
