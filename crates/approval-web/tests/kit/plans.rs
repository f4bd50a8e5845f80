//! Plans as a planner might make them, the worst included.

use approval_core::record::{
    Change, Finding, Precondition, PreconditionEnforcement, Severity, Source, Step, Target, Text, ToolReference,
};
use approval_core::{
    Call, Digest, Draft, DraftStep, EffectKey, FreshnessError, Identified, PlanError, Planner, ResolvedPlan,
};
use async_trait::async_trait;
use serde_json::{Map, Value, json};

/// A planner that has made up its mind.
pub(crate) struct Scripted(pub(crate) Draft);

#[async_trait]
impl Planner for Scripted {
    async fn plan(&self, _: &Call) -> Result<Draft, PlanError> {
        Ok(self.0.clone())
    }

    async fn identify(&self, plan: &ResolvedPlan) -> Result<Identified, FreshnessError> {
        let tool = ToolReference {
            name: plan.intent().tool.name.clone(),
            definition_digest: plan.intent().tool.definition_digest,
        };
        Ok(Identified { tool, target: plan.intent().target.clone() })
    }

    async fn revalidate(&self, _: &ResolvedPlan) -> Result<(), FreshnessError> {
        Ok(())
    }
}

/// A call of a tool with these arguments.
pub(crate) fn call(tool: &str, arguments: &Value) -> Call {
    let arguments = arguments.as_object().cloned().unwrap_or_default();
    Call { tool: tool.to_owned(), definition_digest: Digest::of_bytes(tool.as_bytes()), arguments }
}

fn draft(target: &str, headline: &str, effect: &str) -> Draft {
    let mut identity = Map::new();
    identity.insert("server".to_owned(), "https://10.0.0.1:6443".into());
    identity.insert("uid".to_owned(), "6f1c2a9e-4d5b-4f0e-9a53-0c6d4c1f7b10".into());
    Draft::new(Target { name: target.to_owned(), identity }, headline, vec![EffectKey::new(effect)])
}

fn step(action: &str, object: &str, description: &str, body: Value, enforcement: PreconditionEnforcement) -> DraftStep {
    DraftStep {
        preview: Some(json!({ "object": object, "body": body })),
        description: description.to_owned(),
        step: Step {
            action: action.to_owned(),
            object: object.to_owned(),
            body: Some(body),
            preconditions: vec![Precondition {
                kind: "resource-version".to_owned(),
                expected: json!("184467"),
                enforcement,
            }],
            preview_digest: None,
        },
    }
}

fn change(object: &str, before: Option<Value>, after: Option<Value>) -> Change {
    Change { object: object.to_owned(), before, after }
}

fn quote(source: Source, text: &str) -> Text {
    Text { source, text: text.to_owned() }
}

/// A Deployment is scaled and its image changed; a ConfigMap with a file in it; a Secret.
pub(crate) fn benign() -> Draft {
    let mut draft = draft(
        "staging-eu",
        "Change Deployment web in namespace shop: 2 of 14 fields, and the nginx.conf in ConfigMap web",
        "staging-eu/apps/Deployment/shop/web",
    );
    let deployment = |replicas: u32, image: &str| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "shop", "labels": { "app": "web", "tier": "front" } },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": { "app": "web" } },
                "template": { "spec": { "containers": [{ "name": "nginx", "image": image, "ports": [{ "containerPort": 8080 }] }] } },
            },
        })
    };
    let config = |workers: &str| {
        let lines: Vec<_> =
            (0..30).map(|n| format!("  location /v{n} {{ proxy_pass http://backend-{n}; }}\n")).collect();
        format!("worker_processes {workers};\nhttp {{\n{}}}\n", lines.concat())
    };
    let (old, new) = (deployment(2, "nginx:1.29.1"), deployment(3, "nginx:1.29.3"));
    draft.findings.push(Finding {
        code: "image-tag".to_owned(),
        severity: Severity::Info,
        text: "The image is named by a tag, not by a digest: what runs may change without a plan.".to_owned(),
    });
    draft.steps = vec![
        step(
            "apply",
            "Deployment shop/web",
            "Apply Deployment web in namespace shop",
            new.clone(),
            PreconditionEnforcement::OnWrite,
        ),
        step(
            "apply",
            "Secret shop/web-tls",
            "Apply Secret web-tls in namespace shop",
            json!({ "data": { "tls.key": "MIIEvQIBADANBg" } }),
            PreconditionEnforcement::BeforeWrite,
        ),
    ];
    draft.changes = vec![
        change("Deployment shop/web", Some(old), Some(new)),
        change("ConfigMap shop/web: nginx.conf", Some(json!(config("2"))), Some(json!(config("auto")))),
        change(
            "Secret shop/web-tls",
            Some(json!({ "data": { "tls.crt": "c1", "tls.key": "MIIEvQold" }, "type": "kubernetes.io/tls" })),
            Some(json!({ "data": { "tls.crt": "c1", "tls.key": "MIIEvQIBADANBg" }, "type": "kubernetes.io/tls" })),
        ),
        change("replicas", Some(json!(2)), Some(json!(3))),
    ];
    draft.secrets = [
        "/steps/1/body/data/tls.key",
        "/changes/2/before/data/tls.crt",
        "/changes/2/before/data/tls.key",
        "/changes/2/after/data/tls.crt",
        "/changes/2/after/data/tls.key",
    ]
    .map(str::to_owned)
    .to_vec();
    draft.quotes = vec![
        quote(Source::Agent, "Rolling out the nginx security fix and one more replica for the weekend."),
        quote(Source::Target, "Last applied by argocd on 2025-12-30"),
    ];
    draft
}

/// Everything in it that an agent or a target writes tries to deceive.
pub(crate) fn hostile() -> Draft {
    let mut draft = draft(
        "pr\u{43e}d-cluster",
        "Change ConfigMap \u{202e}gifnoc\u{2066} in kube-system</h1><script>alert(1)</script>",
        "prod/v1/ConfigMap/kube-system/config",
    );
    draft.findings.push(Finding {
        code: "mixed-script".to_owned(),
        severity: Severity::Warn,
        text: "The name `pr\u{43e}d-cluster` mixes scripts.".to_owned(),
    });
    draft.findings.push(Finding {
        code: "right-to-left".to_owned(),
        severity: Severity::Warn,
        text: "The retention of logs-\u{5d0} goes from 3 to 30".to_owned(),
    });
    let body = json!({
        "pass\u{200b}word": "a\u{a0}b\u{3000}c",
        "shell": "echo ok \u{1b}[2K\u{1b}[1Aecho harmless\r",
        "hidden": "visible\u{e0068}\u{e0069}\u{e007f}",
        "flood": format!("Z{}", "\u{489}\u{301}".repeat(20)),
        "secret-like": { "$secret": "sha256:0000000000000000000000000000000000000000000000000000000000000000" },
        "pushed": format!("nothing to see{}rm -rf /", " ".repeat(400)),
        "hebrew": "שלום admin 42",
        "\u{feff}bom": "\u{2028}two lines\u{2029}",
        "\u{338}struck": "\u{338}out",
    });
    draft.steps.push(step(
        "patch",
        "ConfigMap kube-system/c\u{43e}nfig\u{202e}lmay.",
        "Patch ConfigMap c\u{43e}nfig\u{202e}lmay. in namespace kube-system",
        body.clone(),
        PreconditionEnforcement::None,
    ));
    draft.steps.push(DraftStep {
        step: Step {
            action: "delete".to_owned(),
            object: "../../etc/passwd\u{0}".to_owned(),
            body: None,
            preconditions: Vec::new(),
            preview_digest: None,
        },
        description: "Delete logs-\u{5d0} 3 → 30, which can't be previewed".to_owned(),
        preview: None,
    });
    draft.changes = vec![
        change("ConfigMap kube-system/c\u{43e}nfig\u{202e}lmay.", Some(json!({ "password": "abc" })), Some(body)),
        change("a line with a tail", Some(json!("same \n\tnext\n")), Some(json!("same\n\tnext"))),
        change("gone\u{ad}", Some(json!("x\u{2800}y")), None),
        change("a script", Some(json!("a\n\nb\n")), Some(json!("a\n\nb\n\n\nc\n"))),
    ];
    draft.quotes = vec![
        quote(
            Source::Agent,
            "This was approved already.\n\nFinding: none\u{200d}\nApprove \u{2713}\u{fe0f} <b>now</b>\u{202e}won evorppA",
        ),
        quote(Source::Upstream, "<a href=\"https://evil.example\">click</a> ⟨U+202E⟩"),
    ];
    draft
}

/// A privileged pod: findings of every severity, the mildest first.
pub(crate) fn dangerous() -> Draft {
    let mut draft =
        draft("prod-eu-1", "Create Pod debug in namespace kube-system", "prod-eu-1/v1/Pod/kube-system/debug");
    for (severity, code, text) in [
        (Severity::Info, "image-tag", "The image is named by a tag, not by a digest."),
        (Severity::Warn, "no-limits", "The pod has no resource limits."),
        (
            Severity::High,
            "host-path",
            "The pod mounts `/` of its node, writable: it can read and change everything on it.",
        ),
        (Severity::High, "privileged", "The container `debug` runs privileged."),
    ] {
        draft.findings.push(Finding { code: code.to_owned(), severity, text: text.to_owned() });
    }
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "debug", "namespace": "kube-system" },
        "spec": {
            "containers": [{ "name": "debug", "image": "busybox", "securityContext": { "privileged": true }, "volumeMounts": [{ "name": "root", "mountPath": "/host" }] }],
            "volumes": [{ "name": "root", "hostPath": { "path": "/" } }],
        },
    });
    draft.steps.push(step(
        "create",
        "Pod kube-system/debug",
        "Create Pod debug in namespace kube-system",
        pod.clone(),
        PreconditionEnforcement::OnWrite,
    ));
    draft.changes.push(change("Pod kube-system/debug", None, Some(pod)));
    draft.quotes.push(quote(Source::Agent, "Just a quick look at the node."));
    draft
}

/// A file of thousands of lines, one of them endless.
pub(crate) fn long() -> Draft {
    let mut draft = draft("fileserver", "Replace the file data.csv: 10 180 lines", "fileserver/data.csv");
    let after: String = (0..10_180).map(|n| format!("{n},row {n}\n")).collect();
    draft.steps.push(step(
        "write",
        "data.csv",
        "Write data.csv",
        json!({ "size": 171_000 }),
        PreconditionEnforcement::BeforeWrite,
    ));
    draft.changes.push(change("data.csv", Some(json!("0,row 0\n1,row 1\n")), Some(json!(after))));
    draft.changes.push(change("note.txt", None, Some(json!("x".repeat(5000)))));
    draft
}
