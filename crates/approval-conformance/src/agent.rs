//! An agent: a client of the server, as one requester, in one revision.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::answer::Answer;
use crate::oracle;
use crate::recorder::Recorder;
use crate::verdict::{Checked, Stop, ensure};
use crate::watch::Watch;
use crate::wire::{Capabilities, Connection, Http, HttpReply, Raw, Request, Revision, Stdio, WireError};
use crate::world::{Listing, Names, World};

/// The longest that `approval_status` waits (WIRE-T-021), and a little.
const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// An agent.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) person: String,
    pub(crate) revision: Revision,
    capabilities: Capabilities,
    /// How it calls itself.
    client: String,
    connection: Arc<Connection>,
    world: Arc<World>,
    recorder: Recorder,
}

/// A plan, as the agent knows it.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) id: String,
    pub(crate) digest: String,
    pub(crate) header: Value,
    /// The whole answer.
    pub(crate) answer: Answer,
}

impl Plan {
    /// The moment that a member of the header names.
    pub(crate) fn time(&self, member: &str) -> Option<OffsetDateTime> {
        oracle::timestamp(self.header.get(member)?.as_str()?)
    }

    /// Holds that its warnings name the attempt of `other`.
    pub(crate) fn warns_of(&self, other: &Self) -> Checked {
        let warnings = self.answer.get("warnings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let names = warnings.iter().any(|warning| warning.get("planId").and_then(Value::as_str) == Some(&other.id));
        ensure(names, || format!("the unresolved attempt {} is not among the plan's warnings: {warnings:?}", other.id))
    }
}

/// A challenge, as the agent knows it.
#[derive(Clone, Debug)]
pub(crate) struct Challenge {
    pub(crate) id: String,
    pub(crate) plan_id: String,
    pub(crate) plan_digest: String,
    pub(crate) url: String,
    pub(crate) answer: Answer,
}

impl Agent {
    pub(crate) fn new(
        (world, recorder): (Arc<World>, Recorder),
        connection: Arc<Connection>,
        person: String,
        (revision, capabilities, client): (Revision, Capabilities, String),
    ) -> Self {
        Self { person, revision, capabilities, client, connection, world, recorder }
    }

    pub(crate) fn names(&self) -> &Names {
        &self.world.listing().names
    }

    pub(crate) fn http(&self) -> Option<&Http> {
        match &*self.connection {
            Connection::Http(http) => Some(http),
            Connection::Stdio(_) => None,
        }
    }

    pub(crate) fn stdio(&self) -> Option<&Stdio> {
        match &*self.connection {
            Connection::Http(_) => None,
            Connection::Stdio(stdio) => Some(stdio),
        }
    }

    /// A request with what its revision asks of it.
    pub(crate) fn prepare(&self, method: &'static str, params: Map<String, Value>) -> Request {
        let id = match &*self.connection {
            Connection::Http(http) => http.next_id(),
            Connection::Stdio(stdio) => stdio.next_id(),
        };
        Request::new(id, method, params, (self.revision, self.capabilities, &self.client))
    }

    /// A call of a tool, as a request.
    pub(crate) fn prepare_call(&self, tool: &str, arguments: &Map<String, Value>) -> Request {
        let mut params = Map::new();
        params.insert("name".to_owned(), tool.into());
        params.insert("arguments".to_owned(), Value::Object(arguments.clone()));
        self.prepare("tools/call", params)
    }

    /// Sends a request and gives the whole response.
    pub(crate) async fn request(&self, request: &Request, within: Duration) -> Result<Value, WireError> {
        let way = self.way();
        self.recorder.keep(format!("{way} → server"), request.to_json().to_string());
        let answer = self.connection.request(request, within).await;
        self.hears(answer.as_ref().map(Some));
        answer
    }

    /// Sends bytes as they are, in the place of `request`, and gives what comes back for it.
    pub(crate) async fn raw(&self, bytes: &[u8], request: &Request) -> Result<Option<Value>, WireError> {
        self.raw_within(bytes, request, self.world.answer_within()).await
    }

    /// As `raw`, where it may well be that nothing comes.
    pub(crate) async fn raw_within(
        &self,
        bytes: &[u8],
        request: &Request,
        within: Duration,
    ) -> Result<Option<Value>, WireError> {
        self.parts_within(&[Bytes::copy_from_slice(bytes)], request, within).await
    }

    /// As `raw_within`, of a message in pieces, which may be a long one.
    pub(crate) async fn parts_within(
        &self,
        parts: &[Bytes],
        request: &Request,
        within: Duration,
    ) -> Result<Option<Value>, WireError> {
        let way = self.way();
        let [first, others @ ..] = parts else { return Ok(None) };
        let text = String::from_utf8_lossy(first);
        self.recorder.keep(
            format!("{way} → server"),
            match others.iter().map(Bytes::len).sum::<usize>() {
                0 => text,
                more => format!("{text} … (and {more} bytes)").into(),
            },
        );
        let raw = Raw { parts, id: request.id, named: (request.method, request.tool()) };
        let answer = self.connection.raw(&raw, within).await;
        self.hears(answer.as_ref().map(Option::as_ref));
        answer
    }

    /// Sends a request with odd headers, over HTTP: `None` over stdio.
    pub(crate) async fn odd(
        &self,
        request: &Request,
        headers: &[(&str, Option<&str>)],
    ) -> Result<Option<HttpReply>, WireError> {
        self.odd_within(request, headers, self.world.answer_within()).await
    }

    /// As `odd`, where the answer takes its time.
    pub(crate) async fn odd_within(
        &self,
        request: &Request,
        headers: &[(&str, Option<&str>)],
        within: Duration,
    ) -> Result<Option<HttpReply>, WireError> {
        let Some(http) = self.http() else { return Ok(None) };
        let way = self.way();
        self.recorder.keep(format!("{way} → server, with {headers:?}"), request.to_json().to_string());
        let reply = http.odd(request, headers, within).await?;
        self.recorder.keep(format!("server → {way}"), format!("{} {}", reply.status, reply.body));
        Ok(Some(reply))
    }

    /// Calls a tool.
    pub(crate) async fn call(&self, tool: &str, arguments: &Map<String, Value>) -> Result<Answer, WireError> {
        self.call_within(tool, arguments, self.world.answer_within()).await
    }

    async fn call_within(
        &self,
        tool: &str,
        arguments: &Map<String, Value>,
        within: Duration,
    ) -> Result<Answer, WireError> {
        let request = self.prepare_call(tool, arguments);
        self.send_call(&request, within).await
    }

    /// Sends a call that was prepared.
    pub(crate) async fn send_call(&self, request: &Request, within: Duration) -> Result<Answer, WireError> {
        let message = self.request(request, within).await?;
        Ok(self.answered(request, message))
    }

    /// What a response says, and what of it is watched.
    pub(crate) fn answered(&self, request: &Request, message: Value) -> Answer {
        let tool = request.tool().unwrap_or_default().to_owned();
        let answer = Answer { tool, message };
        self.watch().see(self.world.listing(), request, &answer);
        answer
    }

    /// Calls a gated tool, and holds that it is planned.
    pub(crate) async fn plan(&self, tool: &str, arguments: &Map<String, Value>) -> Checked<Plan> {
        let answer = self.call(tool, arguments).await?;
        self.planned(answer)
    }

    /// What an answer says of the plan that was made.
    pub(crate) fn planned(&self, answer: Answer) -> Checked<Plan> {
        answer.is("plan")?;
        let member = |name: &str| answer.text(name).map(str::to_owned).ok_or_else(|| lacks(&answer, name));
        let (id, digest) = (member("planId")?, member("planDigest")?);
        let header = answer.get("header").cloned().ok_or_else(|| lacks(&answer, "header"))?;
        let found = oracle::digest(&header).map_err(|error| Stop::Fault(error.to_string()))?;
        ensure(found == digest, || format!("`planDigest` is {digest}, and the digest of `header` is {found}"))?;
        Ok(Plan { id, digest, header, answer })
    }

    /// Asks for a challenge, and holds that there is one.
    pub(crate) async fn challenge(&self, plan: &Plan) -> Checked<Challenge> {
        let answer = self.ask_challenge(plan).await?;
        answer.is("challenge")?;
        let member = |name: &str| answer.text(name).map(str::to_owned).ok_or_else(|| lacks(&answer, name));
        let (id, url) = (member("challengeId")?, member("url")?);
        Ok(Challenge { id, plan_id: plan.id.clone(), plan_digest: plan.digest.clone(), url, answer })
    }

    /// Asks for a challenge.
    pub(crate) async fn ask_challenge(&self, plan: &Plan) -> Result<Answer, WireError> {
        self.call(&self.names().challenge, &about(&plan.id, Some(&plan.digest))).await
    }

    /// Asks where a plan stands.
    pub(crate) async fn status(&self, plan: &Plan) -> Result<Answer, WireError> {
        self.call(&self.names().status, &about(&plan.id, None)).await
    }

    /// Asks where a plan stands, and waits.
    pub(crate) async fn status_waiting(&self, plan: &Plan, seconds: u64) -> Result<Answer, WireError> {
        let mut arguments = about(&plan.id, None);
        arguments.insert("waitSeconds".to_owned(), json!(seconds));
        self.call_within(&self.names().status, &arguments, LONGEST_WAIT + self.world.answer_within()).await
    }

    /// Executes a plan.
    pub(crate) async fn execute(&self, plan: &Plan) -> Result<Answer, WireError> {
        self.execute_within(plan, self.world.answer_within()).await
    }

    /// Executes a plan, which may take its time.
    pub(crate) async fn execute_within(&self, plan: &Plan, within: Duration) -> Result<Answer, WireError> {
        self.send_call(&self.prepare_execute(plan), within).await
    }

    /// An execution of a plan, as a request.
    pub(crate) fn prepare_execute(&self, plan: &Plan) -> Request {
        self.prepare_call(&self.names().execute, &about(&plan.id, Some(&plan.digest)))
    }

    /// Cancels a plan.
    pub(crate) async fn cancel(&self, plan: &Plan) -> Result<Answer, WireError> {
        self.call(&self.names().cancel, &about(&plan.id, None)).await
    }

    /// All tools that are listed to it.
    pub(crate) async fn list(&self) -> Checked<Listing> {
        Listing::read(self, self.world.answer_within()).await
    }

    /// The answer to `initialize` or `server/discover`.
    pub(crate) async fn hello(&self, within: Duration) -> Result<Value, WireError> {
        match &*self.connection {
            Connection::Http(http) if self.revision == Revision::V2025_11_25 => http.initialized(within).await,
            Connection::Stdio(stdio) if self.revision == Revision::V2025_11_25 => {
                stdio.initialized().cloned().ok_or_else(|| WireError::Gone("`initialize` was not answered".to_owned()))
            }
            _ => self.request(&self.prepare("server/discover", Map::new()), within).await,
        }
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Keeps what came.
    fn hears(&self, answer: Result<Option<&Value>, &WireError>) {
        let text = match answer {
            Ok(Some(message)) => message.to_string(),
            Ok(None) => "(nothing)".to_owned(),
            Err(error) => format!("({error})"),
        };
        self.recorder.keep(format!("server → {}", self.way()), text);
    }

    fn watch(&self) -> &Watch {
        self.world.watch()
    }

    fn way(&self) -> String {
        format!("{} ({})", self.person, self.revision)
    }
}

/// The arguments of the profile's tools.
pub(crate) fn about(plan_id: &str, plan_digest: Option<&str>) -> Map<String, Value> {
    let mut arguments = Map::new();
    arguments.insert("planId".to_owned(), plan_id.into());
    if let Some(digest) = plan_digest {
        arguments.insert("planDigest".to_owned(), digest.into());
    }
    arguments
}

fn lacks(answer: &Answer, member: &str) -> Stop {
    Stop::fail(format!("the answer of `{}` has no `{member}`", answer.tool))
}
