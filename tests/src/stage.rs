//! A stage for a rollout: topics of its own on the real Kafka, our programs as separate processes, services to
//! roll out, and somebody on call.
//!
//! When a test fails, the stage shows the end of what every process wrote.
//!
//! | room | what is in it |
//! |---|---|
//! | [`script`] | the demo's files, filled |
//! | [`dancer`] | a service, and the sidecar beside it |
//! | [`tool`] | a service that is upgraded by a program, and the sidecar beside it |
//! | [`sentinel`] | a sentinel that is asked over HTTP |
//! | [`log`] | the log as it stands on the broker |
//! | [`collector`] | a collector of traces |
//! | [`contract`] | a service's own event, changed behind everyone's back |
//! | [`forwarder`] | a door in front of the broker or the registry that opens and closes |
//! | [`liar`] | a registry that serves something else under an id |

pub mod collector;
pub mod contract;
pub mod dancer;
pub mod forwarder;
pub mod liar;
pub mod log;
pub mod script;
pub mod sentinel;
pub mod tool;

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pavane_bus::{Bus, Settings};
use pavane_events::Domain;
use serde_json::Value;
use tempfile::TempDir;

use self::collector::Collector;
use self::log::Log;
use crate::program::Program;
use crate::real::Services;
use crate::webhook::Receiver;

/// How long a rollout's next word may take on two busy cores.
pub const SOON: Duration = Duration::from_secs(90);

/// What alerts are signed with.
const SECRET: &str = "whsec_cGF2YW5lIHRlc3RzLCBzZWNyZXQgb2Ygbm9ib2R5";

/// How many partitions the log has here; the domain lies in one of them.
const PARTITIONS: &str = "3";

/// How many lines of each process are shown when a test fails.
const SHOWN: usize = 60;

/// A stage of its own: prefix, domain, folder, and somebody on call. Declare it before the processes on it.
#[derive(Debug)]
pub struct Stage {
    settings: Settings,
    domain: Domain,
    collector: Option<String>,
    receiver: Receiver,
    folder: TempDir,
}

impl Stage {
    /// Sets a stage: makes the topics under a prefix of its own and pushes the lifecycle's schemas.
    pub async fn set(name: &str, domain: &str, services: &Services) -> Result<Self> {
        let prefix = format!("{name}-{}", std::process::id());
        let settings = Settings::new(&services.kafka, &services.registry).with_prefix(prefix);
        let stage = Self {
            settings,
            domain: Domain::new(domain).context("failed to read the domain")?,
            collector: None,
            receiver: Receiver::start(SECRET).await?,
            folder: tempfile::Builder::new().prefix("pavane-stage-").tempdir()?,
        };
        std::fs::write(stage.path("secret"), SECRET).context("failed to write the secret")?;
        stage.pavane(&["topics", "apply", "--partitions", PARTITIONS]).await?;
        stage.pavane(&["schemas", "push"]).await?;
        Ok(stage)
    }

    /// From here on every process tells its spans to the collector.
    #[must_use]
    pub fn traced_by(mut self, collector: &Collector) -> Self {
        self.collector = Some(collector.endpoint());
        self
    }

    /// Who is on call.
    pub fn on_call(&self) -> &Receiver {
        &self.receiver
    }

    /// Where Kafka and the registry are, and the prefix.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The domain.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Where a file of this stage lies.
    pub fn path(&self, file: &str) -> std::path::PathBuf {
        self.folder.path().join(file)
    }

    /// The folder of this stage.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into the stage's folder and returns its path as text.
    pub fn write(&self, file: &str, text: &str) -> Result<String> {
        let path = self.path(file);
        std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
        Ok(path.display().to_string())
    }

    /// Tells a program where everything is, by its environment alone.
    pub fn direct<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("PAVANE_KAFKA", &self.settings.kafka)
            .env("PAVANE_REGISTRY", &self.settings.registry)
            .env("PAVANE_PREFIX", &self.settings.prefix)
            .env("PAVANE_DOMAIN", self.domain.as_str());
        if let Some(endpoint) = &self.collector {
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("OTEL_BSP_SCHEDULE_DELAY", "200");
        }
        command
    }

    /// Runs `pavane` with these arguments to its end and returns the JSON that it prints.
    pub async fn pavane(&self, arguments: &[&str]) -> Result<Value> {
        let said = Program::Pavane
            .run(|command| self.direct(command).args(["--output", "json"]).args(arguments))
            .await
            .with_context(|| format!("failed to run pavane {}", arguments.join(" ")))?;
        serde_json::from_str(&said).with_context(|| format!("failed to read as JSON: {said}"))
    }

    /// Starts a rollout by a published choreography or a file; returns its id.
    pub async fn start(&self, choreography: &str) -> Result<String> {
        let started = self.pavane(&["start", choreography]).await?;
        Ok(started["rollout"].as_str().context("failed to find the rollout's id")?.to_owned())
    }

    /// A connection to the broker and the registry.
    pub async fn bus(&self) -> Result<Bus> {
        Bus::connect(self.settings.clone(), "pavane-tests").await.context("failed to connect")
    }

    /// The log, read along from its beginning.
    pub async fn log(&self) -> Result<Log> {
        Log::open(&self.bus().await?, &self.domain).await
    }

    /// Checks that nothing arrived at the receiver whose signature did not hold.
    pub fn all_signatures_held(&self) -> Result<()> {
        let refused = self.receiver.refused();
        ensure!(refused.is_empty(), "deliveries were refused: {refused:?}");
        Ok(())
    }

    /// The end of what every process of this stage wrote.
    fn tails(&self) -> Result<String> {
        let mut tails = Vec::new();
        let mut files: Vec<_> =
            std::fs::read_dir(self.folder())?.filter_map(Result::ok).map(|entry| entry.path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "log")) {
            let said = String::from_utf8_lossy(&std::fs::read(file)?).into_owned();
            let lines: Vec<&str> = said.lines().collect();
            let tail = &lines[lines.len().saturating_sub(SHOWN)..];
            tails.push(format!("\n--- {}\n{}\n", file.display(), tail.join("\n")));
        }
        Ok(tails.concat())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let tails = self.tails().unwrap_or_else(|error| format!("(no logs: {error})"));
            // a terminal that takes no more lines must not turn a failing test into an abort
            drop(std::io::stderr().write_all(tails.as_bytes()));
        }
    }
}
