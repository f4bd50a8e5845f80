//! Typed mutations: planned from their arguments, run step by step, and told by what became of each step.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use approval_core::record::{Change, Finding, Precondition, PreconditionEnforcement, Severity, Step, Target, Verdict};
use approval_core::{Draft, DraftStep, EffectKey, PlanError};
use approval_rmcp::{BuildError, Gated, GatedTool, Mutation, MutationsOnly, StepError, Steps};
use approval_testkit::Room;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::execution::on_tokio_time;
use crate::support::{Bench, Client, Era, Workshop};

/// Stock that moves from shelf to shelf: to take from one and to put on the other are two steps.
#[derive(Clone, Default)]
struct Stock {
    shelves: Arc<Mutex<BTreeMap<String, u32>>>,
    /// What goes wrong.
    fault: Arc<Mutex<&'static str>>,
    effects: Arc<Mutex<Vec<String>>>,
}

#[derive(Deserialize, JsonSchema)]
struct Move {
    /// From which shelf.
    from: String,
    to: String,
    #[serde(default)]
    pieces: u32,
    token: Option<String>,
}

#[derive(Serialize)]
struct Moved {
    left: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    log: BTreeMap<Vec<u8>, u32>,
}

impl Moved {
    fn left(left: u32) -> Self {
        Self { left, log: BTreeMap::new() }
    }
}

impl Stock {
    fn new() -> Self {
        let stock = Self::default();
        stock.shelves.lock().unwrap().extend([("a".to_owned(), 10), ("b".to_owned(), 0)]);
        stock
    }

    fn goes_wrong(&self, fault: &'static str) {
        *self.fault.lock().unwrap() = fault;
    }

    fn is(&self, fault: &str) -> bool {
        *self.fault.lock().unwrap() == fault
    }

    fn on(&self, shelf: &str) -> Option<u32> {
        self.shelves.lock().unwrap().get(shelf).copied()
    }

    fn effects(&self) -> Vec<String> {
        self.effects.lock().unwrap().clone()
    }

    fn set(&self, shelf: &str, pieces: u32) -> u32 {
        self.effects.lock().unwrap().push(format!("{shelf}={pieces}"));
        self.shelves.lock().unwrap().insert(shelf.to_owned(), pieces);
        pieces
    }

    /// A step as the target would do it, or not.
    async fn step(&self, name: &str, shelf: &str, pieces: u32) -> Result<u32, StepError> {
        if self.is(&format!("{name} refuses")) {
            return Err(StepError::without_effect("refused", "the shelf is locked"));
        }
        let done = self.set(shelf, pieces);
        if self.is(&format!("{name} errs")) {
            return Err(std::io::Error::other("the line broke").into());
        }
        assert!(!self.is(&format!("{name} panics")), "told to");
        if self.is(&format!("{name} hangs")) {
            std::future::pending::<()>().await;
        }
        Ok(done)
    }
}

#[async_trait]
impl Mutation for Stock {
    type Arguments = Move;
    type Output = Moved;

    fn name(&self) -> String {
        "move_stock".to_owned()
    }

    fn title(&self) -> Option<String> {
        Some("Move stock".to_owned())
    }

    fn description(&self) -> String {
        "Moves pieces from one shelf to another.".to_owned()
    }

    async fn plan(&self, arguments: &Move) -> Result<Draft, PlanError> {
        let Move { from, to, pieces, token } = arguments;
        assert!(!self.is("plan panics"), "told to");
        if self.is("plan hangs") {
            std::future::pending::<()>().await;
        }
        let on =
            |shelf: &String| self.on(shelf).ok_or_else(|| PlanError::Invalid(format!("there is no shelf `{shelf}`")));
        let (before, after) = (on(from)?, on(to)?);
        let left = before.checked_sub(*pieces).ok_or_else(|| PlanError::Refused("there is not so much".to_owned()))?;
        let target = Target { name: "stock".to_owned(), identity: serde_json::Map::new() };
        let mut draft = Draft::new(target, format!("move {pieces}"), vec![EffectKey::new(from), EffectKey::new(to)]);
        for (shelf, before, after) in [(from, before, left), (to, after, after + pieces)] {
            let expected = Precondition {
                kind: "pieces".to_owned(),
                expected: before.into(),
                enforcement: PreconditionEnforcement::BeforeWrite,
            };
            let step = Step {
                action: "set".to_owned(),
                object: shelf.clone(),
                body: Some(after.into()),
                preconditions: vec![expected],
                preview_digest: None,
            };
            let preview = if self.is("another preview") { json!("another") } else { json!({ "pieces": after }) };
            draft.steps.push(DraftStep { step, description: format!("set `{shelf}`"), preview: Some(preview) });
            draft.changes.push(Change {
                object: shelf.clone(),
                before: Some(before.into()),
                after: Some(after.into()),
            });
        }
        if left == 0 {
            let text = "nothing is left on the shelf".to_owned();
            draft.findings.push(Finding { code: "empty".to_owned(), severity: Severity::Warn, text });
        }
        draft.secrets.extend(token.is_some().then(|| "/arguments/token".to_owned()));
        Ok(draft)
    }

    async fn execute(&self, arguments: Move, steps: &Steps<'_>) -> Result<Moved, StepError> {
        assert!(!self.is("panics before"), "told to");
        if self.is("errs before") {
            return Err(std::io::Error::other("no line").into());
        }
        if self.is("refuses before") {
            return Err(StepError::without_effect("closed", "the stock is closed"));
        }
        let Some(first) = steps.next() else { return Err(StepError::unknown("no-step", "nothing to do")) };
        let pieces =
            |step: &Step| step.body.as_ref().and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap();
        if self.is("does nothing") {
            return Ok(Moved::left(0));
        }
        let left = steps.run(self.step("first", &first.object, pieces(first))).await?;
        if self.is("stops midway") {
            return Ok(Moved::left(left));
        }
        assert!(!self.is("panics between"), "told to");
        let Some(second) = steps.next() else { return Err(StepError::unknown("no-step", "one step only")) };
        assert_eq!(second.object, arguments.to);
        steps.run(self.step("second", &second.object, pieces(second))).await?;
        if self.is("one step more") {
            steps.run(self.step("third", "c", 1)).await?;
        }
        if self.is("tells the token") {
            return Err(StepError::unknown("told", format!("with {}", arguments.token.unwrap_or_default())));
        }
        let mut moved = Moved::left(left);
        if self.is("answers in bytes") {
            // JSON has no names but texts.
            moved.log.insert(vec![0xff], left);
        }
        Ok(moved)
    }
}

/// What happens to the stock between review and execution.
type Meddling = fn(&Stock);

fn arguments() -> Value {
    json!({ "from": "a", "to": "b", "pieces": 3 })
}

async fn client(bench: &Bench, stock: &Stock, era: Era) -> Client {
    bench.client_of(bench.gate("alice").mutation(stock.clone()), era).await
}

#[tokio::test]
async fn a_mutation_is_one_gated_tool_with_a_preview() {
    // [WIRE-010, WIRE-011, PLAN-008]
    for era in Era::BOTH {
        let (bench, stock) = (Bench::new().await, Stock::new());
        let mut client = client(&bench, &stock, era).await;
        let tools = client.ask("tools/list", json!({})).await;
        let names: Vec<_> =
            tools["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names.iter().filter(|name| **name == "move_stock").count(), 1, "{names:?}");
        let tool = tools["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "move_stock").unwrap();
        assert_eq!(tool["title"], "Move stock");
        assert_eq!(tool["inputSchema"]["properties"]["from"]["description"], "From which shelf.");
        assert_eq!(tool["inputSchema"]["required"], json!(["from", "to"]));
        assert_eq!(tool["_meta"]["io.github.mutation-approval/profile"], json!({ "gated": true }));
        assert_eq!(tool["outputSchema"], json!(approval_rmcp::output_schema()));
        assert_eq!(tool["annotations"]["readOnlyHint"], false);

        let plan = bench.approved(&mut client, "move_stock", json!({ "from": "a", "to": "b", "pieces": 10 })).await;
        assert_eq!(plan["findings"][0]["code"], "empty");
        assert_eq!(plan["steps"].as_array().unwrap().len(), 2);
        let page = bench.room.approvals.view(&Room::alice().identity, plan["planId"].as_str().unwrap()).await.unwrap();
        assert_eq!(page.review.changes[1].after, Some(json!(10)));
        assert!(page.intent.steps.iter().all(|step| step.preview_digest.is_some() && step.preconditions.len() == 1));
        assert!(stock.effects().is_empty());

        let execution = client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
        assert_eq!((&execution["outcome"], &execution["toolResult"]), (&json!("applied"), &json!({ "left": 0 })));
        assert_eq!(execution["steps"], json!([{ "outcome": "applied" }, { "outcome": "applied" }]));
        assert_eq!(stock.effects(), ["a=0", "b=10"]);
        assert_eq!(client.answer("approval_execute", json!({ "planId": plan["planId"] })).await["replayed"], true);
        assert_eq!(stock.effects().len(), 2);
        assert!(bench.workshop.effects().is_empty());
    }
}

#[tokio::test]
async fn what_came_of_it_follows_from_its_steps() {
    // [EXEC-003, EXEC-004, WIRE-034]
    let (applied, failed, unknown, skipped) = ("applied", "failed", "unknown", "skipped");
    for (fault, outcome, steps, effects) in [
        ("", applied, &[applied, applied][..], 2),
        ("refuses before", failed, &[skipped, skipped], 0),
        ("errs before", unknown, &[skipped, skipped], 0),
        ("first refuses", failed, &[failed, skipped], 0),
        ("first errs", unknown, &[unknown, skipped], 1),
        ("second refuses", "partial", &[applied, failed], 1),
        ("second errs", unknown, &[applied, unknown], 2),
        ("stops midway", "partial", &[applied, skipped], 1),
        ("does nothing", unknown, &[skipped, skipped], 0),
        ("one step more", "partial", &[applied, applied], 2),
        ("panics before", unknown, &[skipped, skipped], 0),
        ("first panics", unknown, &[unknown, skipped], 1),
        ("panics between", unknown, &[applied, skipped], 1),
        ("second panics", unknown, &[applied, unknown], 2),
    ] {
        let (bench, stock) = (Bench::new().await, Stock::new());
        let mut client = client(&bench, &stock, Era::Modern).await;
        let plan = bench.approved(&mut client, "move_stock", arguments()).await;
        stock.goes_wrong(fault);
        let execution = client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
        let told = execution["steps"]
            .as_array()
            .map(|steps| steps.iter().map(|step| step["outcome"].as_str().unwrap()).collect());
        assert_eq!(
            (execution["outcome"].as_str(), told.unwrap_or_else(Vec::new)),
            (Some(outcome), steps.to_vec()),
            "{fault}"
        );
        assert_eq!(stock.effects().len(), effects, "{fault}");
        // It is not tried again.
        let again = client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
        assert_eq!((&again["outcome"], &again["replayed"]), (&json!(outcome), &json!(true)), "{fault}");
        assert_eq!(stock.effects().len(), effects, "{fault}");
    }
}

#[tokio::test]
async fn what_a_step_says_is_told_without_its_secrets() {
    // [LEAF-009, WIRE-034]
    let (bench, stock) = (Bench::new().await, Stock::new());
    let mut client = client(&bench, &stock, Era::Modern).await;
    let plan = bench.approved(&mut client, "move_stock", arguments()).await;
    stock.goes_wrong("second refuses");
    let execution = client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
    let said = json!({ "isError": true, "error": { "code": "refused", "message": "the shelf is locked" } });
    assert_eq!(execution["toolResult"], said);
    assert_eq!(execution["steps"][1], json!({ "outcome": "failed", "code": "refused" }));

    let (bench, stock) = (Bench::new().await, Stock::new());
    let mut client = self::client(&bench, &stock, Era::Modern).await;
    let secret = json!({ "from": "a", "to": "b", "token": "s3cret-token-of-stock" });
    let plan = bench.approved(&mut client, "move_stock", secret).await;
    stock.goes_wrong("tells the token");
    let execution = client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
    assert_eq!(execution["toolResult"]["error"]["code"], "told");
    assert!(execution["toolResult"]["error"]["message"].as_str().unwrap().starts_with("with "));
    assert!(!execution.to_string().contains("s3cret"), "{execution}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_told_is_told_of() {
    // [EXEC-003, WIRE-034]
    let (bench, stock) = (Bench::new().await, Stock::new());
    let mut client = client(&bench, &stock, Era::Modern).await;
    let plan = bench.approved(&mut client, "move_stock", arguments()).await;
    stock.goes_wrong("answers in bytes");
    let execution = client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
    assert_eq!(execution["outcome"], "applied");
    let message = "it ran, and its answer can't be written as JSON";
    assert_eq!(execution["toolResult"], json!({ "isError": false, "error": { "code": "answer", "message": message } }));
    assert_eq!(stock.effects(), ["a=7", "b=3"]);
}

#[tokio::test]
async fn a_plan_that_would_do_something_else_now_does_not_run() {
    // [GATE-102]
    let moved = |stock: &Stock| stock.shelves.lock().unwrap().extend([("b".to_owned(), 1)]);
    let removed = |stock: &Stock| stock.shelves.lock().unwrap().retain(|shelf, _| shelf != "b");
    let preview = |stock: &Stock| stock.goes_wrong("another preview");
    let nothing = |_: &Stock| {};
    let cases: [(&str, Meddling, Option<&str>); 4] = [
        ("the control", nothing, None),
        ("a precondition", moved, Some("precondition_failed")),
        ("what was there", removed, Some("precondition_failed")),
        ("the preview", preview, Some("preview_changed")),
    ];
    for (what, meddle, reason) in cases {
        let (bench, stock) = (Bench::new().await, Stock::new());
        let mut client = client(&bench, &stock, Era::Modern).await;
        let plan = bench.approved(&mut client, "move_stock", arguments()).await;
        meddle(&stock);
        let answer = client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
        assert_eq!(answer["reason"].as_str(), reason, "{what}: {answer}");
        assert_eq!(stock.effects().len(), if reason.is_none() { 2 } else { 0 }, "{what}");
    }
}

#[tokio::test]
async fn arguments_that_the_type_does_not_know_are_refused() {
    // [WIRE-042, WIRE-044]
    let (bench, stock) = (Bench::new().await, Stock::new());
    let mut client = client(&bench, &stock, Era::Modern).await;
    let long = "x".repeat(65);
    for (arguments, reason, member) in [
        (json!({ "from": "a", "to": "b", "pieces": 3, "force": true }), "payload_invalid", Some("force")),
        (json!({ "from": "a", "to": "b", long: true }), "payload_invalid", None),
        (json!({ "from": "a" }), "payload_invalid", Some("to")),
        (json!({}), "payload_invalid", Some("from")),
        (json!({ "from": "a", "to": 7 }), "payload_invalid", Some("to")),
        (json!({ "from": "a", "to": ["b"] }), "payload_invalid", Some("to")),
        (json!({ "from": "a", "to": "b", "pieces": -1 }), "payload_invalid", Some("pieces")),
        // The type takes it, and the author doesn't; the words of neither are the server's own.
        (json!({ "from": "a", "to": "nowhere" }), "payload_invalid", None),
        (json!({ "from": "a", "to": "b", "pieces": 11 }), "dry_run_failed", None),
    ] {
        let answer = client.answer("move_stock", arguments.clone()).await;
        assert_eq!((answer["reason"].as_str(), answer["member"].as_str()), (Some(reason), member), "{arguments}");
        assert!(answer.get("next").is_none(), "{answer}");
    }
    let result = client.call("move_stock", json!({ "from": "a", "to": "b", "force": true })).await;
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("`member`") && !text.contains("force"), "{text}");
    assert_eq!(client.answer("move_stock", arguments()).await["kind"], "plan", "the control");
    assert!(stock.effects().is_empty());
}

#[tokio::test]
async fn a_plan_that_panics_is_refused() {
    let (bench, stock) = (Bench::new().await, Stock::new());
    let mut client = client(&bench, &stock, Era::Modern).await;
    stock.goes_wrong("plan panics");
    assert_eq!(client.refusal("move_stock", arguments()).await.0, "internal");
    stock.goes_wrong("");
    let plan = bench.approved(&mut client, "move_stock", arguments()).await;
    stock.goes_wrong("plan panics");
    let handle = json!({ "planId": plan["planId"] });
    assert_eq!(client.refusal("approval_execute", handle.clone()).await.0, "target_unavailable");
    stock.goes_wrong("");
    assert_eq!(client.answer("approval_execute", handle).await["outcome"], "applied", "nothing was lost");
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_given_up() {
    // [WIRE-T-032]
    let (bench, stock) = (Bench::new().await, Stock::new());
    let gate = Gated::builder(MutationsOnly::new("stock", "1"), on_tokio_time(&bench).await)
        .requester(approval_rmcp::ConfiguredRequester::new(Room::alice().identity))
        .mutation(stock.clone())
        .time_limit(Some(Duration::from_secs(60)));
    let mut client = Client::connect(gate.build().unwrap(), Era::Modern).await;
    stock.goes_wrong("plan hangs");
    assert_eq!(client.refusal("move_stock", arguments()).await.0, "target_unavailable");
    stock.goes_wrong("");
    let plan = bench.approved(&mut client, "move_stock", arguments()).await;
    stock.goes_wrong("second hangs");
    let execution = client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
    assert_eq!(execution["outcome"], "unknown");
    assert_eq!(execution["steps"], json!([{ "outcome": "applied" }, { "outcome": "unknown" }]));
    assert_eq!(stock.effects(), ["a=7", "b=3"]);
}

/// A mutation that takes no object.
struct Shout;

#[async_trait]
impl Mutation for Shout {
    type Arguments = String;
    type Output = ();

    fn name(&self) -> String {
        "shout".to_owned()
    }

    fn description(&self) -> String {
        String::new()
    }

    async fn plan(&self, _: &String) -> Result<Draft, PlanError> {
        Err(PlanError::Unsupported("never".to_owned()))
    }

    async fn execute(&self, _: String, _: &Steps<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

#[tokio::test]
async fn what_cannot_be_listed_is_not_built() {
    // [WIRE-003]
    let bench = Bench::new().await;
    let gate = || Gated::builder(MutationsOnly::new("stock", "1"), bench.room.approvals.clone());
    let fault = |name: &str| BuildError::Duplicate(name.to_owned());
    assert!(gate().mutation(Stock::new()).build().is_ok(), "the control");
    let twice = gate().mutation(Stock::new()).mutation(Stock::new());
    assert_eq!(twice.build().unwrap_err(), fault("move_stock"));
    let both = gate().tool("move_stock", GatedTool::opaque()).mutation(Stock::new());
    assert_eq!(both.build().unwrap_err(), fault("move_stock"));
    assert!(gate().lists(["move_shelf"]).mutation(Stock::new()).build().is_ok(), "the control");
    let listed = gate().lists(["move_stock"]).mutation(Stock::new());
    assert_eq!(listed.build().unwrap_err(), fault("move_stock"));
    let reserved = gate().lists(["approval_status"]).build();
    assert_eq!(reserved.unwrap_err(), BuildError::Reserved("approval_status".to_owned()));
    let shouts = gate().mutation(Shout);
    assert_eq!(shouts.build().unwrap_err(), BuildError::Arguments("shout".to_owned()));
    // The workshop has a tool of this name.
    assert_eq!(bench.gate("alice").mutation(Shout).build().unwrap_err(), fault("shout"));
}

#[tokio::test]
async fn what_a_server_only_lists_under_a_name_of_the_gate_is_never_called() {
    // [WIRE-003]
    for (name, kind) in [("move_stock", "plan"), ("approval_status", "refusal")] {
        for era in Era::BOTH {
            let listed = Workshop { lists_only: true, late: Mutex::new(Some(name)), ..Default::default() };
            let (bench, stock) = (Bench::around(listed).await, Stock::new());
            let mut client = client(&bench, &stock, era).await;
            assert_eq!(client.ask_in_vain("tools/list", json!({})).await["code"], -32603, "{name}");
            assert_eq!(client.answer(name, arguments()).await["kind"], kind, "{name}");
            let plan = bench.approved(&mut client, "move_stock", arguments()).await;
            client.answer("approval_execute", json!({ "planId": plan["planId"] })).await;
            assert_eq!(stock.effects(), ["a=7", "b=3"]);
            assert!(bench.workshop.effects().is_empty(), "{name}");
            *bench.workshop.late.lock().unwrap() = None;
            assert!(client.ask("tools/list", json!({})).await["tools"].is_array(), "the control");
        }
    }
}

#[tokio::test]
async fn a_rejected_mutation_never_runs() {
    let (bench, stock) = (Bench::new().await, Stock::new());
    let mut client = client(&bench, &stock, Era::Modern).await;
    let plan = client.answer("move_stock", arguments()).await;
    let challenge = client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
    bench.decide(&challenge, "alice", Verdict::Reject).await.unwrap();
    assert_eq!(client.refusal("approval_execute", json!({ "planId": plan["planId"] })).await.0, "approval_rejected");
    assert!(stock.effects().is_empty());
}
