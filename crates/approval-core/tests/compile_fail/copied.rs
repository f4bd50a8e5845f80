//! A permit can't be copied.

use approval_core::ExecutionPermit;

fn twice(permit: ExecutionPermit) -> (ExecutionPermit, ExecutionPermit) {
    (permit.clone(), permit)
}

fn main() {}
