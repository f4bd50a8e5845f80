//! What holds of every answer, whatever was asked: looked at each time, and judged once at the end.

mod rules;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::answer::Answer;
use crate::oracle::Schemas;
use crate::recorder::{Message, Redactor};
use crate::verdict::{Checked, Stop};
use crate::wire::Request;
use crate::world::Listing;

pub(crate) use self::rules::{RULES, Rule};

/// Of one rule no more than these are kept.
const KEPT: usize = 5;

/// Looks at every answer of a run.
#[derive(Debug)]
pub(crate) struct Watch {
    seen: Mutex<BTreeMap<&'static str, Seen>>,
    schemas: Arc<Schemas>,
    redactor: Redactor,
}

#[derive(Debug, Default)]
struct Seen {
    answers: u64,
    broken: u64,
    complaints: Vec<(String, Vec<Message>)>,
}

impl Watch {
    pub(crate) fn new(schemas: Arc<Schemas>, redactor: Redactor) -> Self {
        Self { seen: Mutex::default(), schemas, redactor }
    }

    /// Looks at an answer of a gated tool or of one of the four.
    pub(crate) fn see(&self, listing: &Listing, request: &Request, answer: &Answer) {
        if !listing.outputs.contains_key(&answer.tool) {
            return;
        }
        for rule in RULES {
            let Some(complaint) = (rule.judge)(&self.schemas, listing, request, answer) else { continue };
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = seen.entry(rule.id).or_default();
            seen.answers += 1;
            if let Err(complaint) = complaint {
                seen.broken += 1;
                if seen.complaints.len() < KEPT && !seen.complaints.iter().any(|(known, _)| *known == complaint) {
                    let told = |way: &str, text: String| Message {
                        at: 0,
                        way: way.to_owned(),
                        text: self.redactor.redact(&text),
                    };
                    let messages = vec![
                        told("agent → server", request.to_json().to_string()),
                        told("server → agent", answer.message.to_string()),
                    ];
                    seen.complaints.push((complaint, messages));
                }
            }
        }
    }

    /// What came of a rule, and the messages that broke it.
    pub(crate) fn judge(&self, rule: &Rule) -> (Checked, Vec<Message>) {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = seen.get(rule.id) else {
            return (Err(Stop::NotTestable("no answer was seen that it is about".to_owned())), Vec::new());
        };
        if seen.broken == 0 {
            return (Ok(()), Vec::new());
        }
        let complaints: Vec<&str> = seen.complaints.iter().map(|(complaint, _)| complaint.as_str()).collect();
        let what = format!("{} of {} answers: {}", seen.broken, seen.answers, complaints.join("; "));
        (Err(Stop::Fail(what)), seen.complaints.iter().flat_map(|(_, messages)| messages.clone()).collect())
    }
}
