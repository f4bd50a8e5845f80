//! The client of the notes service: what is mutated.

use anyhow::Result;
use reqwest::header::{ETAG, HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Map, Value};

/// The header in which the service says which service it is.
pub const SERVICE: HeaderName = HeaderName::from_static("notes-service");

/// The header in which whoever writes says which process it is.
pub const PROCESS: HeaderName = HeaderName::from_static("notes-process");

/// Notes over HTTP.
#[derive(Clone, Debug)]
pub struct Notebook {
    base: String,
    http: Client,
}

/// What there is under a name.
#[derive(Clone, Debug)]
pub struct Found {
    /// The note, if there is one.
    pub note: Option<Value>,
    /// Its version, if there is one.
    pub etag: Option<String>,
    /// Which service answered.
    pub service: String,
}

/// Why the service didn't do what it was asked for.
#[derive(Debug)]
pub enum Trouble {
    /// Something else is there by now; nothing was written.
    Changed,
    /// The service doesn't want it; nothing was written.
    Refused(String),
    /// The service can't be reached, or doesn't answer as it should.
    Unavailable(String),
}

impl Notebook {
    /// The service at this URL.
    ///
    /// # Errors
    /// When there can be no client.
    pub fn new(base: &str) -> Result<Self> {
        // Whoever writes says which process it is: a service would have that in its log.
        let process = HeaderMap::from_iter([(PROCESS, std::process::id().into())]);
        let http = Client::builder().no_proxy().default_headers(process).build()?;
        Ok(Self { base: base.to_owned(), http })
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Looks at a note.
    ///
    /// # Errors
    /// When the service can't be reached, or doesn't answer as it should.
    pub async fn read(&self, name: &str) -> Result<Found, Trouble> {
        let answer = self.http.get(self.at(name)).send().await.map_err(unreachable)?;
        let header = |name: &HeaderName| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let (etag, service) = (header(&ETAG).map(str::to_owned), header(&SERVICE).unwrap_or_default().to_owned());
        let note = match answer.status() {
            StatusCode::NOT_FOUND => None,
            _ => Some(json(done(answer).await?).await?),
        };
        Ok(Found { note, etag, service })
    }

    /// What would be there once this had been written. Writes nothing.
    ///
    /// # Errors
    /// When the service doesn't want it, or can't be reached.
    pub async fn preview(&self, name: &str, note: &Map<String, Value>) -> Result<Value, Trouble> {
        let url = format!("{}?dry-run", self.at(name));
        let body = serde_json::to_string(note).map_err(|error| Trouble::Refused(error.to_string()))?;
        let answer = self.http.put(url).body(body).send().await.map_err(unreachable)?;
        json(done(answer).await?).await
    }

    /// Writes a note, where what is there is still of this version: nothing, where there is none.
    ///
    /// # Errors
    /// When something else is there, the service doesn't want it, or it can't be told what it did.
    pub async fn write(&self, name: &str, note: &Map<String, Value>, etag: Option<&str>) -> Result<Value, Trouble> {
        let (condition, version) = etag.map_or((IF_NONE_MATCH, "*"), |etag| (IF_MATCH, etag));
        let body = serde_json::to_string(note).map_err(|error| Trouble::Refused(error.to_string()))?;
        let request = self.http.put(self.at(name)).header(condition, version).body(body);
        json(done(request.send().await.map_err(unreachable)?).await?).await
    }

    /// Makes an announcement, whatever has been announced before; the service's answer.
    ///
    /// # Errors
    /// When the service doesn't want it, or it can't be told what it did.
    pub async fn announce(&self, announcement: &Map<String, Value>) -> Result<Value, Trouble> {
        let body = serde_json::to_string(announcement).map_err(|error| Trouble::Refused(error.to_string()))?;
        let request = self.http.request(Method::POST, format!("{}/announcements", self.base)).body(body);
        json(done(request.send().await.map_err(unreachable)?).await?).await
    }

    fn at(&self, name: &str) -> String {
        format!("{}/notes/{name}", self.base)
    }
}

async fn done(answer: Response) -> Result<Response, Trouble> {
    match answer.status() {
        status if status.is_success() => Ok(answer),
        StatusCode::PRECONDITION_FAILED => Err(Trouble::Changed),
        StatusCode::UNPROCESSABLE_ENTITY => Err(Trouble::Refused(answer.text().await.unwrap_or_default())),
        status => Err(Trouble::Unavailable(format!("the notes service answered {status}"))),
    }
}

async fn json(answer: Response) -> Result<Value, Trouble> {
    let bytes = answer.bytes().await.map_err(unreachable)?;
    serde_json::from_slice(&bytes).map_err(|error| Trouble::Unavailable(format!("the notes service's answer: {error}")))
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where an error is mapped")]
fn unreachable(error: reqwest::Error) -> Trouble {
    Trouble::Unavailable(format!("the notes service: {error}"))
}
