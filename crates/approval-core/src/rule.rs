//! Whether enough persons have approved. Pure functions over what was loaded and verified.

use std::collections::{BTreeMap, BTreeSet};

use crate::directory::Standing;
use crate::id::Person;
use crate::record::{Decision, Identity, Rule, RuleKind, Verdict};
use crate::store::Asked;

/// What is known about each person that matters to a decision, looked up beforehand.
pub type Standings = BTreeMap<Person, Standing>;

/// How far a rule is from being satisfied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The distinct persons whose approval counts. [RULE-001]
    pub counted: BTreeSet<Person>,
    /// How many are needed.
    pub required: u32,
}

impl Tally {
    /// Whether enough persons have approved.
    #[must_use]
    pub fn is_satisfied(&self) -> bool {
        is_enough(self.counted.len(), self.required)
    }
}

/// A rule that asks for nobody is no rule: it is never satisfied. [RULE-005]
fn is_enough(counted: usize, required: u32) -> bool {
    required > 0 && counted as u64 >= u64::from(required)
}

impl Rule {
    /// Counts the approvals among `decisions`: distinct persons, each eligible by the rule, each once.
    ///
    /// Whether a person is still enabled and still in a group is not asked here, but in [`Rule::may_count`].
    #[must_use]
    pub fn tally(&self, requester: &Identity, decisions: &[Decision]) -> Tally {
        let approvals = decisions.iter().filter(|decision| decision.verdict == Verdict::Approve);
        let counted = self.count(requester, approvals.map(|decision| &decision.approver.person));
        Tally { counted: counted.into_iter().cloned().collect(), required: self.required }
    }

    /// Whether enough of those who approved count.
    pub(crate) fn is_satisfied_by<'a>(
        &self,
        requester: &Identity,
        approvers: impl Iterator<Item = &'a Person>,
    ) -> bool {
        is_enough(self.count(requester, approvers).len(), self.required)
    }

    /// Those of the approvers whom the rule asks for, each once.
    fn count<'a>(&self, requester: &Identity, approvers: impl Iterator<Item = &'a Person>) -> BTreeSet<&'a Person> {
        approvers.filter(|person| self.is_eligible(requester, person)).collect()
    }

    /// Whether the person is one whom the rule asks for, by who they are.
    #[must_use]
    pub fn is_eligible(&self, requester: &Identity, person: &Person) -> bool {
        match self.kind {
            RuleKind::SameSubject => *person == requester.person, // [RULE-002]
            RuleKind::OtherSubject | RuleKind::Quorum => *person != requester.person, // [RULE-003]
        }
    }

    /// Whom the rule asks, as plans are looked up by it.
    #[must_use]
    pub fn asked(&self, requester: &Identity) -> Vec<Asked> {
        match self.kind {
            RuleKind::SameSubject => vec![Asked::person(&requester.person)],
            RuleKind::OtherSubject | RuleKind::Quorum if self.groups.is_empty() => vec![Asked::anyone()],
            RuleKind::OtherSubject | RuleKind::Quorum => self.groups.iter().map(Asked::group).collect(),
        }
    }

    /// Whether the person may approve by this rule, given how they stand now. [RULE-004]
    #[must_use]
    pub fn may_count(&self, requester: &Identity, person: &Person, standing: &Standing) -> bool {
        let in_group = match self.kind {
            RuleKind::SameSubject => true,
            RuleKind::OtherSubject | RuleKind::Quorum => {
                self.groups.is_empty() || !self.groups.is_disjoint(&standing.groups)
            }
        };
        standing.enabled && in_group && self.is_eligible(requester, person)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Group;
    use crate::record::{Approver, DecisionType};
    use proptest::prelude::*;

    fn identity(person: &str) -> Identity {
        Identity { person: person.into(), issuer: "test".into(), subject: person.into() }
    }

    fn decision(person: &str, subject: &str, verdict: Verdict) -> Decision {
        let moment = crate::Timestamp::from_unix_millis(0);
        Decision {
            kind: DecisionType::V0,
            challenge_id: "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
            plan_id: "019ab12c-0000-7000-8000-000000000001".parse().unwrap(),
            plan_digest: format!("sha256:{}", "0".repeat(64)).parse().unwrap(),
            approver: Approver {
                person: person.into(),
                issuer: "test".into(),
                subject: subject.into(),
                auth_time: moment,
                acr: None,
                amr: Vec::new(),
            },
            verdict,
            comment: None,
            rendered_at: moment,
            decided_at: moment,
        }
    }

    #[test]
    fn one_person_counts_once_whatever_their_accounts() {
        // [RULE-001]
        let rule = Rule::quorum(2, []);
        let twice = [decision("bob", "bob@a", Verdict::Approve), decision("bob", "bob@b", Verdict::Approve)];
        assert!(!rule.tally(&identity("alice"), &twice).is_satisfied());
        let two = [decision("bob", "bob", Verdict::Approve), decision("carol", "carol", Verdict::Approve)];
        assert!(rule.tally(&identity("alice"), &two).is_satisfied());
    }

    #[test]
    fn same_subject_is_the_requester_and_nobody_else() {
        // [RULE-002]
        let rule = Rule::same_subject();
        assert!(rule.tally(&identity("alice"), &[decision("alice", "alice", Verdict::Approve)]).is_satisfied());
        assert!(!rule.tally(&identity("alice"), &[decision("bob", "bob", Verdict::Approve)]).is_satisfied());
    }

    #[test]
    fn a_requester_never_counts_as_another() {
        // [RULE-003]
        for rule in [Rule::other_subject([]), Rule::quorum(1, [])] {
            assert!(!rule.tally(&identity("alice"), &[decision("alice", "x", Verdict::Approve)]).is_satisfied());
            assert!(rule.tally(&identity("alice"), &[decision("bob", "x", Verdict::Approve)]).is_satisfied());
        }
    }

    #[test]
    fn groups_and_standing_decide_who_may() {
        // [RULE-004]
        let rule = Rule::other_subject([Group::from("sre")]);
        let standing = |enabled, groups: &[&str]| Standing {
            enabled,
            groups: groups.iter().map(|group| Group::from(*group)).collect(),
        };
        let alice = identity("alice");
        assert!(rule.may_count(&alice, &"bob".into(), &standing(true, &["dev", "sre"])));
        assert!(!rule.may_count(&alice, &"bob".into(), &standing(true, &["dev"])));
        assert!(!rule.may_count(&alice, &"bob".into(), &standing(false, &["sre"])));
        assert!(!rule.may_count(&alice, &"alice".into(), &standing(true, &["sre"])));
    }

    #[test]
    fn a_rule_that_asks_for_nobody_is_never_satisfied() {
        // [RULE-005]
        assert!(!Rule::quorum(0, []).tally(&identity("alice"), &[]).is_satisfied());
    }

    proptest! {
        #[test]
        fn only_approvals_count(verdicts in proptest::collection::vec(0..3u8, 0..8), required in 0..4u32) {
            let decisions: Vec<_> = verdicts.iter().enumerate().map(|(n, verdict)| {
                let verdict = [Verdict::Approve, Verdict::Reject, Verdict::Withdraw][usize::from(*verdict)];
                decision(&format!("p{n}"), "s", verdict)
            }).collect();
            let approvals = verdicts.iter().filter(|verdict| **verdict == 0).count();
            let tally = Rule::quorum(required, []).tally(&identity("alice"), &decisions);
            prop_assert_eq!(tally.counted.len(), approvals);
            prop_assert_eq!(tally.is_satisfied(), required > 0 && approvals >= required as usize);
        }
    }
}
