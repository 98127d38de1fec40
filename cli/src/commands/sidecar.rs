//! `pavane sidecar`: the same code as the program `pavane-sidecar`.

use std::path::PathBuf;

use clap::Args;
use pavane_events::Zone;

use crate::commands::Context;
use crate::failure::Failure;
use crate::{interrupt, shell};

/// Runs a sidecar until Ctrl-C.
#[derive(Args, Debug)]
pub struct Sidecar {
    /// The sidecar's file: its service, what it reacts to, and how.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The zone or region that the instance runs in, in place of the file's.
    #[arg(long, value_name = "NAME", env = "PAVANE_ZONE")]
    zone: Option<Zone>,
}

impl Sidecar {
    /// Runs it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let (text, name) = shell::read(&self.config)?;
        let mut config = pavane_sidecar::Config::from_yaml(&text, &name)
            .map_err(|diagnostics| Failure::invalid(&name, diagnostics))?;
        if let Some(domain) = &context.connection.domain {
            config.domain = domain.clone();
        }
        config.zone = self.zone.or(config.zone);
        let settings = context.connection.settings()?;
        let stop = interrupt::token()?;
        let ended = pavane_sidecar::run_with(config, settings, stop).await;
        ended.map_err(|error| shell::ended("the sidecar", error))
    }
}
