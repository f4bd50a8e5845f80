//! The report for whoever sits before a terminal.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{CheckReport, Conclusion, Report};
use crate::check::Level;
use crate::checks;
use crate::levels::Levels;
use crate::requirements::Requirements;
use crate::verdict::Verdict;

/// How many lines of a failure's exchange are shown.
const SHOWN: usize = 24;

/// Writes a run to a terminal as it goes on.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    /// Whether checks that passed are told too.
    is_verbose: bool,
    done: usize,
    of: usize,
    /// What was told last: what keeps many checks from running is told once.
    last: Option<String>,
}

impl<W: Write> Terminal<W> {
    /// Over `out`, which takes colours as escape sequences.
    pub fn new(out: W, is_verbose: bool) -> Self {
        Self { out, is_verbose, done: 0, of: 0, last: None }
    }

    /// So many checks are going to run.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn begin(&mut self, checks: usize) -> io::Result<()> {
        self.of = checks;
        writeln!(self.out, "{checks} checks")
    }

    /// A check is done.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn done(&mut self, check: &CheckReport) -> io::Result<()> {
        self.done += 1;
        let is_repeated = check.verdict == Verdict::NotTestable && check.message == self.last;
        if !self.is_verbose && (is_repeated || matches!(check.verdict, Verdict::Pass | Verdict::NotApplicable)) {
            return Ok(());
        }
        self.last.clone_from(&check.message);
        let (style, verdict) = (style(check.verdict), check.verdict.as_str());
        let (name, expected) = (name(check), if check.expected.is_some() { " (expected)" } else { "" });
        let (done, of) = (self.done.min(self.of), self.of);
        write!(self.out, "[{done}/{of}] {style}{verdict}{style:#}{expected} {name}")?;
        match &check.message {
            Some(message) => writeln!(self.out, ": {message}"),
            None => writeln!(self.out),
        }
    }

    /// The summary.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn end(&mut self, report: &Report) -> io::Result<()> {
        writeln!(self.out)?;
        let failures = report.checks.iter().filter(|check| check.verdict == Verdict::Fail && check.expected.is_none());
        for check in failures {
            self.failure(check)?;
        }
        for id in &report.stale {
            writeln!(
                self.out,
                "`{id}` is expected to fail, and doesn't: take it out of the file of expected failures"
            )?;
        }
        let counts: Vec<String> = Verdict::ALL
            .into_iter()
            .filter_map(|verdict| {
                let style = style(verdict);
                report.counts.get(&verdict).map(|count| format!("{style}{count} {}{style:#}", verdict.as_str()))
            })
            .collect();
        let seconds = report.milliseconds / 1000;
        writeln!(self.out, "{}, in {seconds} s", counts.join(", "))?;
        let (style, conclusion) = (concluded(report.conclusion), report.conclusion.as_str());
        writeln!(self.out, "{style}{} {}: {conclusion}{style:#}", report.target, report.level)?;
        if report.partial {
            writeln!(self.out, "Only some checks ran: this is no statement of conformance.")?;
        }
        let advice = match report.conclusion {
            Conclusion::Conformant => None,
            Conclusion::HarnessFault => Some(
                "What a harness fault says of driver or harness has to be mended before anything can be said of the server.",
            ),
            Conclusion::Incomplete => Some("What is not testable says what target file or driver lack."),
            Conclusion::NotConformant => {
                Some("`approval-conformance explain CHECK` says what a check tries, what it expects and why.")
            }
        };
        advice.map_or(Ok(()), |advice| writeln!(self.out, "{advice}"))
    }

    fn failure(&mut self, check: &CheckReport) -> io::Result<()> {
        let style = style(check.verdict);
        writeln!(self.out, "{style}{}{style:#} [{}]", name(check), check.requirements.join(", "))?;
        writeln!(self.out, "  {}", check.message.as_deref().unwrap_or_default())?;
        let skipped = check.messages.len().saturating_sub(SHOWN);
        if skipped > 0 {
            writeln!(self.out, "    … {skipped} messages before these: see the JSON or HTML report")?;
        }
        for message in check.messages.iter().skip(skipped) {
            let text: String = message.text.chars().take(400).collect();
            writeln!(self.out, "    {:>6} ms  {}: {}", message.at, message.way, text.replace('\n', " "))?;
        }
        writeln!(self.out)
    }
}

/// All checks up to `level`, and what no check shows.
///
/// # Errors
/// Where it can't be written.
pub fn list(out: &mut impl Write, level: Level) -> io::Result<()> {
    for about in checks::abouts().filter(|about| about.level <= level) {
        writeln!(out, "{:<34} {}  {}", about.id, about.level, about.requirements.join(" "))?;
    }
    let levels = Levels::embedded();
    writeln!(out, "\nOnly a review of the server can show:\n  {}", levels.review.join(" "))?;
    writeln!(out, "\nNo check shows:")?;
    for (id, why) in levels.unchecked.iter().chain(&levels.untried) {
        writeln!(out, "  {id:<22} {why}")?;
    }
    Ok(())
}

/// What a check tries, what it expects, and the text of its requirements: `None` where there is no such check.
///
/// # Errors
/// Where it can't be written.
pub fn explain(out: &mut impl Write, id: &str) -> io::Result<Option<()>> {
    let Some(about) = checks::about(id) else { return Ok(None) };
    writeln!(out, "{} ({})", about.id, about.level)?;
    if let Some(case) = about.case {
        writeln!(out, "Hostile case `{case}` of security.md, section 4")?;
    }
    writeln!(out, "\nTries:   {}\nExpects: {}\n", about.tries, about.expects)?;
    let requirements = Requirements::embedded();
    for requirement in about.requirements.iter().filter_map(|id| requirements.find(id)) {
        writeln!(out, "{} ({}, {})\n  {}\n", requirement.id, requirement.level, requirement.section, requirement.text)?;
    }
    Ok(Some(()))
}

fn name(check: &CheckReport) -> String {
    check.revision.map_or_else(|| check.id.clone(), |revision| format!("{} @{revision}", check.id))
}

fn style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Fail | Verdict::HarnessFault => AnsiColor::Red,
        Verdict::NotApplicable => AnsiColor::BrightBlack,
        Verdict::NotTestable | Verdict::Warning => AnsiColor::Yellow,
        Verdict::Pass => AnsiColor::Green,
    };
    Style::new().fg_color(Some(color.into()))
}

fn concluded(conclusion: Conclusion) -> Style {
    let color = match conclusion {
        Conclusion::Conformant => AnsiColor::Green,
        Conclusion::Incomplete => AnsiColor::Yellow,
        Conclusion::HarnessFault | Conclusion::NotConformant => AnsiColor::Red,
    };
    Style::new().fg_color(Some(color.into())).bold()
}
