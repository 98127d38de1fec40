//! What the binary is told on its command line, and how it ends.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use pavane_bus::Settings;
use pavane_events::Domain;
use pavane_sentinel::{Config, Sentinel};
use pavane_telemetry::Setup;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The configuration or a file that it names cannot be used.
const INVALID: u8 = 3;
/// Something failed that nobody foresaw; a supervisor should start the process again.
const INTERNAL: u8 = 70;
/// A person interrupted it.
const INTERRUPTED: u8 = 130;

/// How long calls into the Kafka client may go on when all else has ended.
const LAST_CALLS: Duration = Duration::from_secs(1);

const AFTER: &str = "Logs go to stderr (PAVANE_LOG=debug, PAVANE_LOG_FORMAT=json), traces to \
    OTEL_EXPORTER_OTLP_ENDPOINT. Exit codes: 0 told to stop, 2 bad arguments, 3 bad configuration, 70 a part of it \
    failed, 130 interrupted.";

/// Watches rollouts: says who stands still, why, and what happens next.
#[derive(Debug, Parser)]
#[command(name = "pavane-sentinel", version, after_help = AFTER)]
pub(crate) struct Arguments {
    /// The sentinel's file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Kafka's bootstrap addresses
    #[arg(long, value_name = "HOST:PORT", env = "PAVANE_KAFKA")]
    kafka: String,
    /// The schema registry's base URL
    #[arg(long, value_name = "URL", env = "PAVANE_REGISTRY")]
    registry: String,
    /// Watch this domain instead of those that the file names
    #[arg(long, value_name = "NAME", env = "PAVANE_DOMAIN")]
    domain: Option<Domain>,
    /// Further Kafka client and registry settings, a `key=value` a line
    #[arg(long, value_name = "FILE", env = "PAVANE_CLIENT_CONFIG")]
    client_config: Option<PathBuf>,
    /// What the names of all topics begin with
    #[arg(
        long,
        value_name = "NAME",
        env = "PAVANE_PREFIX",
        default_value = "pavane",
        hide_short_help = true
    )]
    prefix: String,
}

impl Arguments {
    /// Runs the sentinel to its end.
    pub(crate) fn run(self) -> ExitCode {
        let (config, settings) = match self.read() {
            Ok(read) => read,
            Err(defects) => {
                eprintln!("{defects}");
                return ExitCode::from(INVALID);
            }
        };
        let telemetry = Setup {
            service: "pavane-sentinel".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: config.replica.to_string(),
            filter: "info",
        };
        let telemetry = match telemetry.install() {
            Ok(telemetry) => telemetry,
            Err(error) => {
                eprintln!("failed to {error}");
                return ExitCode::from(INVALID);
            }
        };
        let code = to_its_end(config, settings);
        if let Err(error) = telemetry.shutdown() {
            tracing::warn!("failed to {error}");
        }
        code
    }

    fn read(&self) -> Result<(Config, Settings), String> {
        let text = read_file(&self.config)?;
        let mut config = Config::from_yaml(&text, &self.config.display().to_string())
            .map_err(|defects| defects.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        if let Some(domain) = &self.domain {
            config.domains = vec![domain.clone()];
        }
        let mut settings = Settings::new(&self.kafka, &self.registry).with_prefix(&self.prefix);
        if let Some(path) = &self.client_config {
            settings
                .read_client_settings(&read_file(path)?, &path.display().to_string())
                .map_err(|error| format!("failed to {error}"))?;
        }
        Ok((config, settings))
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("failed to read {}: {error}", path.display()))
}

fn to_its_end(config: Config, settings: Settings) -> ExitCode {
    let ended = tokio::runtime::Runtime::new().context("failed to start the runtime").and_then(|runtime| {
        let ended = runtime.block_on(until_told(config, settings));
        // A call into the Kafka client that nobody waits for any more must not hold the process up.
        runtime.shutdown_timeout(LAST_CALLS);
        ended
    });
    match ended {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::from(INTERNAL)
        }
    }
}

async fn until_told(config: Config, settings: Settings) -> anyhow::Result<ExitCode> {
    let sentinel = match Sentinel::bind(config).await {
        Ok(sentinel) => sentinel,
        Err(error) => {
            tracing::error!("{error:#}");
            return Ok(ExitCode::from(INVALID));
        }
    };
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let told = stop.clone();
    let signals = tokio::spawn(async move {
        let code = tokio::select! {
            _ = terminate.recv() => ExitCode::SUCCESS,
            _ = interrupt.recv() => ExitCode::from(INTERRUPTED),
        };
        tracing::info!("told to stop");
        told.cancel();
        code
    });
    sentinel.run_on(settings, stop).await?;
    Ok(signals.await?)
}
