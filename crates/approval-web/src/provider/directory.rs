//! Persons, as identity providers tell of them.

use approval_core::record::Target;
use approval_core::transient::TransientError;
use approval_core::{Directory, DirectoryError, Person, Standing};
use async_trait::async_trait;

use super::Providers;
use super::settings::Known;
use crate::private_file::FileError;

/// The providers as a [`Directory`]: a person is enabled while what a provider's token said of them is known and the operator
/// hasn't disabled them, and is in the groups that the newest token and the file name.
#[derive(Clone, Debug)]
pub struct ProvidersDirectory {
    providers: Providers,
}

impl ProvidersDirectory {
    /// The persons of these providers.
    #[must_use]
    pub fn new(providers: Providers) -> Self {
        Self { providers }
    }

    async fn any(&self, person: &Person, may: impl Fn(&Known) -> bool + Send + Sync) -> Result<bool, DirectoryError> {
        for provider in self.providers.list().map_err(unreadable)?.iter() {
            let seen = self.providers.seen(provider, person).await.map_err(unavailable)?;
            if seen.is_some_and(|(_, mapped)| mapped.known.is_none_or(&may)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl Directory for ProvidersDirectory {
    async fn person(&self, issuer: &str, subject: &str) -> Result<Option<Person>, DirectoryError> {
        let Some(provider) = self.providers.by_issuer(issuer).map_err(unreadable)? else { return Ok(None) };
        let seen = self.providers.seen_subject(&provider, subject).await.map_err(unavailable)?;
        Ok(seen.map(|(_, mapped)| mapped.person))
    }

    async fn standing(&self, person: &Person) -> Result<Standing, DirectoryError> {
        let mut standing = Standing::default();
        for provider in self.providers.list().map_err(unreadable)?.iter() {
            if let Some((seen, mapped)) = self.providers.seen(provider, person).await.map_err(unavailable)? {
                standing.enabled = true;
                standing.groups.extend(seen.groups().iter().cloned());
                standing.groups.extend(mapped.known.into_iter().flat_map(Known::groups).cloned());
            }
        }
        Ok(standing)
    }

    async fn may_request(&self, person: &Person, _: &str, _: &Target) -> Result<bool, DirectoryError> {
        self.any(person, |known| known.may_request).await
    }

    async fn may_approve(&self, person: &Person, _: &str, _: &Target) -> Result<bool, DirectoryError> {
        self.any(person, |known| known.may_approve).await
    }
}

fn unreadable(error: FileError) -> DirectoryError {
    DirectoryError(error.to_string())
}

fn unavailable(error: TransientError) -> DirectoryError {
    DirectoryError(error.to_string())
}
