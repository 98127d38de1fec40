//! The program `pavane-sidecar`; all of it is in the library.

fn main() -> std::process::ExitCode {
    pavane_sidecar::cli::main()
}
