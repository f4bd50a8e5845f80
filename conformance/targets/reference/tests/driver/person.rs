//! A person in front of the pages, without a browser.

use reqwest::header::{LOCATION, ORIGIN};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde_json::Value;

/// Somebody who is logged in.
pub(crate) struct Person {
    http: Client,
    origin: String,
    password: String,
}

impl Person {
    /// Logs in; nobody, where the password isn't theirs.
    pub(crate) async fn log_in(start: &Value, person: &str, url: &str) -> Option<Self> {
        let account = &start["accounts"][person];
        let (name, password) = (account["account"].as_str().unwrap(), account["password"].as_str().unwrap());
        let http = Client::builder().no_proxy().cookie_store(true).redirect(Policy::none()).build().unwrap();
        let origin = Url::parse(url).unwrap().origin().ascii_serialization();
        let person = Self { http, origin, password: password.to_owned() };
        let login = format!("{}/login", person.origin);
        let mut form = hidden_fields(&person.page(&login).await);
        form.extend(
            [("account", name), ("password", password)].map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        (person.send(&login, &form).await == 303).then_some(person)
    }

    /// What the page answers to a decision: 303 where it was taken.
    pub(crate) async fn decide(&self, url: &str, verdict: &str) -> u16 {
        let page = self.page(url).await;
        let mut form = hidden_fields(&page);
        form.push(("password".to_owned(), self.password.clone()));
        form.push(("verdict".to_owned(), verdict.to_owned()));
        for (field, value) in [("whole", "yes"), ("target", "notes")] {
            if page.contains(&format!("name=\"{field}\"")) {
                form.push((field.to_owned(), value.to_owned()));
            }
        }
        self.send(url, &form).await
    }

    async fn page(&self, url: &str) -> String {
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    async fn send(&self, url: &str, form: &[(String, String)]) -> u16 {
        let answer = self.http.post(url).header(ORIGIN, &self.origin).form(form).send().await.unwrap();
        let status = answer.status().as_u16();
        // Led back to the login is not decided.
        let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
        if to.contains("/login") { 401 } else { status }
    }
}

/// The hidden fields of a page. Their values need no unescaping: they are base64url, names and paths.
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
