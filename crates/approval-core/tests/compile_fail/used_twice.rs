//! A permit is taken by value: it can't be used twice.

use approval_core::{ExecutionPermit, Executor};

async fn twice(executor: &dyn Executor, permit: ExecutionPermit) {
    executor.execute(permit).await;
    executor.execute(permit).await;
}

fn main() {}
