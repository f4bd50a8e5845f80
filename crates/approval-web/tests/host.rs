//! One address for an installation, whoever serves it.

use std::time::Duration;

use approval_core::OsEntropy;
use approval_core::state_dir::StateDir;
use approval_web::{HostError, SurfaceHost};
use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

fn pages(audience: &str) -> Router {
    let body = serde_json::json!({ "service": "mutation-approval", "audience": audience }).to_string();
    Router::new().route("/healthz", get(move || async move { body }))
}

fn state() -> (tempfile::TempDir, StateDir) {
    let temporary = tempfile::tempdir().unwrap();
    let state = StateDir::create(temporary.path().join("state")).unwrap();
    (temporary, state)
}

#[tokio::test]
async fn a_later_process_stands_by_and_takes_over() {
    let (_temporary, state) = state();
    let audience = state.instance(&OsEntropy).unwrap().audience;
    let first = SurfaceHost::claim(&state, &OsEntropy).await.unwrap();
    let address = first.address().to_owned();
    assert!(first.is_serving());
    // On a runtime of its own, so that all of its sockets go when it ends.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.spawn(first.serve(pages(audience.as_str())));

    let second = SurfaceHost::claim(&state, &OsEntropy).await.unwrap();
    assert_eq!(second.address(), address);
    assert!(!second.is_serving());
    let serving = tokio::spawn(second.serve(pages(audience.as_str())));
    runtime.shutdown_background();
    let third = async {
        // Whoever asks now is told that somebody of the installation is there: the second one, in the end.
        loop {
            let third = SurfaceHost::claim(&state, &OsEntropy).await.unwrap();
            if !third.is_serving() {
                return;
            }
            drop(third);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), third).await.unwrap();
    assert!(!serving.is_finished());
    serving.abort();
}

#[tokio::test]
async fn another_program_on_the_port_is_named() {
    let (_temporary, state) = state();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    state.claim_surface(&address, &OsEntropy).unwrap();
    tokio::spawn(async move { axum::serve(listener, pages("urn:somebody-else")).await });
    let error = SurfaceHost::claim(&state, &OsEntropy).await.unwrap_err();
    assert!(matches!(&error, HostError::Foreign { address: named } if *named == address), "{error}");
    assert!(error.to_string().contains("another program is listening there"));
}
