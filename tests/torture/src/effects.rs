//! Effects that anybody can see, and that outlive whoever has them.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use approval_core::PlanId;

/// A file with a line for each effect, however many processes have them.
#[derive(Clone, Debug)]
pub struct Effects(PathBuf);

impl Effects {
    /// The effects in this file, which needn't be there yet.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self(file.into())
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Has the effect of a plan.
    ///
    /// # Errors
    /// Where it can't be had: then there is none.
    pub fn act(&self, plan: PlanId) -> io::Result<()> {
        let mut effects = OpenOptions::new().create(true).append(true).open(&self.0)?;
        // At once, so that it is there or isn't.
        effects.write_all(format!("{plan}\n").as_bytes())
    }

    /// How often each plan has had its effect.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn count(&self) -> Result<BTreeMap<PlanId, u64>> {
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        let mut effects = BTreeMap::new();
        for line in text.lines() {
            *effects.entry(line.parse().with_context(|| format!("the effect `{line}`"))?).or_default() += 1;
        }
        Ok(effects)
    }
}
