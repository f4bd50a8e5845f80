//! Nothing that is given makes the search panic, and no text of it shows what mustn't be shown.

use approval_kubernetes::findings::{Mutation, Propagation, Surroundings, Verb, find};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Names that mean something, so that what is made is looked into.
const NAMES: [&str; 40] = [
    "apiVersion",
    "kind",
    "metadata",
    "name",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
    "ownerReferences",
    "spec",
    "template",
    "jobTemplate",
    "containers",
    "initContainers",
    "ephemeralContainers",
    "securityContext",
    "capabilities",
    "add",
    "drop",
    "volumes",
    "hostPath",
    "path",
    "image",
    "ports",
    "hostPort",
    "env",
    "value",
    "data",
    "rules",
    "verbs",
    "resources",
    "apiGroups",
    "roleRef",
    "subjects",
    "selector",
    "replicas",
    "tls",
    "hosts",
    "taints",
    "mode",
];

const TEXTS: [&str; 28] = [
    "ResourceQuota",
    "PersistentVolumeClaim",
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "v1",
    "apps/v1",
    "batch/v1",
    "rbac.authorization.k8s.io/v1",
    "networking.k8s.io/v1",
    "Pod",
    "Deployment",
    "CronJob",
    "StatefulSet",
    "Role",
    "RoleBinding",
    "NetworkPolicy",
    "Ingress",
    "Service",
    "Secret",
    "ConfigMap",
    "Node",
    "Namespace",
    "*",
    "",
    "registry:5000/app",
    "a\u{202e}b",
    "/",
    "cluster-admin",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(&TEXTS[..]).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let name = || prop_oneof![8 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => any::<String>()];
    leaf.prop_recursive(8, 128, 6, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => prop::collection::vec((name(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// A value as the root of an object of some kind.
fn object() -> impl Strategy<Value = Value> {
    let texts = || prop::sample::select(&TEXTS[..]);
    (texts(), texts(), value(), value()).prop_map(|(api_version, kind, spec, mut rest)| {
        if let Some(members) = rest.as_object_mut() {
            members.insert("apiVersion".to_owned(), json!(api_version));
            members.insert("kind".to_owned(), json!(kind));
            members.insert("spec".to_owned(), json!({"template": {"spec": spec.clone()}, "hard": spec}));
        }
        rest
    })
}

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![
        any::<bool>().prop_map(|force| Verb::Apply { force }),
        Just(Verb::Create),
        any::<Option<u64>>()
            .prop_map(|grace_seconds| Verb::Delete { grace_seconds, propagation: Some(Propagation::Orphan) }),
        any::<Option<u64>>().prop_map(|grace_seconds| Verb::Evict { grace_seconds }),
        Just(Verb::Restart),
        Just(Verb::Scale),
        Just(Verb::Update),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_makes_the_search_panic(verb in verb(), object in object(), old in prop::option::of(object()), other in object()) {
        let others = [other];
        let surroundings = Surroundings {
            autoscalers: &others,
            bindings: &others,
            disruption_budgets: &others,
            registries: Some(&[]),
            ..Surroundings::default()
        };
        for finding in find(&Mutation { verb, object: &object, old: old.as_ref() }, &surroundings) {
            // What a finding says can be shown as it is.
            prop_assert!(!finding.text.contains(char::is_control), "{finding:?}");
            prop_assert!(!finding.text.contains('\u{202e}'), "{finding:?}");
        }
    }

    #[test]
    fn the_value_of_a_secret_is_in_no_text(secret in "[A-Za-z0-9+/]{24}", kind in prop::sample::select(&["Secret", "ConfigMap", "Pod"][..])) {
        let object = json!({
            "apiVersion": "v1", "kind": kind, "metadata": {"name": "a"},
            "data": {"password": secret, "key": format!("-----BEGIN PRIVATE KEY-----{secret}")},
            "spec": {"containers": [{"name": "c", "image": "i", "env": [{"name": "PASSWORD", "value": secret}]}]},
        });
        let changed = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, "data": {}});
        for (object, old) in [(&object, None), (&changed, Some(&object))] {
            let found = find(&Mutation { verb: Verb::Update, object, old }, &Surroundings::default());
            prop_assert!(old.is_some() || !found.is_empty());
            for finding in found {
                prop_assert!(!finding.text.contains(&secret) && !finding.pointer.contains(&secret), "{finding:?}");
            }
        }
    }
}
