//! Goes through all states that can be reached, breadth first, so that what breaks an invariant is found by a shortest way.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, Result};

use crate::action::actions;
use crate::fault::Fault;
use crate::invariant::{Invariant, WAY_OUT};
use crate::key::{Key, key};
use crate::lab::{Broken, Lab};
use crate::scenario::Scenario;
use crate::state::State;

/// The most states that are kept before an exploration is given up.
const MOST: usize = 3_000_000;

/// How far an exploration came, and what it found.
#[derive(Debug, Default)]
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) transitions: usize,
    pub(crate) depth: usize,
    /// How many states in which nothing is left to do.
    pub(crate) ends: usize,
    /// How often a state was reached by another way, gone on from, and found to lead to the same.
    pub(crate) merges_tried: usize,
    pub(crate) found: Option<Found>,
}

/// What is wrong on purpose, and how that must show.
#[derive(Debug, Default)]
pub(crate) struct Hunt {
    /// Of the world; a fault of the service is built into it.
    pub(crate) fault: Option<Fault>,
    pub(crate) breaks: Option<Invariant>,
    /// Of the states that are reached again, every so many-th is gone on from as well, and must lead to the same states.
    pub(crate) again: Option<usize>,
}

/// A shortest way to something that must not be.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) broken: Vec<Broken>,
    pub(crate) way: Vec<String>,
}

struct Node {
    parent: usize,
    by: String,
}

#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
    edges: Vec<(u32, u32)>,
    ends: Vec<u32>,
    known: HashMap<Key, u32>,
}

/// A state that was reached from the `parent`-th of a level.
struct Reached {
    parent: u32,
    by: String,
    key: Key,
    state: Option<State>,
    broken: Vec<Broken>,
}

/// Explores a scenario to its end, or to the first thing that is wrong; where a fault is known to be there, to the first time that
/// it breaks the invariant that it must break.
pub(crate) fn explore(scenario: &Scenario, hunt: &Hunt, threads: usize) -> Result<Explored> {
    let mut labs = Vec::new();
    let mut first = None;
    for _ in 0..threads {
        let (lab, state) = Lab::new(scenario, hunt.fault)?;
        labs.push(lab);
        first.get_or_insert(state);
    }
    let first = first.context("somebody has to explore")?;
    let mut graph = Graph::default();
    let mut explored = Explored::default();
    graph.enter(key(scenario, &first), Node { parent: 0, by: String::new() }, &first);
    let mut level = vec![(0_u32, first)];
    let mut doubles: Vec<(u32, State)> = Vec::new();
    while !level.is_empty() {
        let reached = expand(scenario, &labs, &level, &graph.known, hunt.again)?;
        explored.transitions += reached.len();
        level = Vec::new();
        for one in reached {
            if !one.broken.is_empty() {
                let is_it = hunt.breaks.is_none_or(|wanted| one.broken.iter().any(|broken| broken.invariant == wanted));
                if is_it || explored.found.is_none() {
                    explored.found = Some(Found { broken: one.broken, way: graph.way(one.parent, one.by) });
                }
                if is_it {
                    explored.states = graph.nodes.len();
                    return Ok(explored);
                }
                continue; // Something else is wrong too: nobody goes on from there.
            }
            let known = graph.known.get(&one.key).copied();
            let number = match (known, one.state) {
                (Some(number), state) => {
                    doubles.extend(state.map(|state| (number, state)));
                    number
                }
                (None, Some(state)) => {
                    let node = Node { parent: one.parent as usize, by: one.by };
                    let number = graph.enter(one.key, node, &state);
                    level.push((number, state));
                    number
                }
                (None, None) => anyhow::bail!("a state was taken for known that is not"),
            };
            graph.edges.push((one.parent, number));
        }
        if !level.is_empty() {
            explored.depth += 1;
        }
        if graph.nodes.len() > MOST {
            anyhow::bail!("more than {MOST} states: the bounds of `{}` are too wide", scenario.name);
        }
    }
    explored.states = graph.nodes.len();
    explored.ends = graph.ends.len();
    if hunt.breaks.is_none() {
        explored.merges_tried = try_again(scenario, &labs, &graph, &doubles)?;
    }
    if hunt.breaks.is_none_or(|wanted| wanted == WAY_OUT) {
        explored.found = graph.stuck().or(explored.found);
    }
    Ok(explored)
}

/// All that can be reached from a level in one step, in a fixed order whatever the number of threads.
fn expand(
    scenario: &Scenario,
    labs: &[Lab<'_>],
    level: &[(u32, State)],
    known: &HashMap<Key, u32>,
    again: Option<usize>,
) -> Result<Vec<Reached>> {
    let share = level.len().div_ceil(labs.len()).max(1);
    let parts: Vec<Result<Vec<Reached>>> = std::thread::scope(|scope| {
        let workers: Vec<_> = labs
            .iter()
            .zip(level.chunks(share))
            .map(|(lab, part)| scope.spawn(move || expand_part(scenario, lab, part, known, again)))
            .collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the explorer panicked")))
        };
        workers.into_iter().map(join).collect()
    });
    let mut reached = Vec::new();
    for part in parts {
        reached.extend(part?);
    }
    Ok(reached)
}

fn expand_part(
    scenario: &Scenario,
    lab: &Lab<'_>,
    part: &[(u32, State)],
    known: &HashMap<Key, u32>,
    again: Option<usize>,
) -> Result<Vec<Reached>> {
    let mut reached = Vec::new();
    let mut fresh = HashSet::new();
    for (parent, state) in part {
        for action in actions(scenario, state) {
            let by = action.describe(state);
            let step = lab.step(state, &action).with_context(|| by.clone())?;
            let key = key(scenario, &step.state);
            // A state that is known is kept only now and then, to be gone on from once more.
            let is_new = step.broken.is_empty() && !known.contains_key(&key) && fresh.insert(key);
            let keep = is_new || again.is_some_and(|again| reached.len().is_multiple_of(again));
            let state = keep.then_some(step.state);
            reached.push(Reached { parent: *parent, by, key, state, broken: step.broken });
        }
    }
    Ok(reached)
}

/// Goes on from states that were taken for others, and holds what they lead to against what those led to.
fn try_again(scenario: &Scenario, labs: &[Lab<'_>], graph: &Graph, doubles: &[(u32, State)]) -> Result<usize> {
    let mut led_to: HashMap<u32, HashSet<u32>> = doubles.iter().map(|(number, _)| (*number, HashSet::new())).collect();
    for (from, to) in &graph.edges {
        if let Some(set) = led_to.get_mut(from) {
            set.insert(*to);
        }
    }
    for reached in
        expand(scenario, labs, doubles, &graph.known, None)?.chunk_by(|one, other| one.parent == other.parent)
    {
        let number = reached.first().map_or(0, |one| one.parent);
        let again: HashSet<u32> = reached.iter().filter_map(|one| graph.known.get(&one.key).copied()).collect();
        let unknown = reached.iter().find(|one| !graph.known.contains_key(&one.key));
        if let Some(unknown) = unknown {
            anyhow::bail!(
                "by `{}` a merged state leads where the other one doesn't:\n{}",
                unknown.by,
                graph.way(number, String::new()).join("\n")
            );
        }
        let before = led_to.get(&number).context("a merged state without its other")?;
        if again != *before {
            let only = |these: &HashSet<u32>, those: &HashSet<u32>| {
                let by =
                    |number: &u32| graph.nodes.get(*number as usize).map(|node| node.by.clone()).unwrap_or_default();
                these.difference(those).map(by).collect::<Vec<_>>().join(", ")
            };
            anyhow::bail!(
                "two merged states lead to different states, the one by `{}`, the other by `{}`:\n{}",
                only(before, &again),
                only(&again, before),
                graph.way(number, String::new()).join("\n")
            );
        }
    }
    Ok(doubles.len())
}

impl Graph {
    fn enter(&mut self, key: Key, node: Node, state: &State) -> u32 {
        let number = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(node);
        self.known.insert(key, number);
        if state.is_end() {
            self.ends.push(number);
        }
        number
    }

    /// The steps from the beginning to a state, and one more.
    fn way(&self, from: u32, by: String) -> Vec<String> {
        let mut way = vec![by];
        let mut at = from as usize;
        while let Some(node) = self.nodes.get(at).filter(|_| at != 0) {
            way.push(node.by.clone());
            at = node.parent;
        }
        way.reverse();
        way
    }

    /// A state from which no end can be reached. [INV-011]
    fn stuck(&self) -> Option<Found> {
        let mut into: Vec<Vec<u32>> = vec![Vec::new(); self.nodes.len()];
        for (from, to) in &self.edges {
            if let Some(into) = into.get_mut(*to as usize) {
                into.push(*from);
            }
        }
        let mut leads_out = vec![false; self.nodes.len()];
        let mut open = self.ends.clone();
        while let Some(number) = open.pop() {
            match leads_out.get_mut(number as usize) {
                Some(known) if !*known => *known = true,
                _ => continue,
            }
            open.extend(into.get(number as usize).into_iter().flatten());
        }
        let stuck = leads_out.iter().position(|leads| !leads)?;
        let way =
            self.way(u32::try_from(stuck).unwrap_or(u32::MAX), "and from here on no end can be reached".to_owned());
        let why = "no end can be reached any more".to_owned();
        Some(Found { broken: vec![Broken { invariant: WAY_OUT, why }], way })
    }
}
