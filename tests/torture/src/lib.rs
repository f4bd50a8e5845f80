//! What somebody who looks at a server from outside needs: the effects that it had, and whether its audit holds.
#![forbid(unsafe_code)]

mod audit;
mod effects;

pub use audit::verify_audit;
pub use effects::Effects;
