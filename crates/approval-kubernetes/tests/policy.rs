//! What a policy denies, what it lets through, and what it can't be.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

use std::fmt::Write as _;

use approval_core::record::Severity;
use approval_kubernetes::findings::{Mutation, Verb, find};
use approval_kubernetes::policy::{Denied, Policy};
use serde_json::{Value, json};

/// What a policy makes of an object that is created: the ids that are reported, with their severities.
fn judge(policy: &str, object: &Value) -> Result<Vec<(&'static str, Severity)>, Denied> {
    let policy = Policy::parse(policy).unwrap();
    let found = find(&Mutation { verb: Verb::Create, object, old: None }, &policy.surroundings());
    let judged = policy.judge(object, found)?;
    Ok(judged.into_iter().map(|finding| (finding.hazard.id, finding.severity)).collect())
}

fn denied(policy: &str, object: &Value) -> Vec<(&'static str, String, usize)> {
    let denied = judge(policy, object).unwrap_err();
    let each = denied.denials().iter();
    each.map(|denial| (denial.finding.hazard.id, denial.rule.clone(), denial.line)).collect()
}

fn pod(namespace: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": namespace},
        "spec": {
            "hostNetwork": true,
            "automountServiceAccountToken": false,
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "c", "image": image, "securityContext": {
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
            }}],
        },
    })
}

#[test]
fn without_a_rule_everything_is_reported_and_nothing_denied() {
    let found = judge("", &pod("shop", "registry:5000/app")).unwrap();
    assert_eq!(found, [("pod-host-namespaces", Severity::High), ("image-latest", Severity::Warn)]);
}

#[test]
fn a_rule_denies_and_names_its_line() {
    let policy = "# No pod has the node's network.\n\n[findings.pod-host-namespaces]\ndeny = true\n";
    let object = pod("shop", "registry:5000/app:1");
    assert_eq!(denied(policy, &object), [("pod-host-namespaces", "findings.pod-host-namespaces".to_owned(), 3)]);
    assert_eq!(
        judge(policy, &object).unwrap_err().to_string(),
        "denied by `findings.pod-host-namespaces` on line 3: the pod uses the network of the node (pod-host-namespaces)"
    );
}

#[test]
fn a_threshold_denies_what_is_as_bad_and_a_rule_excepts_or_worsens_one() {
    let object = pod("shop", "registry:5000/app");
    assert_eq!(denied("deny-from = 'high'", &object), [("pod-host-namespaces", "deny-from".to_owned(), 1)]);
    assert_eq!(denied("deny-from = 'warn'", &object).len(), 2);
    let excepted = "deny-from = 'high'\n[findings.pod-host-namespaces]\ndeny = false\n";
    assert_eq!(judge(excepted, &object).unwrap().len(), 2);
    let milder = "deny-from = 'high'\n[findings.pod-host-namespaces]\nseverity = 'info'\n";
    assert_eq!(judge(milder, &object).unwrap()[0], ("pod-host-namespaces", Severity::Info));
    let worse = "deny-from = 'high'\n[findings]\nimage-latest = { severity = 'high' }\n";
    assert_eq!(denied(worse, &object).len(), 2);
}

#[test]
fn an_exception_holds_where_all_that_it_asks_for_is_so() {
    let policy = |allow: &str| format!("[findings.image-latest]\ndeny = true\nallow = [{{ {allow}, reason = 'r' }}]\n");
    let object = pod("team-a", "registry:5000/app/one");
    for fits in [
        "namespaces = ['team-a']",
        "namespaces = ['other', 'team-*']",
        "kinds = ['Pod']",
        "registries = ['registry:5000']",
        "registries = ['ghcr.io', 'registry:5000/app']",
        "namespaces = ['team-a'], kinds = ['Pod'], registries = ['registry:5000']",
    ] {
        assert!(judge(&policy(fits), &object).is_ok(), "{fits}");
    }
    for fails in [
        "namespaces = ['team']",
        "namespaces = ['team-b*']",
        "kinds = ['Pod.apps']",
        "kinds = ['Deployment']",
        "registries = ['registry:5001']",
        "registries = ['registry:5000/ap']",
        "namespaces = ['team-a'], kinds = ['Job']",
        "namespaces = ['team-a'], registries = ['docker.io']",
    ] {
        assert_eq!(denied(&policy(fails), &object).len(), 1, "{fails}");
    }
    // Without a namespace there is none to fit.
    let mut nowhere = object;
    nowhere["metadata"] = json!({"name": "a"});
    assert!(judge(&policy("namespaces = ['*']"), &nowhere).is_err());
}

#[test]
fn what_is_about_the_whole_pod_is_excepted_where_all_its_images_fit() {
    let policy =
        "[findings.pod-host-namespaces]\ndeny = true\nallow = [{ registries = ['registry:5000'], reason = 'r' }]";
    let mut object = pod("shop", "registry:5000/app");
    assert!(judge(policy, &object).is_ok());
    object["spec"]["initContainers"] = json!([{"name": "i", "image": "ghcr.io/other/app"}]);
    assert_eq!(denied(policy, &object).len(), 1);
    object["spec"]["initContainers"] = Value::Null;
    object["spec"]["containers"] = json!([]);
    assert_eq!(denied(policy, &object).len(), 1);
}

#[test]
fn one_image_is_let_through_and_another_isnt() {
    let mut object = pod("shop", "registry:5000/app");
    object["spec"]["initContainers"] = object["spec"]["containers"].clone();
    object["spec"]["initContainers"][0]["image"] = json!("ghcr.io/other/app");
    let policy = "registries = ['registry:5000']\n[findings.image-registry-unlisted]\ndeny = true\n";
    let denied = judge(policy, &object).unwrap_err();
    let [denial] = denied.denials() else { panic!("{denied}") };
    assert_eq!(denial.finding.pointer, "/spec/initContainers/0/image");
}

#[test]
fn protected_namespaces_are_the_clusters_unless_others_are_named() {
    let policy = "[findings.control-plane-protected-namespace]\ndeny = true\n";
    assert_eq!(denied(policy, &pod("kube-system", "a:1")).len(), 1);
    assert!(judge(policy, &pod("payments", "a:1")).is_ok());
    let others = format!("protected-namespaces = ['payments']\n{policy}");
    assert_eq!(denied(&others, &pod("payments", "a:1")).len(), 1);
    assert!(judge(&others, &pod("kube-system", "a:1")).is_ok());
}

#[test]
fn the_standards_are_those_of_the_version() {
    let mut object = pod("shop", "a:1");
    object["spec"]["hostNetwork"] = json!(false);
    object["spec"]["securityContext"]["sysctls"] = json!([{"name": "net.ipv4.tcp_rmem", "value": "1"}]);
    let policy = |version: &str| format!("standards = '{version}'\n[findings.pod-sysctls]\ndeny = true\n");
    assert!(judge(&policy("latest"), &object).is_ok());
    assert!(judge(&policy("v1.32"), &object).is_ok());
    assert_eq!(denied(&policy("v1.31"), &object).len(), 1);
}

#[test]
fn what_isnt_known_is_refused_with_its_line() {
    let mut said = String::new();
    for text in [
        "deny_from = 'high'",
        "\ndeny-from = 'fatal'",
        "registries = ['registry.example', 'registry']",
        "registries = [\n'ghcr.io/',\n]",
        "registries = 'ghcr.io'",
        "protected-namespaces = ['Kube']",
        "protected-namespaces = ['kube-*']",
        "standards = '1.30'",
        "standards = 'v1.99'",
        "[findings.pod-priviledged]\ndeny = true",
        "# A comment.\n[findings.pod-privileged]\n",
        "[findings.pod-privileged]\ndenied = true",
        "[findings.pod-privileged]\ndeny = 'yes'",
        "[findings.pod-privileged]\ndeny = true\n[findings.pod-privileged]\ndeny = false",
        "[findings.pod-privileged]\ndeny = true\n\n[[findings.pod-privileged.allow]]\nreason = 'r'",
        "[findings.pod-privileged]\ndeny = true\n[[findings.pod-privileged.allow]]\nkinds = ['Pod']",
        "[findings.pod-privileged]\ndeny = false\nallow = [{ kinds = ['Pod'], reason = 'r' }]",
        "[findings.pod-privileged]\nallow = [{ kinds = ['pods'], reason = 'r' }]",
        "[findings.pod-privileged]\nallow = [{ namespaces = ['a*b'], reason = 'r' }]",
        "[findings.pod-privileged]\nallow = [{ namespace = ['a'], reason = 'r' }]",
        "[findings",
    ] {
        let error = Policy::parse(text).expect_err(text);
        writeln!(said, "{text:?}\n    {error}").unwrap();
    }
    insta::assert_snapshot!(said);
}
