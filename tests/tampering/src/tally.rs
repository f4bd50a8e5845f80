//! How often what was done to what.

use std::collections::BTreeMap;
use std::fmt;

use approval_core::record::RecordKind;

/// Counts by kind of record and attack.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<(&'static str, &'static str), u32>,
    /// What went wrong: with what, in which member, by which attack; of several alike the last one.
    faults: BTreeMap<Fault, String>,
}

/// With what, in which member, by which attack.
type Fault = (String, String, &'static str);

impl Tally {
    pub(crate) fn count(&mut self, what: &'static str, attack: &'static str) {
        *self.counts.entry((what, attack)).or_default() += 1;
    }

    pub(crate) fn fault(&mut self, what: Fault, fault: String) {
        self.faults.insert(what, fault);
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (key, count) in other.counts {
            *self.counts.entry(key).or_default() += count;
        }
        self.faults.extend(other.faults);
    }

    fn of(&self, what: &str) -> u32 {
        self.counts.iter().filter(|((kind, _), _)| *kind == what).map(|(_, count)| count).sum()
    }

    /// How often this attack was made.
    pub(crate) fn by(&self, attack: &str) -> u32 {
        self.counts.iter().filter(|((_, name), _)| *name == attack).map(|(_, count)| count).sum()
    }

    /// Prints the table, and fails where something went wrong, or where a kind of record was forgotten.
    pub(crate) fn close(self, title: &str, least: impl Fn(RecordKind) -> u32) {
        println!("{title}\n{self}");
        let shown: Vec<_> = self.faults.iter().take(60).map(|((what, ..), fault)| format!("{what}: {fault}")).collect();
        assert!(shown.is_empty(), "{} faults, of which the first:\n{}", self.faults.len(), shown.join("\n"));
        for kind in RecordKind::ALL {
            let count = self.of(kind.name());
            assert!(count >= least(kind), "{kind}: {count} attacks only");
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut attacks: Vec<_> = self.counts.keys().map(|(_, attack)| *attack).collect();
        attacks.sort_unstable();
        attacks.dedup();
        let mut kinds: Vec<_> = self.counts.keys().map(|(kind, _)| *kind).collect();
        kinds.dedup();
        write!(f, "{:16}", "")?;
        attacks.iter().try_for_each(|attack| write!(f, "{attack:>10}"))?;
        writeln!(f, "{:>10}", "all")?;
        for kind in kinds {
            write!(f, "{kind:16}")?;
            for attack in &attacks {
                write!(f, "{:>10}", self.counts.get(&(kind, *attack)).copied().unwrap_or_default())?;
            }
            writeln!(f, "{:>10}", self.of(kind))?;
        }
        writeln!(f, "{:16}{:>width$}", "all", self.counts.values().sum::<u32>(), width = 10 * (attacks.len() + 1))
    }
}
