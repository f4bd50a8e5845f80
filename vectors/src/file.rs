//! The files: one for each category, the same bytes in every run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::{Map, Value};

const FORMAT: &str = "mutation-approval/vectors/v0";

/// The vectors of one kind.
#[derive(Serialize)]
pub(crate) struct Category {
    format: &'static str,
    pub(crate) category: &'static str,
    about: &'static str,
    /// What several vectors refer to.
    #[serde(flatten)]
    shared: Map<String, Value>,
    vectors: Vec<Vector>,
}

/// One case: what goes in, and what must come out.
#[derive(Serialize)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) input: Value,
    pub(crate) expect: Value,
}

impl Vector {
    pub(crate) fn new(name: impl Into<String>, input: Value, expect: Value) -> Self {
        Self { name: name.into(), input, expect }
    }
}

impl Category {
    pub(crate) fn new(category: &'static str, about: &'static str, vectors: Vec<Vector>) -> Result<Self> {
        let mut names = BTreeSet::new();
        for vector in &vectors {
            ensure!(names.insert(&vector.name), "two vectors of {category} are called `{}`", vector.name);
        }
        Ok(Self { format: FORMAT, category, about, shared: Map::new(), vectors })
    }

    /// With a member that several vectors refer to.
    pub(crate) fn sharing(mut self, name: &str, value: Value) -> Self {
        self.shared.insert(name.to_owned(), value);
        self
    }

    fn name(&self) -> String {
        format!("{}.json", self.category)
    }

    fn text(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

pub(crate) fn write(categories: &[Category], directory: &Path) -> Result<()> {
    for category in categories {
        let path = directory.join(category.name());
        fs::write(&path, category.text()?).with_context(|| format!("writing `{}`", path.display()))?;
        say(&format!("{}: {} vectors", category.name(), category.vectors.len()));
    }
    Ok(())
}

/// One line for each file, as suites print them: `ok NAME` or `not ok NAME: why`.
pub(crate) fn compare(categories: &[Category], directory: &Path) -> Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for category in categories {
        let name = category.name();
        match fs::read_to_string(directory.join(&name)) {
            Ok(found) if found == category.text()? => {
                say(&format!("ok {name} is what the core says ({} vectors)", category.vectors.len()));
            }
            found => {
                let line = found.ok().map(|found| first_difference(&found, &category.text().unwrap_or_default()));
                let place = line.map_or("it is not there".to_owned(), |line| format!("line {line} differs"));
                say(&format!("not ok {name} is what the core says: {place}; `cargo xtask vectors` writes it anew"));
                code = ExitCode::FAILURE;
            }
        }
    }
    let known: BTreeSet<_> = categories.iter().map(Category::name).collect();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") && !known.contains(&name) {
            say(&format!("not ok {name} is what the core says: nothing makes it"));
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn first_difference(found: &str, made: &str) -> usize {
    1 + found.lines().zip(made.lines()).take_while(|(found, made)| found == made).count()
}

#[expect(clippy::print_stdout, reason = "a program speaks on its standard output")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}
