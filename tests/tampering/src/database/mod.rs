//! Somebody writes to a database without a key: every table and column that its own catalogue has, every row, whatever the
//! database is.
//!
//! What must come of each edit is told twice. By call (`oracle`): a call answers as it did where all that it reads is as it was,
//! and otherwise as the specification says of the first thing that isn't. And by table and column (`places`): who finds out, by
//! which requirements, or why nothing comes of it. What nobody has said anything about fails.

mod calls;
mod desk;
mod edit;
mod hand;
mod oracle;
mod own;
mod places;
mod put_back;
mod run;

pub use hand::{Change, Column, Contents, Forbidden, Hand, Kind, Row, Table, Value};
pub use own::own_events;
pub use put_back::put_back;
pub use run::{Breadth, Opened, tampered};
