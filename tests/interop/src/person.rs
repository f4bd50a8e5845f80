//! The person: a browser's requests to the real pages, without the browser.

use anyhow::{Context as _, Result, ensure};
use reqwest::header::ORIGIN;
use reqwest::{Client, Response, StatusCode};

use crate::installation::{PASSWORD, PERSON};

/// Somebody at the pages, who has logged in or not.
#[derive(Debug)]
pub(crate) struct Person {
    client: Client,
    surface: String,
}

/// A page, and with which status it came.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Person {
    /// Whoever opens the pages.
    pub(crate) fn at(surface: &str) -> Result<Self> {
        let client = Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none()).no_proxy();
        Ok(Self { client: client.build()?, surface: surface.to_owned() })
    }

    pub(crate) async fn log_in(&self) -> Result<()> {
        let url = format!("{}/login", self.surface);
        let mut form = hidden_fields(&self.read(&url).await?.text);
        form.extend([("account".to_owned(), PERSON.to_owned()), ("password".to_owned(), PASSWORD.to_owned())]);
        let answer = self.post(&url, &form).await?;
        ensure!(answer.status().is_redirection(), "the login was answered with {}", answer.status());
        Ok(())
    }

    pub(crate) async fn read(&self, url: &str) -> Result<Page> {
        page(self.client.get(url).send().await?).await
    }

    /// Reads a plan's page and decides; gives the page that was read.
    pub(crate) async fn decide(&self, url: &str, verdict: &str) -> Result<Page> {
        let (read, answer) = self.try_to_decide(url, verdict, PASSWORD).await?;
        let is_taken = answer.status == StatusCode::OK || answer.status.is_redirection();
        ensure!(is_taken, "the decision was answered with {}: {}", answer.status, answer.text);
        Ok(read)
    }

    /// The page that was read, and what the decision was answered with.
    pub(crate) async fn try_to_decide(&self, url: &str, verdict: &str, password: &str) -> Result<(Page, Page)> {
        let read = self.read(url).await?;
        let mut form = hidden_fields(&read.text);
        ensure!(form.iter().any(|(name, _)| name == "form"), "the page has no form: {}", read.status);
        form.extend([("verdict".to_owned(), verdict.to_owned()), ("password".to_owned(), password.to_owned())]);
        if read.text.contains("name=\"whole\"") {
            form.push(("whole".to_owned(), "yes".to_owned()));
        }
        let answer = page(self.post(url, &form).await?).await?;
        Ok((read, answer))
    }

    async fn post(&self, url: &str, form: &[(String, String)]) -> Result<Response> {
        let request = self.client.post(url).header(ORIGIN, self.surface.as_str()).form(form);
        request.send().await.with_context(|| format!("sending a form to `{url}`"))
    }
}

async fn page(answer: Response) -> Result<Page> {
    Ok(Page { status: answer.status(), text: answer.text().await? })
}

/// The hidden fields of the forms on a page. Their values need no unescaping: they are base64url and paths.
fn hidden_fields(page: &str) -> Vec<(String, String)> {
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    page.split("<input ")
        .skip(1)
        .filter_map(|tag| tag.split_once('>').map(|(tag, _)| tag))
        .filter(|tag| tag.contains("type=\"hidden\""))
        .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)))
        .collect()
}
