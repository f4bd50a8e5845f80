//! What is done for each request.

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use tokio::sync::RwLock;

use crate::answer::{Answer, members};
use crate::instruments;
use crate::notes::Object;
use crate::request::Operation;
use crate::server::Program;
use crate::world::World;

/// Answers requests.
pub(crate) struct Driver {
    program: Program,
    stdio: bool,
    world: RwLock<Option<World>>,
}

impl Driver {
    /// A driver of this server, which has not started yet.
    pub(crate) fn new(program: Program, stdio: bool) -> Self {
        Self { program, stdio, world: RwLock::new(None) }
    }

    /// The answer to one line.
    pub(crate) async fn answer(&self, line: &str) -> String {
        let request: Value = match serde_json::from_str(line) {
            Ok(request) => request,
            Err(error) => return Answer::Failed(error.into()).line(&Value::Null),
        };
        let id = request.get("id").cloned().unwrap_or_default();
        let name = request.get("op").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !Operation::NAMES.contains(&name.as_str()) {
            return Answer::Unsupported(format!("`{name}` is not what this driver does")).line(&id);
        }
        match serde_json::from_value(request) {
            Ok(operation) => match self.run(operation).await {
                Ok(members) => Answer::Done(members),
                Err(error) => error.into(),
            },
            Err(error) => Answer::Failed(error.into()),
        }
        .line(&id)
    }

    /// Stops what was started.
    pub(crate) async fn end(&self) -> Result<()> {
        match self.world.write().await.take() {
            Some(world) => world.server.into_inner().kill().await,
            None => Ok(()),
        }
    }

    async fn run(&self, operation: Operation) -> Result<Map<String, Value>> {
        if let Operation::Start | Operation::Reset = operation {
            // One after the other: the old one is gone before there is a new one.
            self.end().await?;
            let world = World::new(&self.program, self.stdio).await?;
            let start = world.start();
            *self.world.write().await = Some(world);
            return Ok(start);
        }
        let world = self.world.read().await;
        let world = world.as_ref().context("the server has not been started")?;
        match operation {
            Operation::Answer { arguments, how } => world.notes.answer_next(&Object::of(&arguments)?, how),
            Operation::Drift { arguments, how } => world.notes.drift(&Object::of(&arguments)?, how),
            Operation::Held { arguments, seconds } => {
                let held = world.notes.is_held(&Object::of(&arguments)?, seconds).await;
                return Ok(members([("held", held.into())]));
            }
            Operation::Hold { arguments } => world.notes.hold(&Object::of(&arguments)?),
            Operation::Observe { arguments } => {
                let effects = world.notes.effects(&Object::of(&arguments)?, &arguments);
                return Ok(members([("effects", json!(effects))]));
            }
            Operation::Release { arguments: Some(arguments) } => world.notes.release(&Object::of(&arguments)?),
            Operation::Release { arguments: None } => world.notes.release_all(),
            operation => return instruments::run(operation, world).await,
        }
        Ok(Map::new())
    }
}
