//! Waiting for a decision: bounded, and no longer than somebody waits.

use std::sync::Arc;
use std::time::Duration;

use approval_core::record::Verdict;
use approval_core::{ApprovalsBuilder, Audience, Clock as _, Parts, Policy, Terms, Timer};
use approval_rmcp::{ConfiguredRequester, Gated};
use approval_testkit::FakeDirectory;
use async_trait::async_trait;
use serde_json::json;
use tokio::sync::{mpsc, watch};

use crate::support::{Bench, Client, Era};

#[tokio::test]
async fn a_wait_ends_after_twenty_five_seconds_at_the_latest() {
    // [WIRE-T-021]
    let bench = Bench::new().await;
    let mut client = bench.client(Era::Modern).await;
    let plan = client.answer("write", json!({})).await;
    client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
    for (asked, waited) in [(None, 0), (Some(0), 0), (Some(7), 7), (Some(25), 25), (Some(3_600), 25)] {
        let before = bench.room.clock.now();
        let mut arguments = json!({ "planId": plan["planId"] });
        if let Some(seconds) = asked {
            arguments["waitSeconds"] = json!(seconds);
        }
        let status = client.answer("approval_status", arguments).await;
        assert_eq!(status["state"], "awaiting_approval");
        assert_eq!(bench.room.clock.now().since(before), Duration::from_secs(waited), "{asked:?}");
    }
}

/// A timer on which nobody's time comes until a test says so, and that tells when somebody sleeps and stops sleeping.
#[derive(Debug)]
struct HeldTimer {
    news: mpsc::UnboundedSender<&'static str>,
    go: watch::Receiver<bool>,
}

struct Sleeper(mpsc::UnboundedSender<&'static str>);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.send("woken");
    }
}

#[async_trait]
impl Timer for HeldTimer {
    async fn sleep(&self, _: Duration) {
        let _sleeper = Sleeper(self.news.clone());
        let _ = self.news.send("sleeping");
        let _ = self.go.clone().wait_for(|go| *go).await;
    }
}

/// A server on which who waits does so until a test says otherwise.
pub(crate) struct Held {
    pub(crate) bench: Bench,
    pub(crate) client: Client,
    pub(crate) news: mpsc::UnboundedReceiver<&'static str>,
    pub(crate) go: watch::Sender<bool>,
}

impl Held {
    pub(crate) async fn new(era: Era) -> Self {
        let bench = Bench::new().await;
        let (news_sender, news) = mpsc::unbounded_channel();
        let (go, held) = watch::channel(false);
        let parts = Parts {
            audience: Audience::from("urn:uuid:00000000-0000-4000-8000-000000000001"),
            store: Arc::clone(&bench.room.store),
            sealer: Arc::clone(&bench.room.sealer) as _,
            directory: Arc::clone(&bench.room.directory) as _,
            timer: Arc::new(HeldTimer { news: news_sender, go: held }),
            policy: Policy::always(Terms::same_subject()),
            surface: "http://127.0.0.1:8080".to_owned(),
        };
        let builder = ApprovalsBuilder::new(parts).clock(Arc::new(bench.room.clock.clone())).separate_user();
        let gate = Gated::builder(Arc::clone(&bench.workshop), builder.start().await.unwrap())
            .requester(ConfiguredRequester::new(FakeDirectory::identity("alice")));
        let client = bench.client_of(gate, era).await;
        Self { bench, client, news, go }
    }
}

/// What happens next; that nothing does is a failure, and no endless test.
pub(crate) async fn next(news: &mut mpsc::UnboundedReceiver<&'static str>) -> Option<&'static str> {
    tokio::time::timeout(Duration::from_secs(30), news.recv()).await.expect("news within half a minute")
}

#[tokio::test]
async fn a_wait_ends_with_the_decision() {
    for era in Era::BOTH {
        let Held { bench, mut client, mut news, go } = Held::new(era).await;
        let plan = client.answer("write", json!({})).await;
        let challenge = client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
        let wait = json!({ "name": "approval_status", "arguments": { "planId": plan["planId"], "waitSeconds": 25 } });
        let id = client.start("tools/call", wait).await;
        assert_eq!(next(&mut news).await, Some("sleeping"));
        bench.decide(&challenge, "alice", Verdict::Approve).await.unwrap();
        go.send(true).unwrap();
        let mut answer = client.finish(id).await;
        assert_eq!(crate::support::assert_answers(answer["result"].take())["state"], "approved");
    }
}

#[tokio::test]
async fn a_wait_ends_when_its_caller_goes() {
    // [WIRE-T-021]
    for era in Era::BOTH {
        let Held { mut client, mut news, go, .. } = Held::new(era).await;
        let plan = client.answer("write", json!({})).await;
        client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
        let wait = json!({ "name": "approval_status", "arguments": { "planId": plan["planId"], "waitSeconds": 25 } });
        let id = client.start("tools/call", wait).await;
        assert_eq!(next(&mut news).await, Some("sleeping"));
        let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
        client.send(&cancel.to_string()).await;
        // The timer never goes off: only because nobody waits any more does the sleeper leave.
        assert_eq!(next(&mut news).await, Some("woken"));
        assert!(!*go.borrow());
    }
}

#[tokio::test]
async fn who_asks_for_it_is_told_that_a_plan_still_waits() {
    // [WIRE-T-021, WIRE-T-022, WIRE-033]
    for era in Era::BOTH {
        for token in [None, Some(json!("t1"))] {
            let bench = Bench::new().await;
            let mut client = bench.client(era).await;
            let plan = client.answer("write", json!({})).await;
            client.answer("approval_challenge", json!({ "planId": plan["planId"] })).await;
            client.progress = token.clone();
            let wait = json!({ "planId": plan["planId"], "waitSeconds": 12 });
            let id = client.start("tools/call", json!({ "name": "approval_status", "arguments": wait })).await;
            let status = crate::support::assert_answers(client.finish(id).await["result"].take());
            assert_eq!(status["state"], "awaiting_approval");
            let told = |progress: f64| {
                json!({
                    "jsonrpc": "2.0", "method": "notifications/progress",
                    "params": {
                        "progressToken": "t1", "progress": progress, "total": 12.0,
                        "message": "waiting for a person: 0 of 1 approvals",
                    },
                })
            };
            let expected = if token.is_some() { vec![told(5.0), told(10.0)] } else { Vec::new() };
            assert_eq!(client.heard, expected, "{era:?}");
        }
    }
}
