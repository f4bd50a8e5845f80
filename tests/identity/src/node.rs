//! The provider that does wrong when it is told to: `provider.mjs`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use http::StatusCode;
use reqwest::Url;

use crate::browser::{Browser, From};
use crate::running::Running;
use crate::site::Place;
use crate::visitor::Left;

/// How long it may take to say something.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it sends a browser on within one login.
const STEPS: usize = 4;

/// The script, until it is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) issuer: String,
    running: Running,
}

impl Node {
    /// Starts it, for sites at these places.
    pub(crate) fn start(modules: &Path, script: &Path, places: &[Place]) -> Result<Self> {
        let mut command = Command::new("node");
        command.arg(script).arg(modules).args(places.iter().map(|place| &place.surface));
        let mut running = Running::start(command)?;
        let issuer = running.says("ready ", PATIENCE)?;
        Ok(Self { issuer, running })
    }

    /// Has it behave like this from now on.
    pub(crate) fn behave(&mut self, conduct: &str) -> Result<()> {
        self.running.tell(conduct)?;
        self.running.says(&format!("did {conduct}"), PATIENCE)?;
        Ok(())
    }

    /// Its part of the file of providers, for a site whose persons log in here.
    pub(crate) fn settings(&self, id: &str, client: &str, algorithm: &str) -> String {
        format!(
            "[[provider]]\nid = \"{id}\"\nissuer = \"{}\"\nclient-id = \"{client}\"\nalgorithms = [\"{algorithm}\"]\n\
             scopes = [\"profile\", \"groups\"]\nacr-values = [\"mfa\"]\nperson-claim = \"preferred_username\"\n\
             groups-claim = \"groups\"\n",
            self.issuer
        )
    }

    /// Goes there, and logs in, for which it must ask: where it then sends the browser.
    pub(crate) async fn log_in(&self, browser: &mut Browser, left: &Left, name: &str) -> Result<Url> {
        let mut answer = browser.get(&left.0, From::Elsewhere).await?;
        let mut has_asked = false;
        for _ in 0..STEPS {
            if answer.status == StatusCode::OK {
                has_asked = true;
                answer = browser.post(&answer.action()?, &[("username", name)]).await?;
            }
            let next = answer.location()?;
            if !next.as_str().starts_with(&self.issuer) {
                ensure!(has_asked, "it didn't ask who that is");
                return Ok(next);
            }
            answer = browser.get(&next, From::Own).await?;
        }
        anyhow::bail!("it doesn't come to an end: {} {}", answer.status, answer.text())
    }
}
