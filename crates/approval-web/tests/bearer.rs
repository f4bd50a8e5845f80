//! For whom an agent acts, over HTTP.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use approval_core::record::RequesterAssurance;
use approval_core::{Clock as _, Requester};
use approval_testkit::FakeClock;
use approval_web::{BearerGuard, FileFault, LOCAL_ISSUER, TokenFile};
use axum::body::Body;
use axum::routing::post;
use axum::{Extension, Router};
use http::{Request, StatusCode, header};
use tower::ServiceExt as _;

const ALLOWED: &str = "https://client.example";

async fn whoami(Extension(requester): Extension<Requester>) -> String {
    assert_eq!(requester.assurance, RequesterAssurance::VerifiedToken);
    let identity = requester.identity;
    format!("{} {} {}", identity.person, identity.issuer, identity.subject)
}

fn guarded(file: &TokenFile) -> Router {
    let guard = BearerGuard::new(Arc::new(file.clone())).allow_origins([ALLOWED.to_owned()]);
    guard.protect(Router::new().route("/mcp", post(whoami)))
}

/// Status, challenge and body.
async fn call(file: &TokenFile, headers: &[(&str, &str)]) -> (StatusCode, String, String) {
    let mut request = Request::post("/mcp");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = guarded(file).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let challenge = response.headers().get(header::WWW_AUTHENTICATE);
    let challenge = challenge.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, challenge, String::from_utf8(body.to_vec()).unwrap())
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn a_token_names_its_person() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    let clock = FakeClock::new();
    let file = TokenFile::open(&path, Arc::new(clock.clone()));
    assert_eq!(call(&file, &[("authorization", "Bearer x")]).await.0, StatusCode::UNAUTHORIZED, "no file, no token");

    let token = file.issue(&"alice".into(), Some(clock.now().after(Duration::from_secs(60)))).unwrap();
    let bearer = format!("Bearer {token}");
    let answer = call(&file, &[("authorization", &bearer)]).await;
    assert_eq!((answer.0, answer.2.as_str()), (StatusCode::OK, &*format!("alice {LOCAL_ISSUER} alice")));
    let lower = format!("bearer {token}");
    assert_eq!(call(&file, &[("authorization", &lower)]).await.0, StatusCode::OK, "the scheme has no case");
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(!kept.contains(&token), "only the hash is kept");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    clock.advance(Duration::from_secs(60));
    let (status, challenge, _) = call(&file, &[("authorization", &bearer)]).await;
    assert_eq!((status, challenge.as_str()), (StatusCode::UNAUTHORIZED, "Bearer error=\"invalid_token\""));

    let another = file.issue(&"bob".into(), None).unwrap();
    let answer = call(&file, &[("authorization", &format!("Bearer {another}"))]).await;
    assert!(answer.2.starts_with("bob "), "{answer:?}");
    write(&path, "");
    assert_eq!(call(&file, &[("authorization", &format!("Bearer {another}"))]).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn issuer_and_subject_can_be_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    // printf '%s' secret | sha256sum
    let digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    write(
        &path,
        &format!(
            "[[token]]\nsha256 = \"{digest}\"\nperson = \"alice\"\nsubject = \"u-17\"\nissuer = \"https://idp.example\"\n"
        ),
    );
    let file = TokenFile::open(&path, Arc::new(FakeClock::new()));
    let answer = call(&file, &[("authorization", "Bearer secret")]).await;
    assert_eq!((answer.0, answer.2.as_str()), (StatusCode::OK, "alice https://idp.example u-17"));
}

#[tokio::test]
async fn only_a_bearer_in_its_header_counts() {
    // [SURF-010]
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::open(folder.path().join("tokens.toml"), Arc::new(FakeClock::new()));
    let token = file.issue(&"alice".into(), None).unwrap();
    let bearer = format!("Bearer {token}");
    let cookie = format!("authorization=Bearer {token}; access_token={token}");
    let basic = format!("Basic {token}");
    for headers in [
        &[][..],
        &[("cookie", cookie.as_str())],
        &[("authorization", basic.as_str())],
        &[("x-authorization", bearer.as_str())],
    ] {
        let (status, challenge, body) = call(&file, headers).await;
        assert_eq!((status, challenge.as_str()), (StatusCode::UNAUTHORIZED, "Bearer"), "{headers:?}");
        assert_eq!(body, "");
    }
    for headers in [
        &[("authorization", bearer.as_str()), ("authorization", bearer.as_str())][..],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer a b")],
        &[("authorization", "Bearer a\"b")],
    ] {
        let (status, challenge, _) = call(&file, headers).await;
        assert_eq!((status, challenge.as_str()), (StatusCode::BAD_REQUEST, "Bearer error=\"invalid_request\""));
    }
}

#[tokio::test]
async fn foreign_origins_are_refused_first() {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::open(folder.path().join("tokens.toml"), Arc::new(FakeClock::new()));
    let bearer = format!("Bearer {}", file.issue(&"alice".into(), None).unwrap());
    let authorization = ("authorization", bearer.as_str());
    for origin in ["https://evil.example", "null", "", "https://client.example:444", "http://client.example"] {
        assert_eq!(call(&file, &[authorization, ("origin", origin)]).await.0, StatusCode::FORBIDDEN, "{origin}");
    }
    let twice = [authorization, ("origin", ALLOWED), ("origin", "https://evil.example")];
    assert_eq!(call(&file, &twice).await.0, StatusCode::FORBIDDEN);
    assert_eq!(call(&file, &[("origin", "https://evil.example")]).await.0, StatusCode::FORBIDDEN);
    assert_eq!(call(&file, &[authorization, ("origin", ALLOWED)]).await.0, StatusCode::OK);
    assert_eq!(call(&file, &[authorization]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_faulty_file_lets_nobody_in_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.toml");
    let file = TokenFile::open(&path, Arc::new(FakeClock::new()));
    let token = file.issue(&"alice".into(), None).unwrap();
    let bearer = format!("Bearer {token}");
    let good = std::fs::read_to_string(&path).unwrap();
    for (text, line, complaint) in [
        (format!("{good}\n[[token]]\nsha256 = \"AB\"\nperson = \"x\"\n"), 6, "64 lower-case hexadecimal digits"),
        (format!("{good}{good}"), 5, "this token is there twice"),
        (format!("{good}expires = \"tomorrow\"\n"), 4, "`expires` is not"),
        (format!("{good}admin = true\n"), 4, "unknown field `admin`"),
        (good.replace("\"alice\"", "\" \""), 3, "`person` is empty"),
    ] {
        write(&path, &text);
        let error = file.issue(&"bob".into(), None).unwrap_err();
        assert_eq!(error.line(), Some(line), "{error}");
        assert!(error.to_string().contains(complaint), "{error}");
        assert_eq!(call(&file, &[("authorization", &bearer)]).await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
    write(&path, &good);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(file.issue(&"bob".into(), None).unwrap_err().fault(), &FileFault::NotOwnerOnly(0o640));
    assert_eq!(call(&file, &[("authorization", &bearer)]).await.0, StatusCode::SERVICE_UNAVAILABLE);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(call(&file, &[("authorization", &bearer)]).await.0, StatusCode::OK);
}
