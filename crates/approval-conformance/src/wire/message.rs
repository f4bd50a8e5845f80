//! Messages that the harness sends.

use serde_json::{Map, Value, json};

use super::Revision;

/// What the client declares that it can do.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) enum Capabilities {
    /// Nothing: all that the profile asks of a client.
    #[default]
    None,
    /// `elicitation.url`, for binding M.
    ElicitationUrl,
}

impl Capabilities {
    pub(super) fn to_json(self) -> Value {
        match self {
            Self::None => json!({}),
            Self::ElicitationUrl => json!({"elicitation": {"url": {}}}),
        }
    }
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Its id: no other request of the connection has it.
    pub(crate) id: u64,
    /// Its method.
    pub(crate) method: &'static str,
    /// Its parameters, with what the revision asks for.
    pub(crate) params: Map<String, Value>,
}

impl Request {
    /// A request whose `params` carry what the revision asks of each.
    pub(crate) fn new(
        id: u64,
        method: &'static str,
        mut params: Map<String, Value>,
        (revision, capabilities, client): (Revision, Capabilities, &str),
    ) -> Self {
        if revision == Revision::V2026_07_28 {
            let meta = params.entry("_meta").or_insert_with(|| json!({}));
            if let Some(meta) = meta.as_object_mut() {
                for (name, value) in [
                    ("protocolVersion", json!(revision.as_str())),
                    ("clientInfo", client_info(client)),
                    ("clientCapabilities", capabilities.to_json()),
                ] {
                    meta.insert(format!("io.modelcontextprotocol/{name}"), value);
                }
            }
        }
        Self { id, method, params }
    }

    /// The tool that it calls, where it calls one.
    pub(crate) fn tool(&self) -> Option<&str> {
        if self.method == "tools/call" { self.params.get("name")?.as_str() } else { None }
    }

    /// As it goes over the wire.
    pub(crate) fn to_json(&self) -> Value {
        let mut message = json!({"jsonrpc": "2.0", "id": self.id, "method": self.method});
        // `ping` and its like have no parameters in the older revision.
        if let (Some(message), false) = (message.as_object_mut(), self.params.is_empty()) {
            message.insert("params".to_owned(), Value::Object(self.params.clone()));
        }
        message
    }
}

/// A notification.
pub(crate) fn notification(method: &str, params: Option<Value>) -> Value {
    let mut message = json!({"jsonrpc": "2.0", "method": method});
    if let (Some(message), Some(params)) = (message.as_object_mut(), params) {
        message.insert("params".to_owned(), params);
    }
    message
}

/// How the harness calls itself.
pub(super) fn client_info(name: &str) -> Value {
    json!({"name": name, "version": env!("CARGO_PKG_VERSION")})
}

/// The parameters of `initialize`.
pub(super) fn initialize_params(capabilities: Capabilities, client: &str) -> Map<String, Value> {
    let mut params = Map::new();
    params.insert("protocolVersion".to_owned(), json!(Revision::V2025_11_25.as_str()));
    params.insert("capabilities".to_owned(), capabilities.to_json());
    params.insert("clientInfo".to_owned(), client_info(client));
    params
}
