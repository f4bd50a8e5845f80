//! A run: the server is started, looked at, put through the checks, and judged.

mod options;
mod selection;

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use reqwest::{Client, redirect};
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use self::options::{Expectation, Expected, Options, OptionsError};
pub(crate) use self::selection::HELLO;
use self::selection::{Instance, Selection};
use crate::check::Scope;
use crate::driver::{Driver, Op};
use crate::oracle::Schemas;
use crate::recorder::{Message, Recorder, Redactor};
use crate::report::{CheckReport, Memory, Report, ServerReport};
use crate::requirements::Requirements;
use crate::scene::Scene;
use crate::target::Target;
use crate::time::{begin, now, unique};
use crate::verdict::{Checked, Stop, Verdict};
use crate::watch::{RULES, Watch};
use crate::wire::Revision;
use crate::world::{Makings, World};

/// No check may take longer than this: it would be a harness fault.
const LONGEST_CHECK: Duration = Duration::from_secs(120);
/// After so many checks without an answer, the others aren't tried.
const DEAD_AFTER: u32 = 6;
/// After how many checks memory is looked at first.
const EARLY: usize = 10;

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum Progress<'a> {
    /// So many checks are going to run.
    Begun(usize),
    /// One of them is done.
    Done(&'a CheckReport),
}

/// Puts `target` through the checks.
///
/// Nothing that server or driver do makes it fail: what goes wrong is in the report.
///
/// # Errors
/// [`OptionsError`] where `options` name a check that there isn't, or choose none.
pub async fn run(
    target: Target,
    options: &Options,
    progress: impl FnMut(Progress<'_>),
) -> Result<Report, OptionsError> {
    let requirements = Requirements::embedded();
    let selection = Selection::of(options, &target)?;
    let begun = (now(), begin());
    let target = Arc::new(target);
    let mut runner = Runner {
        target: Arc::clone(&target),
        options,
        requirements,
        progress,
        reports: Vec::new(),
        early: None,
        silent: 0,
    };
    // And the look at the server.
    (runner.progress)(Progress::Begun(selection.len() + 1));
    let server = runner.all(&selection).await;
    let mut reports = runner.reports;
    reports.sort_by(|one, other| (one.level, &one.id, one.revision).cmp(&(other.level, &other.id, other.revision)));
    let memory = runner.early.zip(memory()).map(|(early, end)| Memory { after_first_checks: early, at_end: end });
    Ok(Report::new(&target, options, server, reports, memory, begun))
}

struct Runner<'a, P> {
    target: Arc<Target>,
    options: &'a Options,
    requirements: Requirements,
    progress: P,
    reports: Vec<CheckReport>,
    early: Option<u64>,
    /// Checks one after the other that got no answer at all.
    silent: u32,
}

impl<P: FnMut(Progress<'_>)> Runner<'_, P> {
    async fn all(&mut self, selection: &Selection) -> ServerReport {
        let makings = match self.makings() {
            Ok(makings) => makings,
            Err(stop) => {
                self.none(selection, stop);
                return ServerReport::default();
            }
        };
        let server = self.with(&makings, selection).await;
        makings.driver.end().await;
        for rule in RULES.iter().filter(|rule| selection.rules.contains(rule.id)) {
            let (checked, messages) = makings.watch.judge(rule);
            let instance = Instance::of_rule(rule);
            let report = self.report(&instance, checked, messages, Duration::ZERO, &makings.redactor);
            self.done(report);
        }
        server
    }

    fn makings(&self) -> Checked<Makings> {
        let (schemas, redactor) = (Arc::new(Schemas::new().map_err(Stop::Fault)?), Redactor::default());
        let client = Client::builder().redirect(redirect::Policy::none()).no_proxy().build();
        Ok(Makings {
            target: Arc::clone(&self.target),
            driver: Arc::new(Driver::launch(&self.target)?),
            client: client.map_err(|error| Stop::Fault(error.to_string()))?,
            watch: Arc::new(Watch::new(Arc::clone(&schemas), redactor.clone())),
            schemas,
            redactor,
        })
    }

    async fn with(&mut self, makings: &Makings, selection: &Selection) -> ServerReport {
        let begun = begin();
        let recorder = Recorder::new();
        let (world, looked) = match World::start(makings, &Op::Start).await {
            Ok(world) => {
                let mut looked = Ok(());
                for revision in self.revisions() {
                    if looked.is_ok() {
                        looked = world.look(revision, &recorder).await;
                    }
                }
                (Some(world), looked)
            }
            Err(stop) => (None, Err(stop)),
        };
        let messages = if looked.is_ok() { Vec::new() } else { recorder.messages(&makings.redactor) };
        let is_there = looked.is_ok();
        let report = self.report(&Instance::hello(), looked, messages, begun.elapsed(), &makings.redactor);
        let why = report.message.clone().unwrap_or_default();
        self.done(report);
        let Some(world) = world.filter(|_| is_there) else {
            self.none(selection, Stop::NotTestable(format!("the server couldn't be looked at: {why}")));
            return ServerReport::default();
        };
        let server = ServerReport::of(&world);
        self.shared(&world, selection).await;
        drop(world);
        self.alone(makings, selection).await;
        server
    }

    /// Those that share the server, some at a time.
    async fn shared(&mut self, world: &Arc<World>, selection: &Selection) {
        let permits = Arc::new(Semaphore::new(self.options.at_once.max(1)));
        let mut running = FuturesUnordered::new();
        for instance in selection.instances.iter().filter(|instance| instance.scope != Scope::Alone) {
            let (permits, world) = (Arc::clone(&permits), Arc::clone(world));
            running.push(async move {
                let _permit = permits.acquire().await;
                (instance, one(&world, instance).await)
            });
        }
        while let Some((instance, (checked, messages, took))) = running.next().await {
            let report = self.report(instance, checked, messages, took, world.redactor());
            self.done(report);
        }
    }

    /// Those that need the server for themselves: a fresh one each.
    async fn alone(&mut self, makings: &Makings, selection: &Selection) {
        for instance in selection.instances.iter().filter(|instance| instance.scope == Scope::Alone) {
            if self.silent >= DEAD_AFTER {
                let why = format!("the server gave {DEAD_AFTER} checks no answer: it isn't asked any more");
                let report =
                    self.report(instance, Err(Stop::NotTestable(why)), Vec::new(), Duration::ZERO, &makings.redactor);
                self.done(report);
                continue;
            }
            let begun = begin();
            let (checked, messages, _) = match World::start(makings, &Op::Reset).await {
                Ok(fresh) => match fresh.look(instance.revision, &Recorder::new()).await {
                    Ok(()) => one(&fresh, instance).await,
                    Err(stop) => (Err(after_reset(stop)), Vec::new(), Duration::ZERO),
                },
                Err(stop) => (Err(stop), Vec::new(), Duration::ZERO),
            };
            let report = self.report(instance, checked, messages, begun.elapsed(), &makings.redactor);
            self.done(report);
        }
    }

    fn none(&mut self, selection: &Selection, stop: Stop) {
        let (verdict, why) = told(stop);
        for instance in &selection.instances {
            let stop = match verdict {
                Verdict::HarnessFault => Stop::Fault(why.clone()),
                _ => Stop::NotTestable(why.clone()),
            };
            let report = self.report(instance, Err(stop), Vec::new(), Duration::ZERO, &Redactor::default());
            self.done(report);
        }
    }

    fn report(
        &self,
        instance: &Instance,
        checked: Checked,
        messages: Vec<Message>,
        took: Duration,
        redactor: &Redactor,
    ) -> CheckReport {
        let (verdict, message) = match checked {
            Ok(()) => (Verdict::Pass, None),
            Err(stop) => {
                let (verdict, message) = told(stop);
                (verdict, Some(redactor.redact(&message)))
            }
        };
        // What is only recommended fails nobody.
        let is_should = self.requirements.are_recommended(instance.requirements);
        let verdict = if verdict == Verdict::Fail && is_should { Verdict::Warning } else { verdict };
        let messages = if matches!(verdict, Verdict::Fail | Verdict::HarnessFault | Verdict::Warning) {
            messages
        } else {
            Vec::new()
        };
        CheckReport {
            id: instance.id.to_owned(),
            level: instance.level,
            revision: instance.is_each.then_some(instance.revision),
            requirements: instance.requirements.iter().map(|id| (*id).to_owned()).collect(),
            case: instance.case.map(str::to_owned),
            verdict,
            message,
            expected: self.options.expected.reason(instance.id).map(str::to_owned),
            milliseconds: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            messages,
        }
    }

    fn done(&mut self, report: CheckReport) {
        let is_silent = report.message.as_ref().is_some_and(|message| message.starts_with("no answer within"));
        self.silent = if is_silent { self.silent + 1 } else { 0 };
        (self.progress)(Progress::Done(&report));
        self.reports.push(report);
        if self.reports.len() == EARLY {
            self.early = memory();
        }
    }

    fn revisions(&self) -> Vec<Revision> {
        let mut revisions = self.target.revisions.clone();
        revisions.sort_unstable();
        revisions
    }
}

/// Runs one check, and gives back what it left open.
async fn one(world: &Arc<World>, instance: &Instance) -> (Checked, Vec<Message>, Duration) {
    let begun = begin();
    let prefix = format!("c{}", unique());
    let scene = Arc::new(Scene::new(Arc::clone(world), instance.revision, prefix));
    let checked = match timeout(LONGEST_CHECK, (instance.run)(Arc::clone(&scene))).await {
        Ok(checked) => checked,
        Err(_) => Err(Stop::Fault(format!("the check took more than {} s", LONGEST_CHECK.as_secs()))),
    };
    if instance.scope != Scope::Alone {
        scene.clean().await;
    }
    let messages = if checked.is_ok() { Vec::new() } else { scene.recorder.messages(world.redactor()) };
    (checked, messages, begun.elapsed())
}

/// A server that can't be looked at after a reset was not put right.
fn after_reset(stop: Stop) -> Stop {
    let (_, why) = told(stop);
    Stop::Fault(format!("after `reset` the server couldn't be looked at: {why}"))
}

fn told(stop: Stop) -> (Verdict, String) {
    match stop {
        Stop::Fail(why) => (Verdict::Fail, why),
        Stop::Fault(why) => (Verdict::HarnessFault, why),
        Stop::NotApplicable(why) => (Verdict::NotApplicable, why),
        Stop::NotTestable(why) => (Verdict::NotTestable, why),
    }
}

/// The harness's own memory in bytes, where the system tells.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
