//! `pavane`: rolls services out as a dance, and tells who has stopped.

use std::process::ExitCode;

fn main() -> ExitCode {
    pavane_cli::main().into()
}
