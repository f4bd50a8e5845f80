//! Requests to identity providers: nothing is followed, no proxy of the environment is asked, and an answer has its bounds.

use std::time::Duration;

use http::Uri;

use super::ProviderError;
use crate::surface::is_loopback;

/// How long an answer may take, connection and all.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// Talks to identity providers.
#[derive(Clone, Debug)]
pub(super) struct Web {
    client: reqwest::Client,
}

impl Web {
    pub(super) fn new() -> Result<Self, ProviderError> {
        // A redirect could lead a secret, or the wish for keys, to somebody else.
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .user_agent(concat!("mutation-approval/", env!("CARGO_PKG_VERSION")));
        client.build().map(|client| Self { client }).map_err(|error| ProviderError::Unreachable(words(&error)))
    }

    /// The document at this address.
    pub(super) async fn get(&self, url: &str) -> Result<Vec<u8>, ProviderError> {
        let request = http::Request::get(url).header(http::header::ACCEPT, "application/json").body(Vec::new());
        let request = request.map_err(|_| ProviderError::Answer(format!("`{url}` is no address")))?;
        let (parts, body) = self.send(request).await?.into_parts();
        if !parts.status.is_success() {
            return Err(ProviderError::Answer(format!("`{url}` answers {}", parts.status)));
        }
        Ok(body)
    }

    /// Sends one request, and reads the answer whatever its status.
    pub(super) async fn send(&self, request: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, ProviderError> {
        let url = request.uri().to_string();
        if !is_protected(&url) {
            return Err(ProviderError::Answer(format!("`{url}` is plain http, which is for loopback addresses only")));
        }
        let lost = |error: reqwest::Error| ProviderError::Unreachable(words(&error));
        let request = reqwest::Request::try_from(request).map_err(lost)?;
        let mut answer = self.client.execute(request).await.map_err(lost)?;
        let mut response = http::Response::new(Vec::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        while let Some(chunk) = answer.chunk().await.map_err(lost)? {
            let body = response.body_mut();
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(ProviderError::Answer(format!("`{url}` answers more than {LARGEST_ANSWER} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(response)
    }
}

/// Whether nobody on the way can read or change what is sent there: https, or loopback.
pub(super) fn is_protected(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    match uri.scheme_str() {
        Some("https") => uri.host().is_some(),
        Some("http") => uri.host().is_some_and(is_loopback),
        _ => false,
    }
}

/// The error with its causes: reqwest's own words stop where it gets interesting.
fn words(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}
