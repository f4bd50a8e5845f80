//! Who can reach what.

use serde_json::Value;

use super::finding::Findings;
use super::hazard;
use super::json::{at, items, text, texts};
use super::mutation::Subject;
use super::{group, kind};
use crate::pointer::Pointer;
use crate::quoted::quoted;

/// What is reachable, whatever it was before.
pub(super) fn contents(object: &Value, found: &mut Findings) {
    let spec = Pointer::root().member("spec");
    match (group(object), kind(object)) {
        ("", "Service") => service(object, &spec, found),
        ("networking.k8s.io" | "extensions", "Ingress") if items(object, &["spec", "tls"]).is_empty() => {
            found.add(hazard::INGRESS_WITHOUT_TLS, &spec.member("tls"), "the ingress has no certificate");
        }
        _ => {}
    }
}

fn service(object: &Value, spec: &Pointer, found: &mut Findings) {
    match text(object, &["spec", "type"]) {
        Some("NodePort") => found.add(hazard::NODE_PORT, &spec.member("type"), "the service has a port on every node"),
        Some("LoadBalancer") => {
            let sources: Vec<_> =
                texts(object, &["spec", "loadBalancerSourceRanges"]).map(|range| quoted(range).to_string()).collect();
            let from = if sources.is_empty() { "anywhere".to_owned() } else { sources.join(", ") };
            let text = format!("the service gets an address outside the cluster, open to {from}");
            found.add(hazard::LOAD_BALANCER, &spec.member("type"), text);
        }
        _ => {}
    }
    for (index, address) in texts(object, &["spec", "externalIPs"]).enumerate() {
        let text = format!("the service takes the traffic to {}", quoted(address));
        found.add(hazard::EXTERNAL_IPS, &spec.member("externalIPs").item(index), text);
    }
}

/// What becomes reachable by the change.
pub(super) fn changes(subject: &Subject<'_>, found: &mut Findings) {
    if subject.is("networking.k8s.io", &["NetworkPolicy"]) {
        network_policy(subject, found);
    }
    if let Some((old, new)) = subject.change()
        && subject.kind == "Ingress"
    {
        let hosts = |object| -> Vec<&str> {
            items(object, &["spec", "tls"]).iter().flat_map(|entry| texts(entry, &["hosts"])).collect()
        };
        let pointer = Pointer::root().member("spec").member("tls");
        for host in hosts(old).into_iter().filter(|host| !hosts(new).contains(host)) {
            found.add(hazard::TLS_REMOVED, &pointer, format!("the host {} no longer has a certificate", quoted(host)));
        }
        let is_bare = |object| items(object, &["spec", "tls"]).is_empty();
        if hosts(old).is_empty() && !is_bare(old) && is_bare(new) {
            found.add(hazard::TLS_REMOVED, &pointer, "the ingress no longer has a certificate");
        }
    }
}

fn network_policy(subject: &Subject<'_>, found: &mut Findings) {
    if subject.is_deleted() {
        let text = format!("the network policy {} goes", quoted(subject.name()));
        found.add(hazard::NETWORK_POLICY_REMOVED, &Pointer::root(), text);
        return;
    }
    let spec = Pointer::root().member("spec");
    let old = subject.old;
    for (member, peers, direction) in [("ingress", "from", "from"), ("egress", "to", "to")] {
        let were = old.map(|old| items(old, &["spec", member])).unwrap_or_default();
        for (index, rule) in items(subject.object, &["spec", member]).iter().enumerate() {
            let pointer = spec.member(member).item(index);
            if were.contains(rule) {
                continue;
            }
            // Without peers all are meant.
            if items(rule, &[peers]).is_empty() {
                found.add(
                    hazard::NETWORK_POLICY_OPENED,
                    &pointer,
                    format!("a rule lets traffic {direction} anywhere through"),
                );
            } else if old.is_some() {
                found.add(
                    hazard::NETWORK_POLICY_OPENED,
                    &pointer,
                    format!("a rule about traffic {direction} others is new"),
                );
            }
        }
    }
    let Some(old) = old else { return };
    for policy_type in texts(old, &["spec", "policyTypes"]) {
        if !texts(subject.object, &["spec", "policyTypes"]).any(|new| new == policy_type) {
            let text = format!("traffic of the kind {} is no longer looked at", quoted(policy_type));
            found.add(hazard::NETWORK_POLICY_OPENED, &spec.member("policyTypes"), text);
        }
    }
    if at(old, &["spec", "podSelector"]) != at(subject.object, &["spec", "podSelector"]) {
        found.add(hazard::NETWORK_POLICY_OPENED, &spec.member("podSelector"), "it is about other pods than before");
    }
}
