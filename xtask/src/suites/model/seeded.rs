//! A copy of the core with faults in it, each behind a switch. The core itself has no place for them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::source::{SourceFile, files};

/// The variable that names the fault which is switched on.
pub(super) const SWITCH: &str = "MODEL_SEEDED";

const LIST: &str = "tests/model/seeded.toml";
const CORE: &str = "crates/approval-core/src";
/// What the copy needs besides the core: whole directories, and single files.
const DIRECTORIES: &[&str] = &[CORE, "crates/approval-testkit/src", "tests/model/src"];
const FILES: &[&str] = &[
    "Cargo.lock",
    "crates/approval-core/Cargo.toml",
    "crates/approval-core/src/lib.md",
    "crates/approval-testkit/Cargo.toml",
    "crates/approval-testkit/src/lib.md",
    "rust-toolchain.toml",
    "spec/v0/gate.md",
];
/// The copy's program has a name of its own, since both are built into one directory.
const PROGRAM_MANIFEST: &str = "tests/model/Cargo.toml";
pub(super) const PROGRAM: &str = "model-seeded";
const MEMBERS: &[&str] = &["crates/approval-core", "crates/approval-testkit", "tests/model"];

/// Whether a fault is on, in the copy's core.
const SWITCHES: &str = r#"//! Which fault is switched on.

use std::sync::LazyLock;

static ON: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("MODEL_SEEDED").ok());

pub(crate) fn is(name: &str) -> bool {
    ON.as_deref() == Some(name)
}
"#;

/// All faults.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seeds {
    fault: Vec<Seed>,
}

/// One fault.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seed {
    pub(super) name: String,
    /// What is wrong, in words.
    #[expect(dead_code, reason = "for whoever reads the list")]
    why: String,
    /// Where it must be found.
    pub(super) scenario: String,
    /// The invariant that it must break.
    pub(super) breaks: String,
    /// Whether it is left to the full tier.
    #[serde(default)]
    full: bool,
    patch: Vec<Patch>,
}

/// One change of one file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    file: String,
    find: String,
    put: String,
}

impl Seeds {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let text = fs::read_to_string(root.join(LIST)).with_context(|| format!("reading {LIST}"))?;
        toml::from_str(&text).with_context(|| format!("reading {LIST}"))
    }

    pub(super) fn chosen(&self, full: bool) -> impl Iterator<Item = &Seed> {
        self.fault.iter().filter(move |seed| full || !seed.full)
    }

    /// Writes the copy. A file that is there already and the same is left alone, so that cargo builds only what has changed.
    pub(super) fn plant(&self, root: &Path, workspace: &Path) -> Result<()> {
        let mut sources: Vec<SourceFile> = Vec::new();
        for directory in DIRECTORIES {
            sources.extend(files(&root.join(directory), &["rs"])?);
        }
        for file in &mut sources {
            file.path = file.path.strip_prefix(root)?.to_owned();
        }
        self.patch(&mut sources)?;
        for file in sources {
            put(&workspace.join(&file.path), &file.text)?;
        }
        put(&workspace.join(CORE).join("seeded.rs"), SWITCHES)?;
        for file in FILES {
            put(&workspace.join(file), &fs::read_to_string(root.join(file)).with_context(|| (*file).to_owned())?)?;
        }
        let program = fs::read_to_string(root.join(PROGRAM_MANIFEST))?;
        let program = program.replacen("name = \"model\"", &format!("name = \"{PROGRAM}\""), 1);
        put(&workspace.join(PROGRAM_MANIFEST), &program)?;
        put(&workspace.join("Cargo.toml"), &manifest(&fs::read_to_string(root.join("Cargo.toml"))?)?)
    }

    fn patch(&self, sources: &mut [SourceFile]) -> Result<()> {
        let place = |file: &str| Path::new(CORE).join(file);
        for Seed { name, patch, .. } in &self.fault {
            for Patch { file, find, put } in patch {
                let path = place(file);
                let source = sources.iter_mut().find(|source| source.path == path);
                let source =
                    source.with_context(|| format!("the fault `{name}` is for `{file}`, which is not there"))?;
                if source.text.matches(find.as_str()).count() != 1 {
                    bail!("the fault `{name}` is for a line of `{file}` that does not stand there once: {find}");
                }
                let switch = format!("crate::seeded::is(\"{name}\")");
                source.text = source.text.replacen(find.as_str(), &put.trim_start().replace("SEEDED", &switch), 1);
            }
        }
        let library = sources.iter_mut().find(|source| source.path == place("lib.rs"));
        library.context("the core has no `lib.rs`")?.text.push_str("\nmod seeded;\n");
        Ok(())
    }
}

/// The workspace's manifest, with the copied members only, and with a version of its own: what is built in one directory goes by
/// name and version.
fn manifest(text: &str) -> Result<String> {
    let mut manifest: toml::Table = toml::from_str(text)?;
    let workspace = manifest.get_mut("workspace").and_then(toml::Value::as_table_mut).context("no workspace")?;
    let members = MEMBERS.iter().map(|member| toml::Value::from(*member)).collect();
    workspace.insert("members".to_owned(), toml::Value::Array(members));
    let package = workspace.get_mut("package").and_then(toml::Value::as_table_mut).context("no common package")?;
    let version = package.get("version").and_then(toml::Value::as_str).context("no common version")?;
    let version = format!("{version}+seeded");
    package.insert("version".to_owned(), version.into());
    Ok(toml::to_string(&manifest)?)
}

fn put(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    let parent = path.parent().context("a file without a directory")?;
    fs::create_dir_all(parent).with_context(|| format!("`{}`", parent.display()))?;
    fs::write(path, text).with_context(|| format!("`{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds(find: &str) -> Seeds {
        let patch = Patch { file: "lib.rs".into(), find: find.into(), put: "\nSEEDED || 1 < 2".into() };
        let seed = Seed {
            name: "a".into(),
            why: String::new(),
            scenario: String::new(),
            breaks: String::new(),
            full: false,
            patch: vec![patch],
        };
        Seeds { fault: vec![seed] }
    }

    fn patched(find: &str) -> Result<String> {
        let path = Path::new(CORE).join("lib.rs");
        let mut sources = [SourceFile { path, text: "fn a() -> bool { 1 < 2 }\nfn b() {}\nfn c() {}".into() }];
        seeds(find).patch(&mut sources)?;
        Ok(sources.map(|source| source.text).concat())
    }

    #[test]
    fn a_fault_stands_behind_its_switch() {
        let text = patched("1 < 2").unwrap();
        assert!(text.starts_with("fn a() -> bool { crate::seeded::is(\"a\") || 1 < 2 }\n"), "{text}");
        assert!(text.ends_with("\nmod seeded;\n"), "{text}");
    }

    #[test]
    fn a_line_that_is_gone_or_stands_twice_is_told() {
        assert!(patched("1 < 3").is_err());
        assert!(patched("{}").is_err());
    }

    #[test]
    fn the_copy_has_its_own_members() {
        let text = manifest("[workspace]\nmembers = [\"bench\"]\n[workspace.package]\nversion = \"1.2.3\"\n").unwrap();
        assert!(text.contains("tests/model") && text.contains("1.2.3+seeded") && !text.contains("bench"), "{text}");
    }
}
