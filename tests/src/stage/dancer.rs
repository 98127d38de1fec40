//! A service that is rolled out, and the sidecar beside it, each a process of its own.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::sentinel::{metrics, stop};
use super::{SOON, Stage, script};
use crate::process::Process;
use crate::program::{self, Program};
use crate::{place, wait};

/// How often a service was told to move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Calls {
    /// How often it was told to upgrade.
    pub upgrades: u32,
    /// How often it was told to go back.
    pub reverts: u32,
}

/// A service with its sidecar.
#[derive(Debug)]
pub struct Dancer {
    /// The sidecar.
    pub sidecar: Sidecar,
    /// The service.
    pub service: Service,
}

/// A service as a process.
#[derive(Debug)]
pub struct Service {
    _process: Process,
    url: String,
}

/// A sidecar as a process, which may be killed and started again.
#[derive(Debug)]
pub struct Sidecar {
    /// The process, to freeze or kill.
    pub process: Process,
    name: String,
    config: String,
    url: String,
    lives: u32,
}

impl Dancer {
    /// A service of the demo at version 1.0.0, with a sidecar that was told what the demo's is told.
    pub async fn enter(stage: &Stage, name: &str) -> Result<Self> {
        let service = Service::start(stage, name).await?;
        let [port] = place::free_ports();
        let http = format!("127.0.0.1:{port}");
        let journal = stage.path(&format!("{name}.journal")).display().to_string();
        let values = [("service", service.url.as_str()), ("http", &http), ("journal", &journal)];
        let text = script::filled(&format!("sidecars/{name}.yaml"), &values)?;
        // the demo waits for the log in another way: it runs in one process
        let text = format!("{text}ready_needs_kafka: true\n");
        let sidecar = Sidecar::start(stage, name, &text, &http, &[]).await?;
        Ok(Self { sidecar, service })
    }
}

impl Service {
    /// Starts a service that runs 1.0.0.
    pub async fn start(stage: &Stage, name: &str) -> Result<Self> {
        let [port] = place::free_ports();
        let url = format!("http://127.0.0.1:{port}");
        let name = format!("{name}-service");
        let mut process = Program::DemoService
            .start(&name, stage.folder(), |command| command.env("PORT", port.to_string()))
            .await?;
        program::answers(&mut process, &format!("{url}/readyz")).await?;
        Ok(Self { _process: process, url })
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The version that runs.
    pub async fn version(&self) -> Result<String> {
        Ok(reqwest::get(format!("{}/version", self.url)).await?.error_for_status()?.text().await?)
    }

    /// How often it was told to move so far.
    pub async fn calls(&self) -> Result<Calls> {
        Ok(reqwest::get(format!("{}/calls", self.url)).await?.error_for_status()?.json().await?)
    }

    /// Lays a version ready for the next upgrade, as a deploy tool would.
    pub async fn lay_ready(&self, version: &str) -> Result<()> {
        self.behave(json!({ "next": version })).await
    }

    /// How it behaves from here on: `mode`, `ready`, `next`.
    pub async fn behave(&self, change: Value) -> Result<()> {
        let request = reqwest::Client::new().post(format!("{}/mode", self.url)).json(&change);
        request.send().await?.error_for_status().map(drop).context("failed to tell the service how to behave")
    }
}

impl Sidecar {
    /// Starts a sidecar by the text of its file, in which `http` is its address, and with further arguments.
    pub async fn start(
        stage: &Stage,
        name: &str,
        text: &str,
        http: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let config = stage.write(&format!("{name}.yaml"), text)?;
        let process = Self::process(stage, name, &config, name, arguments).await?;
        Ok(Self { process, name: name.to_owned(), config, url: format!("http://{http}"), lives: 1 })
    }

    /// Starts it again by the same file, after it was killed; what it writes goes to a log of its own.
    pub async fn restart(&mut self, stage: &Stage) -> Result<()> {
        self.lives += 1;
        let log = format!("{}-life-{}", self.name, self.lives);
        self.process = Self::process(stage, &self.name, &self.config, &log, &[]).await?;
        Ok(())
    }

    async fn process(
        stage: &Stage,
        name: &str,
        config: &str,
        log: &str,
        arguments: &[&str],
    ) -> Result<Process> {
        let start = Program::Sidecar.start(log, stage.folder(), |command| {
            stage.direct(command).args(["--config", config]).args(arguments)
        });
        start.await.with_context(|| format!("failed to start the sidecar of {name}"))
    }

    /// Waits until it has read the log to its end and takes part.
    pub async fn ready(&mut self) -> Result<()> {
        let url = format!("{}/readyz", self.url);
        let client = reqwest::Client::new();
        let ready = wait::until(&url, SOON, async || match self.process.must_run() {
            Ok(()) => wait::answers(&client, &url).await.then_some(Ok(())),
            Err(ended) => Some(Err(ended)),
        });
        ready.await?.with_context(|| format!("failed to see the sidecar of {} ready", self.name))
    }

    /// What `/readyz` answers: the status and the text; none when nobody answers.
    pub async fn readiness(&self) -> Option<(u16, String)> {
        let answer = reqwest::get(format!("{}/readyz", self.url)).await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// Says an event at the sidecar's door; returns the status and the answer.
    pub async fn say(&self, event: &Value) -> Result<(u16, Value)> {
        self.post("", event).await
    }

    /// Says an event that is to be kept and need not be with the broker yet; returns the status and the answer.
    pub async fn say_kept(&self, event: &Value) -> Result<(u16, Value)> {
        self.post("?ack=local", event).await
    }

    async fn post(&self, query: &str, event: &Value) -> Result<(u16, Value)> {
        let request = reqwest::Client::new().post(format!("{}/v1/events{query}", self.url)).json(event);
        let answer = request.send().await.with_context(|| format!("failed to speak to {}", self.name))?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.context("failed to read the sidecar's answer")?))
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(&mut self) -> Result<()> {
        stop(&mut self.process).await.with_context(|| format!("failed to stop the sidecar of {}", self.name))
    }

    /// Its numbers as Prometheus text.
    pub async fn metrics(&self) -> Result<String> {
        metrics(&self.url).await
    }
}
