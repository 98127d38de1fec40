//! What the two long-lived programs have in common on the command line: their file, and how they end.

use std::path::Path;

use crate::exit::Exit;
use crate::failure::Failure;

/// Reads a configuration file; returns its text and the name to report it by.
pub fn read(file: &Path) -> Result<(String, String), Failure> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(Exit::Invalid, format!("cannot read {name}")).because(error))?;
    Ok((text, name))
}

/// A program that ended though nobody told it to.
pub fn ended(program: &str, error: anyhow::Error) -> Failure {
    Failure::new(Exit::Internal, format!("{program} ended")).because(error.into_boxed_dyn_error())
}

/// A file that is sound, and cannot be used here: an address that is taken, a secret that is missing.
pub fn unusable(file: &str, error: anyhow::Error) -> Failure {
    Failure::new(Exit::Invalid, format!("cannot use {file}")).because(error.into_boxed_dyn_error())
}
