//! Objects and changes of them, in few words.

use approval_kubernetes::findings::{Conflict, Finding, Mutation, Surroundings, Verb, find};
use serde_json::{Value, json};

/// A hazard, where it is, a change with it, and the same without it.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) id: &'static str,
    pub(crate) pointer: &'static str,
    pub(crate) hazardous: Scene,
    pub(crate) harmless: Scene,
}

pub(crate) fn case(id: &'static str, pointer: &'static str, hazardous: Scene, harmless: Scene) -> Case {
    Case { id, pointer, hazardous, harmless }
}

#[derive(Clone)]
pub(crate) struct Object(pub(crate) Value);

#[derive(Clone)]
pub(crate) struct Scene {
    verb: Verb,
    object: Value,
    old: Option<Value>,
    autoscalers: Vec<Value>,
    bindings: Vec<Value>,
    budgets: Vec<Value>,
    conflicts: Vec<Conflict>,
    warnings: Vec<String>,
}

impl Scene {
    pub(crate) fn find(&self) -> Vec<Finding> {
        let protected = ["kube-system".to_owned()];
        let registries = ["registry.example".to_owned()];
        let surroundings = Surroundings {
            autoscalers: &self.autoscalers,
            bindings: &self.bindings,
            conflicts: &self.conflicts,
            disruption_budgets: &self.budgets,
            protected_namespaces: &protected,
            registries: Some(&registries),
            warnings: &self.warnings,
            ..Surroundings::default()
        };
        find(&Mutation { verb: self.verb, object: &self.object, old: self.old.as_ref() }, &surroundings)
    }

    pub(crate) fn autoscaler(mut self, autoscaler: Value) -> Self {
        self.autoscalers.push(autoscaler);
        self
    }

    pub(crate) fn binding(mut self, binding: Value) -> Self {
        self.bindings.push(binding);
        self
    }

    pub(crate) fn budget(mut self, budget: Value) -> Self {
        self.budgets.push(budget);
        self
    }

    pub(crate) fn conflict(mut self, manager: &str, field: &str) -> Self {
        self.conflicts.push(Conflict { manager: manager.to_owned(), field: field.to_owned() });
        self
    }

    pub(crate) fn warning(mut self, warning: &str) -> Self {
        self.warnings.push(warning.to_owned());
        self
    }
}

impl Object {
    /// The same with a member set, by its pointer.
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        let mut place = &mut self.0;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            place = match step.parse::<usize>() {
                Ok(index) if place.is_array() => &mut place[index],
                _ => &mut place[step],
            };
        }
        *place = value;
        self
    }

    pub(crate) fn scene(self, verb: Verb, old: Option<Self>) -> Scene {
        Scene {
            verb,
            object: self.0,
            old: old.map(|old| old.0),
            autoscalers: Vec::new(),
            bindings: Vec::new(),
            budgets: Vec::new(),
            conflicts: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(crate) fn create(self) -> Scene {
        self.scene(Verb::Create, None)
    }

    pub(crate) fn update(self, old: Self) -> Scene {
        self.scene(Verb::Update, Some(old))
    }

    pub(crate) fn delete(self) -> Scene {
        self.scene(Verb::Delete { grace_seconds: None, propagation: None }, None)
    }
}

pub(crate) fn object(api_version: &str, kind: &str, rest: Value) -> Object {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "shop"}});
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    Object(object)
}

/// A specification in which nothing is to be found.
pub(crate) fn hardened() -> Value {
    json!({
        "automountServiceAccountToken": false,
        "containers": [{
            "name": "c",
            "image": format!("registry.example/app:1@sha256:{}", "0a".repeat(32)),
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        }],
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "volumes": [{"name": "v", "emptyDir": {}}],
    })
}

pub(crate) fn pod(spec: Value) -> Object {
    object("v1", "Pod", json!({"spec": spec}))
}

pub(crate) fn deployment(replicas: u32) -> Object {
    let template = json!({"metadata": {"labels": {"app": "a"}}, "spec": hardened()});
    object(
        "apps/v1",
        "Deployment",
        json!({"spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "a"}}, "template": template,
        }}),
    )
}

pub(crate) fn config_map(data: Value) -> Object {
    object("v1", "ConfigMap", json!({"data": data}))
}
