//! The driver and the server, as a harness meets them: plans over HTTP, decisions on the pages, everything else by the driver.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing"
)]

mod agent;
mod hook;
mod instruments;
mod person;
mod stdio;
mod tools;

use serde_json::{Value, json};

use agent::Agent;
use hook::Hook;
use person::Person;

/// A driver that has started its server, and one who asks.
pub(crate) struct Bench {
    pub(crate) hook: Hook,
    pub(crate) start: Value,
    pub(crate) alice: Agent,
}

impl Bench {
    pub(crate) async fn begin() -> Self {
        let mut hook = Hook::new(&[]).await;
        let start = hook.ask(json!({ "op": "start" })).await;
        let alice = Agent::new(&start, "alice");
        Self { hook, start, alice }
    }

    /// A plan that this person has approved.
    pub(crate) async fn approved(&mut self, person: &str, tool: &str, arguments: &Value) -> String {
        let plan = self.alice.planned(tool, arguments).await;
        assert_eq!(self.decide(&plan, person, "approve").await, 303, "{plan}");
        plan
    }

    /// What the page answers to a decision.
    pub(crate) async fn decide(&self, plan: &str, person: &str, verdict: &str) -> u16 {
        let challenge = self.alice.call("approval_challenge", &json!({ "planId": plan })).await;
        let url = challenge["url"].as_str().unwrap_or_else(|| panic!("{challenge}")).to_owned();
        match Person::log_in(&self.start, person, &url).await {
            Some(person) => person.decide(&url, verdict).await,
            None => 401,
        }
    }

    pub(crate) async fn execute(&self, plan: &str) -> Value {
        self.alice.call("approval_execute", &json!({ "planId": plan })).await
    }

    pub(crate) async fn effects(&mut self, tool: &str, arguments: &Value) -> u64 {
        let observed = self.hook.ask(json!({ "op": "observe", "tool": tool, "arguments": arguments })).await;
        observed["effects"].as_u64().unwrap()
    }
}
