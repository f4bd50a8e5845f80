//! A person's browser, without scripts: cookies, redirects, forms.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, Url};
use tokio::sync::Mutex;

use super::html::{Field, Page, PageForm};
use super::process::DriverError;
use super::protocol::{Account, Form, Opened, PersonVerdict};

/// A page that is redirected more often than this is going round in circles.
const REDIRECTS: usize = 5;
/// A page takes longer than a tool: a password is checked on purpose slowly.
const WITHIN: Duration = Duration::from_secs(20);

/// One person's browser, or nobody's.
#[derive(Debug)]
pub(super) struct Browser {
    client: Client,
    account: Option<Account>,
    /// Origin → cookies.
    jar: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    /// One login at a time.
    login: Mutex<()>,
}

/// A request as a browser sends it.
#[derive(Clone, Debug, Default)]
pub(super) struct Sent<'a> {
    pub(super) method: &'a str,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) fields: Option<&'a [(String, String)]>,
}

impl Browser {
    pub(super) fn new(client: Client, account: Option<Account>) -> Self {
        Self { client, account, jar: Mutex::default(), login: Mutex::default() }
    }

    /// Opens a page, and logs in where it asks for that.
    pub(super) async fn open(
        &self,
        url: &str,
        method: &str,
        headers: &BTreeMap<String, String>,
    ) -> Result<Opened, DriverError> {
        let sent = Sent { method, headers: headers.clone(), fields: None };
        let Some(account) = &self.account else { return self.send(url, &sent).await };
        let (at, opened) = self.follow(url, &sent).await?;
        if Page::read(&opened.body).login().is_none() {
            return Ok(opened);
        }
        // Several checks may come at once; one of them logs in.
        let _one = self.login.lock().await;
        let (at, opened) = if method == "GET" { self.follow(url, &sent).await? } else { (at, opened) };
        let page = Page::read(&opened.body);
        let Some(form) = page.login() else { return Ok(opened) };
        self.log_in(&at, form, account).await?;
        Ok(self.follow(url, &sent).await?.1)
    }

    /// The decision form on the page, filled in.
    pub(super) async fn form(&self, url: &str, verdict: PersonVerdict) -> Result<Option<Form>, DriverError> {
        let opened = self.open(url, "GET", &BTreeMap::new()).await?;
        let page = Page::read(&opened.body);
        let Some(form) = page.decision(verdict.as_str()) else { return Ok(None) };
        let password = self.account.as_ref().map(|account| account.password.as_str()).unwrap_or_default();
        Ok(Some(filled(url, form, verdict, password)?))
    }

    /// Sends a request as it is given, in this session.
    pub(super) async fn send(&self, url: &str, sent: &Sent<'_>) -> Result<Opened, DriverError> {
        let url = parse(url)?;
        let method =
            Method::from_bytes(sent.method.as_bytes()).map_err(|error| DriverError::Fault(error.to_string()))?;
        let mut request = self.client.request(method, url.clone()).timeout(WITHIN);
        for (name, value) in &sent.headers {
            request = request.header(name, value);
        }
        let cookies = self.cookies(&url).await;
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies);
        }
        if let Some(fields) = sent.fields {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(encoded(fields)?);
        }
        let failed = |error: reqwest::Error| DriverError::Fault(format!("the approval surface: {error}"));
        let response = request.send().await.map_err(failed)?;
        self.keep(&url, response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok())).await;
        let mut headers = BTreeMap::new();
        for (name, value) in response.headers() {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            let entry: &mut String = headers.entry(name.as_str().to_owned()).or_default();
            if !entry.is_empty() {
                entry.push_str(", ");
            }
            entry.push_str(&value);
        }
        let status = response.status().as_u16();
        Ok(Opened { status, headers, body: response.text().await.map_err(failed)? })
    }

    /// Whose it is.
    pub(super) fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Follows redirects within the origin, and says where it ended.
    pub(super) async fn follow(&self, url: &str, sent: &Sent<'_>) -> Result<(Url, Opened), DriverError> {
        let mut at = parse(url)?;
        let mut sent = sent.clone();
        for _ in 0..REDIRECTS {
            let opened = self.send(at.as_str(), &sent).await?;
            let Some(location) = opened.headers.get(LOCATION.as_str()).filter(|_| (300..400).contains(&opened.status))
            else {
                return Ok((at, opened));
            };
            let next = at.join(location).map_err(|error| DriverError::Fault(format!("`{location}`: {error}")))?;
            if next.origin() != at.origin() {
                return Ok((at, opened));
            }
            at = next;
            sent = Sent {
                method: if sent.method == "HEAD" { "HEAD" } else { "GET" },
                headers: sent.headers,
                fields: None,
            };
        }
        Err(DriverError::Fault(format!("`{url}` is redirected more than {REDIRECTS} times")))
    }

    async fn log_in(&self, at: &Url, form: &PageForm, account: &Account) -> Result<(), DriverError> {
        let form = login(at, form, account)?;
        let sent = Sent { method: "POST", headers: form.headers, fields: Some(&form.fields) };
        let (url, opened) = (&form.url, self.send(&form.url, &sent).await?);
        if Page::read(&opened.body).login().is_some() || opened.status >= 400 {
            return Err(DriverError::Fault(format!(
                "`{}` can't log in: the surface answers {} at {url}",
                account.account, opened.status
            )));
        }
        Ok(())
    }

    async fn cookies(&self, url: &Url) -> String {
        let jar = self.jar.lock().await;
        let Some(cookies) = jar.get(&url.origin().ascii_serialization()) else { return String::new() };
        let cookies: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        cookies.join("; ")
    }

    async fn keep(&self, url: &Url, set: impl Iterator<Item = &str>) {
        let mut jar = self.jar.lock().await;
        for cookie in set {
            let mut parts = cookie.split(';');
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let is_over = parts.any(|part| {
                let part = part.trim().to_ascii_lowercase();
                part == "max-age=0" || part.starts_with("expires=thu, 01 jan 1970")
            });
            let cookies = jar.entry(url.origin().ascii_serialization()).or_default();
            if is_over || value.trim().is_empty() {
                cookies.remove(name.trim());
            } else {
                cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }

    /// The cookies as they would be sent to `url`: what somebody who stole them has.
    pub(super) async fn session(&self, url: &str) -> Result<String, DriverError> {
        Ok(self.cookies(&parse(url)?).await)
    }
}

/// The form to log in with, on the page at `at`, filled in.
pub(super) fn login(at: &Url, form: &PageForm, account: &Account) -> Result<Form, DriverError> {
    let name = |field: Option<&Field>| field.map(|field| field.name.clone()).unwrap_or_default();
    let (user, password) = (name(form.account()), name(form.password()));
    let mut fields = hidden(form);
    let seal = fields.iter().map(|(name, _)| name.clone()).collect();
    fields.push((user.clone(), account.account.clone()));
    fields.push((password.clone(), account.password.clone()));
    let url = join(at, &form.action)?;
    let headers = own_origin(&url);
    let method = "POST".to_owned();
    Ok(Form { method, url: url.into(), headers, fields, seal, credential: vec![password], typed: vec![user] })
}

/// What a browser says of a form that it sends from the page itself.
pub(super) fn own_origin(url: &Url) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("origin".to_owned(), url.origin().ascii_serialization()),
        ("sec-fetch-site".to_owned(), "same-origin".to_owned()),
    ])
}

fn filled(page: &str, form: &PageForm, verdict: PersonVerdict, password: &str) -> Result<Form, DriverError> {
    let url = join(&parse(page)?, &form.action)?;
    let (mut fields, mut seal, mut credential, mut typed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for field in form.fields.iter().filter(|field| !field.name.is_empty()) {
        let value = match field.kind.as_str() {
            "hidden" => {
                seal.push(field.name.clone());
                field.value.clone()
            }
            "password" => {
                credential.push(field.name.clone());
                password.to_owned()
            }
            "checkbox" if field.is_required && verdict == PersonVerdict::Approve => {
                typed.push(field.name.clone());
                field.value.clone()
            }
            "checkbox" | "radio" if !field.is_checked => continue,
            _ => match field.expected.as_ref().filter(|_| field.is_required && verdict == PersonVerdict::Approve) {
                Some(expected) => {
                    typed.push(field.name.clone());
                    expected.clone()
                }
                None => field.value.clone(),
            },
        };
        fields.push((field.name.clone(), value));
    }
    if let Some(button) = form.button(verdict.as_str()).filter(|button| !button.name.is_empty()) {
        fields.push((button.name.clone(), button.value.clone()));
    }
    let headers = own_origin(&url);
    Ok(Form { method: "POST".to_owned(), url: url.into(), headers, fields, seal, credential, typed })
}

fn hidden(form: &PageForm) -> Vec<(String, String)> {
    let hidden = form.fields.iter().filter(|field| field.kind == "hidden");
    hidden.map(|field| (field.name.clone(), field.value.clone())).collect()
}

fn parse(url: &str) -> Result<Url, DriverError> {
    Url::parse(url).map_err(|error| DriverError::Fault(format!("`{url}` is no address: {error}")))
}

fn join(at: &Url, action: &str) -> Result<Url, DriverError> {
    let mut url = at.join(action).map_err(|error| DriverError::Fault(format!("`{action}`: {error}")))?;
    url.set_fragment(None);
    Ok(url)
}

fn encoded(fields: &[(String, String)]) -> Result<String, DriverError> {
    let mut url = parse("http://form/")?;
    url.query_pairs_mut().extend_pairs(fields);
    Ok(url.query().unwrap_or_default().to_owned())
}
