//! The guard before a gated MCP endpoint, in both revisions: what it turns away, the endpoint never sees.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that can't go on has failed"
)]

mod kit;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use approval_core::Clock as _;
use approval_rmcp::{Gated, VerifiedRequester, streamable_http};
use approval_testkit::Room;
use axum::Router;
use axum::body::Body;
use http::request::Builder;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use kit::door::{Door, METADATA};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// A page's origin as browsers write it, and as rmcp wants it: with the port.
const ALLOWED: &str = "https://client.example";
const ALLOWED_WITH_PORT: &str = "https://client.example:443";

/// A server with one tool, which is read-only and counts its calls.
#[derive(Default)]
struct Counter(AtomicU32);

impl ServerHandler for Counter {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let tool = Tool::new("count", "Counts.", Arc::default());
        (name == "count").then(|| tool.with_annotations(ToolAnnotations::new().read_only(true)))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.get_tool("count").into_iter().collect()))
    }

    async fn call_tool(
        &self,
        _: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(CallToolResult::success(Vec::new()).into())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Revision {
    Legacy,
    Modern,
}

/// The endpoint behind the guard, and a client that speaks one revision.
struct Endpoint {
    door: Door,
    counter: Arc<Counter>,
    router: Router,
    revision: Revision,
    session: Option<HeaderValue>,
}

impl Endpoint {
    /// These are the origins that the guard allows, and those that the endpoint does.
    async fn new(revision: Revision, guards: &[&str], endpoints: &[&str]) -> Self {
        let (door, counter) = (Door::new().await, Arc::new(Counter::default()));
        let approvals = Room::new().await.approvals;
        let gated = Gated::builder(Arc::clone(&counter), approvals).requester(VerifiedRequester).build().unwrap();
        let mcp = streamable_http(Arc::new(gated), endpoints.iter().copied(), [""; 0]);
        let guard = door.guard.clone().allow_origins(guards.iter().map(ToString::to_string));
        let router = guard.protect(Router::new().route_service("/mcp", mcp));
        let mut endpoint = Self { door, counter, router, revision, session: None };
        if revision == Revision::Legacy {
            let params = json!({
                "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "agent", "version": "1" },
            });
            let greeting = endpoint.request(Method::POST).header(header::AUTHORIZATION, endpoint.good());
            let call = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
            let response = endpoint.send(greeting, &call).await;
            assert_eq!(response.status(), StatusCode::OK);
            endpoint.session = response.headers().get("mcp-session-id").cloned();
            assert!(endpoint.session.is_some());
        }
        endpoint
    }

    /// A token that lets in.
    fn good(&self) -> String {
        format!("Bearer {}", self.door.issuer.key.sign(&self.door.claims()))
    }

    /// What a client sends by this method, but for who it is.
    fn request(&self, method: Method) -> Builder {
        let mut request = Request::builder()
            .method(method)
            .uri("/mcp")
            .header(header::HOST, "127.0.0.1")
            .header(header::ACCEPT, "application/json, text/event-stream")
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session).header("mcp-protocol-version", "2025-11-25");
        }
        if self.revision == Revision::Modern {
            request = request.header("mcp-protocol-version", "2026-07-28");
            request = request.header("mcp-method", "tools/call").header("mcp-name", "count");
        }
        request
    }

    async fn send(&self, request: Builder, message: &Value) -> Response<Body> {
        self.router.clone().oneshot(request.body(Body::from(message.to_string())).unwrap()).await.unwrap()
    }

    /// Calls the tool where the method is POST.
    async fn answer(&self, method: Method, headers: &[(&str, &str)]) -> Answer {
        let mut params = json!({ "name": "count", "arguments": {} });
        if self.revision == Revision::Modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "agent", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        let is_endless = method == Method::GET;
        let request = headers.iter().fold(self.request(method), |request, (name, value)| request.header(*name, *value));
        let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let response = self.send(request, &call).await;
        let challenge = response.headers().get(header::WWW_AUTHENTICATE);
        let challenge = challenge.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = response.status();
        // The stream that GET opens has no end.
        let body = if is_endless && status.is_success() { Body::empty() } else { response.into_body() };
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        // Of what is let in, the tool itself tells.
        let body = if status.is_success() { String::new() } else { String::from_utf8(body.to_vec()).unwrap() };
        Answer { status, challenge, body }
    }

    fn calls(&self) -> u32 {
        self.counter.0.load(Ordering::SeqCst)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: StatusCode,
    challenge: String,
    body: String,
}

const FOREIGN: &str = "this origin is not allowed\n";

#[tokio::test]
async fn who_is_turned_away_gets_nowhere_by_any_method() {
    // [WIRE-022, WIRE-023]
    for revision in [Revision::Legacy, Revision::Modern] {
        let endpoint = Endpoint::new(revision, &[], &[]).await;
        let door = &endpoint.door;
        let expires = Some(door.clock.now().after(Duration::from_secs(60)));
        let expired = door.file.issue(&"alice".into(), expires).unwrap();
        door.clock.advance(Duration::from_secs(60));
        let good = endpoint.good();
        let invalid = |token: &str| {
            let challenge = format!(r#"Bearer error="invalid_token", scope="mcp", {METADATA}"#);
            (vec![("authorization", format!("Bearer {token}"))], StatusCode::UNAUTHORIZED, challenge, "")
        };
        let scope = format!("Bearer {}", door.with("scope", json!("openid")));
        let nobody = format!(r#"Bearer scope="mcp", {METADATA}"#);
        let lacking = format!(r#"Bearer error="insufficient_scope", scope="mcp", {METADATA}"#);
        let foreign = vec![("authorization", good.clone()), ("origin", "https://evil.example".to_owned())];
        for (headers, status, challenge, body) in [
            (vec![], StatusCode::UNAUTHORIZED, nobody, ""),
            invalid("unknown"),
            invalid(&expired),
            invalid(&door.with("exp", json!(1))),
            invalid(&door.with("aud", json!("https://other.example/mcp"))),
            (vec![("authorization", scope)], StatusCode::FORBIDDEN, lacking, ""),
            (foreign, StatusCode::FORBIDDEN, String::new(), FOREIGN),
        ] {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let expected = Answer { status, challenge, body: body.to_owned() };
            for method in [Method::POST, Method::GET, Method::DELETE] {
                let answer = endpoint.answer(method.clone(), &headers).await;
                assert_eq!(answer, expected, "{revision:?} {method} {headers:?}");
            }
        }
        assert_eq!(endpoint.calls(), 0, "{revision:?}");

        // The control: the same requests, with a good token. A session is still there, and only this ends it.
        let admitted = [("authorization", good.as_str())];
        let (stream, end, after) = match revision {
            Revision::Legacy => (StatusCode::OK, StatusCode::ACCEPTED, StatusCode::NOT_FOUND),
            Revision::Modern => (StatusCode::METHOD_NOT_ALLOWED, StatusCode::METHOD_NOT_ALLOWED, StatusCode::OK),
        };
        assert_eq!(endpoint.answer(Method::POST, &admitted).await.status, StatusCode::OK, "{revision:?}");
        assert_eq!(endpoint.calls(), 1, "{revision:?}");
        assert_eq!(endpoint.answer(Method::GET, &admitted).await.status, stream, "{revision:?}");
        assert_eq!(endpoint.answer(Method::DELETE, &admitted).await.status, end, "{revision:?}");
        assert_eq!(endpoint.answer(Method::POST, &admitted).await.status, after, "{revision:?}");
    }
}

#[tokio::test]
async fn an_origin_has_to_be_allowed_twice_in_two_notations() {
    // [WIRE-023]
    let by_the_guard = Some(FOREIGN);
    let by_the_endpoint = Some("Forbidden: Origin header is not allowed");
    for revision in [Revision::Legacy, Revision::Modern] {
        for (guards, endpoints, origin, refused) in [
            (&[ALLOWED][..], &[ALLOWED_WITH_PORT][..], ALLOWED, None),
            (&[ALLOWED], &[ALLOWED_WITH_PORT], "https://evil.example", by_the_guard),
            (&[ALLOWED], &[ALLOWED_WITH_PORT], "https://client.example:444", by_the_guard),
            (&[ALLOWED], &[], ALLOWED, by_the_endpoint),
            (&[], &[ALLOWED_WITH_PORT], ALLOWED, by_the_guard),
            // The guard compares octets, and no browser writes the port that goes without saying.
            (&[ALLOWED_WITH_PORT], &[ALLOWED_WITH_PORT], ALLOWED, by_the_guard),
        ] {
            let endpoint = Endpoint::new(revision, guards, endpoints).await;
            let good = endpoint.good();
            let headers = [("authorization", good.as_str()), ("origin", origin)];
            let answer = endpoint.answer(Method::POST, &headers).await;
            let status = if refused.is_some() { StatusCode::FORBIDDEN } else { StatusCode::OK };
            let body = refused.unwrap_or_default().to_owned();
            let what = format!("{revision:?} {guards:?} {endpoints:?} {origin}");
            assert_eq!(answer, Answer { status, challenge: String::new(), body }, "{what}");
            assert_eq!(endpoint.calls(), u32::from(refused.is_none()), "{what}");
        }
    }
}
