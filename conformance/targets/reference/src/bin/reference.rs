//! The server that the conformance harness is tried against, as it should be.

use std::process::ExitCode;

use reference_target::{AsItIs, run};

fn main() -> ExitCode {
    run(&AsItIs)
}
