//! The person of `demo --headless`: a browser's requests, without the browser.

use reqwest::header::{LOCATION, ORIGIN};
use reqwest::{Client, Response, StatusCode};

use super::databases::FILE;
use super::world::{ACCOUNT, World};
use crate::installation::Failure;

/// Somebody who logs in, reads a plan's page, and decides.
pub struct Person {
    client: Client,
    surface: String,
    password: String,
}

/// What a person decides.
#[derive(Clone, Copy, Debug)]
pub enum Decision {
    Approve,
    Reject,
}

impl Person {
    /// Whether anybody serves the pages.
    pub async fn is_served(surface: &str) -> bool {
        reqwest::get(format!("{surface}/healthz")).await.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }

    /// Logs in.
    pub async fn log_in(world: &World, surface: &str) -> Result<Self, Failure> {
        let client = Client::builder().cookie_store(true).redirect(reqwest::redirect::Policy::none()).no_proxy();
        let client = client.build().map_err(network)?;
        let person = Self { client, surface: surface.to_owned(), password: world.password.clone() };
        let page = person.get(&format!("{surface}/login")).await?;
        let mut form = hidden_fields(&page);
        form.push(("account".to_owned(), ACCOUNT.to_owned()));
        form.push(("password".to_owned(), person.password.clone()));
        let answer = person.post(&format!("{surface}/login"), &form).await?;
        if answer.status().is_redirection() {
            Ok(person)
        } else {
            Err(Failure::Demo(format!("the login was not taken: {}", answer.status())))
        }
    }

    /// Reads the page of a plan.
    pub async fn read(&self, url: &str) -> Result<String, Failure> {
        self.get(url).await
    }

    /// Reads the page of a plan, and decides with the password.
    pub async fn decide(&self, url: &str, decision: Decision) -> Result<String, Failure> {
        let page = self.get(url).await?;
        let mut form = hidden_fields(&page);
        form.push(("password".to_owned(), self.password.clone()));
        let verdict = match decision {
            Decision::Approve => "approve",
            Decision::Reject => "reject",
        };
        form.push(("verdict".to_owned(), verdict.to_owned()));
        // What the page asks for besides.
        for (field, answer) in [("whole", "yes"), ("target", FILE)] {
            if page.contains(&format!("name=\"{field}\"")) {
                form.push((field.to_owned(), answer.to_owned()));
            }
        }
        let answer = self.post(url, &form).await?;
        let status = answer.status();
        if status == StatusCode::OK || status.is_redirection() {
            return Ok(page);
        }
        let said = answer.text().await.map_err(network)?;
        Err(Failure::Demo(format!("the decision was not taken: {status}\n{said}")))
    }

    async fn get(&self, url: &str) -> Result<String, Failure> {
        let answer = self.client.get(url).send().await.map_err(network)?;
        match answer.status() {
            StatusCode::OK => answer.text().await.map_err(network),
            status => {
                let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
                Err(Failure::Demo(format!("`{url}` answered {status} {to}")))
            }
        }
    }

    async fn post(&self, url: &str, form: &[(String, String)]) -> Result<Response, Failure> {
        let request = self.client.post(url).header(ORIGIN, self.surface.as_str()).form(form);
        request.send().await.map_err(network)
    }
}

/// The hidden fields of the forms on a page. Their values need no unescaping: they are base64url, names and paths.
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

fn network(error: reqwest::Error) -> Failure {
    Failure::Demo(error.to_string())
}
