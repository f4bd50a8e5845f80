//! HTTP as bytes: nothing is normalised on the way, no header is added unasked but a length, and nothing is followed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// The longest that an answer may take, so that a test ends.
const LIMIT: Duration = Duration::from_secs(120);

/// A request, written as it is given.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, with their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Request {
    /// A request of this method and target, with neither headers nor body.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: String::new() }
    }

    /// One header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, kind: &str, body: impl Into<String>) -> Self {
        self.body = body.into();
        self.header("content-type", kind)
    }

    /// With these fields, as browsers send a form.
    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let escape = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02X}")).collect() };
        let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
        self.body("application/x-www-form-urlencoded", pairs.join("&"))
    }

    /// Sends it, on a connection of its own.
    ///
    /// # Errors
    /// When nobody listens, or what comes back is not HTTP.
    pub fn send(&self, to: SocketAddr) -> Result<Answer> {
        let mut stream = TcpStream::connect(to).context("connecting")?;
        stream.set_read_timeout(Some(LIMIT))?;
        let mut head = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        stream.write_all(format!("{head}\r\n{}", self.body).as_bytes())?;
        Answer::read(BufReader::new(stream), self.method == "HEAD")
    }
}

impl Answer {
    fn read(mut stream: BufReader<TcpStream>, is_head: bool) -> Result<Self> {
        let mut line = String::new();
        stream.read_line(&mut line).context("reading an answer")?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("`{}` begins no answer", line.trim_end()))?;
        let mut headers = Vec::new();
        loop {
            line.clear();
            ensure!(stream.read_line(&mut line)? > 0, "an answer ends among its headers");
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').with_context(|| format!("`{line}` is no header"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Self { status, headers, body: String::new() };
        if answer.header("transfer-encoding").is_some() {
            bail!("an answer in chunks is more than this client reads");
        }
        let length = answer.header("content-length").map(str::parse::<u64>).transpose()?;
        let mut body = Vec::new();
        match length {
            _ if is_head => {}
            Some(length) => drop(stream.take(length).read_to_end(&mut body)?),
            None => drop(stream.read_to_end(&mut body)?),
        }
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Ok(answer)
    }

    /// The first header of this name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Where it leads.
    #[must_use]
    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_default()
    }

    /// The answer without the moment at which it was given.
    #[must_use]
    pub fn undated(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "date");
        self
    }
}
