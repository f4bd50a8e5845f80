//! The server as it is running now: how it is reached, what it lists, who is there. Made anew by each `reset`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jsonschema::Validator;
use reqwest::Client;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use crate::agent::Agent;
use crate::driver::{Driver, Op, People, Started};
use crate::oracle::Schemas;
use crate::recorder::{Recorder, Redactor};
use crate::target::Target;
use crate::verdict::{Checked, Stop};
use crate::watch::Watch;
use crate::wire::{Capabilities, Connection, Endpoint, Http, Revision, Stdio};

/// The profile's extension of MCP (profile.md, section 4).
pub(crate) const EXTENSION: &str = "io.github.mutation-approval/profile";

/// How the harness calls itself as a client.
pub(crate) const CLIENT: &str = "approval-conformance";

/// A server, running.
#[derive(Debug)]
pub(crate) struct World {
    target: Arc<Target>,
    driver: Arc<Driver>,
    people: People,
    endpoint: Endpoint,
    tokens: BTreeMap<String, String>,
    client: Client,
    schemas: Arc<Schemas>,
    watch: Arc<Watch>,
    redactor: Redactor,
    listing: OnceLock<Listing>,
    /// Connections that several checks share.
    shared: Mutex<HashMap<(String, Revision), Arc<Connection>>>,
}

/// What a world is made of, besides what the driver says when it starts.
#[derive(Clone, Debug)]
pub(crate) struct Makings {
    pub(crate) target: Arc<Target>,
    pub(crate) driver: Arc<Driver>,
    pub(crate) client: Client,
    pub(crate) schemas: Arc<Schemas>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) redactor: Redactor,
}

impl World {
    /// Has the driver start the server, or reset it.
    pub(crate) async fn start(makings: &Makings, op: &Op) -> Checked<Arc<Self>> {
        let Makings { target, driver, client, schemas, watch, redactor } = makings.clone();
        let started: Started = driver.ask(op).await?;
        for secret in started.tokens.values().chain(started.accounts.values().map(|account| &account.password)) {
            redactor.add(secret);
        }
        let endpoint = endpoint(&target, &started)?;
        let people = People::new(Arc::clone(&driver), target.driver.pages, &started.accounts, &client);
        Ok(Arc::new(Self {
            target,
            driver,
            people,
            endpoint,
            tokens: started.tokens,
            client,
            schemas,
            watch,
            redactor,
            listing: OnceLock::new(),
            shared: Mutex::default(),
        }))
    }

    /// Looks at what the server lists. Before that nothing can be called by name.
    pub(crate) async fn look(self: &Arc<Self>, revision: Revision, recorder: &Recorder) -> Checked {
        let person = self.target.persons.requester.clone();
        let agent = self.agent(&person, revision, recorder).await?;
        let listing = Listing::read(&agent, self.answer_within()).await?;
        // Of two that look at once both have seen the same.
        drop(self.listing.set(listing));
        Ok(())
    }

    pub(crate) fn listing(&self) -> &Listing {
        static NOTHING: OnceLock<Listing> = OnceLock::new();
        self.listing.get().unwrap_or_else(|| NOTHING.get_or_init(Listing::default))
    }

    /// An agent over a connection that others use too.
    pub(crate) async fn agent(
        self: &Arc<Self>,
        person: &str,
        revision: Revision,
        recorder: &Recorder,
    ) -> Checked<Agent> {
        let mut shared = self.shared.lock().await;
        let key = (person.to_owned(), revision);
        let connection = match shared.get(&key) {
            Some(connection) => Arc::clone(connection),
            None => {
                let token = self.tokens.get(person).cloned();
                let made = Arc::new(self.connect(person, token, (revision, Capabilities::None, CLIENT)).await?);
                shared.insert(key, Arc::clone(&made));
                made
            }
        };
        let how = (revision, Capabilities::None, CLIENT.to_owned());
        Ok(Agent::new((Arc::clone(self), recorder.clone()), connection, person.to_owned(), how))
    }

    /// An agent over a connection of its own, with a token of the caller's choice.
    pub(crate) async fn own_agent(
        self: &Arc<Self>,
        person: &str,
        token: Option<String>,
        (revision, capabilities, client): (Revision, Capabilities, &str),
        recorder: &Recorder,
    ) -> Checked<Agent> {
        let connection = Arc::new(self.connect(person, token, (revision, capabilities, client)).await?);
        let how = (revision, capabilities, client.to_owned());
        Ok(Agent::new((Arc::clone(self), recorder.clone()), connection, person.to_owned(), how))
    }

    async fn connect(
        &self,
        person: &str,
        token: Option<String>,
        (revision, capabilities, client): (Revision, Capabilities, &str),
    ) -> Checked<Connection> {
        match &self.endpoint {
            Endpoint::Http(url) => {
                let how = (revision, capabilities, client.to_owned());
                Ok(Connection::Http(Http::new(self.client.clone(), url.clone(), token, how)))
            }
            Endpoint::Stdio { .. } => {
                let how = (revision, capabilities, client);
                Ok(Connection::Stdio(Stdio::start(&self.endpoint, person, how, self.answer_within()).await?))
            }
        }
    }

    pub(crate) fn token(&self, person: &str) -> Option<&String> {
        self.tokens.get(person)
    }

    pub(crate) fn is_http(&self) -> bool {
        matches!(self.endpoint, Endpoint::Http(_))
    }

    /// For requests that are no calls.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn answer_within(&self) -> Duration {
        Duration::from_secs(self.target.server.answer_seconds)
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn driver(&self) -> &Driver {
        &self.driver
    }

    pub(crate) fn people(&self) -> &People {
        &self.people
    }

    pub(crate) fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }
}

fn endpoint(target: &Target, started: &Started) -> Checked<Endpoint> {
    if let Some(url) = &started.url {
        return Ok(Endpoint::Http(url.clone()));
    }
    let environment = started.environment.clone();
    let stdio = |command: &Vec<String>| Endpoint::Stdio {
        command: command.clone(),
        environment: environment.clone(),
        directory: target.directory.clone(),
    };
    let server = &target.server;
    let found = started.command.as_ref().map(stdio).or_else(|| server.url.clone().map(Endpoint::Http));
    let missing =
        || Stop::Fault("neither target file nor driver says where the server is: `url` or `command`".to_owned());
    found.or_else(|| server.command.as_ref().map(stdio)).ok_or_else(missing)
}

/// What the server says of itself, and lists.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// What it advertises of the profile.
    pub(crate) advertised: Value,
    /// All that it says of its capabilities.
    pub(crate) capabilities: Value,
    /// The names of the four tools.
    pub(crate) names: Names,
    /// The tools, in their order.
    pub(crate) tools: Vec<Value>,
    /// What else the answers to `tools/list` said, the last page's.
    pub(crate) page: Value,
    /// The listed output schemas of gated tools and of the four, by name.
    pub(crate) outputs: BTreeMap<String, Result<Validator, String>>,
}

/// The names of the profile's tools.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Names {
    pub(crate) challenge: String,
    pub(crate) status: String,
    pub(crate) execute: String,
    pub(crate) cancel: String,
}

impl Default for Names {
    fn default() -> Self {
        let name = |name: &str| format!("approval_{name}");
        Self { challenge: name("challenge"), status: name("status"), execute: name("execute"), cancel: name("cancel") }
    }
}

impl Names {
    pub(crate) fn all(&self) -> [&str; 4] {
        [&self.challenge, &self.status, &self.execute, &self.cancel]
    }
}

/// A list of more pages than this has no end.
const PAGES: usize = 50;

impl Listing {
    /// Reads all that is listed to `agent`.
    pub(crate) async fn read(agent: &Agent, within: Duration) -> Checked<Self> {
        let hello = agent.hello(within).await?;
        let Some(capabilities) = hello.pointer("/result/capabilities").cloned() else {
            return Err(Stop::fail(format!("the server doesn't say what it can do: {hello}")));
        };
        let advertised =
            capabilities.pointer("/extensions").and_then(|all| all.get(EXTENSION)).cloned().unwrap_or_default();
        let named = |tool: &str, default: String| {
            let found = advertised.pointer(&format!("/tools/{tool}")).and_then(Value::as_str);
            found.map_or(default, str::to_owned)
        };
        let standard = Names::default();
        let names = Names {
            challenge: named("challenge", standard.challenge),
            status: named("status", standard.status),
            execute: named("execute", standard.execute),
            cancel: named("cancel", standard.cancel),
        };
        let (mut tools, mut page, mut cursor) = (Vec::new(), Value::Null, None::<String>);
        for _ in 0..PAGES {
            let mut params = Map::new();
            if let Some(cursor) = &cursor {
                params.insert("cursor".to_owned(), json!(cursor));
            }
            let mut answer = agent.request(&agent.prepare("tools/list", params), within).await?;
            // Taken, not copied: with all the schemas in it, it is long.
            let listed = answer.pointer_mut("/result/tools").map(Value::take);
            let Some(Value::Array(listed)) = listed else {
                return Err(Stop::fail(format!("`tools/list` answered without `tools`: {answer}")));
            };
            tools.extend(listed);
            page = answer.get_mut("result").map(Value::take).unwrap_or_default();
            if let Some(page) = page.as_object_mut() {
                page.remove("tools");
            }
            cursor = page.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        let mut listing = Self { advertised, capabilities, names, tools, page, outputs: BTreeMap::new() };
        // They should all list the same one, which is compiled once.
        let mut compiled: Vec<(&Value, Result<Validator, String>)> = Vec::new();
        let mut outputs = BTreeMap::new();
        for tool in listing.tools.iter().filter(|tool| listing.is_gated(tool) || listing.is_ours(tool)) {
            let Some(name) = tool.get("name").and_then(Value::as_str) else { continue };
            let output = match tool.get("outputSchema") {
                Some(schema) => match compiled.iter().find(|(known, _)| *known == schema) {
                    Some((_, output)) => output.clone(),
                    None => {
                        let output = Schemas::listed(schema);
                        compiled.push((schema, output.clone()));
                        output
                    }
                },
                None => Err("there is no `outputSchema`".to_owned()),
            };
            outputs.insert(name.to_owned(), output);
        }
        listing.outputs = outputs;
        Ok(listing)
    }

    /// The tool of that name.
    pub(crate) fn tool(&self, name: &str) -> Option<&Value> {
        self.tools.iter().find(|tool| tool.get("name").and_then(Value::as_str) == Some(name))
    }

    /// Whether it says that its calls are planned.
    pub(crate) fn is_gated(&self, tool: &Value) -> bool {
        tool.get("_meta").and_then(|meta| meta.get(EXTENSION)).and_then(|ours| ours.get("gated"))
            == Some(&Value::Bool(true))
    }

    fn is_ours(&self, tool: &Value) -> bool {
        tool.get("name").and_then(Value::as_str).is_some_and(|name| self.names.all().contains(&name))
    }
}
