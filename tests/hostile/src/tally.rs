//! What came of a run: how many documents met each fate, and what disagreed.

use std::collections::BTreeMap;

use crate::verdict::{ADMITTED, KINDS};

/// Disagreements that are printed. One fault makes many.
const PRINTED: usize = 10;

/// Of so many documents at least one must meet each fate, or that fate wasn't tested.
const RAREST: u64 = 1000;
/// And of so many one must be admitted.
const ADMITTED_LEAST: u64 = 5;

/// The outcome of a run.
#[derive(Default)]
pub(crate) struct Tally {
    kinds: BTreeMap<&'static str, u64>,
    /// For each reader how many verdicts were right; the core is one of them.
    agreed: BTreeMap<String, u64>,
    disagreed: BTreeMap<String, Vec<String>>,
    disagreements: BTreeMap<String, u64>,
}

impl Tally {
    pub(crate) fn count(&mut self, kind: &'static str) {
        *self.kinds.entry(kind).or_default() += 1;
    }

    pub(crate) fn agreed(&mut self, reader: &str) {
        match self.agreed.get_mut(reader) {
            Some(count) => *count += 1,
            None => {
                self.agreed.insert(reader.to_owned(), 1);
            }
        }
    }

    /// Enters a disagreement; its description is made only if it's going to be printed.
    pub(crate) fn disagreed(&mut self, reader: &str, description: impl FnOnce() -> String) {
        *self.disagreements.entry(reader.to_owned()).or_default() += 1;
        let printed = self.disagreed.entry(reader.to_owned()).or_default();
        if printed.len() < PRINTED {
            printed.push(description());
        }
    }

    /// How many verdicts of a reader were not as they should be.
    #[cfg(test)]
    pub(crate) fn differences(&self, reader: &str) -> u64 {
        self.disagreements.get(reader).copied().unwrap_or_default()
    }

    /// Prints one line for each test. True means that all passed.
    pub(crate) fn print(&self, count: u64) -> bool {
        let mut passed = true;
        for kind in KINDS {
            let found = self.kinds.get(kind).copied().unwrap_or_default();
            let least = (count / if *kind == ADMITTED { ADMITTED_LEAST } else { RAREST }).max(1);
            if found >= least {
                println!("ok {kind}: {found}");
            } else {
                println!("not ok {kind}: {found} documents, of which at least {least} are needed");
                passed = false;
            }
        }
        for (reader, agreed) in &self.agreed {
            if !self.disagreements.contains_key(reader) {
                println!("ok {reader}: {agreed} verdicts");
            }
        }
        for (reader, disagreements) in &self.disagreements {
            passed = false;
            for description in self.disagreed.get(reader).into_iter().flatten() {
                println!("{reader}: {description}");
            }
            println!("not ok {reader}: {disagreements} verdicts differ");
        }
        passed
    }
}
