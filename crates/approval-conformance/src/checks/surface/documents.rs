//! The documents behind a page: offered in their canonical bytes, in the form of the tables, and the call's own (digest.md, section 6).

use serde_json::Value;

use super::acts::{links, readable, shown};
use crate::agent::{Challenge, Plan};
use crate::check::{Check, Level, Scope, run};
use crate::driver::Page;
use crate::oracle;
use crate::scene::{Call, Scene};
use crate::verdict::{Checked, Stop, ensure};

pub(super) const ALL: &[Check] = &[
    Check {
        id: "documents-are-offered",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DIG-113", "DIG-040", "DIG-103", "REC-010", "REC-011", "REC-012"],
        case: None,
        tries: "The requester and an approver look on the plan's page, and behind its links, for intent and review, before the decision and after the execution.",
        expects: "Each is there as bytes whose SHA-256 is `intentDigest` and `reviewDigest` of the header that the agent got, and stays.",
        run: run!(offered),
    },
    Check {
        id: "documents-have-their-form",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DIG-100", "DIG-101", "REC-013", "REC-002", "REC-004", "DIG-043", "LEAF-001", "PLAN-004"],
        case: None,
        tries: "Intent and review of a plan of each declared tool are read.",
        expects: "They have the members of profile.md, 3.3 and 3.4, each in its form, and no others; a sentence for each step; headline and steps in the server's words; each listed secret leaf is a commitment.",
        run: run!(forms),
    },
    Check {
        id: "intent-is-the-call",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DIG-100", "DIG-105"],
        case: None,
        tries: "The intent of a plan of each declared tool is held against the call that the agent made.",
        expects: "It names the tool, and its `arguments` are those of the call, secret leaves apart.",
        run: run!(intent),
    },
    Check {
        id: "salts-are-fresh",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DIG-110"],
        case: None,
        tries: "The same call is planned twice, and the salts of both plans' intents and reviews are compared.",
        expects: "Four salts that differ.",
        run: run!(salts),
    },
    Check {
        id: "answer-tells-the-review",
        level: Level::L1,
        scope: Scope::Shared,
        requirements: &["DIG-111", "PLAN-010", "WIRE-030"],
        case: None,
        tries: "What the agent was told of a plan of each declared tool is held against the review.",
        expects: "Headline, findings, steps and warnings are the review's; the changes are there only where the policy lets the requester read the target, and then are the review's.",
        run: run!(told),
    },
];

/// Intent and review of a plan.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) intent: Value,
    pub(super) review: Value,
    /// Those that stand on the page itself, as they stand there.
    pub(super) embedded: Vec<String>,
}

/// Finds intent and review as `person` is offered them.
pub(super) async fn documents(scene: &Scene, person: &str, plan: &Plan, challenge: &Challenge) -> Checked<Documents> {
    let digest = |member: &str| plan.header.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut search = Search { wanted: [digest("intentDigest"), digest("reviewDigest")], ..Search::default() };
    let seen = shown(scene, person, &challenge.url).await?;
    search.read_page(&seen.page.text);
    let mut known = links(&seen.page, &challenge.url, &plan.id);
    let first = known.len();
    let mut at = 0;
    while let Some(link) = known.get(at).filter(|_| !search.is_done()).cloned() {
        let opened = scene.open(Some(person), &link).await?;
        if opened.status == 200 {
            search.read(&opened.body);
            // A page of documents is one step away at most.
            if at < first {
                let further = links(&Page::read(&opened.body), &link, &plan.id);
                for link in further {
                    if !known.contains(&link) && link != challenge.url {
                        known.push(link);
                    }
                }
            }
        }
        at += 1;
    }
    search.end(person, &challenge.url)
}

#[derive(Default)]
struct Search {
    wanted: [String; 2],
    found: [Option<Value>; 2],
    embedded: Vec<String>,
    /// The document is there, but its bytes aren't the canonical ones.
    uncanonical: [bool; 2],
}

impl Search {
    fn is_done(&self) -> bool {
        self.found.iter().all(Option::is_some)
    }

    /// Looks at a body.
    fn read(&mut self, body: &str) -> bool {
        let found = oracle::digest_of(body.as_bytes());
        for ((wanted, place), uncanonical) in self.wanted.iter().zip(&mut self.found).zip(&mut self.uncanonical) {
            if *wanted == found {
                *place = oracle::read(body.as_bytes()).ok();
                return place.is_some();
            }
            if let Ok(value) = oracle::read(body.as_bytes()) {
                *uncanonical |= oracle::digest(&value).is_ok_and(|digest| digest == *wanted);
            }
        }
        false
    }

    /// Looks for documents in the text of a page.
    fn read_page(&mut self, text: &str) {
        let mut from = 0;
        while let Some(begin) = text.get(from..).and_then(|rest| rest.find("{\"")) {
            let rest = text.get(from + begin..).unwrap_or_default();
            let mut reader = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
            let length = match reader.next() {
                Some(Ok(_)) => reader.byte_offset(),
                _ => 1,
            };
            let document = rest.get(..length).unwrap_or_default();
            if self.read(document) {
                self.embedded.push(document.to_owned());
            }
            from += begin + length;
        }
    }

    fn end(self, person: &str, url: &str) -> Checked<Documents> {
        let names = ["intent", "review"];
        for ((name, found), uncanonical) in names.iter().zip(&self.found).zip(&self.uncanonical) {
            let how = if *uncanonical { " in its canonical bytes" } else { "" };
            ensure(found.is_some(), || {
                format!(
                    "neither {url} nor what it links to gives `{person}` the {name}{how}: nothing there has its digest"
                )
            })?;
        }
        let [Some(intent), Some(review)] = self.found else {
            return Err(Stop::Fault("a document was lost".to_owned()));
        };
        Ok(Documents { intent, review, embedded: self.embedded })
    }
}

async fn offered(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let (plan, challenge) = scene.challenged(&agent, &call).await?;
    let approver = scene.approver(&agent, &call)?;
    documents(scene, &agent.person, &plan, &challenge).await?;
    documents(scene, &approver, &plan, &challenge).await?;
    scene.approve(&agent, &call, &challenge).await?;
    agent.execute(&plan).await?.executed("applied", false)?;
    documents(scene, &agent.person, &plan, &challenge).await?;
    // Where others decide, whoever asks may read all the same.
    if let Ok(call) = scene.ruled(crate::target::Rule::OtherSubject) {
        let (plan, challenge) = scene.challenged(&agent, &call).await?;
        documents(scene, &agent.person, &plan, &challenge).await?;
        let approver = scene.approver(&agent, &call)?;
        documents(scene, &approver, &plan, &challenge).await?;
    }
    Ok(())
}

async fn forms(scene: &Scene) -> Checked {
    let mut complaints = Vec::new();
    for (_, call, documents) in of_each(scene).await? {
        let schemas = scene.world().schemas();
        let mut say = |what: String| complaints.push(format!("of a plan of `{}`: {what}", call.tool.use_of));
        schemas.intent(&documents.intent).into_iter().for_each(|what| say(format!("intent {what}")));
        schemas.review(&documents.review).into_iter().for_each(|what| say(format!("review {what}")));
        let count = |document: &Value| document.get("steps").and_then(Value::as_array).map(Vec::len);
        if count(&documents.intent) != count(&documents.review) {
            say("the review doesn't have one sentence for each step of the intent".to_owned());
        }
        for (name, document) in [("intent", &documents.intent), ("review", &documents.review)] {
            for pointer in secret_leaves(document) {
                if !document.pointer(&pointer).is_some_and(is_commitment) {
                    say(format!("the {name} lists {pointer}, and there is no commitment"));
                }
            }
        }
    }
    ensure(complaints.is_empty(), || complaints.join("; "))
}

async fn intent(scene: &Scene) -> Checked {
    for (_, call, documents) in of_each(scene).await? {
        let of = &call.tool.use_of;
        let named = documents.intent.pointer("/tool/name").and_then(Value::as_str);
        ensure(named == Some(&call.tool.name), || format!("the intent of `{of}` is of the tool {named:?}"))?;
        let mut found = documents.intent.clone();
        let mut sent = serde_json::json!({ "arguments": call.arguments });
        for pointer in secret_leaves(&documents.intent).iter().filter(|pointer| pointer.starts_with("/arguments/")) {
            for document in [&mut found, &mut sent] {
                if let Some(place) = document.pointer_mut(pointer) {
                    *place = Value::Null;
                }
            }
        }
        let digest = |document: &Value| oracle::digest(document.get("arguments").unwrap_or(&Value::Null)).ok();
        ensure(digest(&found) == digest(&sent), || {
            format!(
                "the intent of `{of}` has arguments that aren't the call's: {}",
                found.get("arguments").unwrap_or(&Value::Null)
            )
        })?;
    }
    Ok(())
}

async fn salts(scene: &Scene) -> Checked {
    let (agent, call) = (scene.agent().await?, scene.plain()?);
    let person = scene.approver(&agent, &call)?;
    let mut salts = std::collections::BTreeSet::new();
    for _ in 0..2 {
        let (plan, challenge) = scene.challenged(&agent, &call).await?;
        let documents = documents(scene, &person, &plan, &challenge).await?;
        for document in [documents.intent, documents.review] {
            salts.insert(document.get("salt").and_then(Value::as_str).unwrap_or_default().to_owned());
        }
    }
    let is_whole = salts.iter().all(|salt| salt.len() == 43);
    ensure(salts.len() == 4 && is_whole, || format!("two plans of one call have the salts {salts:?}"))
}

async fn told(scene: &Scene) -> Checked {
    for (plan, call, Documents { review, .. }) in of_each(scene).await? {
        let of = &call.tool.use_of;
        let omitted =
            plan.answer.get("omitted").and_then(|omitted| omitted.get("members")).cloned().unwrap_or_default();
        let is_omitted = |member: &str| omitted.as_array().is_some_and(|all| all.iter().any(|name| name == member));
        let reads = plan.header.pointer("/policy/requesterReadsTarget") == Some(&Value::Bool(true));
        for member in ["headline", "findings", "steps", "warnings", "changes"] {
            let reviewed = match member {
                "headline" => review.pointer("/headline/text"),
                "changes" if !reads => None,
                // What is empty is left out.
                _ => review.get(member).filter(|value| value.as_array().is_none_or(|all| !all.is_empty())),
            };
            let found = plan.answer.get(member);
            if found.is_none() && is_omitted(member) {
                continue;
            }
            ensure(found == reviewed, || {
                format!("`{member}` of the answer to `{of}` isn't the review's: {found:?} and {reviewed:?}")
            })?;
        }
    }
    Ok(())
}

/// A plan of each declared tool, and its documents.
async fn of_each(scene: &Scene) -> Checked<Vec<(Plan, Call, Documents)>> {
    let agent = scene.agent().await?;
    let mut found: Vec<(Plan, Call, Documents)> = Vec::new();
    for tool in readable(scene)? {
        let call = scene.call_of(&tool);
        let person = scene.approver(&agent, &call)?;
        let (plan, challenge) = scene.challenged(&agent, &call).await?;
        let documents = documents(scene, &person, &plan, &challenge).await?;
        agent.cancel(&plan).await?;
        found.push((plan, call, documents));
    }
    Ok(found)
}

/// The secret leaves that a document lists.
pub(super) fn secret_leaves(document: &Value) -> Vec<String> {
    let listed = document.get("secretLeaves").and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(|pointer| Some(pointer.as_str()?.to_owned())).collect()
}

/// Whether it is an object of the one member `$secret`, a digest.
pub(super) fn is_commitment(value: &Value) -> bool {
    let Some(members) = value.as_object() else { return false };
    members.len() == 1 && members.get("$secret").and_then(Value::as_str).is_some_and(oracle::is_digest)
}
