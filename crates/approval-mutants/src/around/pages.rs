//! Around the pages: each page on its way in and out.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::response::Response;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Request, request, response};
use reference_target::Layer;

use super::beyond::Beyond;

/// No page or form is longer.
const LONGEST: usize = 64 << 20;

/// A page, or what else the surface answers.
pub(crate) struct Page {
    pub(crate) head: response::Parts,
    pub(crate) body: Bytes,
}

impl Page {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn set_text(&mut self, text: String) {
        self.body = text.into();
    }
}

/// Stands around the pages: what people send, and what they get, may be another when it has passed.
#[async_trait]
pub(crate) trait Pages: Send + Sync + 'static {
    /// What is asked for, before the surface gets it.
    fn request(&self, _head: &mut request::Parts, _body: &mut Bytes) {}

    /// The page, before the person gets it. What the surface got is `head`.
    fn page(&self, _head: &request::Parts, _page: &mut Page) {}

    /// A request and its page.
    async fn exchange(&self, (mut head, mut body): (request::Parts, Bytes), surface: &Surface) -> Page {
        self.request(&mut head, &mut body);
        let mut page = surface.ask(head.clone(), body).await;
        self.page(&head, &mut page);
        page
    }
}

/// The surface beyond the layer.
pub(crate) struct Surface(Router);

impl Surface {
    pub(crate) async fn ask(&self, mut head: request::Parts, body: Bytes) -> Page {
        head.headers.remove(CONTENT_LENGTH);
        let response = Beyond::forward(self.0.clone(), Request::from_parts(head, Body::from(body))).await;
        let (head, body) = response.into_parts();
        Page { head, body: to_bytes(body, LONGEST).await.unwrap_or_default() }
    }
}

/// The layer in which `pages` stands around a surface.
pub(crate) fn around_pages(pages: impl Pages) -> Layer {
    let pages = Arc::new(pages);
    Box::new(move |inner: Router| {
        Router::new().fallback(move |request: Request<Body>| {
            let (pages, surface) = (Arc::clone(&pages), Surface(inner.clone()));
            async move {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, LONGEST).await.unwrap_or_default();
                let Page { mut head, body } = pages.exchange((head, body), &surface).await;
                head.headers.remove(CONTENT_LENGTH);
                head.headers.remove(TRANSFER_ENCODING);
                Response::from_parts(head, Body::from(body))
            }
        })
    })
}
