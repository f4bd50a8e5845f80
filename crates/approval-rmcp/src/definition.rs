//! The digest of a tool's definition, as its server lists it.

use approval_core::Digest;
use approval_core::json::{Document, Inadmissible, Limits};
use rmcp::model::Tool;
use serde::Serialize;

#[derive(Serialize)]
struct Definition<'a> {
    r#type: &'static str,
    tool: &'a Tool,
}

/// The digest of all that a tool's definition says: name, descriptions, schemas, annotations, icons and metadata. [DIG-043]
///
/// # Errors
/// When the definition isn't strict JSON: then nothing can be said about whether it has changed.
pub(crate) fn digest(tool: &Tool) -> Result<Digest, Inadmissible> {
    let definition = Definition { r#type: "mutation-approval/tool/v0", tool };
    Ok(Document::from_serialize(&definition, &Limits::PLAN)?.digest())
}

/// What stands for the digest of a tool that there is none of any more: no definition has it.
pub(crate) fn missing() -> Digest {
    Digest::of_bytes(b"")
}
