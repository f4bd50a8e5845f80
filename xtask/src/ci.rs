//! The one test command: choose the suites, run them in order, and close with the summary.

use std::process::ExitCode;

use anyhow::Result;

use crate::cache::Cache;
use crate::command::Stopwatch;
use crate::context::Context;
use crate::report::{Finished, Report, Summary};
use crate::suites::{SUITES, Suite, Tier};

/// The exit code for a request that makes no sense, as clap uses it.
const USAGE: u8 = 2;

pub(crate) fn run(full: bool, no_skips: bool, only: &[String]) -> Result<ExitCode> {
    let chosen = match choose(full, only) {
        Ok(chosen) => chosen,
        Err(unknown) => {
            eprintln!("error: no suite is called `{unknown}`; there are:");
            for suite in SUITES {
                eprintln!("  {:<12} {} (needs {})", suite.name, suite.about, suite.needs);
            }
            return Ok(ExitCode::from(USAGE));
        }
    };
    let cache = Cache::open()?;
    cache.prune()?;
    let context = Context::load(full)?;
    println!("building to {}", context.metadata.target_directory.display());

    let mut summary = Summary::default();
    for suite in &chosen {
        summary.finished.push(run_suite(suite, &context, no_skips));
    }
    cache.prune()?;

    if only.is_empty() {
        say_what_is_left(&chosen);
    }
    println!("{}", summary.render());
    Ok(if summary.is_green() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn choose(full: bool, only: &[String]) -> Result<Vec<&'static Suite>, &str> {
    if let Some(unknown) = only.iter().find(|name| SUITES.iter().all(|suite| suite.name != *name)) {
        return Err(unknown);
    }
    let is_chosen = |suite: &&Suite| {
        if only.is_empty() { full || suite.tier == Tier::Each } else { only.iter().any(|name| suite.name == name) }
    };
    Ok(SUITES.iter().filter(is_chosen).collect())
}

fn run_suite(suite: &Suite, context: &Context, no_skips: bool) -> Finished {
    println!("\n== {}: {}", suite.name, suite.about);
    let watch = Stopwatch::start();
    let mut report = (suite.run)(context).unwrap_or_else(|error| {
        let mut report = Report::default();
        report.failed("the whole suite", format!("it could not run: {error:#}"));
        report
    });
    report.refuse_silence();
    if no_skips {
        report.refuse_skips();
    }
    let took = watch.elapsed();
    for skip in &report.skipped {
        println!("skipped: {}: {}", skip.what, skip.why);
    }
    for failure in &report.failed {
        println!("FAILED: {}: {}", failure.what, failure.why);
    }
    let (passed, failed, skipped) = (report.passed, report.failures(), report.skips());
    println!("-- {}: passed {passed}, failed {failed}, skipped {skipped} in {:.1} s", suite.name, took.as_secs_f64());
    Finished { suite: suite.name, report, took }
}

fn say_what_is_left(chosen: &[&Suite]) {
    let left: Vec<_> =
        SUITES.iter().map(|suite| suite.name).filter(|name| chosen.iter().all(|suite| suite.name != *name)).collect();
    if !left.is_empty() {
        println!("\nleft to `cargo xtask ci --full`: {}", left.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(full: bool, only: &[&str]) -> Result<Vec<&'static str>, String> {
        let only: Vec<_> = only.iter().map(ToString::to_string).collect();
        choose(full, &only).map(|chosen| chosen.iter().map(|suite| suite.name).collect()).map_err(ToOwned::to_owned)
    }

    #[test]
    fn each_run_leaves_out_the_long_suites_and_full_takes_all() {
        let each = names(false, &[]).unwrap();
        assert!(each.contains(&"test"));
        assert!(!each.contains(&"bench"));
        assert_eq!(names(true, &[]).unwrap().len(), SUITES.len());
    }

    #[test]
    fn only_takes_the_named_in_the_suites_own_order() {
        assert_eq!(names(false, &["trace", "fmt"]).unwrap(), ["fmt", "trace"]);
        assert_eq!(names(false, &["bench"]).unwrap(), ["bench"]);
    }

    #[test]
    fn an_unknown_name_is_refused_even_beside_known_ones() {
        assert_eq!(names(false, &["fmt", "fmtt"]), Err("fmtt".to_owned()));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SUITES.len());
    }
}
