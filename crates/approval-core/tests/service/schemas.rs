//! The records as others see them.

use approval_core::audit::{Checkpoint, Event, SignedCheckpoint};
use approval_core::receipt::Statement as ReceiptStatement;
use approval_core::record::{
    Challenge, CoolDown, Decision, Execution, Intent, Mute, Pause, PlanHeader, PlanState, Reconciliation, Record,
    Review, Secrets, ToolResult,
};
use approval_core::signing::KeySet;
use approval_core::{Reason, Retry};
use approval_testkit::Room;
use schemars::{JsonSchema, schema_for};
use serde_json::{Value, json};

use crate::support::{Forge, approved};

/// A schema without its prose.
fn members(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(object) => {
            // What a description says is for people; a member of that name is an object.
            object.retain(|name, value| name != "description" || !value.is_string());
            object.values_mut().for_each(|value| *value = members(value.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| *value = members(value.take())),
        _ => {}
    }
    schema
}

macro_rules! snapshot {
    ($($record:ty),*) => {
        $(
            let schema = members(schema_for!($record).into());
            insta::assert_json_snapshot!(stringify!($record), schema);
        )*
    };
}

type Statement = ReceiptStatement<'static>;

#[test]
fn every_record_has_a_schema() {
    // [REC-001, DIG-043, DIG-044, DIG-100, DIG-101, DIG-102]: a change of members is a new `type`, and seen here.
    snapshot!(
        Challenge,
        Checkpoint,
        CoolDown,
        Decision,
        Event,
        Execution,
        Intent,
        KeySet,
        Mute,
        Pause,
        PlanHeader,
        PlanState,
        Reconciliation,
        Review,
        Secrets,
        Statement,
        SignedCheckpoint,
        ToolResult,
        Reason,
        Retry
    );
}

/// A record that isn't closed would be read with a member that nobody knows.
fn closed<R: Record + JsonSchema + std::fmt::Debug>(forge: &Forge, row: &approval_core::store::Row) {
    let mut record = forge.read(&row.key);
    let read = |record: &Value| {
        let document = approval_core::json::Document::from_value(record, &approval_core::json::Limits::PLAN).unwrap();
        R::read(&document)
    };
    read(&record).unwrap();
    let mut other_type = record.clone();
    other_type["type"] = json!("mutation-approval/another/v0");
    assert!(read(&other_type).is_err(), "{}", R::KIND);
    record["another"] = json!(1);
    assert!(read(&record).is_err(), "{}", R::KIND);
    assert_eq!(schema_for!(R).get("additionalProperties"), Some(&json!(false)), "{}", R::KIND);
}

#[tokio::test]
async fn records_are_closed_and_typed() {
    // [REC-001, DIG-043]
    let room = Room::new().await;
    let plan = approved(&room).await;
    let forge = Forge::new(&room);
    let row = |kind| forge.row(&forge.keys(kind, plan.header.plan_id)[0]);
    closed::<PlanHeader>(&forge, &row(PlanHeader::KIND));
    closed::<Intent>(&forge, &row(Intent::KIND));
    closed::<Review>(&forge, &row(Review::KIND));
    closed::<PlanState>(&forge, &row(PlanState::KIND));
    closed::<Challenge>(&forge, &row(Challenge::KIND));
    closed::<Decision>(&forge, &row(Decision::KIND));
    room.execute(&plan).await.unwrap();
    closed::<Execution>(&forge, &row(Execution::KIND));
    closed::<ToolResult>(&forge, &row(ToolResult::KIND));
}
