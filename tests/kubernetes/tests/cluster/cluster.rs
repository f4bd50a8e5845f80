//! Which cluster it is, and whether it answers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use approval_core::record::Outcome;
use approval_core::{Call, Digest, PlanError, Planner as _, Reason};
use approval_kubernetes::{Cluster, ConnectError, Kubernetes, tool};
use kubernetes::{World, code, kubeconfig, refused};
use serde_json::json;

use crate::objects::{config_map, of};

#[tokio::test]
async fn another_cluster_under_the_same_address_is_another_cluster() {
    let world = World::new().await;
    let first = world.approved(tool::APPLY, of(&[config_map("first", "1")])).await;
    let second = world.approved(tool::APPLY, of(&[config_map("second", "1")])).await;
    world.tap.move_to_another_cluster();
    assert_eq!(refused(world.execute(&first).await).0, Reason::TargetChanged);
    // What gets past the gate, the executor stops.
    let execution = world.execute_unchecked(&second).await;
    assert_eq!(execution.execution.outcome, Outcome::Failed);
    assert_eq!(code(&execution), Some("target_changed"));
    assert_eq!(world.tap.writes(), Vec::new());
}

#[tokio::test]
async fn an_outage_costs_no_approval() {
    let world = World::new().await;
    let plan = world.approved(tool::APPLY, of(&[config_map("settings", "1")])).await;
    world.tap.cut(true);
    assert_eq!(refused(world.plan(tool::APPLY, of(&[config_map("other", "1")])).await).0, Reason::TargetUnavailable);
    assert_eq!(refused(world.execute(&plan).await).0, Reason::TargetUnavailable);
    world.tap.cut(false);
    let execution = world.execute(&plan).await.unwrap();
    assert_eq!(execution.execution.outcome, Outcome::Applied);
}

#[tokio::test]
async fn a_kubeconfig_is_all_that_is_needed() {
    let world = World::new().await;
    let cluster = Cluster::from_kubeconfig("the cluster", &kubeconfig("admin")).await.unwrap();
    let kubernetes = Kubernetes::new(cluster);
    let mut arguments = of(&[config_map("settings", "1")]);
    arguments["namespace"] = json!(world.namespace);
    let draft = kubernetes.plan(&call(arguments)).await.unwrap();
    assert_eq!(draft.target.name, "the cluster");
    assert_eq!(draft.steps.len(), 1);
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_not_spoken_to() {
    let trusting = kube::Config::new("https://127.0.0.1:1".parse().unwrap());
    let mut unverified = trusting.clone();
    unverified.accept_invalid_certs = true;
    assert!(Cluster::connect("a", trusting).is_ok());
    assert!(matches!(Cluster::connect("a", unverified), Err(ConnectError::Unverified)));
}

#[tokio::test]
async fn nothing_is_sent_a_second_time_by_itself() {
    // kube would, three times, on such an answer.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<_> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            if !head.is_empty() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let cluster = Cluster::connect("a", kube::Config::new(address.parse().unwrap())).unwrap();
    let (kubernetes, call) = (Kubernetes::new(cluster), call(of(&[config_map("settings", "1")])));
    let planned = tokio::time::timeout(Duration::from_secs(20), kubernetes.plan(&call)).await;
    let planned = planned.expect("it is sent again and again");
    assert!(matches!(planned, Err(PlanError::Unavailable(_))), "{planned:?}");
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

fn call(arguments: serde_json::Value) -> Call {
    let definition_digest = Digest::of_bytes(tool::APPLY.as_bytes());
    Call { tool: tool::APPLY.to_owned(), definition_digest, arguments: arguments.as_object().cloned().unwrap() }
}
