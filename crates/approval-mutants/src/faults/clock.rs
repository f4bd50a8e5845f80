//! The clock, by which the store goes too.

use std::sync::Arc;

use approval_core::{Clock, Timestamp};

use crate::fault::Fault;

pub(super) const ALL: &[Fault] =
    &[Fault::of_clock("clock-goes-slow", |clock| Arc::new(GoesSlow { begun: clock.now(), clock }))];

/// How many seconds pass in one of this clock's.
const SLOW: u32 = 4;

/// Since the server started, time goes by a quarter: what has to expire is good for long after. [STATE-010] [STORE-005]
#[derive(Debug)]
struct GoesSlow {
    clock: Arc<dyn Clock>,
    begun: Timestamp,
}

impl Clock for GoesSlow {
    fn now(&self) -> Timestamp {
        self.begun.after(self.clock.now().since(self.begun) / SLOW)
    }
}
