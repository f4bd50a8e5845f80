//! The target file: what is under test, and what of it can be called.

mod file;
mod template;

use std::path::Path;

use serde_json::{Map, Value};

pub use self::file::{Call, Drift, DriverFile, Limits, Pages, Persons, Rule, ServerFile, Target, Tool, Ungated};
pub(crate) use self::template::fill;
use crate::toml_file::{self, FileError};

impl Target {
    /// Reads a target file.
    ///
    /// # Errors
    /// Where it can't be read, is no TOML, has a key that isn't known, or says what doesn't go together.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let mut target: Self = toml_file::read(path)?;
        if let Some(what) = target.complaints().into_iter().next() {
            return Err(FileError::Wrong { path: path.to_owned(), what });
        }
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        target.directory =
            directory.canonicalize().map_err(|error| FileError::Read { path: directory.to_owned(), error })?;
        Ok(target)
    }

    fn complaints(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.tools.is_empty() {
            found.push("there is no `[[tool]]`: without a gated tool there is nothing to test".to_owned());
        }
        if self.revisions.is_empty() {
            found.push("`revisions` is empty".to_owned());
        }
        if self.server.url.is_some() && self.server.command.is_some() {
            found.push("`server` has both `url` and `command`: a target is reached in one way".to_owned());
        }
        if self.driver.command.is_empty() {
            found.push("`driver.command` is empty".to_owned());
        }
        let mut uses = std::collections::BTreeSet::new();
        for use_of in self.tools.iter().map(|tool| &tool.use_of).chain(self.calls.iter().map(|call| &call.use_of)) {
            if !uses.insert(use_of) {
                found.push(format!("`use = \"{use_of}\"` stands there twice"));
            }
        }
        for tool in &self.tools {
            found.extend(tool.complaints());
        }
        found
    }
}

impl Tool {
    fn complaints(&self) -> Vec<String> {
        let mut found = Vec::new();
        let pointers = [("text", &self.text), ("secret", &self.secret), ("number", &self.number), ("any", &self.any)];
        for (key, pointer) in pointers {
            if pointer.as_ref().is_some_and(|pointer| !pointer.starts_with('/')) {
                found.push(format!("`{key}` of tool `{}` is no JSON Pointer: it begins with `/`", self.use_of));
            }
        }
        if self.rule != Rule::Quorum && self.required != 1 {
            found.push(format!(
                "`required` of tool `{}` is {}: only a quorum asks for more than 1",
                self.use_of, self.required
            ));
        }
        let arguments = Value::Object(self.arguments.clone());
        if !template::is_unique(&arguments) {
            found.push(format!(
                "`arguments` of tool `{}` have no `{{{{unique}}}}`: each check needs an object of its own",
                self.use_of
            ));
        }
        found
    }

    /// The arguments of a call, with `unique` in their places.
    pub(crate) fn arguments(&self, unique: &str) -> Map<String, Value> {
        fill(&self.arguments, unique)
    }

    /// The arguments of the same call with other content: same object.
    pub(crate) fn altered(&self, unique: &str) -> Option<Map<String, Value>> {
        if self.altered.is_empty() {
            return None;
        }
        let mut arguments = self.arguments(unique);
        arguments.extend(fill(&self.altered, unique));
        Some(arguments)
    }
}
