//! The digest of a tool's definition, as its server lists it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use approval_core::Digest;
use approval_core::json::{Document, Inadmissible, Limits};
use rmcp::model::Tool;
use serde::Serialize;

#[derive(Serialize)]
struct Definition<'a> {
    r#type: &'static str,
    tool: &'a Tool,
}

/// How many definitions are remembered, at most.
const MOST: usize = 1024;

/// The digests of definitions, each of them made once: while a tool says the same of itself, its digest is the same.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    made: Mutex<BTreeMap<String, (Tool, Digest)>>,
}

impl Digests {
    /// The digest of all that a tool's definition says: name, descriptions, schemas, annotations, icons and metadata. [DIG-043]
    ///
    /// # Errors
    /// When the definition isn't strict JSON: then nothing can be said about whether it has changed.
    pub(crate) fn of(&self, tool: &Tool) -> Result<Digest, Inadmissible> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match made.get(tool.name.as_ref()) {
            Some((same, digest)) if same == tool => return Ok(*digest),
            Some(_) => {}
            // A server that never runs out of names.
            None if made.len() >= MOST => made.clear(),
            None => {}
        }
        let digest = digest(tool)?;
        made.insert(tool.name.to_string(), (tool.clone(), digest));
        Ok(digest)
    }
}

fn digest(tool: &Tool) -> Result<Digest, Inadmissible> {
    let definition = Definition { r#type: "mutation-approval/tool/v0", tool };
    Ok(Document::from_serialize(&definition, &Limits::PLAN)?.digest())
}

/// What stands for the digest of a tool that there is none of any more: no definition has it.
pub(crate) fn missing() -> Digest {
    Digest::of_bytes(b"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rmcp::model::JsonObject;

    fn tool(name: &str, description: &str) -> Tool {
        Tool::new(name.to_owned(), description.to_owned(), JsonObject::new())
    }

    #[test]
    fn a_definition_that_changed_has_another_digest() {
        let digests = Digests::default();
        let (before, after) = (tool("write", "Writes."), tool("write", "Writes, and deletes."));
        for tool in [&before, &before, &after, &after, &before] {
            assert_eq!(digests.of(tool).unwrap(), digest(tool).unwrap());
        }
        assert_ne!(digests.of(&before).unwrap(), digests.of(&after).unwrap());
    }

    #[test]
    fn names_without_end_are_not_remembered_without_end() {
        let digests = Digests::default();
        for number in 0..=MOST {
            let tool = tool(&number.to_string(), "Writes.");
            assert_eq!(digests.of(&tool).unwrap(), digest(&tool).unwrap());
            assert!(digests.made.lock().unwrap().len() <= MOST);
        }
    }
}
