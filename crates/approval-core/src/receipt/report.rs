//! What a verified receipt proves, in words for a person.

use std::fmt::{self, Write as _};

use super::Verified;
use crate::record::{Outcome, Reconciled, RuleKind, State, Verdict};

/// The longest name that is shown, in characters.
const LONGEST: usize = 120;

impl Verified {
    /// What the receipt proves, and what it doesn't. Names are shown in one line each, whatever they hold.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let receipt = &self.receipt;
        let header = &*receipt.header;
        writeln!(out, "The receipt verifies: the holder of key {} signed it.", self.key)?;
        if let Some(at) = self.key_retired_at {
            writeln!(out, "The key has been out of use since {at}; it was good when it says to have signed.")?;
        }
        writeln!(out)?;
        writeln!(out, "plan         {}", header.plan_id)?;
        writeln!(out, "digest       {}", self.plan_digest)?;
        writeln!(out, "installation {}", shown(header.audience.as_str()))?;
        writeln!(out, "requester    {}", shown(header.requester.person.as_str()))?;
        writeln!(out, "rule         {}", rule(self))?;
        for decision in &receipt.decisions {
            let person = shown(decision.approver.person.as_str());
            let comment = if decision.comment_omitted { ", with a comment that is left out" } else { "" };
            writeln!(out, "decision     {person} {} at {}{comment}", verdict(decision.verdict), decision.decided_at)?;
        }
        writeln!(out, "ended        {}", end(receipt.state))?;
        if let Some(execution) = receipt.execution.as_deref() {
            writeln!(out, "claimed      {}", execution.claimed_at)?;
            writeln!(out, "outcome      {}, recorded at {}", outcome(execution.outcome), execution.settled_at)?;
        }
        if let Some(found) = receipt.reconciliation.as_deref() {
            let finding = match found.finding {
                Reconciled::Applied => "the effect is there",
                Reconciled::NotApplied => "the effect is not there",
            };
            writeln!(out, "reconciled   {finding}, says {} at {}", shown(&found.operator), found.at)?;
        }
        writeln!(out, "issued       {}", receipt.issued_at)?;
        writeln!(out, "\nIts holder asserts:")?;
        for claim in &receipt.claims {
            writeln!(out, "- {}", claim.sentence())?;
        }
        writeln!(out, "\nIt does not show:")?;
        for limit in &receipt.limits {
            writeln!(out, "- {}", limit.sentence())?;
        }
        Ok(())
    }
}

fn rule(verified: &Verified) -> String {
    let rule = &verified.receipt.header.policy.rule;
    let groups: Vec<_> = rule.groups.iter().map(|group| shown(group.as_str())).collect();
    let who = match rule.kind {
        RuleKind::OtherSubject => "another person than the requester".to_owned(),
        RuleKind::Quorum => format!("{} distinct persons, none of them the requester", rule.required),
        RuleKind::SameSubject => return "the requester, in a browser session of their own".to_owned(),
    };
    if groups.is_empty() { who } else { format!("{who}, from {}", groups.join(", ")) }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approved",
        Verdict::Reject => "rejected",
        Verdict::Withdraw => "withdrew their approval",
    }
}

fn end(state: State) -> &'static str {
    match state {
        State::Applied | State::Failed | State::Partial | State::Unknown => "executed",
        State::Rejected => "rejected",
        State::Expired => "ran out",
        State::Cancelled => "cancelled",
        State::Stale => "stale: something was no longer what it had been",
        State::Planned | State::AwaitingApproval | State::Approved | State::Executing => state.name(),
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "applied: the whole effect occurred",
        Outcome::Failed => "failed: no effect occurred",
        Outcome::Partial => "partial: some of the effect occurred",
        Outcome::Unknown => "unknown: it can't be told what occurred",
    }
}

/// A name in one line, with nothing in it that a terminal would obey or that can't be seen.
fn shown(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars().take(LONGEST) {
        if character == ' ' || (!character.is_whitespace() && !character.is_control() && !is_invisible(character)) {
            text.push(character);
        } else {
            text.extend(character.escape_unicode());
        }
    }
    if name.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}

/// What is drawn as nothing, or turns the direction of what follows.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
