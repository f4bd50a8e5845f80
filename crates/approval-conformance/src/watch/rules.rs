//! The rules that every answer is held against.

use std::time::Duration;

use serde_json::Value;

use crate::answer::Answer;
use crate::oracle::{self, Schemas, complaints};
use crate::wire::Request;
use crate::world::{Listing, Names};

/// The longest result to the model. [DIG-029]
const RESULT_BYTES: usize = 16 * 1024;

/// What is wrong with an answer, if anything is; `None` where the rule isn't about it.
type Judge = fn(&Schemas, &Listing, &Request, &Answer) -> Option<Result<(), String>>;

/// A rule about answers: a check that is judged at the end.
pub(crate) struct Rule {
    pub(crate) id: &'static str,
    pub(crate) requirements: &'static [&'static str],
    pub(crate) tries: &'static str,
    pub(crate) expects: &'static str,
    pub(super) judge: Judge,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Rule").field("id", &self.id).finish_non_exhaustive()
    }
}

const TRIES: &str = "Every answer of a gated tool and of the profile's four is looked at, whatever check asked for it.";

/// All rules.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        id: "answer-has-its-form",
        requirements: &[
            "WIRE-030", "REC-002", "REC-003", "REC-004", "GATE-003", "DIG-041", "DIG-043", "DIG-130", "DIG-131",
            "DIG-132",
        ],
        tries: TRIES,
        expects: "`structuredContent` is one of the five objects, with the members of its table, each in its form, and no others.",
        judge: form,
    },
    Rule {
        id: "answer-fits-listed-schema",
        requirements: &["WIRE-030"],
        tries: TRIES,
        expects: "`structuredContent` is what the tool's listed `outputSchema` admits, on errors too.",
        judge: listed,
    },
    Rule {
        id: "error-is-marked",
        requirements: &["WIRE-031"],
        tries: TRIES,
        expects: "`isError` is true for a refusal and for an execution that was not applied, and for nothing else.",
        judge: marked,
    },
    Rule {
        id: "header-holds-together",
        requirements: &["DIG-040", "DIG-102", "DIG-103", "DIG-104", "REC-010"],
        tries: TRIES,
        expects: "A plan's `planDigest` is the digest of its `header` by RFC 8785 and SHA-256; the header names the plan, its times differ by `planSeconds`.",
        judge: header,
    },
    Rule {
        id: "next-call-is-named",
        requirements: &["WIRE-038"],
        tries: TRIES,
        expects: "`next` is given by the table of profile.md, 4.5, with the listed names.",
        judge: next,
    },
    Rule {
        id: "refusal-says-retry",
        requirements: &["GATE-007"],
        tries: TRIES,
        expects: "`retry` is what the table of gate.md, section 9, has for the reason.",
        judge: retry,
    },
    Rule {
        id: "refusal-tells-no-detail",
        requirements: &["GATE-004", "WIRE-033"],
        tries: TRIES,
        expects: "The first text is a sentence of the server's own: nothing of the arguments stands in it.",
        judge: own_words,
    },
    Rule {
        id: "result-is-bounded",
        requirements: &["WIRE-035", "DIG-029"],
        tries: TRIES,
        expects: "A result, texts and structured content together, is at most 16 KiB as JSON.",
        judge: bounded,
    },
    Rule {
        id: "no-salt-for-the-agent",
        requirements: &["DIG-111", "DIG-123"],
        tries: TRIES,
        expects: "No answer has a member `salt`, `nonce` or `requestTag`, wherever in it.",
        judge: unsalted,
    },
];

fn form(schemas: &Schemas, _: &Listing, _: &Request, answer: &Answer) -> Option<Result<(), String>> {
    if !is_complete(answer) {
        return None;
    }
    let Some(structured) = answer.structured() else {
        return Some(Err("there is no `structuredContent`".to_owned()));
    };
    Some(first(schemas.answer(structured), answer))
}

fn listed(_: &Schemas, listing: &Listing, _: &Request, answer: &Answer) -> Option<Result<(), String>> {
    let structured = answer.structured().filter(|_| is_complete(answer))?;
    match listing.outputs.get(&answer.tool)? {
        Ok(validator) => Some(first(complaints(validator, structured), answer)),
        Err(error) => Some(Err(format!("the `outputSchema` of `{}` is none: {error}", answer.tool))),
    }
}

fn marked(_: &Schemas, _: &Listing, _: &Request, answer: &Answer) -> Option<Result<(), String>> {
    let kind = answer.kind()?;
    let expected = match kind {
        "refusal" => true,
        "execution" => answer.text("outcome") != Some("applied"),
        _ => false,
    };
    let found = answer.is_error();
    Some(if found == expected { Ok(()) } else { Err(format!("`isError` is {found} on {}", answer.told())) })
}

fn header(_: &Schemas, _: &Listing, _: &Request, answer: &Answer) -> Option<Result<(), String>> {
    answer.kind().filter(|kind| *kind == "plan")?;
    let header = answer.get("header")?;
    Some(judge_header(answer, header))
}

fn judge_header(answer: &Answer, header: &Value) -> Result<(), String> {
    let found = oracle::digest(header).map_err(|error| error.to_string())?;
    if answer.text("planDigest") != Some(found.as_str()) {
        return Err(format!("`planDigest` is {:?}, and the digest of `header` is {found}", answer.text("planDigest")));
    }
    if header.get("planId") != answer.get("planId") {
        return Err("the header names another plan".to_owned());
    }
    let time = |member: &str| header.get(member).and_then(Value::as_str).and_then(oracle::timestamp);
    let (Some(created), Some(expires)) = (time("createdAt"), time("expiresAt")) else {
        return Err("the header has no times".to_owned());
    };
    let seconds = header.pointer("/policy/limits/planSeconds").and_then(Value::as_u64).unwrap_or_default();
    if expires - created != Duration::from_secs(seconds) {
        return Err(format!("`expiresAt` is {} after `createdAt`, and `planSeconds` is {seconds}", expires - created));
    }
    Ok(())
}

fn next(_: &Schemas, listing: &Listing, request: &Request, answer: &Answer) -> Option<Result<(), String>> {
    let kind = answer.kind()?;
    let names = &listing.names;
    let Ok(expected) = next_tool(names, kind, answer)? else { return None };
    let found = answer.get("next");
    let found_tool = found.and_then(|next| next.get("tool")).and_then(Value::as_str);
    if found_tool != expected {
        let name = |tool: Option<&str>| tool.map_or("none".to_owned(), |tool| format!("`{tool}`"));
        return Some(Err(format!(
            "`next` is {} after {}, and has to be {}",
            name(found_tool),
            answer.told(),
            name(expected)
        )));
    }
    let (Some(next), Some(tool)) = (found, expected) else { return Some(Ok(())) };
    let arguments = next.get("arguments").cloned().unwrap_or_default();
    let plan = answer.get("planId").or_else(|| request.params.get("arguments")?.get("planId"));
    let wants_digest = kind != "refusal" && (tool == names.challenge || tool == names.execute);
    let digest = answer.get("planDigest").filter(|_| wants_digest);
    let is_right = arguments.get("planId") == plan
        && arguments.get("planDigest") == digest
        && arguments.get("waitSeconds").is_some() == (tool == names.status);
    Some(if is_right {
        Ok(())
    } else {
        Err(format!("the arguments of `next` are {arguments} after {}", answer.told()))
    })
}

/// The next call by the table; `Err` where it depends on what the answer doesn't say.
fn next_tool<'a>(names: &'a Names, kind: &str, answer: &Answer) -> Option<Result<Option<&'a str>, ()>> {
    Some(Ok(match kind {
        // The gated call itself, sent again while nobody has decided. [WIRE-M-006]
        "status" if !names.all().contains(&answer.tool.as_str()) => Some(&names.execute),
        "plan" => Some(&names.challenge),
        "challenge" | "status" => match answer.text("state")? {
            "planned" => Some(&names.challenge),
            "awaiting_approval" | "executing" => Some(&names.status),
            "approved" | "applied" | "failed" | "partial" | "unknown" => Some(&names.execute),
            _ => None,
        },
        "refusal" if names.all().contains(&answer.tool.as_str()) => match answer.text("reason")? {
            "approval_required" | "challenge_expired" => Some(&names.challenge),
            "approval_pending" => Some(&names.status),
            // By whose attempt it is.
            "execution_in_progress" => return Some(Err(())),
            _ => None,
        },
        _ => None,
    }
    .map(String::as_str)))
}

fn retry(_: &Schemas, _: &Listing, _: &Request, answer: &Answer) -> Option<Result<(), String>> {
    let reason = answer.text("reason").filter(|_| answer.kind() == Some("refusal"))?;
    let expected = match reason {
        "approval_pending"
        | "approval_required"
        | "challenge_expired"
        | "execution_in_progress"
        | "internal"
        | "paused"
        | "rate_limited"
        | "store_unavailable"
        | "target_unavailable" => "same",
        "approval_expired"
        | "approval_withdrawn"
        | "dry_run_failed"
        | "outcome_unknown"
        | "plan_cancelled"
        | "plan_expired"
        | "plan_not_found"
        | "plan_stale"
        | "policy_changed"
        | "precondition_failed"
        | "preview_changed"
        | "target_changed"
        | "tool_changed" => "replan",
        _ => "never",
    };
    let found = answer.text("retry");
    Some(if found == Some(expected) {
        Ok(())
    } else {
        Err(format!("`retry` of `{reason}` is {}, and has to be `{expected}`", found.unwrap_or("absent")))
    })
}

/// The calls of checks carry a text that there is only once; so where it stands, arguments do.
fn own_words(_: &Schemas, _: &Listing, request: &Request, answer: &Answer) -> Option<Result<(), String>> {
    answer.kind()?;
    let sentence = answer.sentence();
    if sentence.is_empty() {
        return Some(Err("`content` has no first text".to_owned()));
    }
    let arguments = request.params.get("arguments")?;
    let mut texts = Vec::new();
    collect(arguments, &mut texts);
    let quoted = texts.into_iter().find(|text| text.len() >= 12 && sentence.contains(*text));
    Some(quoted.map_or(Ok(()), |text| Err(format!("the first text quotes the argument `{text}`"))))
}

fn bounded(_: &Schemas, _: &Listing, _: &Request, answer: &Answer) -> Option<Result<(), String>> {
    let bytes = answer.result()?.to_string().len();
    Some(if bytes <= RESULT_BYTES { Ok(()) } else { Err(format!("a result has {bytes} bytes")) })
}

fn unsalted(_: &Schemas, _: &Listing, _: &Request, answer: &Answer) -> Option<Result<(), String>> {
    answer.kind()?;
    Some(
        member(answer.structured()?, &["salt", "nonce", "requestTag"])
            .map_or(Ok(()), |name| Err(format!("an answer has a member `{name}`"))),
    )
}

/// Whether it is an answer as the profile gives it, and no error of the protocol and no request for input.
fn is_complete(answer: &Answer) -> bool {
    answer.result().is_some_and(|result| result.get("resultType").is_none_or(|kind| kind.as_str() == Some("complete")))
}

fn first(complaints: Vec<String>, answer: &Answer) -> Result<(), String> {
    complaints
        .into_iter()
        .next()
        .map_or(Ok(()), |complaint| Err(format!("{} of `{}`: {complaint}", answer.told(), answer.tool)))
}

/// The texts in a value, those of a whole call's ids excepted: they are names.
fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(members) => members.values().for_each(|value| collect(value, texts)),
        Value::String(text) => texts.push(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The first of `names` that is a member of any object in it. What the tool itself answered is its own affair.
fn member<'a>(value: &Value, names: &[&'a str]) -> Option<&'a str> {
    match value {
        Value::Array(items) => items.iter().find_map(|item| member(item, names)),
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            if matches!(name.as_str(), "toolResult" | "before" | "after") {
                return None;
            }
            names.iter().copied().find(|wanted| wanted == name).or_else(|| member(value, names))
        }),
        _ => None,
    }
}
