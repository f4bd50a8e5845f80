//! Between planner and API server: writes down what is sent, and loses what it's told to.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// A request as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub uri: String,
    /// The body, `null` where there is none.
    pub body: Value,
}

impl Sent {
    /// Whether the server stores something for it.
    #[must_use]
    pub fn is_write(&self) -> bool {
        let asks = self.uri.starts_with("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
        // A deletion's options are in its body, and the query counts for nothing.
        let is_tried = match self.method {
            Method::DELETE => self.body["dryRun"] == json!(["All"]),
            _ => self.uri.contains("dryRun=All"),
        };
        self.method != Method::GET && !is_tried && !asks
    }
}

/// What becomes of the next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is done, and its answer is lost.
    LoseAnswer,
    /// It is lost on its way.
    LoseRequest,
}

/// What a cluster is known by.
const IDENTITY: &str = "/api/v1/namespaces/kube-system";

fn lost() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the connection was cut")
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct State {
    sent: Vec<Sent>,
    faults: VecDeque<Fault>,
    before_write: Option<Work>,
    is_cut: bool,
    is_moved: bool,
    muddled: Option<u32>,
}

/// Stands around a client.
#[derive(Clone, Default)]
pub struct Tap(Arc<Mutex<State>>);

impl Tap {
    /// The client with this around it.
    #[must_use]
    pub fn around(&self, client: Client) -> Client {
        let tap = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (tap, client) = (tap.clone(), client.clone());
            async move { tap.send(client, request).await }
        });
        Client::new(service, "default")
    }

    async fn send(&self, client: Client, request: Request<Body>) -> Result<Response<Body>, tower::BoxError> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect_bytes().await?.to_vec();
        let sent = Sent {
            method: parts.method.clone(),
            uri: parts.uri.to_string(),
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        };
        let (fault, work) = {
            let mut state = self.0.lock().unwrap();
            if state.is_cut {
                return Err(lost().into());
            }
            if state.is_moved && sent.uri == IDENTITY {
                parts.uri = "/api/v1/namespaces/default".parse()?;
            }
            let is_write = sent.is_write();
            state.sent.push(sent);
            if is_write { (state.faults.pop_front(), state.before_write.take()) } else { (None, None) }
        };
        if let Some(work) = work {
            work.await;
        }
        let request = Request::from_parts(parts, Body::from(body));
        if fault == Some(Fault::LoseRequest) {
            return Err(lost().into());
        }
        let is_tried = request.uri().query().is_some_and(|query| query.contains("dryRun=All"));
        let response = client.send(request).await?;
        if is_tried && let Some(count) = self.count() {
            return muddled(response, count).await;
        }
        if fault == Some(Fault::LoseAnswer) {
            return Err(lost().into());
        }
        Ok(response)
    }

    /// All that was sent until now.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.0.lock().unwrap().sent.clone()
    }

    /// What was sent that the server stores something for.
    #[must_use]
    pub fn writes(&self) -> Vec<Sent> {
        self.sent().into_iter().filter(Sent::is_write).collect()
    }

    /// The next write goes wrong.
    pub fn fail(&self, fault: Fault) {
        self.0.lock().unwrap().faults.push_back(fault);
    }

    /// Nothing gets through any more, or does again.
    pub fn cut(&self, is_cut: bool) {
        self.0.lock().unwrap().is_cut = is_cut;
    }

    /// From now on the cluster is one that was set up anew under the same address: what it's known by has another UID.
    pub fn move_to_another_cluster(&self) {
        self.0.lock().unwrap().is_moved = true;
    }

    /// From now on something in the cluster answers each dry run with another label, as a webhook may.
    pub fn muddle(&self) {
        self.0.lock().unwrap().muddled = Some(0);
    }

    fn count(&self) -> Option<u32> {
        let mut state = self.0.lock().unwrap();
        let count = state.muddled.as_mut()?;
        *count += 1;
        Some(*count)
    }

    /// Right before the next write, after all checks, somebody else does this.
    pub fn before_write(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap().before_write = Some(Box::pin(work));
    }
}

async fn muddled(response: Response<Body>, count: u32) -> Result<Response<Body>, tower::BoxError> {
    let (parts, body) = response.into_parts();
    let mut object: Value = serde_json::from_slice(&body.collect_bytes().await?)?;
    object["metadata"]["labels"]["muddled"] = count.to_string().into();
    Ok(Response::from_parts(parts, Body::from(serde_json::to_vec(&object)?)))
}
