//! What tokens said of persons: kept until they say something else, or for twelve hours.

use std::collections::BTreeSet;
use std::time::Duration;

use approval_core::record::{Identity, RecordKind};
use approval_core::transient::TransientError;
use approval_core::{Group, Person, Timestamp};
use serde::{Deserialize, Serialize};

use super::settings::Mapped;
use super::{Attested, Provider, Providers};

/// How long it is believed.
const LASTS: Duration = Duration::from_secs(12 * 60 * 60);

/// What is known and unchanged is written anew after this time, not at every request.
const RENEW: Duration = Duration::from_secs(30 * 60);

/// What a provider's token said of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Seen {
    #[serde(rename = "type")]
    kind: SeenType,
    issuer: String,
    subject: String,
    /// The value of the person claim, so that a change of the mapping counts at once.
    value: String,
    groups: BTreeSet<Group>,
    /// When the token was issued, where it said so.
    issued_at: Option<Timestamp>,
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum SeenType {
    #[serde(rename = "mutation-approval/seen/v0")]
    V0,
}

impl Seen {
    pub(super) fn groups(&self) -> &BTreeSet<Group> {
        &self.groups
    }

    /// Whether this takes the place of what is known. An older token doesn't: it would bring groups back that were taken from
    /// the person since. One that is silent on groups takes none away, and makes none last longer: tokens for an agent seldom
    /// name them.
    fn is_news_to(&self, known: &Self, is_silent: bool) -> bool {
        let same = (&self.issuer, &self.subject, &self.value) == (&known.issuer, &known.subject, &known.value);
        if self.issued_at <= known.issued_at || (same && is_silent && !known.groups.is_empty()) {
            return false;
        }
        !same || self.groups != known.groups || self.at.since(known.at) >= RENEW
    }
}

/// By which token a person was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// One that an agent brings, perhaps not for the first time.
    Bearer,
    /// That of a login just now.
    Login,
}

impl Providers {
    /// Keeps what a token said, where that is news.
    pub(super) async fn keep(
        &self,
        provider: &Provider,
        attested: &Attested,
        source: Source,
    ) -> Result<(), TransientError> {
        let now = self.clock.now();
        let Identity { person, issuer, subject } = &attested.identity;
        let seen = Seen {
            kind: SeenType::V0,
            issuer: issuer.clone(),
            subject: subject.clone(),
            value: attested.value.clone(),
            groups: attested.groups.clone().unwrap_or_default(),
            issued_at: attested.issued_at,
            at: now,
        };
        for key in [by_person(provider, person), by_subject(provider, subject)] {
            let known = self.kept.find::<Seen>(RecordKind::Login, &key, now).await?;
            let is_news = known.is_none_or(|known| seen.is_news_to(&known, attested.groups.is_none()));
            if is_news || source == Source::Login {
                self.kept.put(RecordKind::Login, &key, &seen, now.after(LASTS)).await?;
            }
        }
        Ok(())
    }

    /// What a provider's tokens say of a person, and whom they mean now.
    pub(super) async fn seen<'a>(
        &self,
        provider: &'a Provider,
        person: &Person,
    ) -> Result<Option<(Seen, Mapped<'a>)>, TransientError> {
        let found = self.find(provider, &by_person(provider, person)).await?;
        Ok(found.filter(|(_, mapped)| mapped.person == *person))
    }

    /// The same, by the issuer's own name for the person.
    pub(super) async fn seen_subject<'a>(
        &self,
        provider: &'a Provider,
        subject: &str,
    ) -> Result<Option<(Seen, Mapped<'a>)>, TransientError> {
        let found = self.find(provider, &by_subject(provider, subject)).await?;
        Ok(found.filter(|(seen, _)| seen.subject == subject))
    }

    /// Whether an identity is still whom it was at the login: the mapping may have changed since, or the person been disabled.
    pub(crate) async fn is_still(&self, provider: &Provider, identity: &Identity) -> Result<bool, TransientError> {
        let found = self.seen_subject(provider, &identity.subject).await?;
        Ok(found.is_some_and(|(_, mapped)| mapped.person == identity.person))
    }

    async fn find<'a>(&self, provider: &'a Provider, key: &str) -> Result<Option<(Seen, Mapped<'a>)>, TransientError> {
        let found = self.kept.find::<Seen>(RecordKind::Login, key, self.clock.now()).await?;
        let found = found.filter(|seen| seen.issuer == provider.settings.issuer);
        Ok(found.and_then(|seen| provider.settings.person(&seen.value).map(|mapped| (seen, mapped))))
    }
}

// A provider's id has no slash in it, so no two keys are the same.
fn by_person(provider: &Provider, person: &Person) -> String {
    format!("person/{}/{person}", provider.settings.id)
}

fn by_subject(provider: &Provider, subject: &str) -> String {
    format!("subject/{}/{subject}", provider.settings.id)
}
