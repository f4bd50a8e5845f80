//! The arguments of the profile's own tools, read strictly, and which argument of a call is at fault. [WIRE-042]

use approval_core::json::{Document, Limits};
use rmcp::model::JsonObject;
use serde_json::Value;

use crate::guidance::LONGEST_WAIT_SECONDS;
use crate::names::ProfileTool;

/// The name of an unknown argument is given back to the agent; no longer one than this many bytes.
const LONGEST_NAME: usize = 64;

/// What one of the profile's tools was called with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// As it was sent: whether it is well-formed is the gate's first question, and a malformed one is unknown to it.
    pub(crate) plan_id: String,
    pub(crate) plan_digest: Option<String>,
    pub(crate) wait_seconds: u8,
}

/// An argument that the tool doesn't take, or not like this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// Its name, where it isn't too long to be given back.
    pub(crate) member: Option<String>,
}

impl Arguments {
    pub(crate) fn read(tool: ProfileTool, arguments: Option<JsonObject>) -> Result<Self, Misfit> {
        let mut arguments = arguments.unwrap_or_default();
        let plan_id = text(&mut arguments, "planId")?.ok_or_else(|| misfit("planId"))?;
        let plan_digest = match tool {
            ProfileTool::Challenge | ProfileTool::Execute => text(&mut arguments, "planDigest")?,
            ProfileTool::Cancel | ProfileTool::Status => None,
        };
        let wait_seconds = match tool {
            ProfileTool::Status => seconds(&mut arguments, "waitSeconds")?.unwrap_or(0),
            ProfileTool::Cancel | ProfileTool::Challenge | ProfileTool::Execute => 0,
        };
        match arguments.into_iter().next() {
            Some((name, _)) => Err(misfit(&name)),
            None => Ok(Self { plan_id, plan_digest, wait_seconds }),
        }
    }
}

fn text(arguments: &mut JsonObject, name: &str) -> Result<Option<String>, Misfit> {
    match arguments.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(misfit(name)),
    }
}

/// A whole number of seconds; one that is larger than a call waits is as good as the longest wait.
fn seconds(arguments: &mut JsonObject, name: &str) -> Result<Option<u8>, Misfit> {
    match arguments.remove(name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            let seconds = number.as_u64().ok_or_else(|| misfit(name))?;
            Ok(Some(u8::try_from(seconds).unwrap_or(u8::MAX).min(LONGEST_WAIT_SECONDS)))
        }
        Some(_) => Err(misfit(name)),
    }
}

/// The argument that no plan can hold, if there is one: it isn't strict JSON. [WIRE-044]
pub(crate) fn inadmissible(arguments: &JsonObject) -> Option<Misfit> {
    let admitted = |(name, value): &(&String, &Value)| {
        let alone = Value::Object(JsonObject::from_iter([((*name).clone(), (*value).clone())]));
        Document::from_value(&alone, &Limits::ARGUMENTS).is_ok()
    };
    arguments.iter().find(|argument| !admitted(argument)).map(|(name, _)| misfit(name))
}

/// The argument of this name.
pub(crate) fn misfit(name: &str) -> Misfit {
    Misfit { member: (name.len() <= LONGEST_NAME).then(|| name.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(tool: ProfileTool, arguments: Value) -> Result<Arguments, Option<String>> {
        let Value::Object(arguments) = arguments else { unreachable!("the cases are objects") };
        Arguments::read(tool, Some(arguments)).map_err(|misfit| misfit.member)
    }

    #[test]
    fn each_tool_takes_what_it_takes() {
        let (id, digest) = ("an id".to_owned(), "a digest".to_owned());
        for tool in ProfileTool::ALL {
            let bare = Arguments { plan_id: id.clone(), plan_digest: None, wait_seconds: 0 };
            assert_eq!(read(tool, json!({ "planId": id })), Ok(bare.clone()));
            let with_digest = read(tool, json!({ "planId": id, "planDigest": digest }));
            let with_wait = read(tool, json!({ "planId": id, "waitSeconds": 7 }));
            match tool {
                ProfileTool::Challenge | ProfileTool::Execute => {
                    assert_eq!(with_digest, Ok(Arguments { plan_digest: Some(digest.clone()), ..bare }));
                    assert_eq!(with_wait, Err(Some("waitSeconds".to_owned())));
                }
                ProfileTool::Status => {
                    assert_eq!(with_wait, Ok(Arguments { wait_seconds: 7, ..bare }));
                    assert_eq!(with_digest, Err(Some("planDigest".to_owned())));
                }
                ProfileTool::Cancel => {
                    assert_eq!(with_digest, Err(Some("planDigest".to_owned())));
                    assert_eq!(with_wait, Err(Some("waitSeconds".to_owned())));
                }
            }
        }
    }

    #[test]
    fn a_misfit_is_named() {
        let long = "x".repeat(65);
        for (arguments, member) in [
            (json!({}), Some("planId")),
            (json!({ "planId": 7 }), Some("planId")),
            (json!({ "planId": null }), Some("planId")),
            (json!({ "planId": ["an id"] }), Some("planId")),
            (json!({ "planId": "an id", "waitSeconds": "7" }), Some("waitSeconds")),
            (json!({ "planId": "an id", "waitSeconds": -1 }), Some("waitSeconds")),
            (json!({ "planId": "an id", "waitSeconds": 1.5 }), Some("waitSeconds")),
            (json!({ "planId": "an id", "waitSeconds": null }), Some("waitSeconds")),
            (json!({ "planId": "an id", "approved": true }), Some("approved")),
            (json!({ "planId": "an id", "PlanId": "another" }), Some("PlanId")),
            (json!({ "planId": "an id", long: true }), None),
        ] {
            assert_eq!(read(ProfileTool::Status, arguments).unwrap_err().as_deref(), member);
        }
        assert_eq!(Arguments::read(ProfileTool::Cancel, None), Err(Misfit { member: Some("planId".to_owned()) }));
    }

    #[test]
    fn the_argument_that_no_plan_can_hold_is_named() {
        let fault =
            |arguments: Value| inadmissible(arguments.as_object().unwrap()).map(|misfit| misfit.member.unwrap());
        assert_eq!(fault(json!({ "a": 9_007_199_254_740_991_u64, "b": ["x"] })), None);
        assert_eq!(fault(json!({ "a": 1, "b": [9_007_199_254_740_992_u64] })).as_deref(), Some("b"));
    }

    #[test]
    fn no_call_waits_longer_than_the_longest_wait() {
        let waits = |seconds: u64| {
            read(ProfileTool::Status, json!({ "planId": "p", "waitSeconds": seconds })).unwrap().wait_seconds
        };
        assert_eq!((waits(0), waits(25), waits(26), waits(u64::MAX)), (0, 25, 25, 25));
    }
}
