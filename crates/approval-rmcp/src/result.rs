//! From an answer to a tool result of bounded size.

use std::io;

use approval_core::PlanId;
use approval_core::json::Limits;
use approval_core::{Reason, Refusal};
use rmcp::model::{CallToolResult, ContentBlock};

use crate::answer::{Answer, RefusalAnswer};
use crate::guidance;

/// The bytes of the largest result: a model's context is no place for what a page shows better. [DIG-029]
const LIMIT: usize = Limits::RESULT.max_bytes();

impl RefusalAnswer {
    /// The part of a refusal that an agent gets.
    pub(crate) fn of(refusal: &Refusal) -> Self {
        let reason = refusal.reason();
        Self { reason, retry: reason.retry(), member: None, next: None }
    }
}

/// The result that carries an answer.
///
/// Structured content says it all; a client that reads texts only gets the same as JSON in a second text. Where the whole
/// would be over the limit, that text leaves out first, and then the structured content does. [WIRE-033] [WIRE-035]
pub(crate) fn result(answer: Answer, page: impl Fn(PlanId) -> String) -> CallToolResult {
    if let Some(result) = fitting(&answer, &answer) {
        return result;
    }
    let mut short = answer.clone();
    // What doesn't fit by itself won't fit beside a text.
    let whole = Some(answer).filter(|whole| size(whole) <= LIMIT);
    while short.leave_out(&page) {
        let whole = whole.as_ref().and_then(|whole| fitting(whole, &short));
        if let Some(result) = whole.or_else(|| fitting(&short, &short)) {
            return result;
        }
    }
    tracing::error!("a result is over the limit, and nothing more of it can be left out");
    let refusal = Answer::Refusal(RefusalAnswer::of(&Refusal::new(Reason::Internal, "the result is over the limit")));
    assemble(&refusal, &refusal).unwrap_or_default()
}

fn fitting(structured: &Answer, mirrored: &Answer) -> Option<CallToolResult> {
    assemble(structured, mirrored).filter(|result| size(result) <= LIMIT)
}

fn assemble(structured: &Answer, mirrored: &Answer) -> Option<CallToolResult> {
    let texts =
        vec![ContentBlock::text(guidance::text(structured)), ContentBlock::text(serde_json::to_string(mirrored).ok()?)];
    let mut result = if structured.is_error() { CallToolResult::error(texts) } else { CallToolResult::success(texts) };
    result.structured_content = Some(serde_json::to_value(structured).ok()?);
    Some(result)
}

fn size(value: &impl serde::Serialize) -> usize {
    let mut bytes = Count(0);
    serde_json::to_writer(&mut bytes, value).map_or(usize::MAX, |()| bytes.0)
}

/// Counts what is written.
struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
