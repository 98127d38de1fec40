//! `pavane sidecar`: the same code as the program `pavane-sidecar`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use pavane_events::Zone;

use crate::commands::Context;
use crate::failure::Failure;
use crate::{interrupt, shell};

/// Runs a sidecar until Ctrl-C; with a command behind `--`, the service too.
#[derive(Args, Debug)]
pub struct Sidecar {
    /// The sidecar's file: its service, what it reacts to, and how.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The zone or region that the instance runs in, in place of the file's.
    #[arg(long, value_name = "NAME", env = "PAVANE_ZONE")]
    zone: Option<Zone>,
    /// Looks after orphans, as the first process of a container does by itself.
    #[arg(long, hide_short_help = true)]
    init: bool,
    /// The service's own program, to be started and looked after by the sidecar: `-- PROGRAM ARGUMENT…`.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Sidecar {
    /// Runs it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        if pavane_sidecar::init::is_wanted(self.init) {
            let code = pavane_sidecar::init::run().await;
            let code = code.map_err(|error| shell::ended("the first process", error.into()))?;
            std::process::exit(i32::from(code));
        }
        let (text, name) = shell::read(&self.config)?;
        let mut config = pavane_sidecar::Config::from_yaml(&text, &name)
            .map_err(|diagnostics| Failure::invalid(&name, diagnostics))?;
        if let Some(domain) = &context.connection.domain {
            config.domain = domain.clone();
        }
        config.zone = self.zone.or(config.zone);
        let settings = context.connection.settings()?;
        if !self.command.is_empty() {
            let ended = Box::pin(pavane_sidecar::run_beside(config, settings, self.command)).await;
            let code = ended.map_err(|error| shell::ended("the sidecar", error))?;
            // The code is the service's, which knows nothing of the command line's own.
            return if code == 0 { Ok(()) } else { std::process::exit(i32::from(code)) };
        }
        let stop = interrupt::token()?;
        let ended = Box::pin(pavane_sidecar::run_with(config, settings, stop)).await;
        ended.map_err(|error| shell::ended("the sidecar", error))
    }
}
