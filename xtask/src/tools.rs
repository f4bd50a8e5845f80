//! Outside parts at the versions of `tests/versions.toml` and of npm lock files, fetched once, prebuilt, each into a
//! directory of its own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::cache::{stamp, tool_directory};
use crate::command::answer;
use crate::context::Context;

/// `tests/versions.toml`: tools by their program's name, servers and Python packages by theirs.
#[derive(Deserialize)]
pub(crate) struct Versions {
    pub(crate) tools: BTreeMap<String, Tool>,
    pub(crate) maven: BTreeMap<String, Tool>,
    pub(crate) python: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(crate) struct Tool {
    package: String,
    version: String,
}

impl Versions {
    fn read(root: &Path) -> Result<Self> {
        let path = root.join("tests/versions.toml");
        let text = fs::read_to_string(&path).with_context(|| format!("reading `{}`", path.display()))?;
        toml::from_str(&text).with_context(|| format!("reading `{}`", path.display()))
    }
}

/// The program of a prebuilt cargo tool, fetched if it isn't there yet. An error says why it can't be had.
pub(crate) fn cargo_tool(context: &Context, name: &str) -> Result<PathBuf> {
    let versions = Versions::read(&context.root)?;
    let tool = versions.tools.get(name).with_context(|| format!("tests/versions.toml does not name `{name}`"))?;
    let directory = tool_directory(&context.metadata.target_directory)?.join(format!("tool-{name}-{}", tool.version));
    install(&directory, &[format!("{}=={}", tool.package, tool.version)])?;
    let program = directory.join("bin").join(name);
    if !program.is_file() {
        bail!("the package `{}` has no program `{name}`", tool.package);
    }
    Ok(program)
}

/// The directory to put on `PYTHONPATH` for the Python packages that the tests import.
pub(crate) fn python_packages(context: &Context) -> Result<PathBuf> {
    let versions = Versions::read(&context.root)?;
    let requirements: Vec<_> =
        versions.python.iter().map(|(package, version)| format!("{package}=={version}")).collect();
    ensure_pip()?;
    let script = "import sys; print('%d.%d' % sys.version_info[:2])";
    let python = answer(Command::new("python3").args(["-c", script]))?;
    let name = format!("python-{}-{}", python.trim(), requirements.join("-").replace("==", "-"));
    let directory = tool_directory(&context.metadata.target_directory)?.join(name);
    install(&directory, &requirements)?;
    Ok(directory)
}

/// Python as the suites call it: these packages, none of the user's own, and nothing written beside the sources.
pub(crate) fn python(packages: &Path) -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", packages).env("PYTHONNOUSERSITE", "1").env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// What [`python`] finds in its environment, for programs that start Python themselves.
pub(crate) fn python_environment(packages: &Path) -> Vec<(OsString, OsString)> {
    let python = python(packages);
    python.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
}

/// One file of JavaScript for Node, made of a TypeScript program and all that it imports. `locked` holds the `package.json`
/// and its lock file, which name the packages and `esbuild`.
pub(crate) fn bundle(context: &Context, locked: &str, entry: &str) -> Result<PathBuf> {
    let modules = npm_packages(context, locked)?;
    let name = format!("{}.mjs", entry.replace(['/', '.'], "-"));
    let bundle = context.metadata.target_directory.join("xtask-bundles").join(name);
    answer(
        Command::new(modules.join(".bin/esbuild"))
            .current_dir(&context.root)
            .args([entry, "--bundle", "--platform=node", "--format=esm", "--target=node20", "--log-level=warning"])
            .arg(format!("--outfile={}", bundle.display()))
            .env("NODE_PATH", modules),
    )?;
    Ok(bundle)
}

/// The directory of a server that Maven Central has as an archive, unpacked and built by a program in it. What was built is
/// not written to afterwards; what else is there, programs may write to.
pub(crate) fn maven_server(context: &Context, name: &str, program: &str, arguments: &[&str]) -> Result<PathBuf> {
    let versions = Versions::read(&context.root)?;
    let tool = versions.maven.get(name).with_context(|| format!("tests/versions.toml does not name `{name}`"))?;
    let mut hasher = DefaultHasher::new();
    (program, arguments).hash(&mut hasher);
    let directory = format!("{name}-{}-{:016x}", tool.version, hasher.finish());
    let directory = tool_directory(&context.metadata.target_directory)?.join(directory);
    appear_whole(&directory, |unfinished| {
        println!("fetching {}:{}", tool.package, tool.version);
        let archives = unfinished.join("archives");
        // Its own repository is of no use afterwards, and nobody else's is touched.
        let repository = unfinished.join("repository");
        answer(
            Command::new("mvn")
                .args(["--quiet", "--batch-mode", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"])
                .arg(format!("-Dartifact={}:{}:zip", tool.package, tool.version))
                .arg(format!("-DoutputDirectory={}", archives.display()))
                .arg(format!("-Dmaven.repo.local={}", repository.display())),
        )?;
        let archive = fs::read_dir(&archives)?.next().context("there is no archive")??.path();
        answer(Command::new("unzip").arg("-q").arg(&archive).arg("-d").arg(unfinished))?;
        fs::remove_dir_all(archives)?;
        fs::remove_dir_all(repository)?;
        answer(Command::new(inside(unfinished)?.join(program)).args(arguments))?;
        Ok(())
    })?;
    inside(&directory)
}

/// The one directory that an archive holds, by the name of what is in it.
fn inside(directory: &Path) -> Result<PathBuf> {
    let mut inside = fs::read_dir(directory)?.filter_map(|entry| Some(entry.ok()?.path()));
    inside.find(|path| path.is_dir()).with_context(|| format!("`{}` is empty", directory.display()))
}

/// The `node_modules` of a directory's lock file, kept outside the clone. No package runs a script of its own.
pub(crate) fn npm_packages(context: &Context, locked: &str) -> Result<PathBuf> {
    let files = ["package.json", "package-lock.json"].map(|file| context.root.join(locked).join(file));
    let mut hasher = DefaultHasher::new();
    for file in &files {
        fs::read(file).with_context(|| format!("reading `{}`", file.display()))?.hash(&mut hasher);
    }
    let directory = tool_directory(&context.metadata.target_directory)?.join(format!("npm-{:016x}", hasher.finish()));
    appear_whole(&directory, |unfinished| {
        answer(Command::new("npm").arg("--version")).context("npm is needed")?;
        println!("fetching the npm packages of {locked}");
        fs::create_dir_all(unfinished)?;
        for file in &files {
            fs::copy(file, unfinished.join(file.file_name().unwrap_or_default()))?;
        }
        let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        answer(Command::new("npm").args(arguments).current_dir(unfinished))?;
        Ok(())
    })?;
    Ok(directory.join("node_modules"))
}

/// Fetches wheels. It needs no virtual environment and touches no other Python package of the machine.
fn install(directory: &Path, requirements: &[String]) -> Result<()> {
    appear_whole(directory, |unfinished| {
        ensure_pip()?;
        println!("fetching {}", requirements.join(", "));
        answer(
            Command::new("python3")
                .args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--target"])
                .arg(unfinished)
                .args(requirements)
                .env("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        )?;
        Ok(())
    })
}

/// Makes a directory which appears with all that belongs in it, or not at all.
pub(crate) fn appear_whole(directory: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if directory.is_dir() {
        return stamp(directory);
    }
    let mut unfinished = directory.as_os_str().to_owned();
    unfinished.push(format!(".unfinished-{}", std::process::id()));
    fill(Path::new(&unfinished))?;
    match fs::rename(&unfinished, directory) {
        Ok(()) => {}
        // Another run was quicker.
        Err(_) if directory.is_dir() => fs::remove_dir_all(&unfinished)?,
        Err(error) => {
            return Err(error).with_context(|| format!("creating `{}`", directory.display()));
        }
    }
    stamp(directory)
}

/// PostgreSQL's programs and a pooler, installed where they aren't there and this is the CI's machine.
pub(crate) fn ensure_postgres() -> Result<()> {
    let script = "(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null || command -v initdb) && command -v pgbouncer";
    ensure(script, "PostgreSQL's `initdb` and pgbouncer are needed", &["postgresql", "pgbouncer"])
}

/// Chromium, the driver of its version, and fonts with which a page looks as it should, installed where they aren't there and
/// this is the CI's machine.
pub(crate) fn ensure_chromium() -> Result<()> {
    let script = "(command -v chromium || command -v google-chrome) && command -v chromedriver";
    let packages = ["chromium", "chromium-driver", "fonts-liberation", "fonts-noto-core"];
    ensure(script, "Chromium and `chromedriver` are needed", &packages)
}

/// Java with Maven, and what unpacks an archive, installed where they aren't there and this is the CI's machine.
pub(crate) fn ensure_maven() -> Result<()> {
    let script = "java --version && mvn --version && unzip -v";
    ensure(script, "Java 17 or newer, Maven and `unzip` are needed", &["default-jre-headless", "maven", "unzip"])
}

/// Debian's packages, installed where the script doesn't find what they hold and this is the CI's machine.
fn ensure(script: &str, needed: &str, packages: &[&str]) -> Result<()> {
    let Err(missing) = answer(Command::new("sh").args(["-c", script])) else {
        return Ok(());
    };
    if std::env::var_os("CI").is_none() {
        return Err(missing.context(format!("{needed}: the packages `{}`", packages.join("`, `"))));
    }
    apt_get(&["update", "--quiet"])?;
    let install = ["install", "--quiet", "--yes", "--no-install-recommends"];
    apt_get(&install.iter().chain(packages).copied().collect::<Vec<_>>())
}

/// A program that Debian has in a package of its name, installed where it isn't there and this is the CI's machine.
pub(crate) fn ensure_program(name: &str) -> Result<()> {
    let Err(missing) = answer(Command::new(name).arg("--version")) else {
        return Ok(());
    };
    if std::env::var_os("CI").is_none() {
        return Err(missing.context(format!("`{name}` is needed")));
    }
    apt_get(&["update", "--quiet"])?;
    apt_get(&["install", "--quiet", "--yes", "--no-install-recommends", name])
}

/// Node, of this version or a newer one.
pub(crate) fn ensure_node(oldest: u32) -> Result<()> {
    let version = answer(Command::new("node").arg("--version")).context("node is needed")?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < oldest) {
        bail!("Node {oldest} or newer is needed, and `node` is {}", version.trim());
    }
    Ok(())
}

/// On a test machine without pip, Debian has it. On anybody's own machine nothing is installed unasked.
fn ensure_pip() -> Result<()> {
    let Err(missing) = answer(Command::new("python3").args(["-m", "pip", "--version"])) else {
        return Ok(());
    };
    if std::env::var_os("CI").is_none() {
        return Err(missing.context("python3 with pip is needed"));
    }
    apt_get(&["update", "--quiet"])?;
    apt_get(&["install", "--quiet", "--yes", "--no-install-recommends", "python3", "python3-pip"])
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let is_root = answer(Command::new("id").arg("-u"))?.trim() == "0";
    let mut command = if is_root {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--non-interactive", "apt-get"]);
        sudo
    };
    answer(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::workspace_root;

    #[test]
    fn the_repositorys_own_versions_are_exact() {
        let versions = Versions::read(&workspace_root().unwrap()).unwrap();
        let tools = versions.tools.values().chain(versions.maven.values()).map(|tool| &tool.version);
        for version in tools.chain(versions.python.values()) {
            assert!(version.split('.').all(|part| part.parse::<u32>().is_ok()), "`{version}` is no exact version");
        }
        assert!(versions.tools.contains_key("cargo-nextest"));
        assert!(versions.maven.contains_key("keycloak"));
        assert!(versions.python.contains_key("mcp"));
    }

    #[test]
    fn the_python_targets_requirements_are_those_versions() {
        let root = workspace_root().unwrap();
        let versions = Versions::read(&root).unwrap();
        let text = fs::read_to_string(root.join("conformance/targets/python/requirements.txt")).unwrap();
        let required: BTreeMap<_, _> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_once("==").unwrap_or_else(|| panic!("`{line}` names no exact version")))
            .map(|(package, version)| (package.to_owned(), version.to_owned()))
            .collect();
        assert_eq!(required, versions.python);
    }
}
