//! A server with one fault: `mutant NAME`, and then the arguments of `reference`. `none` is the server as it should be.

use std::process::ExitCode;

use reference_target::{AsItIs, run_with};

/// Wrong command line.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let name = arguments.next().unwrap_or_default();
    let arguments = std::iter::once(program).chain(arguments);
    match name.to_str() {
        Some("none") => run_with(arguments, &AsItIs),
        name => match name.and_then(approval_mutants::find) {
            Some(fault) => run_with(arguments, fault),
            None => {
                #[expect(clippy::print_stderr, reason = "the program's own words")]
                {
                    eprintln!("`mutant NAME …`: there is no fault of that name");
                }
                ExitCode::from(USAGE)
            }
        },
    }
}
