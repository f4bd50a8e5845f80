//! Finding citations in the repository's code.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::source::comments::comments;
use crate::source::tests_only::TestsOnly;
use crate::source::{SourceFile, files};

/// One mention of a requirement.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Citation {
    pub(super) id: String,
    pub(super) role: Role,
    /// File and line, for people.
    pub(super) place: String,
}

/// What a place is to the requirement that it cites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It fails when the requirement is broken.
    Check,
    /// It makes the requirement hold.
    Enforcement,
    /// It shows how the requirement is met.
    Example,
}

/// Scripts and other suites cite in their own kind of comment; their whole text is read.
const OTHER_LANGUAGES: &[&str] = &["feature", "go", "js", "mjs", "py", "sh", "sql", "toml", "ts", "yaml", "yml"];

/// Servers that share no code with the crates: what they enforce, the crates do not.
const TARGETS: &str = "conformance/targets";

/// It enforces nothing and checks others. Its checks name requirements in their code: `requirements: &["GATE-012"]`.
const HARNESS: &str = "crates/approval-conformance";

/// Every citation: production code of the crates and their templates enforces, tests and vectors check, examples and other
/// implementations show.
pub(super) fn find(root: &Path) -> Result<Vec<Citation>> {
    let mut found = Vec::new();
    for crate_directory in directories(&root.join("crates"))? {
        let source = files(&crate_directory.join("src"), &["rs"])?;
        if crate_directory == root.join(HARNESS) {
            for file in &source {
                rust(root, file, &mut found, |_| Role::Check);
                quoted(root, file, &mut found);
            }
            continue;
        }
        let tests = TestsOnly::find(&source)?;
        for file in &source {
            rust(
                root,
                file,
                &mut found,
                |line| {
                    if tests.holds(&file.path, line) { Role::Check } else { Role::Enforcement }
                },
            );
        }
        for file in files(&crate_directory, &["css", "html", "sql"])? {
            let is_test = file.path.starts_with(crate_directory.join("tests"));
            text(root, &file, if is_test { Role::Check } else { Role::Enforcement }, &mut found);
        }
        for file in files(&crate_directory.join("tests"), &["rs"])? {
            rust(root, &file, &mut found, |_| Role::Check);
        }
    }
    let targets = root.join(TARGETS);
    for (directory, role) in
        [("tests", Role::Check), ("vectors", Role::Check), ("conformance", Role::Check), ("examples", Role::Example)]
    {
        let role_of = |file: &SourceFile| if file.path.starts_with(&targets) { Role::Example } else { role };
        for file in files(&root.join(directory), &["rs"])? {
            let role = role_of(&file);
            rust(root, &file, &mut found, |_| role);
        }
        for file in files(&root.join(directory), OTHER_LANGUAGES)? {
            text(root, &file, role_of(&file), &mut found);
        }
    }
    Ok(found)
}

fn directories(parent: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn rust(root: &Path, file: &SourceFile, found: &mut Vec<Citation>, role: impl Fn(usize) -> Role) {
    for comment in comments(&file.text) {
        note(root, file, comment.line, comment.text, role(comment.line), found);
    }
}

fn text(root: &Path, file: &SourceFile, role: Role, found: &mut Vec<Citation>) {
    for (index, line) in file.text.lines().enumerate() {
        note(root, file, index + 1, line, role, found);
    }
}

fn note(root: &Path, file: &SourceFile, line: usize, text: &str, role: Role, found: &mut Vec<Citation>) {
    let path = file.path.strip_prefix(root).unwrap_or(&file.path).display();
    found.extend(bracketed(text).map(|id| Citation { id: id.to_owned(), role, place: format!("{path}:{line}") }));
}

/// The ids that stand as string literals.
fn quoted(root: &Path, file: &SourceFile, found: &mut Vec<Citation>) {
    let path = file.path.strip_prefix(root).unwrap_or(&file.path).display();
    for (index, line) in file.text.lines().enumerate() {
        let ids = line.split('"').skip(1).step_by(2).filter(|literal| is_id(literal));
        found.extend(ids.map(|id| Citation {
            id: id.to_owned(),
            role: Role::Check,
            place: format!("{path}:{}", index + 1),
        }));
    }
}

/// The ids in `[GATE-012]` and `[GATE-012, GATE-013]`; brackets that hold anything else are no citation.
pub(super) fn bracketed(text: &str) -> impl Iterator<Item = &str> {
    text.split('[').skip(1).filter_map(|rest| rest.split_once(']')).flat_map(|(inside, _)| {
        let ids: Vec<_> = inside.split(',').map(str::trim).collect();
        if ids.iter().all(|id| is_id(id)) { ids } else { Vec::new() }
    })
}

/// Every word that looks like an id.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| is_id(word))
}

/// Upper-case words joined by hyphens, with three digits at the end: `GATE-012`.
pub(super) fn is_id(text: &str) -> bool {
    let Some((prefix, number)) = text.rsplit_once('-') else {
        return false;
    };
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    };
    number.len() == 3 && number.chars().all(|c| c.is_ascii_digit()) && prefix.split('-').all(is_word)
}
