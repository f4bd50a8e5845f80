//! The levels, frozen in `conformance/levels.toml`: which checks each asks for, and what no check can show.

use std::collections::BTreeMap;

use serde::Deserialize;

const EMBEDDED: &str = include_str!("../levels.toml");

/// The levels.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Levels {
    /// `mutation-approval/conformance-levels/v0`.
    #[cfg_attr(not(test), expect(dead_code, reason = "it names the file's form, for other readers"))]
    pub(crate) format: String,
    /// Wire.
    #[serde(rename = "L1")]
    #[cfg_attr(not(test), expect(dead_code, reason = "held against the checks by a test"))]
    pub(crate) l1: LevelChecks,
    /// Instrumented.
    #[serde(rename = "L2")]
    #[cfg_attr(not(test), expect(dead_code, reason = "held against the checks by a test"))]
    pub(crate) l2: LevelChecks,
    /// What only reading a server can show.
    pub(crate) review: Vec<String>,
    /// What could be tested and no check tests: requirement → why.
    pub(crate) unchecked: BTreeMap<String, String>,
    /// Hostile cases that no check tries: case → why.
    pub(crate) untried: BTreeMap<String, String>,
}

/// The checks of a level.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LevelChecks {
    #[cfg_attr(not(test), expect(dead_code, reason = "held against the checks by a test"))]
    pub(crate) checks: Vec<String>,
}

impl Levels {
    /// Those that this harness was built with. A test holds that they can be read.
    pub(crate) fn embedded() -> Self {
        toml::from_str(EMBEDDED).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{EMBEDDED, Levels};
    use crate::check::Level;
    use crate::checks::{abouts, all};
    use crate::requirements::Requirements;

    const SECURITY: &str = include_str!("../security.md");

    fn levels() -> Levels {
        let levels: Levels = toml::from_str(EMBEDDED).unwrap();
        assert_eq!(levels.format, "mutation-approval/conformance-levels/v0");
        levels
    }

    #[test]
    fn they_name_the_checks_that_there_are() {
        let levels = levels();
        for (level, named) in [(Level::L1, &levels.l1.checks), (Level::L2, &levels.l2.checks)] {
            let there: Vec<&str> = abouts().filter(|about| about.level == level).map(|about| about.id).collect();
            let (named, there): (BTreeSet<&str>, BTreeSet<&str>) =
                (named.iter().map(String::as_str).collect(), there.into_iter().collect());
            let missing: Vec<_> = there.difference(&named).collect();
            let unknown: Vec<_> = named.difference(&there).collect();
            assert!(missing.is_empty() && unknown.is_empty(), "{level}: not named {missing:?}, not there {unknown:?}");
        }
    }

    #[test]
    fn each_check_has_a_name_of_its_own_and_says_what_it_is_about() {
        let requirements = Requirements::embedded();
        let mut ids = BTreeSet::new();
        for about in abouts() {
            assert!(ids.insert(about.id), "`{}` stands there twice", about.id);
            assert!(!about.requirements.is_empty(), "`{}` tests no requirement", about.id);
            assert!(
                about.tries.ends_with('.') && about.expects.ends_with('.'),
                "`{}` isn't said in sentences",
                about.id
            );
            for id in about.requirements {
                assert!(requirements.find(id).is_some(), "`{}` tests `{id}`, which there isn't", about.id);
            }
        }
    }

    #[test]
    fn each_requirement_is_tested_or_said_not_to_be() {
        let (levels, requirements) = (levels(), Requirements::embedded());
        let tested: BTreeSet<&str> = abouts().flat_map(|about| about.requirements.iter().copied()).collect();
        let mut complaints = Vec::new();
        for requirement in requirements.iter() {
            let id = requirement.id.as_str();
            let is_review = levels.review.iter().any(|listed| listed == id);
            let is_unchecked = levels.unchecked.contains_key(id);
            let said = usize::from(tested.contains(id)) + usize::from(is_review) + usize::from(is_unchecked);
            if said == 0 && requirement.tested == "review" {
                complaints.push(format!("{id} is for review only, and not in `review`"));
            } else if said == 0 {
                complaints.push(format!("{id} has no check, and no reason in `unchecked`"));
            } else if said > 1 {
                complaints.push(format!("{id} has a check, and an entry in `review` or `unchecked`"));
            }
        }
        let known = levels.review.iter().chain(levels.unchecked.keys());
        complaints.extend(known.filter(|id| requirements.find(id).is_none()).map(|id| format!("there is no {id}")));
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }

    #[test]
    fn each_hostile_case_is_tried_or_said_not_to_be() {
        let levels = levels();
        let table = SECURITY.split("## 4 Hostile cases").nth(1).unwrap().split("## 5").next().unwrap();
        let cases = table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(case, _)| case);
        let cases: BTreeSet<&str> = cases.collect();
        assert!(cases.len() > 60, "{}", cases.len());
        let tried: BTreeSet<&str> = all().filter_map(|check| check.case).collect();
        let unknown: Vec<_> = tried.difference(&cases).collect();
        assert!(unknown.is_empty(), "no hostile cases: {unknown:?}");
        let untried: BTreeSet<&str> = levels.untried.keys().map(String::as_str).collect();
        let said: BTreeSet<&str> = tried.union(&untried).copied().collect();
        assert_eq!(cases.difference(&said).collect::<Vec<_>>(), Vec::<&&str>::new(), "tried by no check");
        assert_eq!(tried.intersection(&untried).collect::<Vec<_>>(), Vec::<&&str>::new(), "tried, and said not to be");
    }
}
