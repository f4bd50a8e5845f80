//! The published crates build with the oldest Rust that they name.

use std::process::Command;

use anyhow::{Context as _, Result};

use super::{Suite, Tier, one_command};
use crate::command::answer;
use crate::context::Context;
use crate::report::Report;

pub(crate) const SUITE: Suite = Suite {
    name: "msrv",
    about: "the published crates build with the oldest Rust that they name",
    needs: "that toolchain, by rustup",
    tier: Tier::Full,
    run,
};

fn run(context: &Context) -> Result<Report> {
    let published = context.published();
    let oldest = published.iter().find_map(|package| package.rust_version.as_deref());
    let oldest = oldest.context("no published crate names its oldest Rust")?;
    let toolchains = match answer(Command::new("rustup").args(["toolchain", "list"])) {
        Ok(toolchains) => toolchains,
        Err(error) => {
            return Ok(Report::skip("the build", format!("rustup can't be asked: {error:#}")));
        }
    };
    let Some(toolchain) = installed(oldest, &toolchains) else {
        let why = format!("Rust {oldest} is not here; `rustup toolchain install {oldest} --profile minimal` brings it");
        return Ok(Report::skip("the build", why));
    };
    let mut command = Command::new("rustup");
    command.current_dir(&context.root).args(["run", toolchain, "cargo", "check", "--locked"]);
    published.iter().for_each(|package| {
        command.args(["--package", &package.name]);
    });
    let target = context.metadata.target_directory.join("msrv");
    one_command(
        "cargo check",
        command.env("CARGO_TARGET_DIR", target).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO"),
    )
}

/// The installed toolchain of that version: `1.89` is met by `1.89-x86_64-…` and by `1.89.0-x86_64-…`.
fn installed<'a>(version: &str, toolchains: &'a str) -> Option<&'a str> {
    toolchains.lines().filter_map(|line| line.split(' ').next()).find(|name| {
        name.strip_prefix(version)
            .is_some_and(|rest| rest.starts_with('-') || (rest.starts_with('.') && version.matches('.').count() == 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_is_found_by_its_version() {
        let list = "stable-x86_64-unknown-linux-gnu (default)\n1.89.0-x86_64-unknown-linux-gnu (active)\n";
        assert_eq!(installed("1.89", list), Some("1.89.0-x86_64-unknown-linux-gnu"));
        assert_eq!(installed("1.89.0", list), Some("1.89.0-x86_64-unknown-linux-gnu"));
        assert_eq!(installed("1.8", list), None);
        assert_eq!(installed("1.90", list), None);
    }
}
