//! The clock, by which the store goes too.

use std::sync::Arc;

use approval_core::{Clock, Timestamp};

use crate::fault::Fault;

pub(super) const ALL: &[Fault] = &[Fault::of_clock("clock-stands-still", |clock| Arc::new(StandsStill(clock.now())))];

/// It is always the moment at which the server started: nothing ever expires. [STATE-010] [STORE-005]
#[derive(Debug)]
struct StandsStill(Timestamp);

impl Clock for StandsStill {
    fn now(&self) -> Timestamp {
        self.0
    }
}
