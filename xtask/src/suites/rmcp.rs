//! Every method of rmcp's `ServerHandler` has a default body, so a forward that is forgotten compiles and drops what the
//! inner server does. This compares the trait, in the source of the rmcp that cargo resolved, with our implementation.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};

use super::{Suite, Tier};
use crate::context::Context;
use crate::report::Report;
use crate::source::{files, methods};

pub(crate) const SUITE: Suite = Suite {
    name: "rmcp",
    about: "the adapter forwards every method that the resolved rmcp's ServerHandler has",
    needs: "nothing more",
    tier: Tier::Each,
    run,
};

const TRAIT: &str = "ServerHandler";
const WRAPPER: &str = "Gated";

fn run(context: &Context) -> Result<Report> {
    let adapter = files(&context.root.join("crates/approval-rmcp/src"), &["rs"])?;
    let Some(forwarded) = methods::of_impl(TRAIT, WRAPPER, &adapter)? else {
        return Ok(Report::skip("all", format!("no adapter yet: no `impl {TRAIT} for {WRAPPER}` in approval-rmcp")));
    };
    let resolved: Vec<_> = context.metadata.packages.iter().filter(|package| package.name == "rmcp").collect();
    let rmcp = resolved.first().context("no package `rmcp` is resolved")?;
    ensure!(resolved.len() == 1, "more than one rmcp is resolved");
    let offered = methods::of_trait(TRAIT, &files(&rmcp.directory().join("src"), &["rs"])?)?;
    // A guard that finds nothing to compare would pass for ever.
    ensure!(!offered.is_empty(), "no method of `{TRAIT}` was found in the source of rmcp {}", rmcp.version);
    println!("rmcp {}: {} methods; forwarded: {}", rmcp.version, offered.len(), forwarded.len());
    Ok(compare(&offered, &forwarded))
}

fn compare(offered: &BTreeSet<String>, forwarded: &BTreeSet<String>) -> Report {
    let mut report = Report::default();
    for method in offered {
        if forwarded.contains(method) {
            report.passed();
        } else {
            report.failed(
                method,
                format!("`impl {TRAIT} for {WRAPPER}` does not forward it, so the inner server's is lost"),
            );
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_forgotten_forward_is_named() {
        let report = compare(&names(&["call_tool", "list_skills", "ping"]), &names(&["call_tool", "ping"]));
        assert_eq!(report.passed, 2);
        assert_eq!(report.failed.iter().map(|remark| remark.what.as_str()).collect::<Vec<_>>(), ["list_skills"]);
    }

    #[test]
    fn all_forwarded_passes() {
        let report = compare(&names(&["ping"]), &names(&["ping", "extra"]));
        assert_eq!((report.passed, report.failures()), (1, 0));
    }

    /// The real trait hides its methods in a macro; if rmcp changes that, this says so before the guard goes blind.
    #[test]
    fn the_resolved_rmcp_has_the_methods_that_matter() {
        let context = Context::load(false).unwrap();
        let rmcp = context.metadata.packages.iter().find(|package| package.name == "rmcp").unwrap();
        let offered = methods::of_trait(TRAIT, &files(&rmcp.directory().join("src"), &["rs"]).unwrap()).unwrap();
        assert!(offered.len() >= 32, "{offered:?}");
        for method in ["call_tool", "get_tool", "list_tools", "on_custom_request", "read_resource_directory"] {
            assert!(offered.contains(method), "{method} is not among {offered:?}");
        }
    }
}
