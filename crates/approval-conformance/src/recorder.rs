//! What was exchanged during a check, for whoever has to find out why it failed; and what of it nobody may read.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::begin;

/// No message is kept longer than this.
const LONGEST: usize = 32 * 1024;
/// No check keeps more than these: the last ones.
const MOST: usize = 200;

/// One message.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Milliseconds since the check began.
    pub at: u64,
    /// Who sent it to whom.
    pub way: String,
    /// The message, secrets replaced.
    pub text: String,
}

/// Keeps the messages of one check.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    begun: Instant,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self { begun: begin(), messages: Arc::default() }
    }

    pub(crate) fn keep(&self, way: impl Into<String>, text: impl AsRef<str>) {
        let text = text.as_ref();
        let kept = match text.char_indices().find(|(at, _)| *at >= LONGEST) {
            Some((end, _)) => format!("{} … ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
            None => text.to_owned(),
        };
        let at = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        if messages.len() >= MOST {
            messages.remove(0);
        }
        messages.push(Message { at, way: way.into(), text: kept });
    }

    /// All messages, redacted.
    pub(crate) fn messages(&self, redactor: &Redactor) -> Vec<Message> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let redacted = |message: &Message| Message { text: redactor.redact(&message.text), ..message.clone() };
        messages.iter().map(redacted).collect()
    }
}

/// Knows what nobody may read in a report: tokens, passwords, secret arguments, sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redactor {
    secrets: Arc<Mutex<Vec<String>>>,
}

/// What stands in a secret's place.
const REDACTED: &str = "[redacted]";
/// A shorter text would redact half a report.
const SHORTEST: usize = 4;

impl Redactor {
    /// From now on `secret` is replaced wherever it stands.
    pub(crate) fn add(&self, secret: &str) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.len() >= SHORTEST && !secrets.iter().any(|known| known == secret) {
            secrets.push(secret.to_owned());
            // The longest first: a secret may hold another.
            secrets.sort_by_key(|known| std::cmp::Reverse(known.len()));
        }
    }

    /// `text` without secrets.
    pub(crate) fn redact(&self, text: &str) -> String {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| {
            // As it stands, and as it stands within JSON or a form.
            let json = serde_json::to_string(secret).unwrap_or_default();
            let text = text.replace(json.trim_matches('"'), REDACTED);
            text.replace(secret.as_str(), REDACTED)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Recorder, Redactor};

    #[test]
    fn no_secret_is_told() {
        let (recorder, redactor) = (Recorder::new(), Redactor::default());
        redactor.add("pass\"word");
        redactor.add("pass");
        redactor.add("abc");
        recorder.keep("a → b", r#"{"a":"pass\"word","b":"pass","c":"abc"}"#);
        let texts: Vec<_> = recorder.messages(&redactor).into_iter().map(|message| message.text).collect();
        assert_eq!(texts, [r#"{"a":"[redacted]","b":"[redacted]","c":"abc"}"#]);
    }

    #[test]
    fn what_is_long_is_cut_and_says_so() {
        let recorder = Recorder::new();
        recorder.keep("a → b", "é".repeat(40_000));
        let texts: Vec<_> = recorder.messages(&Redactor::default()).into_iter().map(|message| message.text).collect();
        assert!(texts.iter().all(|text| text.ends_with("… (80000 bytes)")), "{}", texts.len());
    }
}
