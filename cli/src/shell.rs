//! Runs one of the two long-lived programs from the command line: its file, its bus, its end.

use std::path::Path;
use std::time::Duration;

use pavane_bus::{Bus, Settings};
use tokio_util::sync::CancellationToken;

use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{interrupt, outage};

/// How long to wait before Kafka is asked again; doubled up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Reads a configuration file; returns its text and the name to report it by.
pub fn read(file: &Path) -> Result<(String, String), Failure> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::new(Exit::Invalid, format!("cannot read {name}")).because(error))?;
    Ok((text, name))
}

/// Runs a program until it ends or is interrupted. A broker that is away is waited for, loudly.
pub async fn run<F>(
    program: &str,
    context: Context<'_>,
    work: impl FnOnce(Bus, CancellationToken) -> F,
) -> Result<(), Failure>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let settings = context.connection.settings()?;
    let stop = interrupt::token()?;
    let bus = tokio::select! {
        bus = connected(&settings, program, context) => bus?,
        () = stop.cancelled() => return Ok(()),
    };
    work(bus, stop).await.map_err(|error| ended(program, error))
}

/// A program that ended though nobody told it to.
pub fn ended(program: &str, error: anyhow::Error) -> Failure {
    Failure::new(Exit::Internal, format!("{program} ended")).because(error.into_boxed_dyn_error())
}

/// A file that is sound, and cannot be used here: an address that is taken, a secret that is missing.
pub fn unusable(file: &str, error: anyhow::Error) -> Failure {
    Failure::new(Exit::Invalid, format!("cannot use {file}")).because(error.into_boxed_dyn_error())
}

/// A bus, as soon as there is one. What waiting cannot heal is a failure at once.
async fn connected(settings: &Settings, program: &str, context: Context<'_>) -> Result<Bus, Failure> {
    let mut wait = FIRST_WAIT;
    loop {
        let failure = match Bus::connect(settings.clone(), program).await.map_err(outage::of) {
            Ok(bus) => return Ok(bus),
            Err(failure) if failure.exit == Exit::Unreachable => failure,
            Err(failure) => return Err(failure),
        };
        context.console.warn(&format!("{program}: {failure}; trying again in {} ms", wait.as_millis()));
        tokio::time::sleep(wait).await;
        wait = (2 * wait).min(LONGEST_WAIT);
    }
}
