//! Identity providers: who a person is by OpenID Connect, and for whom an agent acts by a JSON Web Token.
//! The crate's documentation has the file. It belongs to its owner alone (mode 600) and is read at each use.
//!
//! What a token said of a person's groups is known until a newer one says something else, and for twelve hours at most: after
//! that they are nobody until they log in again. A decision always comes with a new login, so the groups of whoever decides are
//! never older than it.

mod bearer;
mod directory;
mod http;
mod login;
mod published;
mod settings;
mod standing;
mod token;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use approval_core::record::Identity;
use approval_core::transient::{SealedTransient, TransientError};
use approval_core::{Clock, Group, Timestamp};

pub use bearer::ProviderTokens;
pub use directory::ProvidersDirectory;
pub(crate) use login::{Asked, Proof};
pub use token::TokenFault;

use self::http::Web;
use crate::bearer::{ProtectedResource, ResourceError};
use crate::private_file::{FileError, PrivateFile};
use published::{Published, Snapshot};
use settings::Settings;
use token::{Claims, Expected};

/// The identity providers in one file, whose members the crate's documentation lists. Cheap to clone.
#[derive(Clone)]
pub struct Providers {
    file: PrivateFile,
    kept: SealedTransient,
    clock: Arc<dyn Clock>,
    web: Web,
    // What was read last, so that an unchanged text isn't parsed again, and what providers publish stays known.
    parsed: Arc<Mutex<(String, Listed)>>,
}

/// The providers, in the order of the file.
type Listed = Arc<[Arc<Provider>]>;

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Providers").field("file", &self.file).finish_non_exhaustive()
    }
}

/// A provider, and what it published last.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) settings: Settings,
    published: Arc<Published>,
}

/// Something about an identity provider that isn't the fault of whoever logs in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// It answers something that can't be used.
    #[error("the identity provider's answer can't be used: {0}")]
    Answer(String),
    /// The file is not as it should be.
    #[error(transparent)]
    File(#[from] FileError),
    /// What was learned can't be kept or read.
    #[error(transparent)]
    Kept(#[from] TransientError),
    /// What the file says of an MCP endpoint can't be told to its clients.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// It can't be reached.
    #[error("the identity provider can't be reached: {0}")]
    Unreachable(String),
}

/// Whom a verified token is about.
#[derive(Clone, Debug)]
pub(crate) struct Attested {
    pub(crate) identity: Identity,
    /// The value of the person claim.
    value: String,
    /// None, where the token says nothing of groups.
    groups: Option<BTreeSet<Group>>,
    issued_at: Option<Timestamp>,
}

impl Providers {
    /// The providers in this file, which need not be there yet: then there are none. What their tokens say of persons is kept
    /// in `kept`; times are those of `clock`.
    ///
    /// # Errors
    /// When no connection could ever be made from here, for want of trusted roots.
    pub fn open(path: impl Into<PathBuf>, kept: SealedTransient, clock: Arc<dyn Clock>) -> Result<Self, ProviderError> {
        Ok(Self { file: PrivateFile::new(path), kept, clock, web: Web::new()?, parsed: Arc::default() })
    }

    /// Reads the file, and says how many providers there are. Blocking, but brief.
    ///
    /// # Errors
    /// When the file can't be read, belongs to others too, or isn't as it should be: with its path and line.
    pub fn check(&self) -> Result<usize, FileError> {
        Ok(self.list()?.len())
    }

    /// The MCP endpoint at this URL as the file tells of it: whose tokens it takes, and the scopes that these need. None, where no
    /// provider has it as its `resource`. It tells what the file says now; for the tokens themselves a change counts at once.
    ///
    /// # Errors
    /// When the file isn't as it should be, or the URL is none of an endpoint.
    pub fn protected_resource(&self, url: &str) -> Result<Option<ProtectedResource>, ProviderError> {
        let listed = self.list()?;
        let settings = listed.iter().map(|provider| &provider.settings);
        let with_resource = settings.filter_map(|settings| Some((&settings.issuer, settings.resource.as_ref()?)));
        let (issuers, taken): (Vec<_>, Vec<_>) = with_resource.filter(|(_, taken)| taken.audience == url).unzip();
        if issuers.is_empty() {
            return Ok(None);
        }
        let scopes: BTreeSet<_> = taken.iter().filter_map(|taken| taken.scope.as_ref()).collect();
        let resource = ProtectedResource::new(url, issuers)?;
        Ok(Some(scopes.into_iter().try_fold(resource, |resource, scope| resource.scope(scope))?))
    }

    /// Every provider, in the order of the file.
    pub(crate) fn list(&self) -> Result<Listed, FileError> {
        let text = self.file.read()?;
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if parsed.0 != text {
            let known = Arc::clone(&parsed.1);
            let settings = settings::parse(&self.file, &text)?.into_iter();
            let providers = settings.map(|settings| {
                let same = known.iter().find(|known| known.settings.issuer == settings.issuer);
                let published = same.map(|known| Arc::clone(&known.published)).unwrap_or_default();
                Arc::new(Provider { settings, published })
            });
            let providers = providers.collect();
            *parsed = (text, providers);
        }
        Ok(Arc::clone(&parsed.1))
    }

    pub(crate) fn by_id(&self, id: &str) -> Result<Option<Arc<Provider>>, FileError> {
        Ok(self.list()?.iter().find(|provider| provider.settings.id == id).cloned())
    }

    pub(crate) fn by_issuer(&self, issuer: &str) -> Result<Option<Arc<Provider>>, FileError> {
        Ok(self.list()?.iter().find(|provider| provider.settings.issuer == issuer).cloned())
    }

    /// What the provider publishes.
    pub(crate) async fn published(&self, provider: &Provider) -> Result<Arc<Snapshot>, ProviderError> {
        provider.published.get(&provider.settings.issuer, &self.web, self.clock.as_ref(), None).await
    }

    /// The claims of a token, verified. A key that isn't known is looked for once more: the provider may have changed keys.
    async fn claims(
        &self,
        provider: &Provider,
        token: &str,
        audience: &str,
    ) -> Result<Result<Claims, TokenFault>, ProviderError> {
        let Settings { issuer, algorithms, .. } = &provider.settings;
        let known = self.published(provider).await?;
        let expected = Expected { issuer, audience, algorithms, now: self.clock.now() };
        match token::verify(token, &known, expected) {
            Err(TokenFault::UnknownKey) => {
                let newer = provider.published.get(issuer, &self.web, self.clock.as_ref(), Some(&known)).await?;
                Ok(token::verify(token, &newer, expected))
            }
            verified => Ok(verified),
        }
    }
}

impl Provider {
    /// Whether persons log in there.
    pub(crate) fn has_login(&self) -> bool {
        self.settings.login.is_some()
    }

    /// Whom the claims are about, unless that is nobody here.
    fn attested(&self, claims: &Claims) -> Result<Attested, TokenFault> {
        let settings = &self.settings;
        let value = claims.text(settings.person_claim()).ok_or(TokenFault::Nobody)?;
        // An address that nobody has verified is whatever its owner wrote. [OpenID Connect Core 1.0, 5.7]
        let is_verified = claims.get("email_verified").and_then(serde_json::Value::as_bool) == Some(true);
        if settings.person_claim() == "email" && !is_verified {
            return Err(TokenFault::Nobody);
        }
        let mapped = settings.person(value).ok_or(TokenFault::Nobody)?;
        let subject = claims.text("sub").ok_or(TokenFault::Claim("sub"))?;
        let named =
            settings.groups_claim().filter(|claim| claims.get(claim).is_some()).map(|claim| claims.texts(claim));
        Ok(Attested {
            identity: Identity { person: mapped.person, issuer: settings.issuer.clone(), subject: subject.to_owned() },
            value: value.to_owned(),
            groups: named.map(|named| named.into_iter().filter(|group| !group.is_empty()).map(Group::from).collect()),
            issued_at: claims.moment("iat")?,
        })
    }
}
