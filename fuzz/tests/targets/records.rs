//! Typed records: what is read is written as it was, or refused.

use approval_core::audit::Event;
use approval_core::json::{Document, Limits};
use approval_core::record::*;
use fuzz::{corpus, explore};
use serde_json::{Value, json};

use crate::{history, json};

#[test]
fn a_record_that_is_read_is_written_as_it_was() {
    // [REC-001, DIG-043]
    let records = history::records();
    for (kind, text) in &records {
        let document = Document::parse(text.as_bytes(), &Limits::PLAN).unwrap();
        assert!(kinds(&document).contains(kind), "{kind}: {text}");
    }
    let mut seeds: Vec<Vec<u8>> = records.into_iter().map(|(_, text)| text.into_bytes()).collect();
    seeds.extend(corpus("json"));
    explore!(seeds, |input: &[u8]| {
        if let Ok(document) = Document::parse(input, &Limits::PLAN) {
            // The `type` says which one record it is.
            assert!(kinds(&document).len() <= 1, "{} is read as {:?}", document.as_str(), kinds(&document));
        }
    });
}

/// The kinds of record as which a document is read.
fn kinds(document: &Document) -> Vec<RecordKind> {
    let read = [
        reads::<Challenge>(document),
        reads::<CoolDown>(document),
        reads::<Decision>(document),
        reads::<Event>(document),
        reads::<Execution>(document),
        reads::<Intent>(document),
        reads::<Mute>(document),
        reads::<Pause>(document),
        reads::<PlanHeader>(document),
        reads::<PlanState>(document),
        reads::<Reconciliation>(document),
        reads::<Review>(document),
        reads::<Secrets>(document),
        reads::<ToolResult>(document),
    ];
    read.into_iter().flatten().collect()
}

fn reads<R: Record>(document: &Document) -> Option<RecordKind> {
    let record = R::read(document).ok()?;
    let written = record.document().expect("what was admitted is admitted again");
    assert_eq!(written.as_str(), document.as_str(), "{}", R::KIND);
    assert_eq!(R::read(&written).unwrap().document(), Ok(written));
    Some(R::KIND)
}

#[test]
fn a_record_with_another_value_somewhere_is_written_as_it_was_or_refused() {
    // [REC-001, REC-004]: no `null` or empty list in place of what isn't there.
    let records = history::records();
    let values =
        [json!(null), json!([]), json!({}), json!(""), json!(0), json!(1), json!(false), json!([null]), json!("x")];
    explore!(corpus("ids"), |input: &[u8]| {
        let mut choices = input.iter().map(|byte| usize::from(*byte)).chain(std::iter::repeat(0));
        let mut choose = |several: usize| choices.next().unwrap_or_default() % several;
        let (_, text) = &records[choose(records.len())];
        let mut value: Value = serde_json::from_str(text).unwrap();
        let mut place = &mut value;
        // Down to where there is nothing more, or to where it stops by chance.
        while !json::is_empty(place) && (place.is_object() || place.is_array()) && choose(4) > 0 {
            place = json::nth(place, choose(256));
        }
        match (place.as_object_mut(), choose(2)) {
            // A member more, of a name that some record has.
            (Some(members), 0) => {
                let names =
                    ["previous", "planId", "body", "before", "heads", "cause", "code", "findings", "groups", "acr"];
                members.insert(names[choose(names.len())].to_owned(), values[choose(values.len())].clone());
            }
            _ => *place = values[choose(values.len())].clone(),
        }
        if let Ok(document) = Document::from_value(&value, &Limits::PLAN) {
            kinds(&document);
        }
    });
}

#[test]
fn a_member_of_any_other_name_is_refused() {
    // [REC-001]
    let records = history::records();
    explore!(corpus("ids"), every 20, |input: &[u8]| {
        let name = String::from_utf8_lossy(input).into_owned();
        for (kind, text) in &records {
            let mut value: Value = serde_json::from_str(text).unwrap();
            let members = value.as_object_mut().unwrap();
            if members.contains_key(&name) {
                continue;
            }
            members.insert(name.clone(), Value::Bool(true));
            if let Ok(document) = Document::from_value(&value, &Limits::PLAN) {
                assert!(!kinds(&document).contains(kind), "{kind} takes a member {name:?}");
            }
        }
    });
}
