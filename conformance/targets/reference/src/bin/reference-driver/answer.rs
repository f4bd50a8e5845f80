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

/// Why this driver can't do something: no fault, and a failure all the same.
#[derive(Debug)]
pub(crate) struct Cannot(pub(crate) &'static str);

impl std::fmt::Display for Cannot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Cannot {}

impl From<anyhow::Error> for Answer {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast_ref::<Cannot>() {
            Some(cannot) => Self::Unsupported(cannot.to_string()),
            None => Self::Failed(error),
        }
    }
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
