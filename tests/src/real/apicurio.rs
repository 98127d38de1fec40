//! One Apicurio Registry with its Confluent-compatible API, in memory.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::jdk::Jdk;
use crate::process::Process;
use crate::{place, wait};

/// How long the registry may take to start on two busy cores.
const START: Duration = Duration::from_mins(3);

/// How long five questions take a registry that has answered them before, generously.
const PACE: Duration = Duration::from_millis(1_500);

/// A running registry.
#[derive(Debug)]
pub struct Apicurio {
    port: u16,
    process: Process,
}

impl Apicurio {
    /// Starts a registry that is ready before this returns.
    pub async fn start(jdk: &Jdk, app: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("pavane-apicurio-").tempdir()?.keep();
        let [port, management] = place::free_ports();
        let mut command = Command::new(&jdk.java);
        command
            .args(["-Xmx512m", "-Dquarkus.http.host=127.0.0.1", "-Dquarkus.management.host=127.0.0.1"])
            .arg(format!("-Dquarkus.http.port={port}"))
            .arg(format!("-Dquarkus.management.port={management}"))
            .args(["-Dapicurio.storage.sql.kind=h2", "-jar"])
            .arg(app.join("quarkus-run.jar"))
            .current_dir(&folder);
        let mut process =
            Process::start("apicurio", &mut command, &folder.join("output.log"), Some(&folder))?;
        let client = reqwest::Client::new();
        let health = format!("http://127.0.0.1:{management}/health/ready");
        let up = wait::until("the registry to be ready", START, async || match process.must_run() {
            Ok(()) => wait::answers(&client, &health).await.then_some(Ok(())),
            Err(ended) => Some(Err(ended)),
        });
        up.await.and_then(|up| up).with_context(|| format!("failed to start the registry on port {port}"))?;
        let registry = Self { port, process };
        registry.warm_up(&client).await?;
        Ok(registry)
    }

    /// A registry that is ready has loaded little of what it answers by: its first answers take seconds on two busy
    /// cores, and a client is right not to wait that long. So it is asked until it answers at its usual pace.
    async fn warm_up(&self, client: &reqwest::Client) -> Result<()> {
        let warm = wait::until("the registry to answer at its usual pace", START, async || {
            let begun = Instant::now();
            let answered = self.try_out(client).await.is_ok();
            (answered && begun.elapsed() < PACE).then_some(())
        });
        warm.await.with_context(|| format!("failed to warm up the registry on port {}", self.port))
    }

    /// Sets a level, registers a schema, looks it up and checks it, under a subject that no test uses.
    async fn try_out(&self, client: &reqwest::Client) -> reqwest::Result<()> {
        let subject = "test.warm.Up";
        let schema = r#"{"type":"record","name":"Up","namespace":"test.warm","fields":[]}"#;
        let body = json!({ "schema": schema }).to_string();
        let level = json!({ "compatibility": "FULL_TRANSITIVE" }).to_string();
        let base = self.url();
        for request in [
            client.put(format!("{base}/config/{subject}")).body(level),
            client.post(format!("{base}/subjects/{subject}/versions")).body(body.clone()),
            client.post(format!("{base}/subjects/{subject}")).body(body.clone()),
            client.post(format!("{base}/compatibility/subjects/{subject}/versions/latest")).body(body),
            client.get(format!("{base}/config/{subject}")),
        ] {
            let request = request.header("content-type", "application/vnd.schemaregistry.v1+json");
            request.timeout(START).send().await?.bytes().await?;
        }
        Ok(())
    }

    /// The base address of the Confluent-compatible API.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/ccompat/v7", self.port)
    }

    /// The process, to freeze or kill it in a test of its own registry.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}
