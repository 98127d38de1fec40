//! One Prometheus Alertmanager, from Debian's package.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use super::{debian, skip};
use crate::process::Process;
use crate::{place, program, wait};

const PACKAGE: &str = "prometheus-alertmanager";

/// Where Debian's build looks for its templates. It is installed nowhere here, so it is made to look where it is run: the
/// path that stands in its place is just as long.
const HOME: &str = "/usr/share/prometheus/alertmanager";
const HERE: &str = "./././././././././././././././././";

/// It groups nothing and tells nobody: what is sent to it is what is looked at.
const CONFIG: &str = "route:
  receiver: nobody
receivers:
  - name: nobody
";

/// A running Alertmanager. It stops when dropped.
#[derive(Debug)]
pub struct Alertmanager {
    process: Process,
    programs: PathBuf,
    port: u16,
    folder: TempDir,
}

impl Alertmanager {
    /// Starts one that answers before this returns. `None`: it cannot be had here and nobody insists.
    pub async fn start(test: &str) -> Option<Result<Self>> {
        if let Err(missing) = debian::tools() {
            return skip(test, &missing);
        }
        Some(Self::started().await)
    }

    async fn started() -> Result<Self> {
        let package = tokio::task::spawn_blocking(|| debian::unpacked(PACKAGE)).await??;
        let folder = tempfile::Builder::new().prefix("pavane-alertmanager-").tempdir()?;
        settle(&package, folder.path()).context("failed to prepare the program")?;
        let programs = package.join("usr/bin");
        std::fs::write(folder.path().join("alertmanager.yml"), CONFIG).context("failed to write its file")?;
        let [port] = place::free_ports();
        let mut command = command(&folder, port);
        let process = Process::start("alertmanager", &mut command, &folder.path().join("output.log"), None)?;
        let mut alertmanager = Self { process, programs, port, folder };
        alertmanager.up().await?;
        Ok(alertmanager)
    }

    /// Starts it again after it was killed: at the same port. What was sent to it is forgotten.
    pub async fn start_again(&mut self) -> Result<()> {
        self.process.replace(&mut command(&self.folder, self.port))?;
        self.up().await
    }

    async fn up(&mut self) -> Result<()> {
        let url = format!("{}/-/ready", self.url());
        program::answers(&mut self.process, &url).await
    }

    /// The process, to kill it.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The alerts that burn there, those that are silenced included.
    pub async fn alerts(&self) -> Result<Vec<Value>> {
        let url = format!("{}/api/v2/alerts", self.url());
        let answer = reqwest::get(&url).await.with_context(|| format!("failed to ask {url}"))?;
        answer.json().await.with_context(|| format!("failed to read {url}"))
    }

    /// Waits for an alert of this name about which something holds; the error shows what burns instead.
    pub async fn wait_for(
        &self,
        name: &str,
        limit: Duration,
        pleases: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut last = Vec::new();
        let found = wait::until(name, limit, async || {
            last = self.alerts().await.unwrap_or_default();
            last.iter().find(|alert| alert["labels"]["alertname"] == name && pleases(alert)).cloned()
        });
        let found = found.await;
        found.with_context(|| format!("burns: {last:#?}"))
    }

    /// Waits until no alert of this name burns.
    pub async fn wait_over(&self, name: &str, limit: Duration) -> Result<()> {
        let what = format!("the end of {name}");
        let over = wait::until(&what, limit, async || {
            let alerts = self.alerts().await.ok()?;
            alerts.iter().all(|alert| alert["labels"]["alertname"] != name).then_some(())
        });
        over.await
    }

    /// Runs its tool against an address that speaks its API.
    pub fn amtool(&self, url: &str, arguments: &[&str]) -> Result<Output> {
        let mut amtool = Command::new(self.programs.join("amtool"));
        amtool.arg(format!("--alertmanager.url={url}")).args(arguments).env("HOME", self.folder.path());
        amtool.output().context("failed to run amtool")
    }
}

/// Puts the program into a folder, with its templates beside it.
fn settle(package: &Path, folder: &Path) -> Result<()> {
    let program = std::fs::read(package.join("usr/bin").join(PACKAGE))?;
    let (home, here) = (HOME.as_bytes(), HERE.as_bytes());
    let mut settled = program.clone();
    for at in (0..program.len() - home.len()).filter(|at| program[*at..].starts_with(home)) {
        settled[at..at + here.len()].copy_from_slice(here);
    }
    std::fs::write(folder.join(PACKAGE), settled)?;
    std::fs::set_permissions(folder.join(PACKAGE), Permissions::from_mode(0o755))?;
    for template in ["default.tmpl", "email.tmpl"] {
        std::fs::copy(package.join(&HOME[1..]).join(template), folder.join(template))?;
    }
    Ok(())
}

fn command(folder: &TempDir, port: u16) -> Command {
    let mut command = Command::new(folder.path().join(PACKAGE));
    command
        .current_dir(folder.path())
        .arg(format!("--config.file={}", folder.path().join("alertmanager.yml").display()))
        .arg(format!("--storage.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=");
    command
}
