//! A browser that no check shares with another: for logins, and for what ends a session.

use std::collections::BTreeMap;

use reqwest::Client;

use super::browser::{Browser, Sent, login};
use super::html::Page;
use super::process::DriverError;
use super::protocol::{Account, Form, Opened};
use crate::recorder::Recorder;

/// Somebody in front of a browser in which nobody has logged in yet, who knows an account.
#[derive(Debug)]
pub(crate) struct Visitor {
    browser: Browser,
    account: Account,
    recorder: Recorder,
}

impl Visitor {
    pub(super) fn new(client: Client, account: Account, recorder: Recorder) -> Self {
        Self { browser: Browser::new(client, None), account, recorder }
    }

    /// The name of the account.
    pub(crate) fn account(&self) -> &str {
        &self.account.account
    }

    /// One request, without following where it is sent on.
    pub(crate) async fn open(&self, url: &str, headers: BTreeMap<String, String>) -> Result<Opened, DriverError> {
        self.recorder.keep("visitor → page", format!("GET {url} {headers:?}"));
        let opened = self.browser.send(url, &Sent { method: "GET", headers, fields: None }).await;
        self.kept(opened)
    }

    /// Opens a page, and goes where it is sent on within the surface.
    pub(crate) async fn follow(&self, url: &str) -> Result<Opened, DriverError> {
        self.recorder.keep("visitor → page", format!("GET {url}, and on"));
        let sent = Sent { method: "GET", headers: BTreeMap::new(), fields: None };
        let opened = self.browser.follow(url, &sent).await;
        self.kept(opened.map(|(_, opened)| opened))
    }

    /// The login form that `url` leads to, filled in; none where it leads to no login.
    pub(crate) async fn login(&self, url: &str) -> Result<Option<Form>, DriverError> {
        self.recorder.keep("visitor → page", format!("GET {url}, and on to the login"));
        let sent = Sent { method: "GET", headers: BTreeMap::new(), fields: None };
        let (at, opened) = self.browser.follow(url, &sent).await?;
        let opened = self.kept(Ok(opened))?;
        Page::read(&opened.body).login().map(|form| login(&at, form, &self.account)).transpose()
    }

    /// Sends a form as it is given.
    pub(crate) async fn send(&self, form: &Form) -> Result<Opened, DriverError> {
        self.recorder
            .keep("visitor → page", format!("{} {} {:?} {:?}", form.method, form.url, form.headers, form.fields));
        let sent = Sent { method: &form.method, headers: form.headers.clone(), fields: Some(&form.fields) };
        let opened = self.browser.send(&form.url, &sent).await;
        self.kept(opened)
    }

    /// The cookies that it has for `url`.
    pub(crate) async fn cookies(&self, url: &str) -> Result<String, DriverError> {
        self.browser.session(url).await
    }

    fn kept(&self, opened: Result<Opened, DriverError>) -> Result<Opened, DriverError> {
        match &opened {
            Ok(opened) => {
                self.recorder
                    .keep("page → visitor", format!("{} {:?}\n{}", opened.status, opened.headers, opened.body));
            }
            Err(error) => self.recorder.keep("page → visitor", format!("({error})")),
        }
        opened
    }
}
