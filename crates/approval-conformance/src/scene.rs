//! What a check has at hand: agents, persons, the target and the world around it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::agent::{Agent, Challenge, Plan};
use crate::driver::{Decided, Form, Op, Opened, PersonVerdict, Visitor};
use crate::recorder::Recorder;
use crate::target::{Drift, Rule, Target, Tool};
use crate::verdict::{Checked, Stop, ensure};
use crate::wire::{Capabilities, Revision};
use crate::world::{CLIENT, World};

/// What a check has at hand.
#[derive(Debug)]
pub(crate) struct Scene {
    world: Arc<World>,
    pub(crate) revision: Revision,
    pub(crate) recorder: Recorder,
    /// Another one in each check of each run: what it touches nobody else does.
    prefix: String,
    calls: AtomicU32,
    /// The plans of calls that were made here: given back at the end, so that they aren't in others' way.
    open: Mutex<Vec<(Agent, Plan)>>,
}

/// A call of a gated tool, on an object of its own.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// What of the target file it is.
    pub(crate) tool: Tool,
    /// The text that stands in the templates' place.
    pub(crate) unique: String,
    /// The arguments.
    pub(crate) arguments: Map<String, Value>,
}

impl Call {
    /// The same call with another value at `pointer`.
    pub(crate) fn with(&self, pointer: &str, value: Value) -> Checked<Self> {
        let mut arguments = Value::Object(self.arguments.clone());
        match arguments.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => {
                let missing =
                    || Stop::Fault(format!("the arguments of `{}` have nothing at `{pointer}`", self.tool.use_of));
                let (parent, name) = pointer.rsplit_once('/').ok_or_else(missing)?;
                let parent = arguments.pointer_mut(parent).and_then(Value::as_object_mut).ok_or_else(missing)?;
                parent.insert(name.replace("~1", "/").replace("~0", "~"), value);
            }
        }
        let Value::Object(arguments) = arguments else { return Err(Stop::Fault("arguments are no object".to_owned())) };
        Ok(Self { arguments, ..self.clone() })
    }

    /// The same object with other content.
    pub(crate) fn altered(&self) -> Checked<Self> {
        let missing = || Stop::NotApplicable(format!("tool `{}` declares no `altered`", self.tool.use_of));
        Ok(Self { arguments: self.tool.altered(&self.unique).ok_or_else(missing)?, ..self.clone() })
    }
}

impl Scene {
    pub(crate) fn new(world: Arc<World>, revision: Revision, prefix: String) -> Self {
        Self { world, revision, recorder: Recorder::new(), prefix, calls: AtomicU32::new(0), open: Mutex::default() }
    }

    pub(crate) fn world(&self) -> &Arc<World> {
        &self.world
    }

    pub(crate) fn target(&self) -> &Target {
        self.world.target()
    }

    // What can be called

    /// The first tool: all that most checks need.
    pub(crate) fn plain(&self) -> Checked<Call> {
        self.tool("a gated tool", |_| true)
    }

    /// A call of the first tool that is `wanted`: not applicable where none is declared.
    pub(crate) fn tool(&self, what: &str, wanted: impl Fn(&Tool) -> bool) -> Checked<Call> {
        let tool = self.target().tools.iter().find(|tool| wanted(tool));
        let tool = tool.ok_or_else(|| Stop::NotApplicable(format!("the target declares no {what}")))?;
        Ok(self.call_of(tool))
    }

    /// A tool with an argument that takes any number, and where that is.
    pub(crate) fn numbered(&self) -> Checked<(Call, String)> {
        let call = self.tool("tool with `number` or `any`", |tool| tool.number.is_some() || tool.any.is_some())?;
        let place = call.tool.number.clone().or_else(|| call.tool.any.clone()).unwrap_or_default();
        Ok((call, place))
    }

    /// A tool that somebody else than the requester, or several, must approve.
    pub(crate) fn ruled(&self, rule: Rule) -> Checked<Call> {
        self.tool(&format!("tool of the rule `{}`", rule.as_str()), |tool| tool.rule == rule)
    }

    /// A tool whose `limit` is at most `most`: what lets expiry be seen by waiting.
    pub(crate) fn short(&self, limit: &str, most: u32) -> Checked<Call> {
        let is_short = |tool: &&Tool| tool.limits.get(limit).is_some_and(|value| *value <= most);
        match self.target().tools.iter().find(is_short) {
            Some(tool) => Ok(self.call_of(tool)),
            None => Err(Stop::NotTestable(format!("no tool declares `limits.{limit}` of at most {most}"))),
        }
    }

    /// A tool that `drift` can be done to.
    pub(crate) fn drifting(&self, how: Drift) -> Checked<Call> {
        let name = serde_json::to_value(how).unwrap_or_default();
        self.tool(&format!("tool with {name} in `drift`"), |tool| tool.drift.contains(&how))
    }

    /// A tool whose execution can be held.
    pub(crate) fn held(&self) -> Checked<Call> {
        self.tool("tool with `holds`", |tool| tool.holds)
    }

    /// A call of `tool` on an object that nothing else touches.
    pub(crate) fn call_of(&self, tool: &Tool) -> Call {
        let unique = self.unique();
        Call { arguments: tool.arguments(&unique), tool: tool.clone(), unique }
    }

    /// A text that there is only once.
    pub(crate) fn unique(&self) -> String {
        format!("{}-{}", self.prefix, self.calls.fetch_add(1, Ordering::Relaxed))
    }

    // Agents

    /// The requester's agent.
    pub(crate) async fn agent(&self) -> Checked<Agent> {
        self.agent_of(&self.target().persons.requester).await
    }

    /// Another requester's agent.
    pub(crate) async fn other_agent(&self) -> Checked<Agent> {
        let other = self.target().persons.other_requester.as_deref();
        let other = other.ok_or_else(|| Stop::NotApplicable("the target declares no `other_requester`".to_owned()))?;
        self.agent_of(other).await
    }

    pub(crate) async fn agent_of(&self, person: &str) -> Checked<Agent> {
        self.world.agent(person, self.revision, &self.recorder).await
    }

    /// The requester's agent over a connection of its own.
    pub(crate) async fn own_agent(&self, capabilities: Capabilities) -> Checked<Agent> {
        let person = self.target().persons.requester.clone();
        let token = self.world.token(&person).cloned();
        self.world.own_agent(&person, token, (self.revision, capabilities, CLIENT), &self.recorder).await
    }

    /// An agent that says it is whoever it likes.
    pub(crate) async fn agent_with(&self, token: Option<String>, client: &str) -> Checked<Agent> {
        let person = self.target().persons.requester.clone();
        self.world.own_agent(&person, token, (self.revision, Capabilities::None, client), &self.recorder).await
    }

    // A plan's way

    /// Plans `call`, and sees to it that the plan is given back.
    pub(crate) async fn plan(&self, agent: &Agent, call: &Call) -> Checked<Plan> {
        let plan = agent.plan(&call.tool.name, &call.arguments).await?;
        self.gives_back(agent, &plan);
        Ok(plan)
    }

    /// At the end the plan is cancelled, if it is still open.
    pub(crate) fn gives_back(&self, agent: &Agent, plan: &Plan) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push((agent.clone(), plan.clone()));
    }

    /// Plans `call`, and opens a challenge.
    pub(crate) async fn challenged(&self, agent: &Agent, call: &Call) -> Checked<(Plan, Challenge)> {
        let plan = self.plan(agent, call).await?;
        let challenge = agent.challenge(&plan).await?;
        Ok((plan, challenge))
    }

    /// Plans `call`, and has it approved by whom its rule asks for.
    pub(crate) async fn approved(&self, agent: &Agent, call: &Call) -> Checked<(Plan, Challenge)> {
        let (plan, challenge) = self.challenged(agent, call).await?;
        self.approve(agent, call, &challenge).await?;
        Ok((plan, challenge))
    }

    /// Has a plan approved by whom its rule asks for, and holds that it is.
    pub(crate) async fn approve(&self, agent: &Agent, call: &Call, challenge: &Challenge) -> Checked {
        for person in self.approvers(agent, call)? {
            self.must_decide(&person, PersonVerdict::Approve, challenge).await?;
        }
        Ok(())
    }

    /// Who approves a plan of `agent`'s: as many as its rule asks for.
    pub(crate) fn approvers(&self, agent: &Agent, call: &Call) -> Checked<Vec<String>> {
        if call.tool.rule == Rule::SameSubject {
            return Ok(vec![agent.person.clone()]);
        }
        let persons = &self.target().persons;
        let others = persons.approvers.iter().filter(|person| **person != agent.person);
        let required = usize::try_from(call.tool.required).unwrap_or(usize::MAX);
        let found: Vec<String> = others.take(required).cloned().collect();
        if found.len() < required {
            let (rule, declared) = (call.tool.rule.as_str(), found.len());
            return Err(Stop::NotTestable(format!("`{rule}` asks for {required} persons; `approvers` has {declared}")));
        }
        Ok(found)
    }

    /// One of those who approve: the first.
    pub(crate) fn approver(&self, agent: &Agent, call: &Call) -> Checked<String> {
        let first = self.approvers(agent, call)?.into_iter().next();
        first.ok_or_else(|| Stop::NotTestable("there is nobody who approves".to_owned()))
    }

    /// Holds that `call` runs once it is planned and approved now: a control.
    pub(crate) async fn runs(&self, agent: &Agent, call: &Call) -> Checked {
        let (plan, _) = self.approved(agent, call).await?;
        agent.execute(&plan).await?.executed("applied", false)?;
        self.occurred(call, 1).await
    }

    /// A person decides, whatever comes of it.
    pub(crate) async fn decide(&self, person: &str, verdict: PersonVerdict, challenge: &Challenge) -> Checked<Decided> {
        let decision = crate::driver::Decision {
            person: person.to_owned(),
            url: challenge.url.clone(),
            plan_id: challenge.plan_id.clone(),
            plan_digest: challenge.plan_digest.clone(),
            comment: None,
        };
        self.recorder.keep(format!("{person} → page"), format!("{} {}", verdict.as_str(), challenge.url));
        let decided = self.world.people().decide(verdict, decision).await?;
        self.recorder.keep(format!("page → {person}"), format!("{decided:?}"));
        Ok(decided)
    }

    /// A person decides, and it has to be taken.
    pub(crate) async fn must_decide(&self, person: &str, verdict: PersonVerdict, challenge: &Challenge) -> Checked {
        let decided = self.decide(person, verdict, challenge).await?;
        ensure(decided.decided, || {
            let status = decided.status.map_or_else(String::new, |status| format!(" (status {status})"));
            let text = decided.text.unwrap_or_default();
            format!("`{person}` could not {} plan {}{status}: {}", verdict.as_str(), challenge.plan_id, short(&text))
        })
    }

    // Pages

    /// A page as `person` sees it.
    pub(crate) async fn open(&self, person: Option<&str>, url: &str) -> Checked<Opened> {
        self.open_as(person, url, "GET", BTreeMap::new()).await
    }

    /// A page, asked for in a way of the caller's choice.
    pub(crate) async fn open_as(
        &self,
        person: Option<&str>,
        url: &str,
        method: &str,
        headers: BTreeMap<String, String>,
    ) -> Checked<Opened> {
        let who = person.unwrap_or("nobody");
        self.recorder.keep(format!("{who} → page"), format!("{method} {url} {headers:?}"));
        let opened = self.world.people().open(person, url, method, headers).await?;
        self.recorder.keep(format!("page → {who}"), format!("{} {:?}\n{}", opened.status, opened.headers, opened.body));
        Ok(opened)
    }

    /// A browser of its own, in which nobody has logged in, and the account of `person`.
    pub(crate) fn visitor(&self, person: &str) -> Checked<Visitor> {
        let visitor = self.world.people().visitor(person, self.recorder.clone())?;
        visitor.ok_or_else(|| {
            Stop::NotTestable("the driver uses the pages: the harness can't log in by itself".to_owned())
        })
    }

    /// The decision form that `person` has on the page at `url`, filled in.
    pub(crate) async fn form(&self, person: &str, url: &str, verdict: PersonVerdict) -> Checked<Option<Form>> {
        Ok(self.world.people().form(person, url, verdict).await?)
    }

    /// As `form`, where there has to be one.
    pub(crate) async fn must_form(&self, person: &str, url: &str, verdict: PersonVerdict) -> Checked<Form> {
        let form = self.form(person, url, verdict).await?;
        form.ok_or_else(|| Stop::fail(format!("`{person}` has no way to {} on {url}", verdict.as_str())))
    }

    /// Sends a form as it is given.
    pub(crate) async fn send(&self, person: Option<&str>, form: &Form) -> Checked<Opened> {
        let who = person.unwrap_or("nobody");
        self.recorder.keep(
            format!("{who} → page"),
            format!("{} {} {:?} {:?}", form.method, form.url, form.headers, form.fields),
        );
        let opened = self.world.people().send(person, form).await?;
        self.recorder.keep(format!("page → {who}"), format!("{}\n{}", opened.status, opened.body));
        Ok(opened)
    }

    // The target and the world

    /// How often the effect of `call` has occurred.
    pub(crate) async fn effects(&self, call: &Call) -> Checked<u64> {
        #[derive(serde::Deserialize)]
        struct Observed {
            effects: u64,
        }
        let (tool, arguments) = (call.tool.use_of.clone(), call.arguments.clone());
        Ok(self.op::<Observed>(Op::Observe { tool, arguments }).await?.effects)
    }

    /// Holds that the effect of `call` has occurred so often.
    pub(crate) async fn occurred(&self, call: &Call, times: u64) -> Checked {
        let found = self.effects(call).await?;
        ensure(found == times, || {
            let unique = &call.unique;
            format!("the effect of the call on `{unique}` occurred {found} times where it must occur {times} times")
        })
    }

    /// Asks the driver.
    pub(crate) async fn op<T: DeserializeOwned>(&self, op: Op) -> Checked<T> {
        self.recorder.keep("harness → driver", serde_json::to_string(&op).unwrap_or_default());
        let answer = self.world.driver().ask::<Map<String, Value>>(&op).await;
        match &answer {
            Ok(answer) => self.recorder.keep("driver → harness", Value::Object(answer.clone()).to_string()),
            Err(error) => self.recorder.keep("driver → harness", error.to_string()),
        }
        serde_json::from_value(Value::Object(answer?))
            .map_err(|error| Stop::Fault(format!("the driver's answer is of another form: {error}")))
    }

    /// Has the driver do `op`.
    pub(crate) async fn has(&self, op: Op) -> Checked {
        self.op::<Map<String, Value>>(op).await.map(drop)
    }

    /// The world changes what `call` touches.
    pub(crate) async fn drift(&self, call: &Call, how: Drift) -> Checked {
        self.has(Op::Drift { tool: call.tool.use_of.clone(), arguments: call.arguments.clone(), how }).await
    }

    /// The next execution of `call` waits at the target.
    pub(crate) async fn hold(&self, call: &Call) -> Checked {
        self.has(Op::Hold { tool: call.tool.use_of.clone(), arguments: call.arguments.clone() }).await
    }

    /// Waits until an execution of `call` waits at the target.
    pub(crate) async fn is_held(&self, call: &Call) -> Checked {
        #[derive(serde::Deserialize)]
        struct Held {
            held: bool,
        }
        let (tool, arguments) = (call.tool.use_of.clone(), call.arguments.clone());
        let held = self.op::<Held>(Op::Held { tool, arguments, seconds: self.target().server.answer_seconds }).await?;
        ensure(held.held, || "the execution never reached the target".to_owned())
    }

    /// What is held goes on.
    pub(crate) async fn release(&self) -> Checked {
        self.has(Op::Release).await
    }

    /// Waits until `moment` has passed: for limits that are declared to be short. Nothing else is waited for by the clock.
    pub(crate) async fn until(&self, moment: OffsetDateTime) {
        self.recorder.keep("harness", format!("waits until {moment} has passed"));
        crate::time::until(moment).await;
    }

    /// Gives back what is still open.
    pub(crate) async fn clean(&self) {
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        for (agent, plan) in open {
            drop(agent.cancel(&plan).await);
        }
    }
}

/// The beginning of what a page said.
fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().take(40).collect();
    words.join(" ")
}
