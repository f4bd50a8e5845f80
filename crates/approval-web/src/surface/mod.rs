//! The approval surface as a router.

mod address;
mod client;
mod confirm;
mod decide;
mod files;
mod flow;
mod form;
mod guard;
mod inbox;
mod login;
mod notice;
mod pieces;
mod plan;
mod session;
mod throttle;
mod visitor;

use std::sync::Arc;
use std::time::Duration;

use approval_core::record::Identity;
use approval_core::seal::Sealer;
use approval_core::transient::SealedTransient;
use approval_core::{Approvals, Entropy, OsEntropy, Timestamp};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};

use crate::accounts::Accounts;
use crate::provider::{Provider, ProviderError, Providers};
use address::Address;
pub(crate) use address::is_loopback;
use client::Proxies;
use session::Cookie;
use throttle::Throttle;

pub use throttle::Pace;

/// The largest form that is read: a comment of 2000 characters, each written as twelve, and the rest. [SURF-021]
const LARGEST_FORM: usize = 64 * 1024;

/// Logins that may be begun at one identity provider: each is kept until it comes back.
const LOGINS_BEGUN: Pace = Pace { burst: 300, interval: Duration::from_millis(200) };

/// As often as anybody likes.
const NO_LIMIT: Pace = Pace { burst: u32::MAX, interval: Duration::ZERO };

/// The pages on which a person decides. See the [crate documentation](crate).
#[derive(Debug)]
pub struct Surface {
    approvals: Approvals,
    transient: SealedTransient,
    sealer: Arc<dyn Sealer>,
    accounts: Accounts,
    providers: Option<Providers>,
    proxies: Proxies,
    options: SurfaceOptions,
    entropy: Arc<dyn Entropy>,
    address: Address,
}

/// How long things last, and how often passwords may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SurfaceOptions {
    /// A session during which nothing happens is over after this time: 30 minutes.
    pub session_idle: Duration,
    /// A session is over after this time, whatever happens: 8 hours.
    pub session_length: Duration,
    /// Wrong passwords for one account: 5, and then one in 30 seconds. Logins and decisions are counted apart, so that whoever
    /// can only reach the login can't keep a person who is logged in from deciding.
    pub password_pace: Pace,
    /// Wrong passwords altogether: 60, and then one a second.
    pub password_pace_altogether: Pace,
    /// Logins from one address (of IPv6: from one /64), at identity providers too, right ones not counted: 20, and then one in 5
    /// seconds. Counted only where the server says who is connected: see [`Surface::trusted_proxies`].
    pub address_pace: Pace,
    /// For how long no plan is taken from a requester whom a person mutes with a rejection: an hour. Zero offers no muting.
    pub mute: Duration,
}

impl Default for SurfaceOptions {
    fn default() -> Self {
        Self {
            session_idle: Duration::from_secs(30 * 60),
            session_length: Duration::from_secs(8 * 60 * 60),
            password_pace: Pace { burst: 5, interval: Duration::from_secs(30) },
            password_pace_altogether: Pace { burst: 60, interval: Duration::from_secs(1) },
            address_pace: Pace { burst: 20, interval: Duration::from_secs(5) },
            mute: Duration::from_secs(60 * 60),
        }
    }
}

/// Why there can be no surface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SurfaceError {
    /// The service's surface URL can't be one.
    #[error("`{0}` is not the URL of an approval surface: https://host[:port][/path]")]
    Address(String),
    /// A trusted proxy is no address and no network.
    #[error("`{0}` is neither an IP address nor a network (`10.0.0.0/8`)")]
    Proxy(String),
    /// Passwords would be sent in the clear.
    #[error("`{0}` is plain http, which is for loopback addresses only")]
    PlainHttp(String),
}

impl Surface {
    /// A surface for the plans of `approvals`, at [`Approvals::surface`]. Sessions are kept in `transient`; forms are sealed by
    /// `sealer`; persons log in with `accounts`. Its clock and audience are those of `approvals`.
    ///
    /// # Errors
    /// When it could not be reached safely at its URL.
    pub fn new(
        approvals: Approvals,
        transient: SealedTransient,
        sealer: Arc<dyn Sealer>,
        accounts: Accounts,
    ) -> Result<Self, SurfaceError> {
        let address = Address::parse(approvals.surface())?;
        let (options, entropy) = (SurfaceOptions::default(), Arc::new(OsEntropy));
        let (providers, proxies) = (None, Proxies::default());
        Ok(Self { approvals, transient, sealer, accounts, providers, proxies, options, entropy, address })
    }

    /// Persons log in at these identity providers too. The service's directory must know of them as well: see
    /// [`ProvidersDirectory`](crate::ProvidersDirectory) and [`Directories`](crate::Directories).
    #[must_use]
    pub fn providers(mut self, providers: Providers) -> Self {
        self.providers = Some(providers);
        self
    }

    /// These proxies are believed when they say, in `X-Forwarded-For`, where a request comes from: addresses and networks. From
    /// anybody else that header means nothing.
    ///
    /// The address of a connection is known to routers that are served with
    /// [`axum::Router::into_make_service_with_connect_info`], as [`SurfaceHost`](crate::SurfaceHost) does.
    ///
    /// # Errors
    /// When one of them is neither an address nor a network.
    pub fn trusted_proxies<'a>(mut self, networks: impl IntoIterator<Item = &'a str>) -> Result<Self, SurfaceError> {
        self.proxies = Proxies::parse(networks)?;
        Ok(self)
    }

    /// Other options than the usual ones.
    #[must_use]
    pub fn options(mut self, options: SurfaceOptions) -> Self {
        self.options = options;
        self
    }

    /// Another source of randomness than the operating system's.
    #[must_use]
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// The routes, under the path of the surface's URL, each behind the guard. To be served or merged into another router as it
    /// is: it has no fallback, and answers for every path under its own. What is decided is posted. [SURF-012] [FORM-004]
    pub fn router(self) -> Router {
        let Self { approvals, transient, sealer, accounts, providers, proxies, options, entropy, address } = self;
        let cookie = Cookie::new(&address, approvals.audience().as_str());
        let passwords = || Throttle::new(options.password_pace, options.password_pace_altogether);
        let (logins, decisions) = (passwords(), passwords());
        let begun = Throttle::new(LOGINS_BEGUN, LOGINS_BEGUN);
        let addresses = Throttle::new(options.address_pace, NO_LIMIT);
        let desk = Arc::new(Desk {
            approvals,
            transient,
            sealer,
            accounts,
            providers,
            proxies,
            options,
            entropy,
            address,
            cookie,
            logins,
            decisions,
            begun,
            addresses,
        });
        let base = desk.address.base().to_owned();
        let at = |path: &str| format!("{base}{path}");
        let mut router = Router::new()
            .route(&at("/"), get(inbox::pending))
            .route(&at("/mine"), get(inbox::mine))
            .route(&at("/history"), get(inbox::history))
            .route(&at("/login"), get(login::show).post(login::log_in))
            .route(&at("/login/at/{provider}"), post(flow::log_in))
            // `get` alone answers HEAD too, and whoever only looks at a link would redeem the login.
            .route(
                &at("/login/callback/{provider}"),
                get(flow::come_back).head(files::only_get).fallback(files::only_get),
            )
            .route(&at("/logout"), post(login::log_out))
            .route(&at("/plans/{plan}"), get(plan::show).post(decide::decide))
            .route(&at("/plans/{plan}/confirm"), post(confirm::confirm))
            .route(&at("/plans/{plan}/decided"), get(plan::decided))
            .route(&at("/plans/{plan}/{document}"), get(plan::document))
            .route(&at("/healthz"), get(files::health))
            .route(&at("/assets/{file}"), get(files::asset))
            .route(&at("/{*rest}"), any(files::nowhere));
        if !base.is_empty() {
            router = router.route(&base, get(files::add_slash));
        }
        router
            .layer(DefaultBodyLimit::max(LARGEST_FORM))
            .layer(from_fn_with_state(Arc::clone(&desk), guard::guard))
            .with_state(desk)
    }
}

/// What every page is made with.
#[derive(Debug)]
struct Desk {
    approvals: Approvals,
    transient: SealedTransient,
    sealer: Arc<dyn Sealer>,
    accounts: Accounts,
    providers: Option<Providers>,
    proxies: Proxies,
    options: SurfaceOptions,
    entropy: Arc<dyn Entropy>,
    address: Address,
    cookie: Cookie,
    /// Passwords that were tried at the login.
    logins: Throttle,
    /// Passwords that came with decisions: counted apart, so that whoever can only reach the login keeps nobody from
    /// deciding. [AUTH-006]
    decisions: Throttle,
    /// Logins that were begun at identity providers.
    begun: Throttle,
    /// Logins of either kind, by where they come from.
    addresses: Throttle,
}

impl Desk {
    fn now(&self) -> Timestamp {
        self.approvals.clock().now()
    }

    fn providers(&self) -> Result<&Providers, ProviderError> {
        let none = || ProviderError::Answer("there is no identity provider here".to_owned());
        self.providers.as_ref().ok_or_else(none)
    }

    /// The provider of this id at which persons log in.
    fn provider(&self, id: &str) -> Result<Option<Arc<Provider>>, ProviderError> {
        let found = self.providers.as_ref().map(|providers| providers.by_id(id)).transpose()?.flatten();
        Ok(found.filter(|provider| provider.has_login()))
    }

    /// The providers at which persons log in: their ids and names.
    fn login_providers(&self) -> Result<Vec<(String, String)>, ProviderError> {
        let Some(providers) = &self.providers else { return Ok(Vec::new()) };
        let listed = providers.list()?;
        let listed = listed.iter().filter(|provider| provider.has_login());
        Ok(listed.map(|provider| (provider.settings.id.clone(), provider.settings.name.clone())).collect())
    }

    /// Whether somebody who logged in at a provider is still whom they were then. [AUTH-003]
    async fn is_still(&self, provider: &str, identity: &Identity) -> Result<bool, String> {
        let found = self.provider(provider).map_err(|error| error.to_string())?;
        let Some(found) = found.filter(|found| found.settings.issuer == identity.issuer) else { return Ok(false) };
        let providers = self.providers().map_err(|error| error.to_string())?;
        providers.is_still(&found, identity).await.map_err(|error| error.to_string())
    }

    /// What a provider is called and where one logs out there, where that can be told.
    async fn end_session(&self, provider: &str, id_token: &str) -> Option<(String, String)> {
        let provider = self.provider(provider).ok().flatten()?;
        let found = self.providers().ok()?.end_session(&provider, id_token, &self.address.logged_out()).await;
        match found {
            Ok(url) => url.map(|url| (provider.settings.name.clone(), url)),
            Err(error) => {
                tracing::warn!(%error, "where to log out at an identity provider can't be told");
                None
            }
        }
    }
}
