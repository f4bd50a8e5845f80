//! Another server on this machine. It shares its host name with the surface, and so its cookies (RFC 6265, 8.5), but for the
//! browser it is another origin: that of whoever wants something decided.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{Html, IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::site::Site;

/// A server whose pages a test writes.
#[derive(Clone, Debug)]
pub struct Foreign {
    port: u16,
    desk: Arc<Mutex<Desk>>,
}

/// What it was asked, and what it was told with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The path, with its query.
    pub path: String,
    /// The `Cookie` header.
    pub cookie: String,
}

#[derive(Debug, Default)]
struct Desk {
    pages: BTreeMap<String, (String, Vec<String>)>,
    received: Vec<Received>,
}

impl Foreign {
    /// A server without a page, beside the surface.
    ///
    /// # Errors
    /// When there is no port left.
    pub fn beside(site: &Site) -> Result<Self> {
        let desk = Arc::<Mutex<Desk>>::default();
        let address: SocketAddr = site.serve_beside(Router::new().fallback(answer).with_state(Arc::clone(&desk)))?;
        Ok(Self { port: address.port(), desk })
    }

    /// Its address under a name, which must lead to this machine. Under the surface's own it is of the same site, as browsers
    /// see it, and under another one of another site.
    #[must_use]
    pub fn origin(&self, host: &str) -> String {
        format!("http://{host}:{}", self.port)
    }

    /// Puts a page at a path, which also sets these cookies.
    pub fn put(&self, path: &str, page: impl Into<String>, cookies: &[String]) {
        self.with(|desk| desk.pages.insert(path.to_owned(), (page.into(), cookies.to_vec())));
    }

    /// What it was asked so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.with(|desk| desk.received.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Desk) -> T) -> T {
        act(&mut self.desk.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn answer(State(desk): State<Arc<Mutex<Desk>>>, request: Request) -> Response {
    let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
    let cookie = request.headers().get(header::COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    desk.received.push(Received { path: request.uri().to_string(), cookie: cookie.to_owned() });
    let Some((page, cookies)) = desk.pages.get(request.uri().path()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut headers = HeaderMap::new();
    for cookie in cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        headers.append(header::SET_COOKIE, cookie);
    }
    (headers, Html(page.clone())).into_response()
}
