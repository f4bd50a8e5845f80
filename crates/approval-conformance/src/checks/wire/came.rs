//! What comes back for a message that isn't as it should be.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::agent::Agent;
use crate::answer::Answer;
use crate::scene::Scene;
use crate::verdict::{Checked, Stop, ensure};
use crate::wire::{Request, WireError};

/// Where silence is an answer too, it lasts so long.
pub(super) const SILENCE: Duration = Duration::from_secs(2);

/// The error of the protocol for what is no call of a tool.
pub(super) const INVALID_PARAMS: i64 = -32602;

/// What came back.
#[derive(Clone, Debug)]
pub(super) enum Came {
    /// A response.
    Answer(Answer),
    /// Nothing.
    Nothing,
    /// The transport took no message.
    TurnedAway(String),
}

impl Came {
    /// Sends `bytes` in the place of `request`.
    pub(super) async fn of(agent: &Agent, bytes: &[u8], request: &Request, within: Duration) -> Checked<Self> {
        Ok(Self::unwatched(agent, bytes, request, within).await?.watched(agent, request))
    }

    /// As `of`, of a message in pieces.
    pub(super) async fn of_parts(agent: &Agent, parts: &[Bytes], request: &Request) -> Checked<Self> {
        let came = agent.parts_within(parts, request, agent.world().answer_within()).await;
        Ok(Self::read(agent, request, came)?.watched(agent, request))
    }

    fn watched(self, agent: &Agent, request: &Request) -> Self {
        match self {
            // What is no answer of the profile's needn't be one: the message was another call, or none.
            Self::Answer(answer) if answer.kind().is_some() => Self::Answer(agent.answered(request, answer.message)),
            came => came,
        }
    }

    /// As `of`, where `bytes` don't say which of two calls they are: no rule can be held against the answer.
    pub(super) async fn unwatched(agent: &Agent, bytes: &[u8], request: &Request, within: Duration) -> Checked<Self> {
        Self::read(agent, request, agent.raw_within(bytes, request, within).await)
    }

    fn read(agent: &Agent, request: &Request, came: Result<Option<Value>, WireError>) -> Checked<Self> {
        match came {
            Ok(Some(message)) => {
                Ok(Self::Answer(Answer { tool: request.tool().unwrap_or_default().to_owned(), message }))
            }
            Ok(None) => Ok(Self::Nothing),
            Err(WireError::Status { status, text }) => Ok(Self::TurnedAway(format!("{status} {text}"))),
            // A server of HTTP may hang up on what it doesn't want to read to the end. A process that ends has failed.
            Err(WireError::Gone(why)) if agent.http().is_some() => Ok(Self::TurnedAway(why)),
            Err(error) => Err(error.into()),
        }
    }

    /// As `of`, where an answer has to come.
    pub(super) async fn answer(agent: &Agent, bytes: &[u8], request: &Request) -> Checked<Self> {
        Self::of(agent, bytes, request, agent.world().answer_within()).await
    }

    /// Sends a request that is a message, if an odd one.
    pub(super) async fn sent(agent: &Agent, request: &Request) -> Checked<Self> {
        Self::answer(agent, request.to_json().to_string().as_bytes(), request).await
    }

    /// Holds that it is the error `code` of the protocol.
    pub(super) fn failed(&self, code: i64) -> Checked {
        match self {
            Self::Answer(answer) => answer.failed(code),
            _ => Err(Stop::fail(format!("{} came where the specification asks for the error {code}", self.told()))),
        }
    }

    /// Holds that it is a refusal with one of these reasons.
    pub(super) fn refused(&self, reasons: &[&str]) -> Checked {
        match self {
            Self::Answer(answer) => answer.refused(reasons),
            _ => {
                Err(Stop::fail(format!("{} came where the specification asks for a refusal {reasons:?}", self.told())))
            }
        }
    }

    /// Whether whoever read the message took it for none, or the gate refused it with one of `reasons`. Silence is what JSON-RPC leaves
    /// to a server that can't read an id.
    pub(super) fn is_turned_away(&self, reasons: &[&str]) -> bool {
        match self {
            Self::Answer(answer) => answer.error_code().is_some() || answer.refused(reasons).is_ok(),
            Self::Nothing | Self::TurnedAway(_) => true,
        }
    }

    /// The plan that was made all the same.
    pub(super) fn plan(&self) -> Option<&Answer> {
        match self {
            Self::Answer(answer) if answer.kind() == Some("plan") => Some(answer),
            _ => None,
        }
    }

    /// In a few words.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Answer(answer) => answer.told(),
            Self::Nothing => "nothing".to_owned(),
            Self::TurnedAway(why) => format!("no message ({})", why.chars().take(100).collect::<String>()),
        }
    }
}

/// Holds that `came` is turned away, `what` being what was sent.
pub(super) fn turned_away(what: &str, came: &Came, reasons: &[&str]) -> Checked {
    ensure(came.is_turned_away(reasons), || format!("{what}: {} came where nothing must be done", came.told()))
}

/// Says what was sent where a check of several stops.
pub(super) fn about_it<T>(what: &str, checked: Checked<T>) -> Checked<T> {
    checked.map_err(|stop| match stop {
        Stop::Fail(why) => Stop::Fail(format!("{what}: {why}")),
        other => other,
    })
}

/// Holds that the server still plans, on the same connection.
pub(super) async fn still_plans(scene: &Scene, agent: &Agent) -> Checked {
    let plan = scene.plan(agent, &scene.plain()?).await;
    let plan = about_it("a call after that", plan)?;
    agent.cancel(&plan).await?.stands("cancelled").map(drop)
}
