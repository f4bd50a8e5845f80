//! MCP as bytes: JSON-RPC over standard input and output or over streamable HTTP, without an SDK's help, so that what a server really
//! sends is what is judged.

mod http;
mod message;
mod revision;
mod sse;
mod stdio;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

pub(crate) use self::http::{Http, HttpReply};
pub(crate) use self::message::{Capabilities, Request, notification};
pub use self::revision::Revision;
pub(crate) use self::stdio::Stdio;

/// Where a server is found.
#[derive(Clone, Debug)]
pub(crate) enum Endpoint {
    /// Over streamable HTTP, at this URL.
    Http(String),
    /// Over standard input and output of this program.
    Stdio {
        /// The program and its arguments.
        command: Vec<String>,
        /// What its environment holds besides the harness's own.
        environment: BTreeMap<String, String>,
        /// Where it is started.
        directory: std::path::PathBuf,
    },
}

/// Why there is no answer. Each is the server's doing.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// It took too long.
    #[error("no answer within {} s", .0.as_secs())]
    Late(Duration),
    /// The connection or the process is gone.
    #[error("{0}")]
    Gone(String),
    /// What came is no message.
    #[error("{what}: {}", excerpt(.text))]
    Garbage {
        /// What is wrong with it.
        what: String,
        /// What came.
        text: String,
    },
    /// The transport turned the request away.
    #[error("the transport answered {status}: {}", excerpt(.text))]
    Status {
        /// The status of HTTP.
        status: u16,
        /// What came with it.
        text: String,
    },
}

/// One connection to a server, as one requester, in one revision.
#[derive(Debug)]
pub(crate) enum Connection {
    /// Streamable HTTP.
    Http(Http),
    /// A process.
    Stdio(Stdio),
}

impl Connection {
    /// Sends a request and waits for its answer: a whole JSON-RPC response.
    pub(crate) async fn request(&self, request: &Request, within: Duration) -> Result<Value, WireError> {
        match self {
            Self::Http(http) => http.request(request, within).await,
            Self::Stdio(stdio) => stdio.request(request, within).await,
        }
    }

    /// Sends bytes as one message, whatever they are, and gives what comes back for the request `id`: nothing where nothing comes
    /// in time.
    pub(crate) async fn raw(&self, raw: &Raw<'_>, within: Duration) -> Result<Option<Value>, WireError> {
        match self {
            Self::Http(http) => http.raw(raw, within).await,
            Self::Stdio(stdio) => stdio.raw(raw, within).await,
        }
    }
}

/// A message that is sent as it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a> {
    /// The message, in pieces: a long one needn't be in memory as a whole.
    pub(crate) parts: &'a [Bytes],
    /// The id that an answer to it would have.
    pub(crate) id: u64,
    /// The method and the tool, as headers of HTTP name them.
    pub(crate) named: (&'a str, Option<&'a str>),
}

/// The beginning of a text that a person reads in a verdict.
fn excerpt(text: &str) -> String {
    const SHOWN: usize = 200;
    let text = text.trim();
    if text.is_empty() {
        return "(nothing)".to_owned();
    }
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} … ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
        None => text.to_owned(),
    }
}
