//! Starts one Kafka and one registry, and runs a command that finds them: `pavane-real-services cargo test`.
//!
//! So several test binaries share them. The command's exit code is passed on; the services end with it.

use std::process::ExitCode;

use anyhow::{Context, Result};
use pavane_tests::real::{KAFKA, REGISTRY, Services};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let program = words.next().context("usage: pavane-real-services COMMAND [ARGUMENT…]")?;
    let services = Services::get("this command").await.context("the real services cannot be had here")?;
    eprintln!("Kafka at {}, registry at {}", services.kafka, services.registry);
    let status = tokio::process::Command::new(&program)
        .args(words)
        .env(KAFKA, &services.kafka)
        .env(REGISTRY, &services.registry)
        .status()
        .await
        .with_context(|| format!("failed to run {}", program.display()))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
