use std::fmt::Write as _;

/// A plan as a planner for Kubernetes would hand it over, spelt as most programs print JSON: a space after each comma and
/// colon, members in the order in which someone thought of them. It has about so many bytes, a little less or more.
pub(crate) fn text(bytes: usize) -> String {
    let mut text = String::from(
        r#"{"type": "Intent/v0", "tool": {"name": "apply_manifest", "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}, "salt": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA", "steps": ["#,
    );
    let mut step = 0;
    while step == 0 || text.len() + 700 < bytes {
        if step > 0 {
            text.push_str(", ");
        }
        push_step(&mut text, step);
        step += 1;
    }
    text.push_str(
        r#"], "target": {"server": "https://10.0.0.1:6443", "kubeSystemUid": "6f1c2b1e-8d2b-4c53-9c0f-3f4f7f0b9d11"}}"#,
    );
    text
}

fn push_step(text: &mut String, step: usize) {
    let (replicas, port, uid) = (step % 7 + 1, 8000 + step % 1000, step * 7919 % 65536);
    // Writing to a string can't fail.
    let _ = write!(
        text,
        r#"{{"verb": "apply", "object": {{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {{"name": "web-{step}", "namespace": "shop", "uid": "1f0e4a52-{uid:04x}-4f0e-8a3c-2b9d7c61e0aa", "resourceVersion": "{step}4711", "labels": {{"app.kubernetes.io/name": "web-{step}", "app.kubernetes.io/managed-by": "agent", "tier": "frontend"}}}}, "spec": {{"replicas": {replicas}, "selector": {{"matchLabels": {{"app.kubernetes.io/name": "web-{step}"}}}}, "template": {{"spec": {{"containers": [{{"name": "web", "image": "registry.example.com/shop/web:1.{step}.0", "args": ["--listen=:{port}", "--greeting=\"Grüß Gott\"\n"], "ports": [{{"containerPort": {port}, "protocol": "TCP"}}], "env": [{{"name": "LOG_LEVEL", "value": "info"}}], "resources": {{"requests": {{"cpu": "100m", "memory": "128Mi"}}, "limits": {{"cpu": 0.5, "memory": "256Mi"}}}}, "readinessProbe": {{"httpGet": {{"path": "/healthz", "port": {port}}}, "periodSeconds": 10, "failureThreshold": 3}}}}], "serviceAccountName": "web", "automountServiceAccountToken": false}}}}}}}}}}"#
    );
}
