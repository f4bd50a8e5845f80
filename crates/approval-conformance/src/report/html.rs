//! The report as one page that needs nothing else.

use askama::Template;

use super::{CheckReport, Report};
use crate::requirements::Requirements;
use crate::verdict::Verdict;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    seconds: String,
    groups: Vec<Group<'a>>,
}

struct Group<'a> {
    verdict: Verdict,
    rows: Vec<Row<'a>>,
}

impl Group<'_> {
    /// The verdict as the style sheet calls it.
    fn class(&self) -> String {
        self.verdict.as_str().replace(' ', "-")
    }
}

struct Row<'a> {
    check: &'a CheckReport,
    tries: &'static str,
    expects: &'static str,
    requirements: Vec<(&'a str, String)>,
}

/// The report as one self-contained HTML page.
///
/// # Errors
/// Where it can't be written: a fault of the harness.
pub fn html(report: &Report) -> Result<String, askama::Error> {
    let requirements = Requirements::embedded();
    let groups = Verdict::ALL.into_iter().filter_map(|verdict| {
        let checks = report.checks.iter().filter(|check| check.verdict == verdict);
        let rows: Vec<Row<'_>> = checks.map(|check| row(check, &requirements)).collect();
        (!rows.is_empty()).then_some(Group { verdict, rows })
    });
    let milliseconds = u32::try_from(report.milliseconds).unwrap_or(u32::MAX);
    Page { report, seconds: format!("{:.1}", f64::from(milliseconds) / 1000.0), groups: groups.collect() }.render()
}

fn row<'a>(check: &'a CheckReport, requirements: &Requirements) -> Row<'a> {
    let about = crate::checks::about(&check.id);
    let text =
        |id: &'a String| (id.as_str(), requirements.find(id).map(|found| found.text.clone()).unwrap_or_default());
    Row {
        check,
        tries: about.map_or("", |about| about.tries),
        expects: about.map_or("", |about| about.expects),
        requirements: check.requirements.iter().map(text).collect(),
    }
}
