//! The commands of the program.

pub mod anchor;
pub mod audit;
pub mod backup;
pub mod digest;
pub mod figures;
pub mod keys;
pub mod operator;
pub mod receipt;
pub mod user;
