//! From an answer to a tool result of bounded size.

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
    let mut short = answer.clone();
    let mut whole = Some(answer);
    loop {
        if let Some(result) = whole.as_ref().and_then(|whole| fitting(whole, &short)) {
            return result;
        }
        if let Some(result) = fitting(&short, &short) {
            return result;
        }
        if !short.leave_out(&page) {
            break;
        }
        // What doesn't fit beside the shortest text won't fit beside a longer one.
        whole = whole.filter(|whole| size(whole) <= LIMIT);
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
    serde_json::to_string(value).map_or(usize::MAX, |text| text.len())
}
