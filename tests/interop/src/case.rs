//! Which client, in which revision, over which transport.

use std::fmt;
use std::str::FromStr;

/// One way of the matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) client: Client,
    pub(crate) revision: &'static str,
    pub(crate) transport: Transport,
}

/// An official SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// PyPI's `mcp`.
    Python,
    /// npm's `@modelcontextprotocol/sdk`.
    TypeScript1,
    /// npm's `@modelcontextprotocol/client`.
    TypeScript2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Http,
    Stdio,
}

const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.split('/').collect();
        let [client, revision, transport] = parts.as_slice() else {
            return Err("a case is `client/revision/transport`".to_owned());
        };
        let client = match *client {
            "python" => Client::Python,
            "typescript-1" => Client::TypeScript1,
            "typescript-2" => Client::TypeScript2,
            other => return Err(format!("`{other}` is no client: python, typescript-1, typescript-2")),
        };
        let known = REVISIONS.into_iter().find(|known| known == revision);
        let revision = known.ok_or_else(|| format!("`{revision}` is no revision: {}", REVISIONS.join(", ")))?;
        let transport = match *transport {
            "http" => Transport::Http,
            "stdio" => Transport::Stdio,
            other => return Err(format!("`{other}` is no transport: http, stdio")),
        };
        Ok(Self { client, revision, transport })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let client = match self.client {
            Client::Python => "python",
            Client::TypeScript1 => "typescript-1",
            Client::TypeScript2 => "typescript-2",
        };
        let transport = match self.transport {
            Transport::Http => "http",
            Transport::Stdio => "stdio",
        };
        write!(f, "{client}/{}/{transport}", self.revision)
    }
}
