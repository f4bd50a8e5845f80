//! A real Keycloak, with a realm of the tests' own in its memory.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use approval_core::{Clock as _, Entropy as _, OsEntropy, SystemClock};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::StatusCode;
use reqwest::Url;
use serde_json::Value;
use sha2::Sha256;

use crate::administrator::Administrator;
use crate::browser::{Answer, Browser, From, encoded};
use crate::running::Running;
use crate::site::{Place, Site};
use crate::visitor::Left;

const REALM: &str = include_str!("../realm.json");

/// The client that is the surface.
pub(crate) const SURFACE: &str = "mutation-approval";

/// Who may change the realm, with the password of all others.
const ADMINISTRATOR: &str = "administrator";

/// How long a code of a second factor is good, in milliseconds.
const PERIOD: u64 = 30_000;

/// For so long it may say nothing while it starts, on a slow machine.
const SILENCE: Duration = Duration::from_secs(120);

/// A server, until it is dropped.
#[derive(Debug)]
pub(crate) struct Keycloak {
    pub(crate) issuer: String,
    password: String,
    secret: String,
    /// What Fay's codes are made of.
    seed: String,
    client: reqwest::Client,
    // Ends before somebody else may use the directory.
    _running: Running,
    _lock: File,
}

impl Keycloak {
    /// Starts the distribution in this directory, for a site at this place. One at a time: whoever comes second waits.
    pub(crate) fn start(home: &Path, place: &Place) -> Result<Self> {
        let lock = File::create(home.join("in-use"))?;
        lock.lock()?;
        let (password, secret, seed) = (random()?, random()?, random()?);
        let values = [
            ("password", &password),
            ("secret", &secret),
            ("seed", &seed),
            ("surface", &place.surface),
            ("resource", &place.resource),
        ];
        let realm =
            values.iter().fold(REALM.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value));
        let import = home.join("data/import");
        fs::create_dir_all(&import)?;
        fs::write(import.join("realm.json"), realm)?;

        let mut command = Command::new(home.join("bin/kc.sh"));
        command.args(["start", "--optimized", "--import-realm", "--http-host=127.0.0.1", "--http-port=0"]);
        // Plain http, which is for loopback only; its URL is what it is called by; and it looks for no others of its kind.
        command.args(["--http-enabled=true", "--hostname-strict=false", "--cache=local"]);
        command.env("KC_BOOTSTRAP_ADMIN_USERNAME", ADMINISTRATOR).env("KC_BOOTSTRAP_ADMIN_PASSWORD", &password);
        command.env("JAVA_OPTS_KC_HEAP", "-Xms64m -Xmx512m");
        // What runs for a minute isn't worth being compiled well.
        command.env("JAVA_OPTS_APPEND", "-XX:TieredStopAtLevel=1");
        let mut running = Running::leash(&command)?;
        // It says so once the realm is there.
        let url = running.says("Listening on: ", SILENCE).context("Keycloak")?;
        let issuer = format!("{}/realms/ops", url.trim());
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { issuer, password, secret, seed, client, _running: running, _lock: lock })
    }

    /// The file of providers for a site whose persons log in here.
    pub(crate) fn settings(&self, place: &Place) -> String {
        format!(
            "[[provider]]\nid = \"sso\"\nissuer = \"{}\"\nname = \"Keycloak\"\nclient-id = \"{SURFACE}\"\n\
             client-secret-file = \"sso.secret\"\nscopes = [\"profile\"]\nresource = \"{}\"\n\
             person-claim = \"preferred_username\"\ngroups-claim = \"groups\"\n",
            self.issuer, place.resource
        )
    }

    pub(crate) fn give_secret(&self, site: &Site) -> Result<()> {
        site.write("sso.secret", &self.secret)
    }

    /// Follows a link there.
    pub(crate) async fn visit(&self, browser: &mut Browser, left: &Left) -> Result<Answer> {
        ensure!(left.0.as_str().starts_with(&self.issuer), "`{}` leads elsewhere", left.0);
        browser.get(&left.0, From::Elsewhere).await
    }

    /// Goes there, and logs in by name and password, for which it must ask: where it then sends the browser.
    pub(crate) async fn log_in(&self, browser: &mut Browser, left: &Left, name: &str) -> Result<Url> {
        let form = self.visit(browser, left).await?;
        asks(&form)?;
        self.fill_in(browser, &form, name).await?.location()
    }

    /// Fills its form in.
    pub(crate) async fn fill_in(&self, browser: &mut Browser, form: &Answer, name: &str) -> Result<Answer> {
        browser.post(&form.action()?, &[("username", name), ("password", &self.password)]).await
    }

    /// The page that asks for a code after the password, and the code: where it then sends the browser.
    pub(crate) async fn give_code(&self, browser: &mut Browser, form: &Answer) -> Result<Url> {
        ensure!(form.body.contains("name=\"otp\""), "no code is asked for: {} {}", form.status, form.text());
        browser.post(&form.action()?, &[("otp", &self.code()?)]).await?.location()
    }

    /// The code of Fay's second factor now (RFC 6238).
    fn code(&self) -> Result<String> {
        let step = u64::try_from(SystemClock.now().unix_millis())? / PERIOD;
        let mut mac = Hmac::<Sha256>::new_from_slice(self.seed.as_bytes())?;
        mac.update(&step.to_be_bytes());
        let tag = mac.finalize().into_bytes();
        let offset = usize::from(tag.last().context("no tag")? & 0xf);
        let part = tag.get(offset..).and_then(|rest| rest.first_chunk()).context("no code")?;
        Ok(format!("{:06}", (u32::from_be_bytes(*part) & 0x7fff_ffff) % 1_000_000))
    }

    /// Forgets that anybody is logged in.
    pub(crate) fn forget(&self, browser: &mut Browser) {
        browser.forget("/realms/");
    }

    /// The tokens that an agent gets which has a person's password.
    pub(crate) async fn tokens(&self, client: &str, name: &str) -> Result<Value> {
        let form = [("grant_type", "password"), ("username", name), ("password", &self.password)];
        self.grant(&self.issuer, &form, &[("client_id", client), ("scope", "openid")]).await
    }

    /// The tokens of a client that acts for itself.
    pub(crate) async fn own_tokens(&self, client: &str) -> Result<Value> {
        let form = [("client_id", client), ("client_secret", &self.secret)];
        self.grant(&self.issuer, &[("grant_type", "client_credentials")], &form).await
    }

    /// Whoever may change the realm.
    pub(crate) async fn administrator(&self) -> Result<Administrator<'_>> {
        let form = [("grant_type", "password"), ("username", ADMINISTRATOR), ("password", &self.password)];
        let master = self.issuer.replace("/realms/ops", "/realms/master");
        let tokens = self.grant(&master, &form, &[("client_id", "admin-cli")]).await?;
        let realm = self.issuer.replace("/realms/ops", "/admin/realms/ops");
        Ok(Administrator { client: &self.client, realm, token: token(&tokens, "access_token")?.to_owned() })
    }

    async fn grant(&self, issuer: &str, form: &[(&str, &str)], more: &[(&str, &str)]) -> Result<Value> {
        let url = format!("{issuer}/protocol/openid-connect/token");
        let request = self.client.post(url).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(encoded(&[form, more].concat())?).send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        ensure!(status == StatusCode::OK, "no tokens: {status} {body}");
        Ok(serde_json::from_str(&body)?)
    }
}

/// The page must ask for a password.
pub(crate) fn asks(page: &Answer) -> Result<()> {
    let asks = page.status == StatusCode::OK && page.body.contains("name=\"password\"");
    ensure!(asks, "no password is asked for: {} {}", page.status, page.text());
    Ok(())
}

/// One of the tokens.
pub(crate) fn token<'a>(tokens: &'a Value, name: &str) -> Result<&'a str> {
    tokens.get(name).and_then(Value::as_str).with_context(|| format!("there is no `{name}`"))
}

fn random() -> Result<String> {
    let mut random = [0; 24];
    OsEntropy.fill(&mut random)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}
