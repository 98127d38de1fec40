//! `pavane sentinel`: the same code as the program `pavane-sentinel`.

use std::path::PathBuf;

use clap::Args;

use crate::commands::Context;
use crate::failure::Failure;
use crate::{interrupt, shell};

/// Runs a sentinel until Ctrl-C.
#[derive(Args, Debug)]
pub struct Sentinel {
    /// The sentinel's file: its domains, its receivers, its address.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Sentinel {
    /// Runs it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let (text, name) = shell::read(&self.config)?;
        let mut config = pavane_sentinel::Config::from_yaml(&text, &name)
            .map_err(|diagnostics| Failure::invalid(&name, diagnostics))?;
        if let Some(domain) = &context.connection.domain {
            config.domains = vec![domain.clone()];
        }
        let settings = context.connection.settings()?;
        let stop = interrupt::token()?;
        let sentinel = pavane_sentinel::Sentinel::bind(config).await;
        let sentinel = sentinel.map_err(|error| shell::unusable(&name, error))?;
        sentinel.run_on(settings, stop).await.map_err(|error| shell::ended("the sentinel", error))
    }
}
