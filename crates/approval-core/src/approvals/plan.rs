//! Planning: nothing is mutated, and everything is fixed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::lane::Lane;
use super::ledger::Ledger;
use super::view::PlanView;
use super::{Approvals, cool_down_keys, count_refusal, drive, mute_keys, open_cool_down, open_mute};
use crate::audit::{EventDraft, EventKind};
use crate::directory::Requester;
use crate::gate::Attempt;
use crate::id::{Nonce, PlanId, Salt};
use crate::json::{Document, Fault, Inadmissible, Limits};
use crate::planner::{Call, Draft, PlanError, Planner};
use crate::record::{
    EffectivePolicy, HeaderType, Intent, IntentType, PlanHeader, PlanState, PlanStateType, Record as _, RequestTag,
    Review, ReviewType, SecretLeaf, Secrets, SecretsType, State, Text, ToolReference, Warning, WarningCode,
};
use crate::refusal::{Reason, Refusal};
use crate::resolved;
use crate::seal::{Tag, TagPurpose};
use crate::store::{Reads, RowKey, Snapshot, Transition, Write};
use crate::vault::{Vault, internal, unavailable};

impl Approvals {
    /// Makes a plan of a call: reads, decides what the policy says, and stores exactly what would run. Mutates nothing.
    ///
    /// # Errors
    /// `payload_invalid`, `payload_too_large`, `requester_not_permitted`, `policy_denied`, `recently_rejected`,
    /// `rate_limited`, `dry_run_failed`, `target_unavailable`, `unsupported`, `store_unavailable`, `internal`.
    pub async fn plan(&self, requester: &Requester, call: Call, planner: &dyn Planner) -> Result<PlanView, Refusal> {
        let planned = self.plan_inner(requester, call, planner).await;
        if let Err(refusal) = &planned {
            count_refusal(refusal);
        }
        planned
    }

    /// What may refuse a call, in its order. [PLAN-013]
    async fn plan_inner(&self, requester: &Requester, call: Call, planner: &dyn Planner) -> Result<PlanView, Refusal> {
        let call = admit(call)?;
        let person = &requester.identity.person;
        let standing = self.service.directory.standing(person).await;
        if !standing.map_err(unavailable)?.enabled {
            return Err(not_permitted(requester)); // [PLAN-001] [PERSON-002]
        }
        let drafted = drive::caught(planner.plan(&call)).await.ok_or_else(|| {
            tracing::error!(tool = call.tool, "the planner panicked");
            Refusal::new(Reason::Internal, "the planner panicked")
        });
        let mut draft = drafted?.map_err(refuse_plan)?;
        let mut seen = BTreeSet::new();
        draft.effect_keys.retain(|key| seen.insert(key.clone()));
        if draft.effect_keys.is_empty() {
            return Err(Refusal::new(Reason::Unsupported, "the planner names nothing that the call would touch")); // [PLAN-004]
        }
        // It is shown, and typed before an approval where a finding is high.
        if draft.target.name.trim().is_empty() {
            return Err(Refusal::new(Reason::Unsupported, "the planner gives no name to what the call would mutate"));
        }
        let permitted = self.service.directory.may_request(person, &call.tool, &draft.target).await;
        if !permitted.map_err(unavailable)? {
            return Err(not_permitted(requester)); // [PLAN-001]
        }
        if let Some(why) = &draft.denied {
            return Err(self.deny(requester, &call, why).await?); // [PLAN-002]
        }
        // Of the call nothing but its tool and arguments has a say in it. [POLICY-002]
        let Some(policy) = self.service.policy.evaluate(&call.tool, &draft.target, &call.arguments) else {
            return Err(self.deny(requester, &call, "the policy forbids it").await?); // [PLAN-002]
        };
        let attempts = self.attempts(None, &self.effect_tags(&draft.effect_keys)?).await?;
        let made = self.make(requester, &call, draft, policy, &attempts)?;
        let view = made.view();
        self.commit(self.record_plan(made)?).await?;
        Ok(view)
    }

    fn make(
        &self,
        requester: &Requester,
        call: &Call,
        draft: Draft,
        policy: EffectivePolicy,
        attempts: &[Attempt],
    ) -> Result<Made, Refusal> {
        let entropy = self.service.entropy.as_ref();
        let now = self.service.clock.now();
        let target = draft.target.name.clone();
        let (intent, review, secrets) = self.documents(call, draft, attempts)?;
        let too_large = |error: Inadmissible| refuse_inadmissible(&error, "the plan");
        let (intent_document, review_document) =
            (intent.document().map_err(too_large)?, review.document().map_err(too_large)?);
        // One limit for both documents together. [PLAN-003]
        if intent_document.as_bytes().len() + review_document.as_bytes().len() > Limits::PLAN.max_bytes() {
            return Err(Refusal::new(
                Reason::PayloadTooLarge,
                "intent and review together are over the limit of a plan",
            ));
        }
        let expires_at = now.after(policy.limits.plan());
        let header = PlanHeader {
            kind: HeaderType::V0,
            plan_id: PlanId::generate(now, entropy).map_err(internal)?,
            audience: self.service.vault.audience.clone(),
            requester: requester.identity.clone(),
            intent_digest: intent_document.digest(),
            review_digest: review_document.digest(),
            policy,
            enforcement: self.enforcement(requester),
            created_at: now,
            expires_at,
        };
        let header_document = header.document().map_err(too_large)?;
        Ok(Made {
            request_tag: request_tag(&self.service.vault, call)?,
            header,
            header_document,
            intent,
            intent_document,
            review,
            review_document,
            secrets,
            target,
        })
    }

    /// Intent and review of a draft, each with a fresh salt, and with every secret leaf replaced by its commitment before
    /// anything is digested. Headline and steps are marked as the server's words here, and nowhere else. [DIG-110] [REC-013]
    fn documents(
        &self,
        call: &Call,
        draft: Draft,
        attempts: &[Attempt],
    ) -> Result<(Intent, Review, Option<Secrets>), Refusal> {
        let entropy = self.service.entropy.as_ref();
        let salt = || Salt::generate(entropy).map_err(internal);
        // [PLAN-009]
        let warnings = attempts.iter().map(|attempt| Warning {
            code: WarningCode::UnresolvedAttempt,
            plan_id: attempt.plan,
            // One that is running now may be unresolved by the time somebody reads this.
            outcome: attempt.unresolved().unwrap_or(crate::record::Outcome::Unknown),
        });
        let previews: Vec<Option<Value>> = draft.steps.iter().map(|step| step.preview.clone()).collect();
        let mut intent = Intent {
            kind: IntentType::V0,
            salt: salt()?,
            tool: ToolReference { name: call.tool.clone(), definition_digest: call.definition_digest },
            arguments: call.arguments.clone(),
            target: draft.target,
            steps: draft.steps.iter().map(|step| step.step.clone()).collect(),
            effect_keys: draft.effect_keys,
            generated: draft.generated,
            normaliser: draft.normaliser,
            secret_leaves: Vec::new(),
        };
        let mut review = Review {
            kind: ReviewType::V0,
            salt: salt()?,
            headline: Text::server(draft.headline),
            findings: draft.findings,
            steps: draft.steps.into_iter().map(|step| Text::server(step.description)).collect(),
            changes: draft.changes,
            warnings: warnings.collect(),
            quotes: draft.quotes,
            secret_leaves: Vec::new(),
        };
        let leaves =
            Leaves { entropy, leaves: Vec::new() }.take(&draft.secrets, &mut intent, &mut review, &previews)?;
        for (number, (step, preview)) in intent.steps.iter_mut().zip(&previews).enumerate() {
            let digest = preview.as_ref().map(|preview| resolved::preview_digest(number, preview, leaves.iter()));
            step.preview_digest =
                digest.transpose().map_err(|error| refuse_inadmissible(&error, "the preview of a step"))?;
        }
        let secrets = (!leaves.is_empty()).then_some(Secrets { kind: SecretsType::V0, leaves });
        Ok((intent, review, secrets))
    }

    fn record_plan(&self, made: Made) -> Result<Transition, Refusal> {
        let service = &self.service;
        let (vault, lane) = (service.vault.clone(), service.lane.clone());
        let person = made.header.requester.person.clone();
        let cool_downs = cool_down_keys(&vault, &person, &made.intent.effect_keys)?.good;
        let mutes = mute_keys(&vault, &person)?;
        let actor = self.pseudonym(&person)?;
        let mut rows = cool_downs.clone();
        rows.extend(mutes.iter().cloned());
        let reads = Reads {
            lane: Some(lane.writer),
            rows,
            open_plans_of: Some(person.as_str().to_owned()),
            ..Reads::default()
        };
        Ok(Transition::new("record-plan", reads, move |snapshot| {
            let stored =
                |keys: &[RowKey]| keys.iter().filter_map(|key| snapshot.rows.get(key).cloned()).collect::<Vec<_>>();
            // All of them are opened before one of them decides.
            let mutes = stored(&mutes).iter().map(|row| open_mute(&vault, row)).collect::<Result<Vec<_>, _>>()?;
            let cool_downs = stored(&cool_downs);
            let cool_downs = cool_downs.iter().map(|row| open_cool_down(&vault, row)).collect::<Result<Vec<_>, _>>()?;
            if mutes.iter().any(|mute| snapshot.now < mute.until) {
                return Err(Refusal::new(Reason::RateLimited, "the requester is muted")); // [PLAN-006]
            }
            if let Some(rejected) = cool_downs.iter().find(|cool_down| snapshot.now < cool_down.until) {
                let detail = format!("plan `{}` on the same effect key was rejected", rejected.plan_id);
                return Err(Refusal::new(Reason::RecentlyRejected, detail)); // [PLAN-005]
            }
            let limit = made.header.policy.limits.open_plans;
            if snapshot.open_plans >= limit {
                let detail = format!("the requester has {} open plans of {limit}", snapshot.open_plans);
                return Err(Refusal::new(Reason::RateLimited, detail)); // [PLAN-007]
            }
            made.write(&vault, &lane, snapshot, actor.clone())
        }))
    }

    /// The refusal of what the policy forbids, once the audit has told of it.
    async fn deny(&self, requester: &Requester, call: &Call, why: &str) -> Result<Refusal, Refusal> {
        let (vault, lane) = (self.service.vault.clone(), self.service.lane.clone());
        let actor = self.pseudonym(&requester.identity.person)?;
        let reads = Reads { lane: Some(lane.writer), ..Reads::default() };
        self.commit(Transition::new("deny-plan", reads, move |snapshot| {
            let mut ledger = Ledger::of_server(&vault, &lane, snapshot)?;
            let mut denied = EventDraft::new(EventKind::PlanDenied).by(actor.clone());
            denied.reason = Some(Reason::PolicyDenied);
            ledger.tell(denied)?;
            Ok(ledger.finish())
        }))
        .await?;
        Ok(Refusal::new(Reason::PolicyDenied, format!("this call of `{}` is denied: {why}", call.tool)))
    }
}

/// A plan that was made and not yet stored.
struct Made {
    header: PlanHeader,
    header_document: Document,
    intent: Intent,
    intent_document: Document,
    review: Review,
    review_document: Document,
    secrets: Option<Secrets>,
    request_tag: Tag,
    target: String,
}

impl Made {
    fn view(&self) -> PlanView {
        let Review { headline, findings, steps, changes, warnings, .. } = self.review.clone();
        PlanView {
            header: self.header.clone(),
            header_text: self.header_document.as_str().to_owned(),
            plan_digest: self.header_document.digest(),
            headline: headline.text,
            findings,
            steps,
            warnings,
            changes: self.header.policy.requester_reads_target.then_some(changes), // [PLAN-010]
        }
    }

    fn write(&self, vault: &Vault, lane: &Lane, snapshot: &Snapshot, actor: Tag) -> Result<Vec<Write>, Refusal> {
        let plan = self.header.plan_id;
        let id = plan.to_string();
        let digest = self.header_document.digest();
        let mut ledger = Ledger::of_new_plan(vault, lane, snapshot, plan)?;
        ledger.tell(EventDraft::of_plan(EventKind::PlanCreated, plan, digest).by(actor))?;
        ledger.insert_document(&self.header, &self.header_document, &id, plan)?;
        ledger.insert_document(&self.intent, &self.intent_document, &id, plan)?;
        ledger.insert_document(&self.review, &self.review_document, &id, plan)?;
        if let Some(secrets) = &self.secrets {
            ledger.insert(secrets.clone(), &id, Some(plan), 0)?;
        }
        let state = PlanState {
            kind: PlanStateType::V0,
            plan_id: plan,
            revision: 0,
            state: State::Planned,
            cause: None,
            plan_digest: digest,
            request_tag: RequestTag(self.request_tag.clone()),
            challenge: None,
            decisions: Vec::new(),
            approval_expires_at: None,
            claim: None,
            execution: None,
            reconciliation: None,
            gate_attempts: 0,
            secrets_erased: self.secrets.is_none(),
            pruned: false,
            last_event: digest,
        };
        ledger.put_state(&self.header, &self.target, None, state)?;
        let asked = self.header.policy.rule.asked(&self.header.requester);
        ledger.write(Write::Ask { plan, asked });
        Ok(ledger.finish())
    }
}

/// Takes secret values out of the documents of a plan. [LEAF-001, LEAF-002]
struct Leaves<'a> {
    entropy: &'a dyn crate::entropy::Entropy,
    leaves: Vec<SecretLeaf>,
}

impl Leaves<'_> {
    fn take(
        mut self,
        pointers: &[String],
        intent: &mut Intent,
        review: &mut Review,
        previews: &[Option<Value>],
    ) -> Result<Vec<SecretLeaf>, Refusal> {
        if pointers.is_empty() {
            return Ok(self.leaves);
        }
        if let Some(pointer) = overlapping(pointers) {
            let detail = format!("`{pointer}` is within another secret, or named twice");
            return Err(Refusal::new(Reason::PayloadInvalid, detail)); // [PLAN-012]
        }
        let mut intent_value = serde_json::to_value(&*intent).map_err(internal)?;
        let mut review_value = serde_json::to_value(&*review).map_err(internal)?;
        for pointer in pointers {
            match placed(pointer) {
                Some(Place::Intent) => {
                    self.replace("/intent", pointer, &mut intent_value)?;
                    intent.secret_leaves.push(pointer.clone());
                }
                Some(Place::Review) => {
                    self.replace("/review", pointer, &mut review_value)?;
                    review.secret_leaves.push(pointer.clone());
                }
                Some(Place::Preview { step, within }) => {
                    let preview = previews.get(step).and_then(Option::as_ref);
                    let value = preview.and_then(|preview| preview.pointer(within)).ok_or_else(|| nowhere(pointer))?;
                    self.commit(format!("/preview/{step}{within}"), value.clone())?;
                }
                None => return Err(nowhere(pointer)),
            }
        }
        let (intent_leaves, review_leaves) =
            (std::mem::take(&mut intent.secret_leaves), std::mem::take(&mut review.secret_leaves));
        *intent = serde_json::from_value(intent_value).map_err(internal)?;
        *review = serde_json::from_value(review_value).map_err(internal)?;
        intent.secret_leaves = intent_leaves;
        review.secret_leaves = review_leaves;
        Ok(self.leaves)
    }

    fn replace(&mut self, root: &str, pointer: &str, document: &mut Value) -> Result<(), Refusal> {
        let place = document.pointer_mut(pointer).ok_or_else(|| nowhere(pointer))?;
        let placeholder = self.commit(format!("{root}{pointer}"), place.take())?;
        *place = placeholder;
        Ok(())
    }

    /// A leaf with a nonce of its own; before and after of one change share one where they are equal, so that the page can
    /// tell a secret that changes from one that stays. [LEAF-004]
    fn commit(&mut self, pointer: String, value: Value) -> Result<Value, Refusal> {
        let twin = twin(&pointer).and_then(|twin| self.leaves.iter().find(|leaf| leaf.pointer == twin));
        let nonce = match twin {
            Some(leaf) if leaf.value == value => leaf.nonce,
            _ => Nonce::generate(self.entropy).map_err(internal)?,
        };
        let leaf = SecretLeaf { pointer, nonce, value };
        let placeholder = leaf.placeholder().map_err(|error| refuse_inadmissible(&error, "a secret value"))?;
        self.leaves.push(leaf);
        Ok(placeholder)
    }
}

enum Place<'a> {
    Intent,
    Preview { step: usize, within: &'a str },
    Review,
}

/// Which document a planner's pointer leads into.
fn placed(pointer: &str) -> Option<Place<'_>> {
    let mut parts = pointer.splitn(4, '/').skip(1);
    match (parts.next()?, parts.next()?, parts.next()) {
        ("arguments", _, _) => Some(Place::Intent),
        ("steps", step, Some(rest)) => match rest.split_at_checked("preview".len()) {
            Some(("preview", within)) if within.is_empty() || within.starts_with('/') => {
                Some(Place::Preview { step: step.parse().ok()?, within })
            }
            _ if rest == "body" || rest.starts_with("body/") => Some(Place::Intent),
            _ => None,
        },
        ("changes", _, Some(rest)) => {
            let side = rest.split('/').next()?;
            matches!(side, "before" | "after").then_some(Place::Review)
        }
        _ => None,
    }
}

/// A pointer that names what another one names already, as a whole or as a part.
fn overlapping(pointers: &[String]) -> Option<&String> {
    let mut known = BTreeSet::new();
    let twice = pointers.iter().find(|pointer| !known.insert(pointer.as_str()));
    twice.or_else(|| {
        let within = |pointer: &str| {
            let ends = pointer.match_indices('/').map(|(end, _)| end);
            ends.filter_map(|end| pointer.get(..end)).any(|outer| known.contains(outer))
        };
        pointers.iter().find(|pointer| within(pointer))
    })
}

/// The other side of a change.
fn twin(pointer: &str) -> Option<String> {
    let rest = pointer.strip_prefix("/review/changes/")?;
    let (number, rest) = rest.split_once('/')?;
    let (side, within) = rest.split_once('/').map_or((rest, String::new()), |(side, rest)| (side, format!("/{rest}")));
    let other = if side == "before" { "after" } else { "before" };
    Some(format!("/review/changes/{number}/{other}{within}"))
}

fn nowhere(pointer: &str) -> Refusal {
    Refusal::new(Reason::PayloadInvalid, format!("there is no secret at `{pointer}`"))
}

/// Admits the arguments of a call; what is planned, digested and run is the parse of their canonical form. [PLAN-003]
fn admit(call: Call) -> Result<Call, Refusal> {
    let arguments = Document::from_serialize(&call.arguments, &Limits::ARGUMENTS)
        .map_err(|error| refuse_inadmissible(&error, "the arguments"))?;
    match arguments.to_value() {
        Value::Object(arguments) => Ok(Call { arguments, ..call }),
        _ => Err(Refusal::new(Reason::PayloadInvalid, "the arguments are not an object")),
    }
}

/// What the request is recognised by: a tag over audience, tool and arguments, that never leaves the server. [DIG-123]
pub(super) fn request_tags(vault: &Vault, call: &Call) -> Result<Vec<Tag>, Refusal> {
    vault.sealer.tags(TagPurpose::Request, &request_bytes(vault, call)?).map_err(internal)
}

fn request_tag(vault: &Vault, call: &Call) -> Result<Tag, Refusal> {
    vault.sealer.tag(TagPurpose::Request, &request_bytes(vault, call)?).map_err(internal)
}

fn request_bytes(vault: &Vault, call: &Call) -> Result<Vec<u8>, Refusal> {
    let request = serde_json::json!({
        "type": "mutation-approval/request/v0",
        "audience": vault.audience,
        "tool": call.tool,
        "arguments": call.arguments,
    });
    let document = Document::from_value(&request, &Limits::PLAN);
    Ok(document.map_err(|error| refuse_inadmissible(&error, "the request"))?.into_bytes())
}

fn refuse_inadmissible(error: &Inadmissible, what: &str) -> Refusal {
    let reason = match error.fault() {
        Fault::TooLarge | Fault::TooManyNodes => Reason::PayloadTooLarge,
        _ => Reason::PayloadInvalid,
    };
    Refusal::new(reason, format!("{what}: {error}"))
}

/// What a planner's refusal is to the caller. [PLAN-011]
fn refuse_plan(error: PlanError) -> Refusal {
    let reason = match error {
        PlanError::Invalid(_) => Reason::PayloadInvalid,
        PlanError::Refused(_) => Reason::DryRunFailed,
        PlanError::Unavailable(_) => Reason::TargetUnavailable,
        PlanError::Unsupported(_) => Reason::Unsupported,
    };
    Refusal::new(reason, error.to_string())
}

fn not_permitted(requester: &Requester) -> Refusal {
    Refusal::new(Reason::RequesterNotPermitted, format!("`{}` may not ask for this", requester.identity.person))
}
