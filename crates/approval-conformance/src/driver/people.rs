//! The persons: in front of the pages, by themselves or through the driver.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::Value;

use super::browser::{Browser, Sent};
use super::html::Page;
use super::process::{Driver, DriverError};
use super::protocol::{Account, Decided, Decision, Form, Op, Opened, PersonVerdict};
use super::visitor::Visitor;
use crate::recorder::Recorder;
use crate::target::Pages;
use crate::time::pass;

/// So long a person waits in all for a server that asks to come again later.
const PATIENCE: Duration = Duration::from_secs(60);

/// All persons, and nobody.
#[derive(Debug)]
pub(crate) struct People {
    driver: Arc<Driver>,
    /// Where the harness uses the pages itself.
    browsers: Option<BTreeMap<String, Browser>>,
    nobody: Browser,
    client: Client,
}

impl People {
    pub(crate) fn new(
        driver: Arc<Driver>,
        pages: Pages,
        accounts: &BTreeMap<String, Account>,
        client: &Client,
    ) -> Self {
        let browser = |account: Option<&Account>| Browser::new(client.clone(), account.cloned());
        let browsers = (pages == Pages::Forms)
            .then(|| accounts.iter().map(|(person, account)| (person.clone(), browser(Some(account)))).collect());
        Self { driver, browsers, nobody: browser(None), client: client.clone() }
    }

    /// A person decides, as the page asks for it.
    pub(crate) async fn decide(&self, verdict: PersonVerdict, decision: Decision) -> Result<Decided, DriverError> {
        let Some(browser) = self.browser(&decision.person)? else {
            let op = match verdict {
                PersonVerdict::Approve => Op::Approve(decision),
                PersonVerdict::Reject => Op::Reject(decision),
                PersonVerdict::Withdraw => Op::Withdraw(decision),
            };
            return self.driver.ask(&op).await;
        };
        let mut patience = PATIENCE;
        loop {
            let (decided, again_after) = decide_on_page(browser, verdict, &decision).await?;
            // How often a person tries may be bounded, and the check isn't about that.
            match again_after.filter(|wait| *wait <= patience) {
                Some(wait) => {
                    patience -= wait;
                    pass(wait).await;
                }
                None => return Ok(decided),
            }
        }
    }

    /// A page as `person` sees it; nobody's where there is none.
    pub(crate) async fn open(
        &self,
        person: Option<&str>,
        url: &str,
        method: &str,
        headers: BTreeMap<String, String>,
    ) -> Result<Opened, DriverError> {
        let browser = match person {
            Some(person) => self.browser(person)?,
            None => Some(&self.nobody),
        };
        match browser {
            Some(browser) => browser.open(url, method, &headers).await,
            None => {
                let (person, method) = (person.map(str::to_owned), Some(method.to_owned()));
                self.driver.ask(&Op::Open { person, url: url.to_owned(), method, headers }).await
            }
        }
    }

    /// The decision form of the page at `url`, filled in; none where the person has none.
    pub(crate) async fn form(
        &self,
        person: &str,
        url: &str,
        verdict: PersonVerdict,
    ) -> Result<Option<Form>, DriverError> {
        match self.browser(person)? {
            Some(browser) => browser.form(url, verdict).await,
            None => {
                let op = Op::Form { person: person.to_owned(), url: url.to_owned(), verdict };
                let answer: serde_json::Map<String, Value> = self.driver.ask(&op).await?;
                if answer.is_empty() {
                    return Ok(None);
                }
                serde_json::from_value(Value::Object(answer))
                    .map(Some)
                    .map_err(|error| DriverError::Fault(format!("its answer to `form` is of another form: {error}")))
            }
        }
    }

    /// Sends a form as it is given, in the session of `person`, or in nobody's.
    pub(crate) async fn send(&self, person: Option<&str>, form: &Form) -> Result<Opened, DriverError> {
        let browser = match person {
            Some(person) => self.browser(person)?,
            None => Some(&self.nobody),
        };
        match browser {
            Some(browser) => {
                let fields = (form.method != "GET").then_some(form.fields.as_slice());
                browser.send(&form.url, &Sent { method: &form.method, headers: form.headers.clone(), fields }).await
            }
            None => {
                let op = Op::Send {
                    person: person.map(str::to_owned),
                    method: form.method.clone(),
                    url: form.url.clone(),
                    headers: form.headers.clone(),
                    fields: form.fields.clone(),
                };
                self.driver.ask(&op).await
            }
        }
    }

    /// The cookies of a person's session, where the harness has them.
    pub(crate) async fn session(&self, person: &str, url: &str) -> Result<Option<String>, DriverError> {
        match self.browser(person)? {
            Some(browser) => browser.session(url).await.map(Some),
            None => Ok(None),
        }
    }

    /// A browser that nobody shares, with the account of `person`; none where the driver uses the pages.
    pub(crate) fn visitor(&self, person: &str, recorder: Recorder) -> Result<Option<Visitor>, DriverError> {
        let account = self.browser(person)?.and_then(Browser::account);
        Ok(account.map(|account| Visitor::new(self.client.clone(), account.clone(), recorder)))
    }

    fn browser(&self, person: &str) -> Result<Option<&Browser>, DriverError> {
        let Some(browsers) = &self.browsers else { return Ok(None) };
        let missing = || DriverError::Fault(format!("`accounts` has none for `{person}`"));
        browsers.get(person).map(Some).ok_or_else(missing)
    }
}

/// Decides once, and says after how long to come again, where that is all that was said.
async fn decide_on_page(
    browser: &Browser,
    verdict: PersonVerdict,
    decision: &Decision,
) -> Result<(Decided, Option<Duration>), DriverError> {
    let opened = browser.open(&decision.url, "GET", &BTreeMap::new()).await?;
    let Some(mut form) = browser.form(&decision.url, verdict).await? else {
        let text = Page::read(&opened.body).text;
        return Ok((Decided { decided: false, status: Some(opened.status), text: Some(text) }, None));
    };
    if let Some(comment) = &decision.comment {
        let fields = form.fields.iter_mut().filter(|(name, _)| name == "comment");
        fields.for_each(|(_, value)| value.clone_from(comment));
    }
    let sent = Sent { method: "POST", headers: form.headers, fields: Some(&form.fields) };
    let opened = browser.send(&form.url, &sent).await?;
    let page = Page::read(&opened.body);
    // What was refused is asked again on the page that says so.
    let decided = opened.status < 400 && page.decision(verdict.as_str()).is_none();
    let seconds = opened.headers.get("retry-after").and_then(|seconds| seconds.parse().ok());
    let again_after = seconds.filter(|_| opened.status == StatusCode::TOO_MANY_REQUESTS).map(Duration::from_secs);
    Ok((Decided { decided, status: Some(opened.status), text: Some(page.text) }, again_after))
}
