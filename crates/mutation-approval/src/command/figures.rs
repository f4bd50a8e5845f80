//! `figures`: how persons decide.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use approval_core::{Figures, Group, GroupFigures, Timestamp};
use clap::Args;
use serde::Serialize;

use crate::State;
use crate::installation::{Failure, Installation};

/// What rules without groups are listed under.
const NO_GROUP: &str = "(no group)";

/// Show how persons decided lately, by the groups that rules name: how many approvals and rejections, how long each took from the page
/// to the decision, and how many took less than five seconds. A login at an identity provider that a decision takes is in that time. An
/// approver who never rejects and decides within seconds protects nothing.
#[derive(Debug, Args)]
pub struct FiguresArgs {
    #[command(flatten)]
    state: State,
    /// How many days back. What was pruned since is not counted.
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    days: u32,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

pub async fn run(args: &FiguresArgs) -> Result<ExitCode, Failure> {
    let approvals = Installation::open(&args.state)?.operator().await?;
    let figures = approvals.figures(Duration::from_secs(u64::from(args.days) * 24 * 3600)).await;
    approvals.close().await;
    let figures = figures?;
    if args.json {
        writeln!(io::stdout(), "{}", serde_json::to_string(&Report::new(&figures)).map_err(io::Error::from)?)?;
    } else {
        write!(io::stdout(), "{}", as_text(&figures))?;
    }
    Ok(if figures.broken > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn as_text(figures: &Figures) -> String {
    let mut text = format!("decisions from {} to {}\n\n", figures.from, figures.until);
    let header = ["group", "approvals", "rejections", "rejected", "median", "10th percentile", "under 5 s"];
    let mut table = vec![header.map(str::to_owned)];
    let groups = figures.groups.iter().map(|(group, figures)| (name(group.as_ref()), figures));
    table.extend(groups.chain([("all", &figures.all)]).map(|(name, figures)| row(name, figures)));
    let width = |column: usize| {
        let cells = table.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    for row in &table {
        for (number, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Names to the left, numbers to the right.
            text += &if number == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") };
        }
        text.push('\n');
    }
    for (what, count) in [
        ("plans that were decided on and pruned since, which are not counted", figures.pruned),
        ("plans that do not hold together, for which see the log", figures.broken),
    ] {
        if count > 0 {
            text += &format!("\n{what}: {count}\n");
        }
    }
    text
}

fn row(name: &str, figures: &GroupFigures) -> [String; 7] {
    let none = || "-".to_owned();
    let time = |percent| figures.time_to_decide(percent).map_or_else(none, seconds);
    [
        name.to_owned(),
        figures.approvals.to_string(),
        figures.rejections.to_string(),
        figures.rejection_rate().map_or_else(none, |rate| format!("{:.1} %", rate * 100.0)),
        time(50),
        time(10),
        figures.hasty.to_string(),
    ]
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn name(group: Option<&Group>) -> &str {
    group.map_or(NO_GROUP, Group::as_str)
}

/// The figures for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    from: Timestamp,
    until: Timestamp,
    groups: Vec<OfGroup<'a>>,
    all: Counted,
    pruned_plans: u64,
    broken_plans: u64,
}

#[derive(Serialize)]
struct OfGroup<'a> {
    /// `null` for rules without groups: a group may be called anything.
    group: Option<&'a Group>,
    #[serde(flatten)]
    counted: Counted,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    approvals: u32,
    rejections: u32,
    rejection_rate: Option<f64>,
    median_millis: Option<u128>,
    tenth_percentile_millis: Option<u128>,
    under_five_seconds: u32,
}

impl<'a> Report<'a> {
    fn new(figures: &'a Figures) -> Self {
        let of_group = |(group, figures): (&'a Option<Group>, _)| OfGroup {
            group: group.as_ref(),
            counted: Counted::new(figures),
        };
        Self {
            from: figures.from,
            until: figures.until,
            groups: figures.groups.iter().map(of_group).collect(),
            all: Counted::new(&figures.all),
            pruned_plans: figures.pruned,
            broken_plans: figures.broken,
        }
    }
}

impl Counted {
    fn new(figures: &GroupFigures) -> Self {
        let millis = |percent| figures.time_to_decide(percent).map(|time| time.as_millis());
        Self {
            approvals: figures.approvals,
            rejections: figures.rejections,
            rejection_rate: figures.rejection_rate(),
            median_millis: millis(50),
            tenth_percentile_millis: millis(10),
            under_five_seconds: figures.hasty,
        }
    }
}
