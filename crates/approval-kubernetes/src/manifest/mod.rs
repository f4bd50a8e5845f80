//! Manifests, read strictly.
//!
//! A person approves what they read, and the cluster gets what was read for them. Between the two stands YAML, which different
//! readers read differently. So a text is refused wherever two of them could disagree, and never repaired:
//!
//! | what one reader sees and another doesn't | what stops it |
//! |---|---|
//! | two members of one name: the first or the last | [`Fault::DuplicateKey`] |
//! | `no`, `0777`, `1:30`, `1_000`, `2026-11-30`, `1e3`: YAML 1.1 and 1.2 read them as different values | [`Fault::Ambiguous`] |
//! | `&anchor`, `*alias`, `<<`: what is meant stands elsewhere, or a thousand times | [`Fault::Anchor`], [`Fault::MergeKey`] |
//! | `!!binary`, `!custom`: the type is up to the reader | [`Fault::Tag`] |
//! | `--- {…}`, `...` without `---`: one reader drops what another reads | [`Fault::Separator`] |
//! | U+0085, U+2028: a new line for one reader, a character for another; NUL, where some stop | [`Fault::Character`] |
//! | `items` beside `spec`: a list for a client, an object for a person | [`Fault::ItemsOutsideList`] |
//! | `../../secrets/x` as a name: another object's address | [`Fault::Name`] |
//!
//! A text whose first character is `{` is JSON, one object or several in a row; everything else is YAML. Either way the result is a
//! JSON object that has a canonical form (see [`approval_core::json`]), so that it can be digested as it will be sent.
//!
//! ```
//! let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {debug: no}\n";
//! let error = approval_kubernetes::manifest::read(text).unwrap_err();
//! assert_eq!(error.line(), 4);
//! assert_eq!(
//!     error.to_string(),
//!     "document 1, line 4: `no` is a boolean for some readers of YAML and a text for others: quote it, or write `false`",
//! );
//! ```
//!
//! One exception: a file's mode, the value of `mode` or `defaultMode`, may be written in octal as everybody does. It is read as
//! Kubernetes reads it, and [`Manifest::file_modes`] says what it is, both ways.

mod character;
mod error;
mod file_mode;
mod identity;
mod json;
mod objects;
mod scalar;
mod yaml;

use approval_core::json::Limits;
use serde_json::{Map, Value};

pub use error::{Fault, ManifestError};
pub use file_mode::FileMode;
pub(crate) use file_mode::of as file_modes;

/// The most objects in one text.
pub const MAX_OBJECTS: usize = 1000;

/// The largest text, and the most values in one of its documents.
const LIMITS: Limits = Limits::ARGUMENTS;

/// One object of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    api_version: String,
    kind: String,
    name: String,
    namespace: Option<String>,
    line: usize,
    object: Map<String, Value>,
}

impl Manifest {
    /// Group and version, such as `apps/v1`; without a group for the core, `v1`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// The group, empty for the core.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The version within the group.
    #[must_use]
    pub fn version(&self) -> &str {
        self.api_version.split_once('/').map_or(self.api_version.as_str(), |(_, version)| version)
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The name: never empty, and one step of a path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace, where the text names one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The line of the text on which it begins, from 1 on.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The object, with the members above.
    #[must_use]
    pub fn object(&self) -> &Map<String, Value> {
        &self.object
    }

    /// The object, given away.
    #[must_use]
    pub fn into_object(self) -> Map<String, Value> {
        self.object
    }

    /// The modes of files in it.
    #[must_use]
    pub fn file_modes(&self) -> Vec<FileMode> {
        file_mode::of(&self.object)
    }
}

/// Reads all objects of a text, in its order. Lists are replaced by what is in them.
///
/// # Errors
/// [`ManifestError`], with the document and the line of what can't be taken.
pub fn read(text: &str) -> Result<Vec<Manifest>, ManifestError> {
    if text.len() > LIMITS.max_bytes() {
        return Err(ManifestError::new(1, 1, Fault::TooLarge { limit: LIMITS.max_bytes() }));
    }
    character::check(text)?;
    let documents = if text.trim_start().starts_with('{') { json::documents(text)? } else { yaml::documents(text)? };
    objects::manifests(documents)
}

/// One document of a text, before anything is known about it.
#[derive(Debug)]
struct RawDocument {
    /// From 1 on.
    number: usize,
    line: usize,
    object: Map<String, Value>,
    /// The lines of the members of `items`, where it is a sequence and they are known.
    item_lines: Vec<usize>,
}
