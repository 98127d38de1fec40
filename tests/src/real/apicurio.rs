//! One Apicurio Registry with its Confluent-compatible API, in memory.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::jdk::Jdk;
use crate::process::Process;
use crate::{place, wait};

/// How long the registry may take to start on two busy cores.
const START: Duration = Duration::from_mins(3);

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
        Ok(Self { port, process })
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
