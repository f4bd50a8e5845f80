//! Pods of all sorts, made of others by setting members that the standards are about to values that they are about.

use serde_json::{Value, json};

use crate::Numbers;

/// Sets one to five members.
#[must_use]
pub fn edit(mut pod: Value, numbers: &mut Numbers) -> Value {
    if numbers.below(8) == 0 {
        pod["spec"]["ephemeralContainers"] = json!([{"name": "debugger", "image": "busybox"}]);
    }
    for _ in 0..=numbers.below(5) {
        edit_once(&mut pod, numbers);
    }
    pod
}

fn edit_once(pod: &mut Value, numbers: &mut Numbers) {
    match numbers.below(10) {
        0 => {
            let (name, values) = numbers.one_of(&annotations());
            let value = numbers.one_of(&values);
            set(pod, &["metadata", "annotations", &name], value);
        }
        1..=3 => {
            let (path, values) = numbers.one_of(&of_pods());
            let value = numbers.one_of(&values);
            let path: Vec<_> = std::iter::once("spec").chain(path.iter().copied()).collect();
            set(pod, &path, value);
        }
        _ => {
            let list = numbers.one_of(&["containers", "initContainers", "ephemeralContainers"]);
            let (path, values) = numbers.one_of(&of_containers());
            let value = numbers.one_of(&values);
            let containers = pod["spec"].get_mut(list).and_then(Value::as_array_mut);
            if let Some(container) = containers.and_then(|containers| containers.first_mut()) {
                set(container, &path, value);
            }
        }
    }
}

/// Sets a member within members, which are made where they are missing.
fn set(value: &mut Value, path: &[&str], new: Value) {
    let mut place = value;
    for name in path {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[*name];
    }
    *place = new;
}

type Choices = Vec<(Vec<&'static str>, Vec<Value>)>;

fn booleans() -> Vec<Value> {
    vec![json!(true), json!(false), Value::Null]
}

fn profiles() -> Vec<Value> {
    ["RuntimeDefault", "Localhost", "Unconfined", "", "other"]
        .map(|kind| json!({"type": kind}))
        .into_iter()
        .chain([json!({}), Value::Null])
        .collect()
}

fn contexts() -> Choices {
    let se_linux = ["", "container_t", "container_engine_t", "spc_t"].map(|kind| json!({"type": kind}));
    let se_linux =
        se_linux.into_iter().chain([json!({"user": "u"}), json!({"role": "", "level": "s0"}), json!({}), Value::Null]);
    vec![
        (vec!["seccompProfile"], profiles()),
        (vec!["appArmorProfile"], profiles()),
        (vec!["seLinuxOptions"], se_linux.collect()),
        (vec!["runAsNonRoot"], booleans()),
        (vec!["runAsUser"], vec![json!(0), json!(1), json!(-1), Value::Null]),
        (vec!["windowsOptions"], vec![json!({"hostProcess": true}), json!({"hostProcess": false}), json!({})]),
    ]
}

fn within(outer: &'static str, choices: Choices) -> Choices {
    choices.into_iter().map(|(path, values)| ([vec![outer], path].concat(), values)).collect()
}

fn of_pods() -> Choices {
    let sysctls = ["kernel.msgmax", "net.ipv4.tcp_rmem", "net.ipv4.tcp_notsent_lowat", "net.ipv4.tcp_fin_timeout"];
    let volumes = ["hostPath", "nfs", "emptyDir", "csi", "image", "gitRepo", "ephemeral", "projected"];
    let mut choices = within("securityContext", contexts());
    choices.extend([
        (vec!["hostNetwork"], booleans()),
        (vec!["hostPID"], booleans()),
        (vec!["hostIPC"], booleans()),
        (vec!["hostUsers"], booleans()),
        (vec!["os"], vec![json!({"name": "windows"}), json!({"name": "linux"}), Value::Null]),
        (vec!["securityContext"], vec![json!({}), Value::Null]),
        (vec!["securityContext", "sysctls"], sysctls.map(|name| json!([{"name": name, "value": "1"}])).to_vec()),
        (vec!["volumes"], volumes.map(|kind| json!([{"name": "v", kind: {}}, {"name": "w"}])).to_vec()),
    ]);
    choices
}

fn of_containers() -> Choices {
    let mut choices = within("securityContext", contexts());
    let capabilities =
        [json!([]), json!(["ALL"]), json!(["NET_BIND_SERVICE"]), json!(["CHOWN", "SYS_ADMIN"]), Value::Null];
    for member in ["add", "drop"] {
        choices.push((vec!["securityContext", "capabilities", member], capabilities.to_vec()));
    }
    let handlers = [json!({"host": "other"}), json!({"host": ""}), json!({}), Value::Null];
    for handler in [["lifecycle", "preStop", "httpGet"], ["lifecycle", "postStart", "tcpSocket"]] {
        choices.push((handler.to_vec(), handlers.to_vec()));
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        choices.push((vec![probe, "httpGet"], handlers.to_vec()));
        choices.push((vec![probe, "tcpSocket"], handlers.to_vec()));
    }
    let ports =
        [json!([{"containerPort": 80}]), json!([{"containerPort": 80, "hostPort": 0}]), json!([{"hostPort": 80}])];
    choices.extend([
        (vec!["securityContext", "privileged"], booleans()),
        (vec!["securityContext", "allowPrivilegeEscalation"], booleans()),
        (vec!["securityContext", "procMount"], vec![json!("Default"), json!("Unmasked"), json!(""), Value::Null]),
        (vec!["securityContext"], vec![json!({}), Value::Null]),
        (vec!["securityContext", "capabilities"], vec![json!({}), Value::Null]),
        (vec!["ports"], ports.to_vec()),
    ]);
    choices
}

fn annotations() -> Vec<(String, Vec<Value>)> {
    let values =
        ["", "runtime/default", "docker/default", "localhost/x", "unconfined"].map(|value| json!(value)).to_vec();
    [
        "container.apparmor.security.beta.kubernetes.io/container1",
        "container.apparmor.security.beta.kubernetes.io/other",
        "seccomp.security.alpha.kubernetes.io/pod",
        "container.seccomp.security.alpha.kubernetes.io/container1",
        "container.seccomp.security.alpha.kubernetes.io/debugger",
        "container.seccomp.security.alpha.kubernetes.io/other",
    ]
    .map(|name| (name.to_owned(), values.clone()))
    .to_vec()
}
