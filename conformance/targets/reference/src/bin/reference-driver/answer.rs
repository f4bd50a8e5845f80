//! What the harness is answered.

use serde_json::{Map, Value, json};

/// The answer to a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It was done.
    Done(Map<String, Value>),
    /// It should have worked.
    Failed(anyhow::Error),
    /// This driver can't do it.
    Unsupported(String),
}

impl Answer {
    /// The line that says so, without its end.
    pub(crate) fn line(&self, id: &Value) -> String {
        match self {
            Self::Done(members) => json!({ "id": id, "ok": members }),
            Self::Failed(error) => json!({ "id": id, "error": format!("{error:#}") }),
            Self::Unsupported(why) => json!({ "id": id, "unsupported": why }),
        }
        .to_string()
    }
}

/// Members of an answer.
pub(crate) fn members<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
