//! A person who decides in the server's process, as whoever uses its pages does.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use approval_core::record::{Approver, Identity, Verdict};
use approval_core::{DecisionRequest, Timestamp};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::installation::Installation;
use super::wire::text;

/// What a server says once a decision is recorded.
const DECIDED: &str = "decided\n";

/// A person, as those see them who put a challenge before them.
#[derive(Debug)]
pub(crate) struct Person {
    stream: BufReader<TcpStream>,
}

impl Person {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Approves what this answer of the server puts before them.
    pub(crate) async fn approve(&mut self, challenge: &Value) -> Result<()> {
        self.stream.write_all(format!("{challenge}\n").as_bytes()).await?;
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        ensure!(line == DECIDED, "the person could not decide");
        Ok(())
    }
}

/// Lets a person decide, in this process, on whatever comes from there.
pub(crate) async fn seat(installation: &Installation, there: SocketAddr) -> Result<()> {
    let person = installation.identity(0)?;
    let mut stream = BufReader::new(TcpStream::connect(there).await?);
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        installation.approvals.decide(decision(&serde_json::from_str(&line)?, &person)?).await?;
        stream.write_all(DECIDED.as_bytes()).await?;
        line.clear();
    }
    Ok(())
}

/// What a person says who logs in as soon as the challenge is there.
fn decision(challenge: &Value, person: &Identity) -> Result<DecisionRequest> {
    let created: Timestamp = text(challenge, "createdAt")?.parse()?;
    let after = created.after(Duration::from_millis(1));
    let Identity { person, issuer, subject } = person.clone();
    Ok(DecisionRequest {
        plan_id: text(challenge, "planId")?.parse()?,
        challenge_id: text(challenge, "challengeId")?.parse()?,
        plan_digest: text(challenge, "planDigest")?.parse()?,
        approver: Approver { person, issuer, subject, auth_time: after, acr: None, amr: Vec::new() },
        verdict: Verdict::Approve,
        comment: None,
        rendered_at: after,
    })
}
