//! For whom a request is.

use std::sync::{Arc, Mutex, PoisonError};

use approval_core::record::RequesterAssurance;
use approval_core::{Person, Requester};
use approval_rmcp::RequesterSource;
use reference_target::Parts;
use rmcp::RoleServer;
use rmcp::service::RequestContext;

use crate::fault::Fault;

pub(super) const ALL: &[Fault] = &[
    Fault::new("everybody-is-the-first-one", |parts| Parts {
        requesters: Arc::new(FirstOne { requesters: parts.requesters, first: Mutex::default() }),
        ..parts
    }),
    Fault::new("assurance-by-guess", |parts| Parts { requesters: Arc::new(Guessed(parts.requesters)), ..parts }),
    Fault::new("strangers-are-not-listened-to", |parts| Parts {
        requesters: Arc::new(Deaf(parts.requesters)),
        ..parts
    }),
    Fault::new("client-says-who-it-is", |parts| Parts { requesters: Arc::new(SelfStyled(parts.requesters)), ..parts }),
];

/// All requests are for whoever came first: a server for one person that is reached by several. [WIRE-020]
#[derive(Debug)]
struct FirstOne {
    requesters: Arc<dyn RequesterSource>,
    first: Mutex<Option<Requester>>,
}

impl RequesterSource for FirstOne {
    fn requester(&self, context: &RequestContext<RoleServer>) -> Option<Requester> {
        let requester = self.requesters.requester(context)?;
        Some(self.first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(requester).clone())
    }
}

/// A client acts for whomever it names in what it says of itself. [WIRE-020]
#[derive(Debug)]
struct SelfStyled(Arc<dyn RequesterSource>);

impl RequesterSource for SelfStyled {
    fn requester(&self, context: &RequestContext<RoleServer>) -> Option<Requester> {
        let mut requester = self.0.requester(context)?;
        if let Some(person) = context.meta.get("person").and_then(|person| person.as_str()) {
            requester.identity.person = Person::new(person);
            requester.identity.subject = person.to_owned();
        }
        Some(requester)
    }
}

/// Whoever may not ask is refused before anything that they say is looked at. [PLAN-013]
#[derive(Debug)]
struct Deaf(Arc<dyn RequesterSource>);

impl RequesterSource for Deaf {
    fn requester(&self, context: &RequestContext<RoleServer>) -> Option<Requester> {
        self.0.requester(context).filter(|requester| requester.identity.person.as_str() != "mallory")
    }
}

/// How a requester is known depends on who they are. [ENF-004] [ENF-005]
#[derive(Debug)]
struct Guessed(Arc<dyn RequesterSource>);

impl RequesterSource for Guessed {
    fn requester(&self, context: &RequestContext<RoleServer>) -> Option<Requester> {
        let mut requester = self.0.requester(context)?;
        if requester.identity.person.as_str() != "alice" {
            requester.assurance = RequesterAssurance::Environment;
        }
        Some(requester)
    }
}
