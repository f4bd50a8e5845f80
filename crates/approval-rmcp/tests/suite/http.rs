//! A gated server over streamable HTTP on loopback, in both eras, behind a middleware that knows bearers.

use std::sync::Arc;

use approval_core::json::Limits;
use approval_core::record::Verdict;
use approval_rmcp::{EXTENSION_ID, Gated, VerifiedRequester, streamable_http};
use approval_testkit::FakeDirectory;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use serde_json::{Value, json};
use tower_service::Service as _;

use crate::support::{Bench, Era, Workshop, assert_answers, request};

/// What a bearer middleware does once it has verified a token. Here the token is the person's name, and nobody verifies.
async fn bearer(mut request: Request, next: Next) -> Response {
    let token = request.headers().get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if let Some(person) = token.map(str::to_owned) {
        request.extensions_mut().insert(FakeDirectory::requester(&person));
    }
    next.run(request).await
}

/// Serves a gate on a free port of loopback, and returns the address.
async fn serve(gated: Gated<Arc<Workshop>>) -> String {
    serve_to(gated, &["https://app.example:443"]).await
}

async fn serve_to(gated: Gated<Arc<Workshop>>, origins: &[&str]) -> String {
    let service = streamable_http(Arc::new(gated), origins.iter().copied(), [""; 0]);
    let app = axum::Router::new().route_service("/mcp", service).layer(from_fn(bearer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}/mcp")
}

struct HttpClient {
    era: Era,
    http: reqwest::Client,
    url: String,
    bearer: Option<&'static str>,
    session: Option<String>,
    last: u64,
}

impl HttpClient {
    async fn connect(url: &str, era: Era, bearer: Option<&'static str>) -> Self {
        let (http, url) = (reqwest::Client::builder().no_proxy().build().unwrap(), url.to_owned());
        let mut client = Self { era, http, url, bearer, session: None, last: 0 };
        if era == Era::Legacy {
            let params = json!({
                "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "alice", "version": "1" },
            });
            let response =
                client.post(&request(era, 0, "initialize", params), "initialize", None).send().await.unwrap();
            client.session = response.headers().get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
            assert!(client.session.is_some());
            let greeting = body(response).await;
            assert!(greeting["result"]["capabilities"]["extensions"][EXTENSION_ID].is_object());
            let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
            let response = client.post(&initialized, "notifications/initialized", None).send().await.unwrap();
            assert_eq!(response.status(), 202);
        }
        client
    }

    fn post(&self, message: &Value, method: &str, tool: Option<&str>) -> reqwest::RequestBuilder {
        let mut post = self
            .http
            .post(&self.url)
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .body(message.to_string());
        if let Some(bearer) = self.bearer {
            post = post.header("authorization", format!("Bearer {bearer}"));
        }
        match self.era {
            Era::Legacy => {
                if let Some(session) = &self.session {
                    post = post.header("mcp-session-id", session).header("mcp-protocol-version", "2025-11-25");
                }
            }
            Era::Modern => {
                post = post.header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
                if let Some(tool) = tool {
                    post = post.header("mcp-name", tool);
                }
            }
        }
        post
    }

    fn calling(&mut self, tool: &str, arguments: Value) -> reqwest::RequestBuilder {
        self.last += 1;
        let call = request(self.era, self.last, "tools/call", json!({ "name": tool, "arguments": arguments }));
        self.post(&call, "tools/call", Some(tool))
    }

    async fn answer(&mut self, tool: &str, arguments: Value) -> Value {
        let response = self.calling(tool, arguments).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_answers(body(response).await["result"].take())
    }
}

/// The one message of a response: JSON, or the last event that holds data.
async fn body(response: reqwest::Response) -> Value {
    let is_stream = response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream");
    let text = response.text().await.unwrap();
    if !is_stream {
        return serde_json::from_str(&text).unwrap();
    }
    let mut messages = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    serde_json::from_str(messages.rfind(|data| !data.is_empty()).unwrap()).unwrap()
}

fn gate(bench: &Bench) -> Gated<Arc<Workshop>> {
    bench.gate("nobody").requester(VerifiedRequester).build().unwrap()
}

#[tokio::test]
async fn the_whole_way_over_http() {
    // [ENF-005]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let mut client = HttpClient::connect(&serve(gate(&bench)).await, era, Some("alice")).await;
        let plan = client.answer("write", json!({ "path": "a" })).await;
        assert_eq!(plan["header"]["enforcement"]["requesterAssurance"], "verified-token");
        let handle = json!({ "planId": plan["planId"], "planDigest": plan["planDigest"] });
        let challenge = client.answer("approval_challenge", handle.clone()).await;
        assert_eq!(client.answer("approval_execute", handle.clone()).await["reason"], "approval_pending");
        assert!(bench.workshop.effects().is_empty());
        bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
        assert_eq!(client.answer("approval_status", json!({ "planId": plan["planId"] })).await["state"], "approved");
        assert_eq!(client.answer("approval_execute", handle.clone()).await["outcome"], "applied");
        assert_eq!(client.answer("approval_execute", handle).await["replayed"], true);
        assert_eq!(bench.workshop.effects(), [json!({ "path": "a" })]);
    }
}

#[tokio::test]
async fn without_a_verified_bearer_there_is_no_requester() {
    // [WIRE-021, WIRE-022]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        // Neither where a bearer is asked for, nor where a person was configured for stdio.
        for gated in [gate(&bench), bench.gate("alice").build().unwrap()] {
            let mut client = HttpClient::connect(&serve(gated).await, era, None).await;
            for tool in ["write", "approval_challenge", "approval_status", "approval_execute", "approval_cancel"] {
                assert_eq!(
                    client.answer(tool, json!({ "planId": "1" })).await["reason"],
                    "requester_not_permitted",
                    "{tool}"
                );
            }
            let read = body(client.calling("read", json!({})).send().await.unwrap()).await;
            assert_eq!(read["result"]["isError"], false);
        }
        assert!(bench.workshop.effects().is_empty());
    }
}

#[tokio::test]
async fn the_configured_requester_answers_for_nobody_over_http() {
    // [WIRE-020]
    let bench = Bench::new().await;
    let url = serve(bench.gate("alice").build().unwrap()).await;
    let mut client = HttpClient::connect(&url, Era::Modern, Some("alice")).await;
    assert_eq!(client.answer("write", json!({})).await["reason"], "requester_not_permitted");
}

#[tokio::test]
async fn a_plan_is_its_requesters_whoever_else_has_a_bearer() {
    // [WIRE-020]
    let bench = Bench::new().await;
    let url = serve(gate(&bench)).await;
    let mut client = HttpClient::connect(&url, Era::Modern, Some("alice")).await;
    let plan = client.answer("write", json!({})).await;
    let challenge = client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
    bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
    for (bearer, reason) in
        [(Some("bob"), "plan_not_found"), (Some("mallory"), "plan_not_found"), (None, "requester_not_permitted")]
    {
        client.bearer = bearer;
        assert_eq!(client.answer("approval_execute", json!({ "planId": plan["planId"] })).await["reason"], reason);
    }
    assert!(bench.workshop.effects().is_empty());
    client.bearer = Some("alice");
    assert_eq!(client.answer("approval_execute", json!({ "planId": plan["planId"] })).await["outcome"], "applied");
}

#[tokio::test]
async fn a_session_is_not_there_for_others() {
    // [WIRE-020]
    let bench = Bench::new().await;
    let url = serve(gate(&bench)).await;
    let mut client = HttpClient::connect(&url, Era::Legacy, Some("alice")).await;
    let plan = client.answer("write", json!({})).await;
    let challenge = client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
    bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
    let (session, http) = (client.session.clone().unwrap(), client.http.clone());
    let stream = |method: reqwest::Method, bearer: Option<&str>| {
        let request = http.request(method, &url).header("mcp-session-id", &session);
        let request = request.header("accept", "text/event-stream").header("mcp-protocol-version", "2025-11-25");
        match bearer {
            Some(bearer) => request.bearer_auth(bearer),
            None => request,
        }
    };
    for bearer in [Some("bob"), None] {
        for method in [reqwest::Method::GET, reqwest::Method::DELETE] {
            let answer = stream(method.clone(), bearer).send().await.unwrap();
            assert_eq!(answer.status(), 404, "{method} by {bearer:?}");
            let resumed = stream(method, bearer).header("last-event-id", "0/0").send().await.unwrap();
            assert_eq!(resumed.status(), 404);
        }
        let mut other =
            HttpClient { bearer, session: Some(session.clone()), ..HttpClient::connect(&url, Era::Modern, None).await };
        other.era = Era::Legacy;
        let execute = other.calling("approval_execute", json!({ "planId": plan["planId"] }));
        assert_eq!(execute.send().await.unwrap().status(), 404, "by {bearer:?}");
    }
    // It is there for whom it belongs to.
    assert_eq!(stream(reqwest::Method::GET, Some("alice")).send().await.unwrap().status(), 200);
    assert!(bench.workshop.effects().is_empty());
    assert_eq!(client.answer("approval_execute", json!({ "planId": plan["planId"] })).await["outcome"], "applied");
    assert!(stream(reqwest::Method::DELETE, Some("alice")).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn foreign_origins_and_hosts_are_turned_away() {
    // [WIRE-023]
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let mut client = HttpClient::connect(&serve(gate(&bench)).await, era, Some("alice")).await;
        for (name, value, status) in [
            ("origin", "https://evil.example", 403),
            ("origin", "null", 403),
            ("origin", "http://app.example", 403),
            ("host", "evil.example", 403),
            ("origin", "https://app.example", 200),
        ] {
            let response = client.calling("write", json!({})).header(name, value).send().await.unwrap();
            assert_eq!(response.status(), status, "{name}: {value}");
        }
        // Where no origin is allowed, none is.
        let mut closed = HttpClient::connect(&serve_to(gate(&bench), &[]).await, era, Some("alice")).await;
        let response = closed.calling("write", json!({})).header("origin", "https://app.example").send().await.unwrap();
        assert_eq!(response.status(), 403);
        assert!(bench.workshop.effects().is_empty());
    }
}

/// A call of `write` whose text is so many of one character, each written as an escape.
fn escaping(client: &HttpClient, character: char, count: usize) -> reqwest::RequestBuilder {
    let call = request(client.era, 1, "tools/call", json!({ "name": "write", "arguments": { "text": "@" } }));
    let escapes = format!("\\u{:04x}", u32::from(character)).repeat(count);
    client.post(&call, "tools/call", Some("write")).body(call.to_string().replace('@', &escapes))
}

#[tokio::test]
async fn the_longest_arguments_pass_in_any_notation() {
    // [DIG-029]
    let room = Limits::ARGUMENTS.max_bytes() - r#"{"text":""}"#.len();
    for (era, character) in Era::BOTH.into_iter().zip(['x', 'ж']) {
        let bench = Bench::new().await;
        let client = HttpClient::connect(&serve(gate(&bench)).await, era, Some("alice")).await;
        let answer = async |count| {
            let response = escaping(&client, character, count).send().await.unwrap();
            assert_eq!(response.status(), 200);
            assert_answers(body(response).await["result"].take())
        };
        let most = room / character.len_utf8();
        assert_eq!(answer(most).await["kind"], "plan", "{character}");
        // One more, and it is the gate that refuses.
        assert_eq!(answer(most + 1).await["reason"], "payload_too_large", "{character}");
        assert!(bench.workshop.effects().is_empty());
    }
}

#[tokio::test]
async fn longer_bodies_are_turned_away() {
    // Without a connection, on which the answer can cross what is still being sent.
    let bench = Bench::new().await;
    let client = HttpClient::connect("http://127.0.0.1/mcp", Era::Modern, None).await;
    let mut service = streamable_http(Arc::new(gate(&bench)), [""; 0], [""; 0]);
    for (mebibytes, status) in [(12, 200), (13, 413)] {
        let post = escaping(&client, 'x', (mebibytes << 20) / 6).header("host", "127.0.0.1").build().unwrap();
        let post = http::Request::<reqwest::Body>::try_from(post).unwrap();
        assert_eq!(service.call(post).await.unwrap().status(), status, "{mebibytes} MiB");
    }
    assert!(bench.workshop.effects().is_empty());
}

#[tokio::test]
async fn a_malformed_call_does_not_go_around_the_gate() {
    for era in Era::BOTH {
        let bench = Bench::new().await;
        let client = HttpClient::connect(&serve(gate(&bench)).await, era, Some("alice")).await;
        let call = request(era, 7, "tools/call", json!({ "name": "write", "arguments": [1] }));
        let response = client.post(&call, "tools/call", Some("write")).send().await.unwrap();
        let answer = body(response).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        assert!(bench.workshop.strays.lock().unwrap().is_empty());
        assert!(bench.workshop.effects().is_empty());
    }
}
