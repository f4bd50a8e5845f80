//! What each call must answer, by what it reads: where all of that is as it was, as it did; and otherwise as the specification
//! says of the first thing that isn't.

use std::time::Duration;

use approval_core::record::{RecordKind, State};
use approval_core::{PlanId, Reason, WriterId};

use super::calls::{Answer, Use};
use super::desk::{Desk, KEPT, KEPT_FOR, Who};
use super::hand::{Contents, Row, Value, table_of};

/// What is stored, seen by a call.
pub(super) struct Oracle<'a> {
    pub(super) desk: &'a Desk,
    pub(super) after: &'a Contents,
}

/// What a plan's rows are, seen by a call about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Broken,
    Gone,
    Unreadable,
    Whole,
}

impl Oracle<'_> {
    /// The answer, where untouched it is this; nothing, where the call is one that looks for what is wrong.
    pub(super) fn answer(&self, usage: Use, control: &Answer) -> Option<Answer> {
        let different = match usage {
            Use::Checkpoint | Use::Open | Use::Start | Use::Verify => return None,
            Use::Execute(who) => self.execute(who, control),
            Use::Find(number) => self.find(number),
            Use::PlanAsMuted => self.kept(RecordKind::Mute),
            Use::PlanRejected => self.kept(RecordKind::CoolDown),
        };
        Some(different.unwrap_or_else(|| control.clone()))
    }

    fn execute(&self, who: Who, control: &Answer) -> Option<Answer> {
        match self.standing(who, Documents::Read) {
            Standing::Unreadable => return Some(Answer::refused(Reason::StoreUnavailable)),
            // [GATE-020]
            Standing::Gone => return Some(Answer::refused(Reason::PlanNotFound)),
            // [GATE-030, GATE-031, SEAL-003, SEAL-007, STORE-008]
            Standing::Broken => return Some(Answer::refused(Reason::IntegrityFailure)),
            Standing::Whole => {}
        }
        // Steps 5 and 6 answer before step 7.
        if !matches!(who, Who::Approved | Who::Awaiting | Who::Beside) {
            return None;
        }
        if let Some(answer) = self.pause() {
            return Some(answer);
        }
        if who == Who::Awaiting {
            return None;
        }
        self.beside().or_else(|| if control.effects > 0 { self.recorded(who) } else { None })
    }

    /// What comes of recording the claim, and the outcome after the effect.
    fn recorded(&self, who: Who) -> Option<Answer> {
        // No position is left for the claim's event.
        let last = |table: &str, column: &str| {
            let rows = self.after.get(table).into_iter().flatten();
            rows.filter_map(|row| self.get(table, row, column).number()).any(|number| number == i64::MAX)
        };
        if last("events", "position") || last("sqlite_sequence", "seq") {
            return Some(Answer::refused(Reason::StoreUnavailable));
        }
        // The plan was executed, once, and it can't be recorded: what somebody has put last in the plan's order comes after the
        // claim, or a row is already where the outcome will be.
        let order = |contents: &Contents| {
            let rows = contents["events"].iter().filter_map(|row| self.get("events", row, "entry").number());
            rows.max().unwrap_or_default()
        };
        let last = self.last_event(self.after, &self.desk.id(who));
        let last = last.and_then(|row| self.get("events", row, "entry").number());
        if last.is_some_and(|last| last > order(&self.desk.whole)) {
            return Some(Answer { effects: 2, ..Answer::refused(Reason::IntegrityFailure) });
        }
        let in_the_way = self.after["records"].iter().any(|row| {
            ["execution", "result"].contains(&self.text("records", row, "kind"))
                && self.text("records", row, "id") == self.desk.id(who)
        });
        in_the_way.then(|| Answer { effects: 2, ..Answer::refused(Reason::StoreUnavailable) })
    }

    /// What stands beside the plans is found by its name alone: which plan its row is said to be of decides nothing.
    fn pause(&self) -> Option<Answer> {
        let rows = self.rows("records", "kind", RecordKind::Pause.name());
        let row = rows.into_iter().find(|row| self.text("records", row, "id") == "pause")?;
        if !self.is_readable("records", row) {
            return Some(Answer::refused(Reason::StoreUnavailable));
        }
        let same = |other: &Row| {
            ["sealed", "revision"]
                .iter()
                .all(|column| self.get("records", row, column) == self.get("records", other, column))
        };
        if self.desk.whole["records"].iter().any(same) {
            return None;
        }
        let older = self.desk.older.values().any(|then| then["records"].iter().any(same));
        // Execution was paused then.
        Some(Answer::refused(if older { Reason::Paused } else { Reason::IntegrityFailure }))
    }

    /// The attempts of others on the effect keys of `Approved` and `Beside`, in the store or in the anchor. [ANCHOR-002, STORE-006]
    fn beside(&self) -> Option<Answer> {
        let effects = self.desk.effects(Who::Approved);
        let linked = |row: &&Row| effects.iter().any(|effect| effect == self.text("attempts", row, "effect"));
        let linked: Vec<_> = self.after["attempts"].iter().filter(linked).collect();
        let linked = linked.iter().map(|row| self.text("attempts", row, "plan"));
        let linked: Vec<_> = linked.filter_map(|id| self.desk.whose(id)).collect();
        let mut answer = None;
        for who in Who::ALL {
            let is_attempt = ["executing", "partial", "unknown"].contains(&self.state(who).unwrap_or_default());
            let is_found = linked.contains(&who) && is_attempt;
            // The anchor knows this one.
            if !is_found && who != Who::Earlier {
                continue;
            }
            match self.standing(who, Documents::Unread) {
                Standing::Unreadable => return Some(Answer::refused(Reason::StoreUnavailable)),
                Standing::Broken => return Some(Answer::refused(Reason::IntegrityFailure)),
                // A link that somebody made: the plan isn't in the review.
                _ if who == Who::Running => answer = Some(Answer::refused(Reason::ExecutionInProgress)),
                _ => {}
            }
        }
        answer
    }

    fn standing(&self, who: Who, documents: Documents) -> Standing {
        let id = self.desk.id(who);
        let entries = self.rows("plans", "plan", &id);
        let Some(entry) = entries.first() else { return Standing::Gone };
        let records = self.rows("records", "plan", &id);
        let is_read = |row: &&Row| match RecordKind::from_name(self.text("records", row, "kind")) {
            // What the program doesn't know it leaves alone.
            None => false,
            Some(kind) => documents == Documents::Read || !kind.is_document(),
        };
        let records: Vec<_> = records.into_iter().filter(is_read).collect();
        let last = self.last_event(self.after, &id);
        let readable = self.is_readable("plans", entry)
            && records.iter().all(|row| self.is_readable("records", row))
            && last.is_none_or(|row| self.is_readable("events", row));
        if !readable {
            return Standing::Unreadable;
        }
        if documents == Documents::Read && self.text("plans", entry, "requester") != "alice" {
            return Standing::Gone;
        }
        let whole = &self.desk.whole;
        let same_entry = whole["plans"].iter().any(|row| {
            let table = table_of(&self.desk.tables, "plans");
            let decides = |column: &&str| match *column {
                // In which lists it is looked for.
                "pruned" | "shelf" => false,
                // It is the intent's, which is not read of others.
                "target" => documents == Documents::Read,
                _ => true,
            };
            table
                .columns
                .iter()
                .map(|column| column.name.as_str())
                .filter(decides)
                .all(|column| table.get(row, column) == table.get(entry, column))
        });
        let of_plan = |row: &&Row| self.text("records", row, "plan") == id;
        let mut needed = whole["records"].iter().filter(of_plan).filter(is_read);
        let same_last = match (last, self.last_event(whole, &id)) {
            (Some(now), Some(then)) => ["writer", "sequence", "plan", "sealed"]
                .iter()
                .all(|column| self.get("events", now, column) == self.get("events", then, column)),
            _ => false,
        };
        // Rows that the plan's state does not name may come to it. [REC-040]
        if same_entry && same_last && needed.all(|row| self.after["records"].contains(row)) {
            Standing::Whole
        } else {
            Standing::Broken
        }
    }

    fn state(&self, who: Who) -> Option<&str> {
        let entries = self.rows("plans", "plan", &self.desk.id(who));
        entries.first().map(|entry| self.text("plans", entry, "state"))
    }

    /// The event of a plan that comes last, by what the store goes by.
    fn last_event<'b>(&'b self, contents: &'b Contents, id: &str) -> Option<&'b Row> {
        let table = table_of(&self.desk.tables, "events");
        let order = if table.position("entry").is_some() { "entry" } else { "position" };
        let of_plan = contents["events"].iter().filter(|row| self.text("events", row, "plan") == id);
        of_plan.max_by_key(|row| self.get("events", row, order).clone())
    }

    /// A cool-down or a mute. The requester's are found by tags, of which each effect key has one.
    fn kept(&self, kind: RecordKind) -> Option<Answer> {
        let of_kind = |row: &&Row| self.text("records", row, "kind") == kind.name();
        let mut left = 0;
        for then in self.desk.whole["records"].iter().filter(of_kind) {
            let same_key = |row: &&&Row| {
                ["kind", "id"]
                    .iter()
                    .all(|column| self.get("records", row, column) == self.get("records", then, column))
            };
            let Some(now) = self.after["records"].iter().collect::<Vec<_>>().iter().find(same_key).copied() else {
                continue;
            };
            left += 1;
            if !self.is_readable("records", now) {
                return Some(Answer::refused(Reason::StoreUnavailable));
            }
            if ["sealed", "revision"]
                .iter()
                .any(|column| self.get("records", now, column) != self.get("records", then, column))
            {
                return Some(Answer::refused(Reason::IntegrityFailure));
            }
        }
        (left == 0).then(|| Answer::said("planned"))
    }

    /// A session or a login. [SEAL-001]
    fn find(&self, number: usize) -> Option<Answer> {
        let key = self.desk.key(number);
        let rows = self.rows("transient", "key", &key);
        let Some(now) = rows.first() else { return Some(Answer::said("gone")) };
        let looked_at = self.desk.now.after(Duration::from_secs(1)).unix_millis();
        let over = self.get("transient", now, "expires_at").number().is_some_and(|until| until <= looked_at);
        if over {
            return Some(Answer::said("gone"));
        }
        let then = self.desk.whole["transient"].iter().find(|row| self.text("transient", row, "key") == key);
        let same =
            then.is_some_and(|then| self.get("transient", then, "sealed") == self.get("transient", now, "sealed"));
        (!same).then(|| Answer { said: Err("Seal".to_owned()), effects: 0 })
    }

    fn rows(&self, table: &str, column: &str, value: &str) -> Vec<&Row> {
        self.after[table].iter().filter(|row| self.text(table, row, column) == value).collect()
    }

    fn get<'b>(&'b self, table: &str, row: &'b Row, column: &str) -> &'b Value {
        self.desk.get(table, row, column)
    }

    fn text<'b>(&'b self, table: &str, row: &'b Row, column: &str) -> &'b str {
        self.get(table, row, column).text()
    }

    /// Whether the store can make sense of a row.
    fn is_readable(&self, table: &str, row: &Row) -> bool {
        table_of(&self.desk.tables, table).columns.iter().zip(row).all(|(column, value)| {
            match (column.name.as_str(), value) {
                ("plan", Value::Text(plan)) => plan.parse::<PlanId>().is_ok(),
                ("state", Value::Text(name)) => State::ALL.iter().any(|state| state.name() == name),
                ("writer", Value::Text(writer)) => writer.parse::<WriterId>().is_ok(),
                ("revision" | "sequence" | "position", Value::Integer(number)) => *number >= 0,
                _ => true,
            }
        })
    }
}

/// Whether a call reads the plan's documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Documents {
    Read,
    Unread,
}

/// Short-lived values by their tags.
impl Desk {
    fn key(&self, number: usize) -> String {
        use approval_core::seal::{Sealer as _, TagPurpose};
        let (kind, name) = KEPT[number];
        let named = format!("{kind}/{name}");
        debug_assert!(KEPT_FOR > Duration::from_secs(1));
        self.room.sealer.tag(TagPurpose::Session, named.as_bytes()).unwrap().to_string()
    }
}
