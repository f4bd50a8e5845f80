//! A browser: it keeps cookies, says where its requests come from, and follows nothing by itself.

use anyhow::{Context as _, Result, bail, ensure};
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use reqwest::Url;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// Where a request comes from, as the browser tells the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// A page of the same origin.
    Own,
    /// A page of another site.
    Elsewhere,
}

/// One window, with one jar of cookies for all servers on loopback: cookies know no ports (RFC 6265, 8.5).
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    client: reqwest::Client,
    cookies: Vec<Cookie>,
}

#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    value: String,
    path: String,
    is_strict: bool,
}

impl Answer {
    /// Where it leads.
    pub(crate) fn location(&self) -> Result<Url> {
        let location = self.headers.get(LOCATION).with_context(|| format!("it leads nowhere: {}", self.text()))?;
        Ok(self.url.join(location.to_str()?)?)
    }

    /// The value of a field that isn't seen.
    pub(crate) fn hidden(&self, name: &str) -> Result<String> {
        let beginning = format!("name=\"{name}\" value=\"");
        let found = between(&self.body, &beginning, "\"");
        Ok(found.with_context(|| format!("no field `{name}`: {}", self.text()))?.to_owned())
    }

    /// Where its first form leads.
    pub(crate) fn action(&self) -> Result<Url> {
        let form = between(&self.body, "<form", ">").and_then(|form| between(form, "action=\"", "\""));
        let action = form.with_context(|| format!("no form: {}", self.text()))?;
        Ok(self.url.join(&plain(action))?)
    }

    /// Where a page leads that goes on by itself.
    pub(crate) fn onward(&self) -> Result<Url> {
        let found = between(&self.body, "content=\"0; url=", "\"");
        let onward = found.with_context(|| format!("it doesn't go on: {} {}", self.status, self.text()))?;
        Ok(self.url.join(&plain(onward))?)
    }

    /// Where the link leads whose address holds this.
    pub(crate) fn link(&self, part: &str) -> Result<Url> {
        let links = self.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        let found = links.map(plain).find(|link| link.contains(part));
        let link = found.with_context(|| format!("no link with `{part}`: {}", self.text()))?;
        Ok(self.url.join(&link)?)
    }

    /// What a person reads.
    pub(crate) fn text(&self) -> String {
        let body = self.body.split_once("<main").map_or(self.body.as_str(), |(_, main)| main);
        let mut text = String::new();
        for (number, piece) in body.split('<').enumerate() {
            text.push_str(if number == 0 { piece } else { piece.split_once('>').map_or("", |(_, text)| text) });
            text.push(' ');
        }
        text.split_whitespace().take(60).collect::<Vec<_>>().join(" ")
    }
}

impl Browser {
    pub(crate) fn new() -> Result<Self> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        Ok(Self { client: client.build()?, cookies: Vec::new() })
    }

    /// One that shows this token with each request, as no browser does.
    pub(crate) fn bearing(token: &str) -> Result<Self> {
        let headers = [(AUTHORIZATION, format!("Bearer {token}").parse()?)].into_iter().collect();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        Ok(Self { client: client.default_headers(headers).build()?, cookies: Vec::new() })
    }

    pub(crate) async fn get(&mut self, url: &Url, from: From) -> Result<Answer> {
        self.send(Method::GET, url, from, None).await
    }

    /// Sends a form of a page that is of the same origin.
    pub(crate) async fn post(&mut self, url: &Url, form: &[(&str, &str)]) -> Result<Answer> {
        self.send(Method::POST, url, From::Own, Some(encoded(form)?)).await
    }

    /// Whether it has a cookie whose name begins with this.
    pub(crate) fn has(&self, beginning: &str) -> bool {
        self.cookies.iter().any(|cookie| cookie.name.starts_with(beginning))
    }

    /// The value of the surface's session: the one cookie that goes nowhere with requests from elsewhere.
    pub(crate) fn session(&mut self) -> Result<&mut String> {
        let found = self.cookies.iter_mut().find(|cookie| cookie.is_strict);
        Ok(&mut found.context("there is no session")?.value)
    }

    /// Forgets the cookies of this path, as somebody who deletes them.
    pub(crate) fn forget(&mut self, path: &str) {
        self.cookies.retain(|cookie| !cookie.path.starts_with(path));
    }

    async fn send(&mut self, method: Method, url: &Url, from: From, form: Option<String>) -> Result<Answer> {
        let host = url.authority().to_owned();
        let mut request = self.client.request(method, url.clone()).header(HOST, &host);
        request = request.header("sec-fetch-site", if from == From::Own { "same-origin" } else { "cross-site" });
        if let Some(cookies) = self.cookies_for(url, from)? {
            request = request.header(COOKIE, cookies);
        }
        if let Some(form) = form {
            // The pages say that they want no referrer, and the origin goes the same way.
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").header("origin", "null");
            request = request.body(form);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        for set in headers.get_all(SET_COOKIE) {
            self.keep(url, set.to_str()?)?;
        }
        Ok(Answer { url: url.clone(), status, headers, body: answer.text().await? })
    }

    /// What it shows to a server as cookies, if anything.
    pub(crate) fn cookies_for(&self, url: &Url, from: From) -> Result<Option<HeaderValue>> {
        let fits = |cookie: &&Cookie| {
            let is_below = url.path().strip_prefix(cookie.path.trim_end_matches('/'));
            is_below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                && !(cookie.is_strict && from == From::Elsewhere)
        };
        let pairs: Vec<_> =
            self.cookies.iter().filter(fits).map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        Ok(if pairs.is_empty() { None } else { Some(pairs.join("; ").parse()?) })
    }

    /// `Secure` asks for nothing here: loopback counts as secure.
    fn keep(&mut self, url: &Url, set: &str) -> Result<()> {
        ensure!(url.host_str() == Some("127.0.0.1"), "a cookie of `{url}`");
        let mut parts = set.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            bail!("`{set}` is no cookie");
        };
        let (name, value) = (name.to_owned(), value.to_owned());
        let (mut path, mut is_strict, mut is_over) = ("/".to_owned(), false, false);
        for (attribute, value) in parts.filter_map(|part| part.split_once('=')) {
            match attribute.to_ascii_lowercase().as_str() {
                "path" => value.clone_into(&mut path),
                "samesite" => is_strict = value.eq_ignore_ascii_case("strict"),
                "max-age" => is_over = value == "0",
                "expires" => is_over |= value.contains(" 1970 "),
                _ => {}
            }
        }
        self.cookies.retain(|cookie| (&cookie.name, &cookie.path) != (&name, &path));
        if !is_over {
            self.cookies.push(Cookie { name, value, path, is_strict });
        }
        Ok(())
    }
}

/// A form as a browser writes it.
pub(crate) fn encoded(form: &[(&str, &str)]) -> Result<String> {
    let mut url = Url::parse("http://127.0.0.1")?;
    url.query_pairs_mut().extend_pairs(form);
    Ok(url.query().unwrap_or_default().to_owned())
}

fn between<'a>(text: &'a str, beginning: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(beginning)?;
    rest.split_once(end).map(|(found, _)| found)
}

/// What an attribute of HTML means.
fn plain(attribute: &str) -> String {
    attribute.replace("&amp;", "&").replace("&#38;", "&")
}
