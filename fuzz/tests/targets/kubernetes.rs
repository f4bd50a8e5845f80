//! What is said about a cluster: manifests, the names of images, and the policy about both.

use approval_core::json::{Document, Limits};
use approval_kubernetes::Image;
use approval_kubernetes::findings::{Finding, Mutation, Verb, find};
use approval_kubernetes::manifest::read;
use approval_kubernetes::policy::Policy;
use fuzz::{corpus, explore};
use serde_json::{Value, json};
use toml::Table;

#[test]
fn manifests() {
    explore!(corpus("manifests"), |input: &[u8]| {
        let Ok(text) = str::from_utf8(input) else { return };
        let manifests = match read(text) {
            Ok(manifests) => manifests,
            Err(error) => {
                assert!((1..=text.lines().count() + 1).contains(&error.line()), "{error}");
                assert!(!error.to_string().contains(char::is_control), "{error}");
                return;
            }
        };
        // In JSON the same objects are read, and JSON leaves nothing to be understood otherwise.
        let objects = manifests.iter().map(|manifest| Value::Object(manifest.object().clone()));
        let written: Vec<_> = objects
            .map(|object| Document::from_value(&object, &Limits::ARGUMENTS).unwrap().as_str().to_owned())
            .map(|json| {
                json.replace(
                    |character: char| character.is_control() || "\u{2028}\u{2029}\u{feff}".contains(character),
                    "",
                )
            })
            .collect();
        let again = read(&written.join("\n")).unwrap();
        assert_eq!(again.len(), manifests.len());
        for (one, other) in manifests.iter().zip(&again) {
            assert_eq!(
                (one.api_version(), one.kind(), one.name(), one.namespace()),
                (other.api_version(), other.kind(), other.name(), other.namespace())
            );
            assert_eq!(one.file_modes(), other.file_modes());
        }
    });
}

#[test]
fn images() {
    explore!(corpus("images"), |input: &[u8]| {
        let Ok(text) = str::from_utf8(input) else { return };
        let Ok(image) = Image::parse(text) else { return };
        let full = image.to_string();
        assert_eq!(Image::parse(&full).as_ref(), Ok(&image), "{text:?}");
        // What is left out is the registry and the folder of Docker's own images, and nothing else.
        let short = text.strip_prefix("index.docker.io/").or_else(|| text.strip_prefix("docker.io/")).unwrap_or(text);
        let rest = full.strip_prefix("docker.io/").unwrap_or(&full);
        assert_eq!(rest.strip_prefix("library/").unwrap_or(rest), short.strip_prefix("library/").unwrap_or(short));
        assert!(image.is_from(image.registry()));
        assert!(!image.registry().contains('/') && !image.repository().contains([':', '@']), "{text:?}");
    });
}

/// What is found in a pod of many hazards.
fn found(policy: &Policy, object: &Value) -> Vec<Finding> {
    find(&Mutation { verb: Verb::Create, object, old: None }, &policy.surroundings())
}

#[test]
fn cluster_policies() {
    let object = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"hostNetwork": true, "containers": [
            {"name": "c", "image": "registry:5000/app", "securityContext": {"privileged": true}},
        ]},
    });
    explore!(corpus("cluster-policies"), |input: &[u8]| {
        let Ok(text) = str::from_utf8(input) else { return };
        let Ok(policy) = Policy::parse(text) else { return };
        // As a lax reader finds it.
        let table: Table = text.parse().unwrap();
        let said = |id: &str, key: &str| table.get("findings").and_then(|findings| findings.get(id)?.get(key)).cloned();
        let denied = policy.judge(&object, found(&policy, &object)).err();
        let denied: Vec<_> =
            denied.iter().flat_map(|denied| denied.denials()).map(|denial| denial.finding.hazard.id).collect();
        for finding in found(&policy, &object) {
            let id = finding.hazard.id;
            if said(id, "allow").is_some() {
                continue;
            }
            match said(id, "deny").and_then(|deny| deny.as_bool()) {
                Some(deny) => assert_eq!(denied.contains(&id), deny, "{id}"),
                None if table.contains_key("deny-from") => {}
                None => assert!(!denied.contains(&id), "{id}"),
            }
        }
        let ids = table.get("findings").and_then(toml::Value::as_table).into_iter().flatten();
        for (id, _) in ids {
            assert!(approval_kubernetes::findings::Hazard::of(id).is_some(), "{id}");
        }
    });
}
