//! Rights that are given.

use serde_json::Value;

use super::finding::Findings;
use super::hazard::{self, Hazard};
use super::json::{at, items, members, text, texts};
use super::{group, kind};
use crate::pointer::Pointer;
use crate::quoted::quoted;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Some resources of a group, some verbs on them, and what that makes possible.
struct Power {
    group: &'static str,
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
    hazard: &'static Hazard,
}

const POWERS: [Power; 8] = [
    Power { group: "", resources: &["secrets"], verbs: &["get", "list", "watch"], hazard: hazard::RBAC_SECRETS },
    Power {
        group: "",
        resources: &["pods/attach", "pods/exec", "pods/portforward", "nodes/proxy"],
        verbs: &["create", "get"],
        hazard: hazard::RBAC_EXEC,
    },
    Power {
        group: "",
        resources: &["pods/ephemeralcontainers"],
        verbs: &["patch", "update"],
        hazard: hazard::RBAC_EXEC,
    },
    Power { group: "", resources: &["serviceaccounts/token"], verbs: &["create"], hazard: hazard::RBAC_TOKENS },
    Power {
        group: GROUP,
        resources: &["clusterroles", "roles"],
        verbs: &["bind", "escalate"],
        hazard: hazard::RBAC_ESCALATION,
    },
    Power {
        group: "",
        resources: &["groups", "serviceaccounts", "users"],
        verbs: &["impersonate"],
        hazard: hazard::RBAC_ESCALATION,
    },
    Power {
        group: "authentication.k8s.io",
        resources: &["uids", "userextras/*"],
        verbs: &["impersonate"],
        hazard: hazard::RBAC_ESCALATION,
    },
    Power {
        group: "certificates.k8s.io",
        resources: &["certificatesigningrequests/approval", "signers"],
        verbs: &["approve", "sign", "update"],
        hazard: hazard::RBAC_ESCALATION,
    },
];

pub(super) fn check(object: &Value, found: &mut Findings) {
    if group(object) != GROUP {
        return;
    }
    match kind(object) {
        "ClusterRole" | "Role" => role(object, found),
        "ClusterRoleBinding" | "RoleBinding" => binding(object, found),
        _ => {}
    }
}

fn role(object: &Value, found: &mut Findings) {
    let rules_at = Pointer::root().member("rules");
    for (index, rule) in items(object, &["rules"]).iter().enumerate() {
        let rule_at = rules_at.item(index);
        for member in ["apiGroups", "nonResourceURLs", "resources", "verbs"] {
            for (index, given) in items(rule, &[member]).iter().enumerate() {
                let Some(given) = given.as_str().filter(|given| is_wildcard(member, given)) else { continue };
                let text = format!("the `{member}` of a rule hold the wildcard {}", quoted(given));
                found.add(hazard::RBAC_WILDCARD, &rule_at.member(member).item(index), text);
            }
        }
        for power in &POWERS {
            if let Some(text) = power.given_by(rule) {
                found.add(power.hazard, &rule_at, text);
            }
        }
    }
    let labels = Pointer::root().member("metadata").member("labels");
    for (label, value) in members(object, &["metadata", "labels"]) {
        let aggregate = label.strip_prefix("rbac.authorization.k8s.io/aggregate-to-");
        if let Some(role) = aggregate.filter(|_| value == "true") {
            found.add(
                hazard::RBAC_AGGREGATED,
                &labels.member(label),
                format!("its rules are added to the role {}", quoted(role)),
            );
        }
    }
    if at(object, &["aggregationRule"]).is_some() {
        let pointer = Pointer::root().member("aggregationRule");
        found.add(hazard::RBAC_AGGREGATED, &pointer, "it takes in the rules of every role that its selectors match");
    }
}

fn is_wildcard(member: &str, given: &str) -> bool {
    match member {
        "resources" => {
            given == "*" || given.starts_with("*/") || given.ends_with("/*") && !given.starts_with("userextras")
        }
        "nonResourceURLs" => given == "*" || given == "/*",
        _ => given == "*",
    }
}

impl Power {
    /// What a rule gives of it, in words.
    fn given_by(&self, rule: &Value) -> Option<String> {
        texts(rule, &["apiGroups"]).find(|given| *given == self.group || *given == "*")?;
        let resources = texts(rule, &["resources"]).filter(|given| self.resources.iter().any(|own| covers(given, own)));
        let verbs = texts(rule, &["verbs"]).filter(|given| *given == "*" || self.verbs.contains(given));
        let (resources, verbs) = (listed(resources), listed(verbs));
        let names = listed(texts(rule, &["resourceNames"]));
        let only = if names.is_empty() { String::new() } else { format!(", of the names {names}") };
        (!resources.is_empty() && !verbs.is_empty()).then(|| format!("a rule gives {verbs} on {resources}{only}"))
    }
}

fn listed<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    texts.map(|text| quoted(text).to_string()).collect::<Vec<_>>().join(", ")
}

/// Whether a resource of a rule stands for another one.
fn covers(given: &str, resource: &str) -> bool {
    let by_subresource = || {
        let subresource = resource.split_once('/').map(|(_, subresource)| subresource);
        given.strip_prefix("*/").is_some_and(|given| subresource == Some(given))
    };
    let by_prefix = || resource.strip_suffix('*').is_some_and(|prefix| given.starts_with(prefix));
    given == "*" || given == resource || by_subresource() || by_prefix()
}

fn binding(object: &Value, found: &mut Findings) {
    let role = text(object, &["roleRef", "name"]).unwrap_or_default();
    let subjects_at = Pointer::root().member("subjects");
    if role == "cluster-admin" && text(object, &["roleRef", "kind"]) == Some("ClusterRole") {
        let pointer = Pointer::root().member("roleRef");
        found.add(hazard::RBAC_CLUSTER_ADMIN, &pointer, "the binding gives the role `cluster-admin`");
    }
    for (index, subject) in items(object, &["subjects"]).iter().enumerate() {
        let name = text(subject, &["name"]).unwrap_or_default();
        let hazard = match (text(subject, &["kind"]).unwrap_or_default(), name) {
            ("Group", "system:masters") => hazard::RBAC_CLUSTER_ADMIN,
            ("Group", "system:unauthenticated") | ("User", "system:anonymous") => hazard::RBAC_UNAUTHENTICATED,
            ("Group", "system:authenticated" | "system:serviceaccounts") => hazard::RBAC_EVERYONE,
            _ => continue,
        };
        let text = format!("the binding gives the role {} to {}", quoted(role), quoted(name));
        found.add(hazard, &subjects_at.item(index), text);
    }
}
