//! Many clients at once over streamable HTTP.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use http::{HeaderMap, HeaderValue, header};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::handlers::{READ, WRITE, read, write};
use super::installation::Installation;
use super::server::Started;
use super::wire::{Answered, REVISION, good, introduction, message, result, text};
use crate::report::Report;
use crate::stores::{micros, now};

/// How many clients there are, each with a connection of its own.
const CLIENTS: usize = 1000;

/// For how many persons they act, so that no person has more plans open than one may.
const PERSONS: usize = 100;

/// How often each client reads, and how often it plans and takes the plan back.
const READS: u32 = 20;
const PLANS: u32 = 3;

/// They begin, are introduced, have read, and then by turns have planned and taken back.
const TURNS: u32 = 3 + 2 * PLANS;

/// The header that names a session.
const SESSION: &str = "mcp-session-id";

/// What the clients do, all of them one thing at a time.
#[derive(Default)]
struct Times {
    opened: Vec<f64>,
    read: Vec<f64>,
    planned: Vec<f64>,
    cancelled: Vec<f64>,
}

/// Measures them.
pub(crate) async fn measure(report: &mut Report, directory: &Path) -> Result<()> {
    let place = tempfile::Builder::new().prefix("bench-mcp-").tempdir_in(directory)?;
    let state = place.path().join("state");
    drop(Installation::create(&state, PERSONS).await?);
    let (server, url) = Started::on_http(&state).await?;
    let barrier = Arc::new(Barrier::new(CLIENTS + 1));
    let turns = || Turns { barrier: Arc::clone(&barrier), left: TURNS };
    let clients: Vec<_> = (0..CLIENTS).map(|number| tokio::spawn(live(number, url.clone(), turns()))).collect();
    let (mut turns, mut seconds) = (turns(), Vec::new());
    turns.next().await;
    while turns.left > 0 {
        let begin = now();
        turns.next().await;
        seconds.push(micros(begin) / 1e6);
    }
    let (mut all, mut failed) = (Times::default(), Vec::new());
    for client in clients {
        let (times, outcome) = client.await?;
        all.opened.extend(times.opened);
        all.read.extend(times.read);
        all.planned.extend(times.planned);
        all.cancelled.extend(times.cancelled);
        failed.extend(outcome.err());
    }
    report.note(format!(
        "{CLIENTS} clients over HTTP, each with a connection and a session, for {PERSONS} persons; they share this machine's \
         processors with the server, which has {} MiB then:",
        server.resident().unwrap_or(0) / 1024
    ));
    let [opening, reading, then @ ..] = seconds.as_slice() else { return Ok(()) };
    let (planning, cancelling) = (then.iter().step_by(2).sum(), then.iter().skip(1).step_by(2).sum());
    tell(report, "introduced", all.opened, *opening);
    tell(report, "read-only calls", all.read, *reading);
    tell(report, "plans", all.planned, planning);
    tell(report, "plans taken back", all.cancelled, cancelling);
    if let Some(error) = failed.first() {
        report.note(format!("the first client that was not answered: {error:#}"));
    }
    report.target("clients that were not answered, or with an error", failed.len() as f64, 0.0);
    Ok(())
}

fn tell(report: &mut Report, what: &str, mut times: Vec<f64>, seconds: f64) {
    times.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| times.get((times.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN) / 1e3;
    let rate = times.len() as f64 / seconds;
    let count = times.len();
    report.note(format!(
        "  {count} {what}: {rate:.0} a second, half within {:.0} ms, 99 % within {:.0} ms",
        at(0.5),
        at(0.99)
    ));
}

/// The life of one client.
async fn live(number: usize, url: String, mut turns: Turns) -> (Times, Result<()>) {
    let mut times = Times::default();
    let outcome = work(number, url, &mut turns, &mut times).await;
    // Whatever went wrong with this one, the others go on.
    while turns.left > 0 {
        turns.next().await;
    }
    (times, outcome)
}

async fn work(number: usize, url: String, turns: &mut Turns, times: &mut Times) -> Result<()> {
    let mut client = Client::new(number, url)?;
    turns.next().await;
    times.opened.push(client.open().await?);
    turns.next().await;
    for _ in 0..READS {
        times.read.push(client.call(READ, &read()).await?.micros);
    }
    turns.next().await;
    for round in 0..PLANS {
        let plan = client.call(WRITE, &write(&format!("note-{number}-{round}"))).await?;
        times.planned.push(plan.micros);
        turns.next().await;
        let plan = json!({ "planId": text(&plan.result, "planId")? });
        times.cancelled.push(client.call("approval_cancel", &plan).await?.micros);
        turns.next().await;
    }
    Ok(())
}

/// What all do together: each begins once everybody has done what was before.
#[derive(Debug)]
struct Turns {
    barrier: Arc<Barrier>,
    left: u32,
}

impl Turns {
    async fn next(&mut self) {
        self.left = self.left.saturating_sub(1);
        self.barrier.wait().await;
    }
}

/// A client with a connection of its own.
struct Client {
    http: reqwest::Client,
    headers: HeaderMap,
    url: String,
    number: u64,
}

impl Client {
    fn new(number: usize, url: String) -> Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::AUTHORIZATION, format!("Bearer {}", number % PERSONS).parse()?);
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { http, headers, url, number: 0 })
    }

    /// Introduces itself, and keeps the session that it is given.
    async fn open(&mut self) -> Result<f64> {
        let begin = now();
        let answer = self.post(message(0, "initialize", &introduction())).await?;
        let session = answer.headers().get(SESSION).context("no session")?.clone();
        body(answer).await?;
        self.headers.insert(SESSION, session);
        self.headers.insert("mcp-protocol-version", HeaderValue::from_static(REVISION));
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.post(initialized.to_string()).await?.bytes().await?;
        Ok(micros(begin))
    }

    async fn call(&mut self, tool: &str, arguments: &Value) -> Result<Answered> {
        self.number += 1;
        let request = message(self.number, "tools/call", &json!({ "name": tool, "arguments": arguments }));
        let begin = now();
        let text = body(self.post(request).await?).await?;
        let micros = micros(begin);
        Ok(Answered { result: good(result(&text)?)?, micros })
    }

    async fn post(&self, body: String) -> Result<Response> {
        let answer = self.http.post(&self.url).headers(self.headers.clone()).body(body).send().await?;
        ensure!(answer.status().is_success(), "answered {}", answer.status());
        Ok(answer)
    }
}

/// The message in an answer: its body, or the event of it that has data.
async fn body(answer: Response) -> Result<String> {
    let text = answer.text().await?;
    let event = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).find(|data| !data.is_empty());
    Ok(event.map_or_else(|| text.clone(), str::to_owned))
}
