#![doc = include_str!("lib.md")]
#![warn(clippy::missing_errors_doc)]

mod accounts;
mod bearer;
mod directories;
mod host;
mod page;
mod private_file;
mod provider;
mod surface;

pub use accounts::{
    Account, Accounts, AccountsDirectory, AccountsError, LOCAL_ISSUER, LONGEST_PASSWORD, NewAccount, PasswordCost,
    PasswordError, SHORTEST_PASSWORD,
};
pub use bearer::{BearerError, BearerGuard, BearerVerifier, ProtectedResource, ResourceError, TokenFile, Verified};
pub use directories::Directories;
pub use host::{HostError, SurfaceHost};
pub use private_file::{FileError, FileFault};
pub use provider::{ProviderError, ProviderTokens, Providers, ProvidersDirectory, TokenFault};
pub use surface::{Pace, Surface, SurfaceError, SurfaceOptions};
