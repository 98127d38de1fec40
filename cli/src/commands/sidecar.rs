//! `pavane sidecar`: the same code as the program `pavane-sidecar`.

use std::path::PathBuf;

use clap::Args;

use crate::commands::Context;
use crate::failure::Failure;
use crate::shell;

/// Runs a sidecar until Ctrl-C.
#[derive(Args, Debug)]
pub struct Sidecar {
    /// The sidecar's file: its service, what it reacts to, and how.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Sidecar {
    /// Runs it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let (text, name) = shell::read(&self.config)?;
        let config = pavane_sidecar::Config::from_yaml(&text, &name)
            .map_err(|diagnostics| Failure::invalid(&name, diagnostics))?;
        shell::run("pavane-sidecar", context, |bus, stop| pavane_sidecar::run(config, bus, stop)).await
    }
}
