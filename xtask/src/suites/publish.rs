//! The crates can be published, and what is published is whole: each archive is unpacked and looked through as a stranger
//! would get it, beside nothing of this repository.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use toml::{Table, Value};

use super::{LIMIT, Suite, Tier};
use crate::command::{answer, stream};
use crate::context::{Context, Package};
use crate::report::Report;
use crate::source::files;

pub(crate) const SUITE: Suite = Suite {
    name: "publish",
    about: "every published crate packages whole, and (with --full) builds from its package alone",
    needs: "`tar`; the index of crates.io",
    tier: Tier::Each,
    run,
};

/// What everybody looks for in a package, beside the manifest.
const LICENCES: &[&str] = &["LICENSE-APACHE", "LICENSE-MIT"];
const README: &str = "README.md";

/// What the manifest says to those who look for a crate, and to their tools.
const TOLD: &[&str] =
    &["categories", "description", "keywords", "license", "name", "readme", "repository", "rust-version", "version"];

/// Macros that read a file when the crate is compiled.
const INCLUDES: &[&str] = &["include_bytes!(\"", "include_str!(\""];

/// What cargo warns of when it does as it was told.
const EXPECTED: &[&str] = &["aborting upload due to dry run", "ignoring test `"];

fn run(context: &Context) -> Result<Report> {
    let mut report = package(context)?;
    if report.failures() > 0 {
        return Ok(report);
    }
    for package in context.published() {
        report.check(&format!("the package of {}", package.name), &complaints(context, package)?);
    }
    if context.full {
        report.add(publish(context)?);
    } else {
        report.skipped("builds from the packages alone", "left to --full");
    }
    Ok(report)
}

fn package(context: &Context) -> Result<Report> {
    cargo(context, &["package", "--no-verify"])
}

/// All but the upload. Each crate is built from its package, with those of the others that it depends on.
fn publish(context: &Context) -> Result<Report> {
    cargo(context, &["publish", "--dry-run"])
}

/// What is being worked on is packaged as it is: in a clone there is nothing else.
fn cargo(context: &Context, arguments: &[&str]) -> Result<Report> {
    let mut command = context.cargo();
    command.args(arguments).args(["--locked", "--allow-dirty"]);
    context.published().iter().for_each(|package| {
        command.args(["--package", &package.name]);
    });
    let output = stream(&mut command, LIMIT)?;
    let mut report = Report::default();
    let what = format!("cargo {}", arguments.join(" "));
    let is_warning = |line: &&str| line.starts_with("warning:") && !EXPECTED.iter().any(|words| line.contains(words));
    let mut complaints: Vec<_> = output.text.lines().filter(is_warning).map(ToOwned::to_owned).collect();
    if !output.succeeded() {
        complaints.push(output.ending());
    }
    report.check(&what, &complaints);
    Ok(report)
}

fn complaints(context: &Context, package: &Package) -> Result<Vec<String>> {
    let directory = unpack(context, package)?;
    let manifest = fs::read_to_string(directory.join("Cargo.toml"))?.parse::<Table>()?;
    let mut complaints = untold(&manifest);
    for licence in LICENCES {
        let own = fs::read(context.root.join(licence))?;
        if fs::read(directory.join(licence)).ok() != Some(own) {
            complaints.push(format!("`{licence}` is not there, or is not the repository's"));
        }
    }
    match fs::read_to_string(directory.join(README)) {
        Ok(readme) => complaints.extend(lost_links(&readme)),
        Err(error) => complaints.push(format!("`{README}`: {error}")),
    }
    for file in files(&directory, &["rs"])? {
        for path in included(&file.text) {
            let beside = file.path.parent().unwrap_or(&directory).join(path);
            if !beside.canonicalize().is_ok_and(|path| path.starts_with(&directory)) {
                let name = file.path.strip_prefix(&directory).unwrap_or(&file.path).display();
                complaints.push(format!("`{name}` includes `{path}`, which is not in the package"));
            }
        }
    }
    Ok(complaints)
}

/// The package as it would be uploaded, unpacked into a directory of its own.
fn unpack(context: &Context, package: &Package) -> Result<PathBuf> {
    let name = format!("{}-{}", package.name, package.version);
    let archive = context.metadata.target_directory.join("package").join(format!("{name}.crate"));
    let unpacked = context.metadata.target_directory.join("xtask-packages");
    let directory = unpacked.join(&name);
    fs::create_dir_all(&unpacked)?;
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    answer(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&unpacked))?;
    directory.canonicalize().with_context(|| format!("unpacking `{}`", archive.display()))
}

fn untold(manifest: &Table) -> Vec<String> {
    let package = manifest.get("package").and_then(Value::as_table);
    let is_told = |key: &&&str| match package.and_then(|package| package.get(**key)) {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        _ => false,
    };
    let mut untold: Vec<_> =
        TOLD.iter().filter(|key| !is_told(key)).map(|key| format!("the manifest has no `{key}`")).collect();
    // Without this docs.rs shows the default features only, and not what a feature adds.
    let documented = package.and_then(|package| package.get("metadata")?.get("docs")?.get("rs")?.get("all-features"));
    if manifest.contains_key("features") && documented != Some(&Value::Boolean(true)) {
        untold.push("it has features, and `package.metadata.docs.rs` doesn't say `all-features`".to_owned());
    }
    untold
}

/// Links that lead nowhere where a registry shows the page: into the repository, or to an item of the crate.
fn lost_links(readme: &str) -> Vec<String> {
    let targets = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let lost = targets.filter(|target| !target.starts_with("https://") && !target.starts_with('#'));
    let mut lost: Vec<_> = lost.map(|target| format!("`{README}` links to `{target}`")).collect();
    lost.extend(readme.split("[`").skip(1).filter_map(|rest| {
        let (name, after) = rest.split_once("`]")?;
        (!after.starts_with('(')).then(|| format!("`{README}` has the brackets of a link around `{name}`"))
    }));
    lost
}

fn included(source: &str) -> impl Iterator<Item = &str> {
    INCLUDES.iter().flat_map(|include| source.split(include).skip(1)).filter_map(|rest| rest.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_that_tells_all_passes_and_each_gap_is_named() {
        let whole = "[package]\nname = 'a'\nversion = '1.0.0'\ncategories = ['x']\ndescription = 'x'\nkeywords = ['x']\n\
                     license = 'MIT'\nreadme = 'README.md'\nrepository = 'x'\nrust-version = '1.89'\n";
        assert_eq!(untold(&whole.parse().unwrap()), Vec::<String>::new());
        let gap = whole.replace("readme = 'README.md'", "readme = false").replace("keywords = ['x']", "keywords = []");
        assert_eq!(untold(&gap.parse().unwrap()), ["the manifest has no `keywords`", "the manifest has no `readme`"]);
        let features = format!("{whole}[features]\nhttp = []\n");
        assert_eq!(untold(&features.parse().unwrap()).len(), 1);
        let documented = format!("{features}[package.metadata.docs.rs]\nall-features = true\n");
        assert_eq!(untold(&documented.parse().unwrap()), Vec::<String>::new());
    }

    #[test]
    fn links_that_a_registry_loses_are_named() {
        assert_eq!(lost_links("[a](https://docs.rs/a), [b](#b), `c`"), Vec::<String>::new());
        assert_eq!(lost_links("[a](../spec/a.md)"), ["`README.md` links to `../spec/a.md`"]);
        assert_eq!(lost_links("the [`Gate`]"), ["`README.md` has the brackets of a link around `Gate`"]);
        assert_eq!(lost_links("the [`Gate`](https://docs.rs/a)"), Vec::<String>::new());
    }

    #[test]
    fn what_is_read_at_compile_time_is_found() {
        let source = r#"const A: &str = include_str!("../a.sql"); const B: &[u8] = include_bytes!("b");"#;
        assert_eq!(included(source).collect::<Vec<_>>(), ["b", "../a.sql"]);
    }
}
