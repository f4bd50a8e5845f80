//! `demo --headless`: everything is observed, and said in one line each.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use approval_core::anchor::read_anchor;
use approval_core::audit::{AuditFault, AuditReport, Evidence, FaultCode, verify};
use approval_core::receipt::{Claim, verify as verify_receipt};
use approval_core::signing::KeySet;
use approval_core::state_dir::StateDir;
use approval_core::{Clock as _, SystemClock};
use serde_json::Value;

use super::agent::{Agent, Answer, SECRET};
use super::person::{Decision, Person};
use super::tamper;
use super::world::{Server, World};
use crate::command::audit::export;
use crate::command::receipt::receipt;
use crate::installation::{Failure, Installation};

/// How long something that must happen is waited for, in seconds.
const PATIENCE: u64 = 60;

/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// Plays the whole demo, and succeeds only if every promise was observed.
pub async fn run(world: World) -> Result<ExitCode, Failure> {
    let mut play = Play { world, executed: None, answers: Vec::new(), ok: 0 };
    let observed = play.all().await;
    if let Err(failure) = &observed {
        writeln!(io::stdout(), "not ok {failure}")?;
    }
    let failed = u32::from(observed.is_err());
    writeln!(io::stdout(), "{} passed, {failed} failed, 0 skipped", play.ok)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Play {
    world: World,
    /// The plan that was executed, and its digest.
    executed: Option<(String, String)>,
    /// Everything that the agent got to see.
    answers: Vec<String>,
    ok: u32,
}

/// A plan that was put before the person.
struct Put {
    id: String,
    digest: String,
    url: String,
}

impl Play {
    async fn all(&mut self) -> Result<(), Failure> {
        let first = self.world.serve(false).await?;
        let agent = Agent::connect(&self.world, &first).await?;
        let person = Person::log_in(&self.world, &first.addresses.surface).await?;

        self.without_approval(&agent).await?;
        self.another_digest(&agent).await?;
        self.edited_plan(&agent, &person).await?;
        self.changed_target(&agent, &person).await?;
        self.once(&agent, &person).await?;
        self.second_process(&agent, &person).await?;
        agent.leave().await;
        first.stop().await?;

        self.killed().await?;
        self.receipt().await?;
        self.put_back().await?;
        self.rejection().await?;
        self.audit().await?;
        self.secret().await
    }

    async fn without_approval(&mut self, agent: &Agent) -> Result<(), Failure> {
        let before = self.world.databases()?;
        let plan = self.seen(agent.add("early").await?);
        let refused = self.seen(agent.execute(plan.text("/planId")?, None).await?);
        self.expect_reason(&refused, &["approval_required", "approval_pending"])?;
        self.expect_unchanged(&before)?;
        self.ok("execution without approval is refused (approval_required)")
    }

    async fn another_digest(&mut self, agent: &Agent) -> Result<(), Failure> {
        let before = self.world.databases()?;
        let put = self.put(agent, "swapped").await?;
        let refused = self.seen(agent.execute(&put.id, Some(&another_digest(&put.digest))).await?);
        self.expect_reason(&refused, &["approval_hash_mismatch"])?;
        self.expect_unchanged(&before)?;
        self.ok("an execute with another digest is refused (approval_hash_mismatch)")
    }

    async fn edited_plan(&mut self, agent: &Agent, person: &Person) -> Result<(), Failure> {
        let before = self.world.databases()?;
        let put = self.put(agent, "forged").await?;
        person.decide(&put.url, Decision::Approve).await?;
        let edited = tamper::extend_expiry(&self.world.state.store(), &put.id)?;
        if edited < 3 {
            return Err(Failure::Demo(format!("only {edited} stored records were edited")));
        }
        let refused = self.seen(agent.execute(&put.id, None).await?);
        self.expect_reason(&refused, &["integrity_failure"])?;
        self.expect_unchanged(&before)?;
        self.ok("a stored plan, edited with its digest fixed up, is refused (integrity_failure)")
    }

    async fn changed_target(&mut self, agent: &Agent, person: &Person) -> Result<(), Failure> {
        let put = self.put(agent, "late").await?;
        person.decide(&put.url, Decision::Approve).await?;
        let text = fs::read_to_string(self.world.file())?;
        fs::write(self.world.file(), text.replacen('{', "{\n  \"somebody-elses\": {},", 1))?;
        let before = self.world.databases()?;
        let refused = self.seen(agent.execute(&put.id, None).await?);
        self.expect_reason(&refused, &["precondition_failed"])?;
        self.expect_unchanged(&before)?;
        self.ok("after the target file changed meanwhile, execution is refused (precondition_failed)")
    }

    async fn once(&mut self, agent: &Agent, person: &Person) -> Result<(), Failure> {
        let before = self.world.databases()?;
        let put = self.put(agent, "billing").await?;
        let page = person.decide(&put.url, Decision::Approve).await?;
        if page.contains(SECRET) || !page.contains("billing") {
            return Err(Failure::Demo("the page does not show the change, or shows the secret".to_owned()));
        }
        let done = self.seen(agent.execute(&put.id, Some(&put.digest)).await?);
        self.expect(&done, "/outcome", "applied")?;
        let mut expected = before;
        expected.push("billing".to_owned());
        expected.sort();
        if self.world.databases()? != expected {
            return Err(Failure::Demo(format!("the directory shows {:?}", self.world.databases()?)));
        }
        self.ok("an approved plan has one effect, counted in the directory")?;

        let bytes = fs::read(self.world.file())?;
        let again = self.seen(agent.execute(&put.id, None).await?);
        let same = again.text("/claimId")? == done.text("/claimId")?;
        if again.0.get("replayed") != Some(&Value::Bool(true)) || !same || fs::read(self.world.file())? != bytes {
            return Err(Failure::Demo(format!("the replay answered {}", again.0)));
        }
        self.executed = Some((put.id, put.digest));
        self.ok("a replay returns the recorded outcome, and changes nothing")
    }

    /// The receipt of what was executed, verified with what a stranger has: the receipt and the exported keys.
    async fn receipt(&mut self) -> Result<(), Failure> {
        let (plan, digest) = self.executed.clone().ok_or_else(|| Failure::Demo("no plan was executed".to_owned()))?;
        let installation = Installation::at(StateDir::open(self.world.state.root())?)?;
        let plan = plan.parse().map_err(|error| Failure::Demo(format!("`{plan}`: {error}")))?;
        let receipt = receipt(&installation, plan).await?;
        let exported = installation.state.key_set()?.document().map_err(|error| Failure::Demo(error.to_string()))?;
        self.ok(&format!("the receipt of the executed plan is exported: {} bytes, signed", receipt.len()))?;

        let keys = KeySet::parse(exported.as_bytes()).map_err(|error| Failure::Demo(error.to_string()))?;
        let verified = verify_receipt(&receipt, &keys, Some(SystemClock.now()));
        let verified = verified.map_err(|fault| Failure::Demo(format!("the receipt is refused: {fault}")))?;
        if verified.plan_digest.to_string() != digest || !verified.receipt.claims.contains(&Claim::Executed) {
            return Err(Failure::Demo(format!("the receipt is another plan's: {}", verified.report())));
        }
        self.answers.push(serde_json::to_string(&verified.receipt).map_err(io::Error::from)?);
        self.ok("it verifies offline, with the exported public keys alone")?;

        match verify_receipt(&tamper::say_failed(&receipt)?, &keys, Some(SystemClock.now())) {
            Err(fault) if fault.code() == "signature_invalid" => {
                self.ok("the same receipt, edited to say that the plan failed, is refused (signature_invalid)")
            }
            other => Err(Failure::Demo(format!("an edited receipt is answered with {other:?}"))),
        }
    }

    async fn second_process(&mut self, agent: &Agent, person: &Person) -> Result<(), Failure> {
        let second = self.world.serve(false).await?;
        let other = Agent::connect(&self.world, &second).await?;
        let put = self.put(agent, "shared").await?;
        person.decide(&put.url, Decision::Approve).await?;
        let done = self.seen(other.execute(&put.id, None).await?);
        self.expect(&done, "/outcome", "applied")?;
        let seen = self.seen(agent.wait(&put.id, 0).await?);
        self.expect(&seen, "/state", "applied")?;
        other.leave().await;
        second.stop().await?;
        self.ok("a second process on the same state directory executes what the first one planned")
    }

    /// A process is killed between effect and outcome; another one takes over.
    async fn killed(&mut self) -> Result<(), Failure> {
        let doomed = self.world.serve(true).await?;
        let heir = self.world.serve(false).await?;
        let agent = Agent::connect(&self.world, &doomed).await?;
        let person = Person::log_in(&self.world, &doomed.addresses.surface).await?;
        let put = self.put(&agent, "halfway").await?;
        person.decide(&put.url, Decision::Approve).await?;
        let execution = async {
            // It is never answered: the process dies first.
            let _ = agent.execute(&put.id, None).await;
            std::future::pending().await
        };
        let killed = async {
            self.world.until_database("halfway").await?;
            doomed.kill().await
        };
        tokio::select! {
            killed = killed => killed?,
            () = execution => {}
        }
        agent.leave().await;

        let agent = Agent::connect(&self.world, &heir).await?;
        let status = self.until_state(&agent, &put.id, "unknown").await?;
        self.expect(&status, "/state", "unknown")?;
        self.ok("the process was killed between effect and outcome: the attempt is unknown")?;

        let person = self.until_taken_over(&heir.addresses.surface).await?;
        let again = self.seen(agent.add("after-the-crash").await?);
        self.expect(&again, "/warnings/0/planId", &put.id)?;
        let challenge = self.seen(agent.challenge(again.text("/planId")?).await?);
        let page = person.read(challenge.text("/url")?).await?;
        if !page.contains(&put.id) {
            return Err(Failure::Demo("the page does not show the unresolved attempt".to_owned()));
        }
        self.ok("a new plan on the same target carries the warning on its page, served by the process that took over")?;
        agent.leave().await;
        heir.stop().await
    }

    async fn rejection(&mut self) -> Result<(), Failure> {
        let server: Server = self.world.serve(false).await?;
        let agent = Agent::connect(&self.world, &server).await?;
        let person = Person::log_in(&self.world, &server.addresses.surface).await?;
        let before = self.world.databases()?;
        let put = self.put(&agent, "unwanted").await?;
        person.decide(&put.url, Decision::Reject).await?;
        let refused = self.seen(agent.execute(&put.id, None).await?);
        self.expect_reason(&refused, &["approval_rejected"])?;
        let refused = self.seen(agent.add("unwanted").await?);
        self.expect_reason(&refused, &["recently_rejected"])?;
        self.expect_unchanged(&before)?;
        agent.leave().await;
        server.stop().await?;
        self.ok("a rejection is final and sticky (recently_rejected)")
    }

    /// Whoever can write the store puts an older copy of it back, once the plan has run.
    async fn put_back(&mut self) -> Result<(), Failure> {
        let server = self.world.serve(false).await?;
        let agent = Agent::connect(&self.world, &server).await?;
        let person = Person::log_in(&self.world, &server.addresses.surface).await?;
        let put = self.put(&agent, "once-more").await?;
        person.decide(&put.url, Decision::Approve).await?;
        agent.leave().await;
        server.stop().await?;
        let before = (tamper::copy_of(&self.world.state.store())?, fs::read(self.world.file())?);

        let server = self.world.serve(false).await?;
        let agent = Agent::connect(&self.world, &server).await?;
        let done = self.seen(agent.execute(&put.id, None).await?);
        self.expect(&done, "/outcome", "applied")?;
        agent.leave().await;
        server.stop().await?;

        // The target too is as it was: nothing but the anchor knows.
        tamper::put_back(&self.world.state.store(), &before.0)?;
        fs::write(self.world.file(), &before.1)?;
        let untouched = self.world.databases()?;
        let server = self.world.serve(false).await?;
        let (_, lines) = verified_audit(&self.world).await?;
        if !lines.contains(&format!("\"forgotten\":[\"{}\"]", done.text("/claimId")?)) {
            return Err(Failure::Demo("the audit does not tell that the store forgot an attempt".to_owned()));
        }
        self.ok("the store was put back to an older copy after an execution: noticed at start, by the anchor")?;
        let agent = Agent::connect(&self.world, &server).await?;
        let again = self.seen(agent.execute(&put.id, None).await?);
        self.expect(&again, "/outcome", "unknown")?;
        self.expect_unchanged(&untouched)?;
        agent.leave().await;
        server.stop().await?;
        self.ok("the plan that the store has forgotten to have run does not run again")
    }

    async fn audit(&mut self) -> Result<(), Failure> {
        let (events, lines) = verified_audit(&self.world).await?;
        let told = ["plan.created", "decision.rejected", "execution.unknown", "execution.refused", "plan.stale"];
        if let Some(missing) = told.into_iter().find(|kind| !lines.contains(&format!("\"kind\":\"{kind}\""))) {
            return Err(Failure::Demo(format!("the audit does not tell of {missing}")));
        }
        self.ok(&format!("the exported audit verifies with public keys alone: {events} events"))?;
        self.tampered_audit(&lines)?;
        self.answers.push(lines);
        Ok(())
    }

    /// What is done to an exported audit is named.
    fn tampered_audit(&mut self, whole: &str) -> Result<(), Failure> {
        let keys = self.world.state.key_set()?;
        let keys = Evidence { keys: Some(&keys), ..Evidence::default() };
        let line = whole.lines().position(|line| line.contains("decision.rejected")).map_or(0, |at| at as u64 + 1);
        let edited = whole.replacen("decision.rejected", "decision.approved", 1);
        let fault = self.expect_fault(&edited, &keys, FaultCode::EventChanged)?;
        if fault.place.line != line {
            return Err(Failure::Demo(format!("the edit of line {line} was named elsewhere: {fault}")));
        }
        self.ok(&format!("an edited event is named by its position (line {line}, event_changed)"))?;

        let last = whole.lines().last().unwrap_or_default();
        let half: Vec<&str> = whole.lines().take(whole.lines().count() / 2).collect();
        let upto = half.iter().rposition(|line| line.starts_with("{\"payload\"")).map_or(half.len(), |at| at + 1);
        let cut = half.get(..upto).unwrap_or_default().join("\n");
        verify(cut.as_bytes(), &keys).map_err(|fault| Failure::Demo(fault.to_string()))?;
        let kept = Evidence { checkpoint: Some(last.as_bytes()), ..keys };
        self.expect_fault(&cut, &kept, FaultCode::TailMissing)?;
        self.ok("a cut tail, whole in itself, is named by a checkpoint that was kept elsewhere (tail_missing)")?;

        let (_, anchor) = read_anchor(&fs::read(self.world.state.anchor_path())?)?;
        self.expect_fault(whole, &Evidence { anchor: &anchor, ..keys }, FaultCode::AttemptMissing)?;
        self.ok("the attempt that the store had forgotten is named by the anchor (attempt_missing)")
    }

    fn expect_fault(&self, lines: &str, evidence: &Evidence<'_>, code: FaultCode) -> Result<AuditFault, Failure> {
        match verify(lines.as_bytes(), evidence) {
            Err(fault) if fault.code == code => Ok(fault),
            Err(fault) => Err(Failure::Demo(format!("{code} was expected: {fault}"))),
            Ok(_) => Err(Failure::Demo(format!("{code} was expected, and nothing was found"))),
        }
    }

    /// The secret is where it belongs, and nowhere else.
    async fn secret(&mut self) -> Result<(), Failure> {
        if !fs::read_to_string(self.world.file())?.contains(SECRET) {
            return Err(Failure::Demo("the secret is not in the file: the search finds nothing".to_owned()));
        }
        if self.answers.iter().any(|answer| answer.contains(SECRET)) {
            return Err(Failure::Demo("the secret is in an answer or in the audit".to_owned()));
        }
        let searched = search(self.world.state.root())?;
        self.ok(&format!(
            "the secret is in no answer, not in the audit, and in none of {searched} files of state and logs"
        ))
    }

    /// Has a plan made, and puts it before the person.
    async fn put(&mut self, agent: &Agent, name: &str) -> Result<Put, Failure> {
        let plan = self.seen(agent.add(name).await?);
        let (id, digest) = (plan.text("/planId")?.to_owned(), plan.text("/planDigest")?.to_owned());
        let challenge = self.seen(agent.challenge(&id).await?);
        Ok(Put { id, digest, url: challenge.text("/url")?.to_owned() })
    }

    async fn until_state(&mut self, agent: &Agent, plan: &str, state: &str) -> Result<Answer, Failure> {
        let what = format!("the plan to become {state}");
        let status = until(&what, async || {
            let status = agent.wait(plan, 5).await?;
            Ok((status.text("/state")? == state).then_some(status))
        });
        Ok(self.seen(status.await?))
    }

    /// Logs in at the surface as soon as another process serves it.
    async fn until_taken_over(&self, surface: &str) -> Result<Person, Failure> {
        let what = format!("somebody to serve `{surface}`");
        until(&what, async || Ok(Person::is_served(surface).await.then_some(()))).await?;
        Person::log_in(&self.world, surface).await
    }

    fn seen(&mut self, answer: Answer) -> Answer {
        self.answers.push(answer.0.to_string());
        answer
    }

    fn ok(&mut self, what: &str) -> Result<(), Failure> {
        self.ok += 1;
        let mut out = io::stdout().lock();
        writeln!(out, "ok {what}")?;
        Ok(out.flush()?)
    }

    fn expect_reason(&self, answer: &Answer, reasons: &[&str]) -> Result<(), Failure> {
        match answer.reason() {
            Some(reason) if reasons.contains(&reason) => Ok(()),
            _ => Err(Failure::Demo(format!("{reasons:?} was expected: {}", answer.0))),
        }
    }

    fn expect(&self, answer: &Answer, pointer: &str, value: &str) -> Result<(), Failure> {
        if answer.text(pointer)? == value {
            Ok(())
        } else {
            Err(Failure::Demo(format!("`{value}` was expected at `{pointer}`: {}", answer.0)))
        }
    }

    fn expect_unchanged(&self, before: &[String]) -> Result<(), Failure> {
        let now = self.world.databases()?;
        if now == before { Ok(()) } else { Err(Failure::Demo(format!("{before:?} became {now:?}"))) }
    }
}

impl World {
    /// Returns once the file has a database of this name.
    async fn until_database(&self, name: &str) -> Result<(), Failure> {
        let what = format!("`{name}` to appear in the file");
        until(&what, async || Ok(self.databases()?.iter().any(|known| known == name).then_some(()))).await
    }
}

/// Looks again and again until there is what must come, or patience ends.
async fn until<T>(what: &str, look: impl AsyncFn() -> Result<Option<T>, Failure>) -> Result<T, Failure> {
    let mut tick = tokio::time::interval(LOOK);
    let looking = async {
        loop {
            tick.tick().await;
            if let Some(found) = look().await? {
                return Ok(found);
            }
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(PATIENCE), looking).await;
    waited.unwrap_or_else(|_| Err(Failure::Demo(format!("waited in vain for {what}"))))
}

/// A digest that is well-formed and isn't the plan's.
pub fn another_digest(digest: &str) -> String {
    let (rest, last) = digest.split_at(digest.len().saturating_sub(1));
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}

/// Exports the audit and verifies it with the public keys: how many events there are, and the lines.
pub async fn verified_audit(world: &World) -> Result<(u64, String), Failure> {
    let installation = Installation::at(StateDir::open(world.state.root())?)?;
    let mut exported = Vec::new();
    export(&installation.audit(), &mut exported).await?;
    let keys = installation.state.key_set()?;
    let report = verify(exported.as_slice(), &Evidence { keys: Some(&keys), ..Evidence::default() });
    let report: AuditReport = report.map_err(|fault| Failure::Demo(fault.to_string()))?;
    Ok((report.events, String::from_utf8_lossy(&exported).into_owned()))
}

/// Looks for the secret in every file below a directory; returns how many files were searched.
pub fn search(directory: &Path) -> Result<u32, Failure> {
    let mut searched = 0;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            searched += search(&path)?;
            continue;
        }
        let bytes = fs::read(&path)?;
        if bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()) {
            return Err(Failure::Demo(format!("the secret is in `{}`", path.display())));
        }
        searched += 1;
    }
    Ok(searched)
}
