//! The names under which the profile is known on the wire.

use approval_core::Approvals;
use rmcp::model::JsonObject;
use serde_json::{Value, json};

/// The identifier of the extension (SEP-2133), and the key of its metadata.
pub const EXTENSION_ID: &str = "io.github.mutation-approval/profile";

/// The version of the profile that is spoken.
pub const PROFILE_VERSION: &str = "v0";

/// The names of the profile's own tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolNames {
    /// Puts a plan before a person.
    pub challenge: String,
    /// Says where a plan stands.
    pub status: String,
    /// Runs an approved plan.
    pub execute: String,
    /// Takes a plan back.
    pub cancel: String,
}

/// One of the profile's own tools: what an operator may do is none of them. [OPER-003]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProfileTool {
    Cancel,
    Challenge,
    Execute,
    Status,
}

impl ToolNames {
    /// `challenge`, `status`, `execute` and `cancel` after a prefix. [WIRE-002]
    pub(crate) fn with_prefix(prefix: &str) -> Self {
        let name = |name: &str| format!("{prefix}{name}");
        Self { challenge: name("challenge"), status: name("status"), execute: name("execute"), cancel: name("cancel") }
    }

    pub(crate) fn of(&self, tool: ProfileTool) -> &str {
        match tool {
            ProfileTool::Cancel => &self.cancel,
            ProfileTool::Challenge => &self.challenge,
            ProfileTool::Execute => &self.execute,
            ProfileTool::Status => &self.status,
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<ProfileTool> {
        ProfileTool::ALL.into_iter().find(|tool| self.of(*tool) == name)
    }
}

impl ProfileTool {
    /// In the order in which they are listed: that of their use.
    pub(crate) const ALL: [Self; 4] = [Self::Challenge, Self::Status, Self::Execute, Self::Cancel];
}

/// The settings that the server advertises under [`EXTENSION_ID`]. [WIRE-001] [WIRE-K-001]
pub(crate) fn settings(approvals: &Approvals, names: &ToolNames) -> JsonObject {
    let settings = json!({
        "version": PROFILE_VERSION,
        "bindings": ["T", "M"],
        "digest": "sha256-jcs",
        "audience": approvals.audience(),
        "approvalOrigin": origin(approvals.surface()),
        "tools": {
            "challenge": names.challenge,
            "status": names.status,
            "execute": names.execute,
            "cancel": names.cancel,
        },
    });
    match settings {
        Value::Object(settings) => settings,
        _ => JsonObject::new(),
    }
}

/// The origin of an absolute URL: what comes before its path.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + "://".len());
    let path = url.get(host..).and_then(|rest| rest.find('/'));
    path.and_then(|path| url.get(..host + path)).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_no_path() {
        for (url, expected) in [
            ("https://approvals.example", "https://approvals.example"),
            ("https://approvals.example:8443/ui/approvals", "https://approvals.example:8443"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(origin(url), expected);
        }
    }
}
