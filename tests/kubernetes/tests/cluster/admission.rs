//! A policy of the cluster's own that changes what is written.

use kubernetes::World;
use serde_json::{Value, json};

use crate::objects::config_map;

/// A MutatingAdmissionPolicy that labels the ConfigMaps of the world's namespace.
pub(crate) struct Policy {
    name: String,
    probe: String,
}

impl Policy {
    const ROOT: &str = "/apis/admissionregistration.k8s.io/v1";

    /// With what the label is made of.
    pub(crate) async fn inject(world: &World, value: &str) -> Self {
        let name = world.namespace.clone();
        let patch = format!("Object{{metadata: Object.metadata{{labels: {{'injected': {value}}}}}}}");
        let rule = json!({
            "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"],
        });
        let selector = json!({ "matchLabels": { "kubernetes.io/metadata.name": name } });
        let policy = json!({
            "metadata": { "name": name },
            "spec": {
                "failurePolicy": "Fail",
                "reinvocationPolicy": "Never",
                "matchConstraints": { "namespaceSelector": selector, "resourceRules": [rule] },
                "mutations": [{ "patchType": "ApplyConfiguration", "applyConfiguration": { "expression": patch } }],
            },
        });
        world.admin.create(&format!("{}/mutatingadmissionpolicies", Self::ROOT), &policy).await;
        let binding = json!({ "metadata": { "name": name }, "spec": { "policyName": name } });
        world.admin.create(&format!("{}/mutatingadmissionpolicybindings", Self::ROOT), &binding).await;
        Self { name, probe: format!("{}?dryRun=All", world.path("/api/v1", "configmaps")) }
    }

    /// It comes into force by and by.
    pub(crate) async fn until_in_force(&self, world: &World, is_injected: impl Fn(&Value) -> bool) {
        world.admin.until_answered(&self.probe, &config_map("probe", "1"), is_injected).await;
    }

    pub(crate) async fn remove(self, world: &World) {
        for kind in ["mutatingadmissionpolicybindings", "mutatingadmissionpolicies"] {
            world.admin.delete(&format!("{}/{kind}/{}", Self::ROOT, self.name)).await;
        }
    }
}
