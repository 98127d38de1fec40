//! A sentinel as a process, asked as an operator asks: over HTTP.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{SOON, Stage, script};
use crate::process::{Process, Signal};
use crate::program::Program;
use crate::{place, wait};

/// A running sentinel.
#[derive(Debug)]
pub struct Sentinel {
    /// The process, to freeze or kill.
    pub process: Process,
    replica: String,
    url: String,
}

impl Sentinel {
    /// Starts a sentinel by the demo's file; whoever is on call is told of each alert by itself, also in a storm.
    pub async fn start(stage: &Stage, replica: &str) -> Result<Self> {
        Self::enter(stage, replica, replica, "").await
    }

    /// Starts a sentinel that goes by the name of a replica and writes its files under another.
    pub async fn start_as(stage: &Stage, replica: &str, file: &str) -> Result<Self> {
        Self::enter(stage, replica, file, "").await
    }

    /// Starts a sentinel by the demo's file and these further lines of it.
    pub async fn start_with(stage: &Stage, replica: &str, more: &str) -> Result<Self> {
        Self::enter(stage, replica, replica, more).await
    }

    async fn enter(stage: &Stage, replica: &str, file: &str, more: &str) -> Result<Self> {
        let [port] = place::free_ports();
        let http = format!("127.0.0.1:{port}");
        let text = format!("{}{more}\n", Self::file(stage, replica, &http)?);
        Self::launch(stage, replica, file, &http, &text, &[]).await
    }

    /// The demo's file, filled.
    fn file(stage: &Stage, replica: &str, http: &str) -> Result<String> {
        let secret = stage.path("secret").display().to_string();
        let receiver = stage.on_call().url();
        let values =
            [("http", http), ("replica", replica), ("receiver", &receiver), ("secret_file", &secret)];
        let domains = format!("[{}]", stage.domain());
        let text =
            script::filled("sentinel.yaml", &values)?.replace(&format!("[{}]", script::DOMAIN), &domains);
        // all replicas have one address to the outside, so that the same alert is the same bytes
        let text = text.replace(&format!("http://{http}"), "https://pavane.example");
        Ok(format!("{text}\n{}", script::EACH))
    }

    /// Starts a sentinel by the demo's file that reaches the broker in a way of its own, by its environment.
    pub async fn start_through(stage: &Stage, replica: &str, way: &[(&str, &str)]) -> Result<Self> {
        let [port] = place::free_ports();
        let http = format!("127.0.0.1:{port}");
        let text = Self::file(stage, replica, &http)?;
        Self::launch(stage, replica, replica, &http, &text, way).await
    }

    /// Starts a sentinel by the demo's file whose own words nobody takes: where they go, the disk is full.
    pub async fn start_unheard(stage: &Stage, replica: &str) -> Result<Self> {
        let [port] = place::free_ports();
        let http = format!("127.0.0.1:{port}");
        let config = stage.write(&format!("{replica}.yaml"), &Self::file(stage, replica, &http)?)?;
        let mut command = Program::Sentinel.command().await?;
        stage.direct(&mut command).args(["--config", &config]);
        let process = Process::start(replica, &mut command, Path::new("/dev/full"), None)?;
        Ok(Self { process, replica: replica.to_owned(), url: format!("http://{http}") })
    }

    /// Starts a sentinel of the stage's domain by these lines of its file: receivers, routes and whatever else.
    pub async fn start_by(stage: &Stage, replica: &str, lines: &str) -> Result<Self> {
        let [port] = place::free_ports();
        let http = format!("127.0.0.1:{port}");
        let head = format!("domains: [{}]\nhttp: {http}\nreplica: {replica}\n", stage.domain());
        Self::launch(stage, replica, replica, &http, &format!("{head}{lines}"), &[]).await
    }

    async fn launch(
        stage: &Stage,
        replica: &str,
        file: &str,
        http: &str,
        text: &str,
        way: &[(&str, &str)],
    ) -> Result<Self> {
        let config = stage.write(&format!("{file}.yaml"), text)?;
        let process = Program::Sentinel
            .start(file, stage.folder(), |command| {
                stage.direct(command).args(["--config", &config]).envs(way.iter().copied())
            })
            .await?;
        Ok(Self { process, replica: replica.to_owned(), url: format!("http://{http}") })
    }

    /// Waits until it has read the log to its end and sees.
    pub async fn ready(&mut self) -> Result<()> {
        let url = format!("{}/readyz", self.url);
        let client = reqwest::Client::new();
        let ready = wait::until(&url, SOON, async || match self.process.must_run() {
            Ok(()) => wait::answers(&client, &url).await.then_some(Ok(())),
            Err(ended) => Some(Err(ended)),
        });
        ready.await?.with_context(|| format!("failed to see {} ready", self.replica))
    }

    /// Where it answers.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it says that it sees.
    pub async fn is_ready(&self) -> bool {
        wait::answers(&reqwest::Client::new(), &format!("{}/readyz", self.url)).await
    }

    /// A rollout as this sentinel holds it; none when it knows of none.
    pub async fn rollout(&self, rollout: &str) -> Result<Option<Value>> {
        let url = format!("{}/api/v1/rollouts/{rollout}", self.url);
        let answer = reqwest::get(&url).await.with_context(|| format!("failed to ask {url}"))?;
        if answer.status().as_u16() == 404 {
            return Ok(None);
        }
        let answer = answer.error_for_status().with_context(|| format!("failed to ask {url}"))?;
        Ok(Some(answer.json().await.with_context(|| format!("failed to read {url}"))?))
    }

    /// Waits until this sentinel holds the rollout in this status, and returns the rollout.
    pub async fn wait_status(&self, rollout: &str, status: &str) -> Result<Value> {
        self.wait_for(rollout, status, |view| view["status"] == status).await
    }

    /// Waits until the rollout, as this sentinel holds it, pleases, and returns it.
    pub async fn wait_for(
        &self,
        rollout: &str,
        what: &str,
        pleases: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let what = format!("{} to hold {rollout} with {what}", self.replica);
        let mut last = None;
        let found = wait::until(&what, SOON, async || {
            // one that cannot be asked at the moment may be asked again
            last = self.rollout(rollout).await.ok().flatten();
            last.clone().filter(&pleases)
        });
        found.await.with_context(|| format!("it held {last:#?}"))
    }

    /// The name of this replica.
    pub fn replica(&self) -> &str {
        &self.replica
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(&mut self) -> Result<()> {
        stop(&mut self.process).await.with_context(|| format!("failed to stop {}", self.replica))
    }

    /// Its numbers as Prometheus text.
    pub async fn metrics(&self) -> Result<String> {
        metrics(&self.url).await
    }
}

/// The numbers of a process as Prometheus text.
pub(super) async fn metrics(base: &str) -> Result<String> {
    let url = format!("{base}/metrics");
    let answer = reqwest::get(&url).await.with_context(|| format!("failed to ask {url}"))?;
    let answer = answer.error_for_status().with_context(|| format!("failed to ask {url}"))?;
    answer.text().await.with_context(|| format!("failed to read {url}"))
}

/// Asks a process to end in order, and waits until it has.
pub(super) async fn stop(process: &mut Process) -> Result<()> {
    process.signal(Signal::Terminate)?;
    let ended = wait::until("the process to end", SOON, async || process.exited().transpose()).await??;
    ensure!(ended.success(), "it ended ({ended}); it wrote:\n{}", process.tail());
    Ok(())
}

/// The verdicts of a rollout: kind, step, cause and service of each, in order.
pub fn verdicts(rollout: &Value) -> Vec<[String; 4]> {
    let word = |verdict: &Value, key: &str| verdict[key].as_str().unwrap_or("-").to_owned();
    let four = |verdict: &Value| ["kind", "step", "cause", "service"].map(|key| word(verdict, key));
    rollout["verdicts"].as_array().into_iter().flatten().map(four).collect()
}
