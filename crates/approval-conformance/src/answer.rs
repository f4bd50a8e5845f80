//! What a server answered to a call.

use serde_json::Value;
use time::OffsetDateTime;

use crate::oracle;
use crate::verdict::{Checked, Stop};

/// The answer to a call of a tool: a whole JSON-RPC response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The tool that was called.
    pub(crate) tool: String,
    /// The response.
    pub(crate) message: Value,
}

impl Answer {
    /// The error of the protocol, where it is one.
    pub(crate) fn error_code(&self) -> Option<i64> {
        self.message.pointer("/error/code")?.as_i64()
    }

    pub(crate) fn result(&self) -> Option<&Value> {
        self.message.get("result")
    }

    pub(crate) fn structured(&self) -> Option<&Value> {
        self.message.pointer("/result/structuredContent")
    }

    pub(crate) fn is_error(&self) -> bool {
        self.message.pointer("/result/isError").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Which of the five it is.
    pub(crate) fn kind(&self) -> Option<&str> {
        self.text("kind")
    }

    /// A member of the structured content.
    pub(crate) fn get(&self, member: &str) -> Option<&Value> {
        self.structured()?.get(member)
    }

    /// A member that is a text.
    pub(crate) fn text(&self, member: &str) -> Option<&str> {
        self.get(member)?.as_str()
    }

    /// A member that is a time.
    pub(crate) fn time(&self, member: &str) -> Option<OffsetDateTime> {
        oracle::timestamp(self.text(member)?)
    }

    /// The first text for the model.
    pub(crate) fn sentence(&self) -> &str {
        self.message.pointer("/result/content/0/text").and_then(Value::as_str).unwrap_or_default()
    }

    /// In a few words, for a verdict.
    pub(crate) fn told(&self) -> String {
        if let Some(code) = self.error_code() {
            let message = self.message.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
            return format!("the error {code} ({message})");
        }
        match (self.kind(), self.text("reason"), self.text("outcome"), self.text("state")) {
            (Some(kind), Some(reason), _, _) => format!("a {kind} `{reason}`"),
            (Some(kind), _, Some(outcome), _) if self.get("replayed") == Some(&Value::Bool(true)) => {
                format!("a replayed {kind} `{outcome}`")
            }
            (Some(kind), _, Some(outcome), _) => format!("an {kind} `{outcome}`"),
            (Some(kind), _, _, Some(state)) => format!("a {kind} `{state}`"),
            (Some(kind), ..) => format!("a {kind}"),
            (None, ..) => match self.message.pointer("/result/resultType").and_then(Value::as_str) {
                Some(other) if other != "complete" => format!("a result of type `{other}`"),
                _ => "a result without structured content of the profile".to_owned(),
            },
        }
    }

    /// Holds that it is of this kind.
    pub(crate) fn is(&self, kind: &str) -> Checked<&Self> {
        if self.kind() == Some(kind) {
            return Ok(self);
        }
        Err(Stop::fail(format!("`{}` answered {} where the specification asks for a {kind}", self.tool, self.told())))
    }

    /// Holds that it is a refusal with one of these reasons.
    pub(crate) fn refused(&self, reasons: &[&str]) -> Checked {
        self.refused_as(reasons).map(drop)
    }

    /// As `refused`, and says with which.
    pub(crate) fn refused_as(&self, reasons: &[&str]) -> Checked<&str> {
        match self.text("reason").filter(|reason| self.kind() == Some("refusal") && reasons.contains(reason)) {
            Some(reason) => Ok(reason),
            None => {
                let wanted: Vec<String> = reasons.iter().map(|reason| format!("`{reason}`")).collect();
                let (tool, told) = (&self.tool, self.told());
                Err(Stop::fail(format!(
                    "`{tool}` answered {told} where the specification asks for a refusal {}",
                    wanted.join(" or ")
                )))
            }
        }
    }

    /// Holds that it is the error `code` of the protocol.
    pub(crate) fn failed(&self, code: i64) -> Checked {
        if self.error_code() == Some(code) {
            return Ok(());
        }
        Err(Stop::fail(format!(
            "`{}` answered {} where the specification asks for the error {code}",
            self.tool,
            self.told()
        )))
    }

    /// Holds that it is an execution with this outcome.
    pub(crate) fn executed(&self, outcome: &str, replayed: bool) -> Checked<&Self> {
        if self.kind() == Some("execution")
            && self.text("outcome") == Some(outcome)
            && self.get("replayed") == Some(&Value::Bool(replayed))
        {
            return Ok(self);
        }
        let which = if replayed { "a replayed execution" } else { "an execution" };
        Err(Stop::fail(format!(
            "`{}` answered {} where the specification asks for {which} `{outcome}`",
            self.tool,
            self.told()
        )))
    }

    /// Holds that it is a status of this state.
    pub(crate) fn stands(&self, state: &str) -> Checked<&Self> {
        if self.kind() == Some("status") && self.text("state") == Some(state) {
            return Ok(self);
        }
        Err(Stop::fail(format!(
            "`{}` answered {} where the specification asks for a status `{state}`",
            self.tool,
            self.told()
        )))
    }
}
