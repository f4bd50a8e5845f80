//! The process that drives Chromium.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Browser;
use crate::http::Request;

/// What chromedriver says when it listens.
const STARTED: &str = "started successfully on port ";

/// What it says when the port that it chose for IPv4 is taken for IPv6: it wants both, and chooses by one. Then it chooses anew.
const TAKEN: &str = "port not available";

/// Headless, and in silence: nothing is fetched that no test asked for. Tests run as root in containers, where Chromium's
/// sandbox can't be had. Every name under `.test` is this machine, as an attacker's name server could say.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
];

/// How long to look for an element that isn't there yet, in milliseconds, and for a page or script.
const PATIENCE: u32 = 20_000;
const LONG_PATIENCE: u32 = 60_000;

/// A chromedriver of the test's own. It ends when this is dropped, and with it every browser that it started.
#[derive(Debug)]
pub struct Driver {
    process: Child,
    address: SocketAddr,
    // Whatever it says later must go somewhere.
    _said: BufReader<ChildStdout>,
    // Chromium's profiles, and whatever else it writes.
    _folder: TempDir,
}

impl Driver {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When there is no `chromedriver`, or it doesn't say that it listens.
    pub fn start() -> Result<Self> {
        loop {
            if let Some(driver) = Self::begin()? {
                return Ok(driver);
            }
        }
    }

    /// Nothing where its port is taken.
    fn begin() -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .envs(["HOME", "TMPDIR"].map(|name| (name, folder.path())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("starting `chromedriver`, which is Debian's package chromium-driver")?;
        let mut said = BufReader::new(process.stdout.take().context("chromedriver has no standard output")?);
        let mut all = String::new();
        let port = loop {
            let mut line = String::new();
            if said.read_line(&mut line)? == 0 {
                let ending = process.wait()?;
                if all.contains(TAKEN) {
                    return Ok(None);
                }
                bail!("chromedriver ended: {ending}: {all}");
            }
            if let Some((_, port)) = line.split_once(STARTED) {
                break port.trim_end().trim_end_matches('.').parse::<u16>()?;
            }
            all.push_str(&line);
        };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Ok(Some(Self { process, address, _said: said, _folder: folder }))
    }

    /// A browser with a fresh profile. Several have nothing in common.
    ///
    /// # Errors
    /// When Chromium doesn't start.
    pub fn open(&self) -> Result<Browser<'_>> {
        let wanted = json!({
            "browserName": "chrome",
            "unhandledPromptBehavior": "ignore",
            "timeouts": { "implicit": PATIENCE, "pageLoad": LONG_PATIENCE, "script": LONG_PATIENCE },
            "goog:chromeOptions": { "args": ARGUMENTS },
        });
        let session = self.call("POST", "/session", &json!({ "capabilities": { "alwaysMatch": wanted } }))?;
        let id = session.get("sessionId").and_then(Value::as_str).context("a session without a name")?;
        Ok(Browser::new(self, id.to_owned()))
    }

    /// One command, and its value.
    pub(super) fn call(&self, method: &str, path: &str, parameters: &Value) -> Result<Value> {
        let request = Request::new(method, path).header("host", &self.address.to_string());
        let request = if method == "POST" { request.body("application/json", parameters.to_string()) } else { request };
        let answer = request.send(self.address).with_context(|| format!("{method} {path}"))?;
        let mut read: Value = serde_json::from_str(&answer.body).with_context(|| format!("{method} {path}"))?;
        let value = read.get_mut("value").map(Value::take).unwrap_or_default();
        if answer.status != 200 {
            let part = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let message = part("message");
            bail!("{}: {}: {method} {path}", part("error"), message.lines().next().unwrap_or_default());
        }
        Ok(value)
    }
}

impl Drop for Driver {
    /// Asks it to end its browsers and itself, and insists.
    fn drop(&mut self) {
        let _ = Request::new("GET", "/shutdown").header("host", &self.address.to_string()).send(self.address);
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
