#![doc = include_str!("../README.md")]

mod accounts;
mod bearer;
mod host;
mod page;
mod private_file;
mod surface;

pub use accounts::{
    Account, Accounts, AccountsDirectory, AccountsError, LOCAL_ISSUER, LONGEST_PASSWORD, NewAccount, PasswordCost,
    PasswordError, SHORTEST_PASSWORD,
};
pub use bearer::{BearerError, BearerGuard, BearerVerifier, TokenFile};
pub use host::{HostError, SurfaceHost};
pub use private_file::{FileError, FileFault};
pub use surface::{Pace, Surface, SurfaceError, SurfaceOptions};
