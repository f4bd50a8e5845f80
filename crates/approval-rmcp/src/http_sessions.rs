//! Sessions over HTTP, which 2025-11-25 has: each is good for whoever began it.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use approval_core::Requester;
use approval_core::record::Identity;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use tower_service::Service;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// The most sessions that are remembered. Whose session is forgotten begins a new one, as MCP has it for a 404.
const MOST: usize = 1 << 16;

/// A service over streamable HTTP in which a session answers nobody but the requester who began it, and is not there for others: what
/// the server sends there is that person's. [WIRE-020]
#[derive(Clone, Debug)]
pub struct OwnSessions<S> {
    inner: S,
    owners: Arc<Mutex<Owners>>,
}

/// Who began which session; nobody, where nobody is verified.
#[derive(Debug, Default)]
struct Owners {
    by_session: HashMap<HeaderValue, Option<Identity>>,
    /// The sessions, in the order in which they were begun.
    begun: VecDeque<HeaderValue>,
}

impl<S> OwnSessions<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, owners: Arc::default() }
    }
}

impl Owners {
    fn remember(&mut self, session: HeaderValue, owner: Option<Identity>) {
        if self.begun.len() >= MOST
            && let Some(oldest) = self.begun.pop_front()
        {
            self.by_session.remove(&oldest);
        }
        if self.by_session.insert(session.clone(), owner).is_none() {
            self.begun.push_back(session);
        }
    }
}

impl<S, B, R> Service<Request<B>> for OwnSessions<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    S::Future: Send + 'static,
    R: Default + Send + 'static,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let requester = request.extensions().get::<Requester>().map(|requester| requester.identity.clone());
        // Of several, rmcp looks at the first, and so does this.
        if let Some(session) = request.headers().get(SESSION)
            && lock(&self.owners).by_session.get(session) != Some(&requester)
        {
            let mut response = Response::new(R::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            return Box::pin(std::future::ready(Ok(response)));
        }
        let (answer, owners) = (self.inner.call(request), Arc::clone(&self.owners));
        Box::pin(async move {
            let response = answer.await?;
            if let Some(session) = response.headers().get(SESSION) {
                let mut owners = lock(&owners);
                // A session that is known has its owner.
                if !owners.by_session.contains_key(session) {
                    owners.remember(session.clone(), requester);
                }
            }
            Ok(response)
        })
    }
}

/// Neither of the two is changed by what could panic in between.
fn lock(owners: &Mutex<Owners>) -> MutexGuard<'_, Owners> {
    owners.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_sessions_are_forgotten() {
        let mut owners = Owners::default();
        let session = |number: usize| HeaderValue::from_str(&number.to_string()).unwrap();
        for number in 0..=MOST {
            owners.remember(session(number), None);
        }
        assert_eq!((owners.by_session.len(), owners.begun.len()), (MOST, MOST));
        assert!(!owners.by_session.contains_key(&session(0)));
        assert!(owners.by_session.contains_key(&session(1)) && owners.by_session.contains_key(&session(MOST)));
    }
}
