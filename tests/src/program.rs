//! Our own programs as processes: built once per test run, each with its log in a file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::OnceCell;

use crate::process::Process;
use crate::{place, wait};

static BUILT: OnceCell<PathBuf> = OnceCell::const_new();

/// How long a program may take until it answers.
const START: Duration = Duration::from_secs(30);

/// By these a program knows that it runs in a pipeline. What it says must not depend on who runs the tests.
const PIPELINE: [&str; 4] = ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILD_ID"];

/// The programs of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// The command line.
    Pavane,
    /// The sentinel on its own.
    Sentinel,
    /// The sidecar on its own.
    Sidecar,
    /// The service that tests roll out.
    DemoService,
}

impl Program {
    /// A command for the program, with backtraces and colours off. Builds all programs on first use.
    pub async fn command(self) -> Result<Command> {
        let folder = BUILT.get_or_try_init(|| async { tokio::task::spawn_blocking(build).await? }).await?;
        let mut command = Command::new(folder.join(self.name()));
        command.env("NO_COLOR", "1").env("RUST_BACKTRACE", "0");
        for name in PIPELINE {
            command.env_remove(name);
        }
        Ok(command)
    }

    /// Starts the program with its log in `folder`, named after `name`.
    pub async fn start(
        self,
        name: &str,
        folder: &Path,
        arrange: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Process> {
        let mut command = self.command().await?;
        Process::start(name, arrange(&mut command), &folder.join(format!("{name}.log")), None)
    }

    /// Runs the program to its end and returns its standard output; an exit code other than 0 is an error.
    pub async fn run(self, arrange: impl FnOnce(&mut Command) -> &mut Command) -> Result<String> {
        let mut command = self.command().await?;
        arrange(&mut command);
        let output = tokio::process::Command::from(command).kill_on_drop(true).output().await;
        let output = output.with_context(|| format!("failed to run {}", self.name()))?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!("{} ended ({}):\n{}", self.name(), output.status, String::from_utf8_lossy(&said));
        }
        String::from_utf8(output.stdout).with_context(|| format!("failed to read what {} said", self.name()))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Pavane => "pavane",
            Self::Sentinel => "pavane-sentinel",
            Self::Sidecar => "pavane-sidecar",
            Self::DemoService => "pavane-demo-service",
        }
    }
}

/// Waits until the address answers with success, or says how the program ended instead.
pub async fn answers(process: &mut Process, url: &str) -> Result<()> {
    let client = reqwest::Client::new();
    let up = wait::until(url, START, async || match process.must_run() {
        Ok(()) => wait::answers(&client, url).await.then_some(Ok(())),
        Err(ended) => Some(Err(ended)),
    });
    let up = up.await.and_then(|up| up);
    up.with_context(|| format!("failed to see an answer at {url}; it wrote:\n{}", process.tail()))
}

/// Where the programs lie that are to be taken as they are, e.g. those of a release; they are built when it is not set.
const BUILT_ALREADY: &str = "PAVANE_TEST_PROGRAMS";

/// `cargo test` builds the programs of other packages only by accident, so this builds them on purpose, into
/// the folder that the tests run from.
fn build() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(BUILT_ALREADY) {
        return Ok(PathBuf::from(folder));
    }
    let folder = place::profile_dir()?;
    let target = folder.parent().context("failed to find the target folder")?;
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--workspace", "--bins", "--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .current_dir(place::workspace())
        .output()
        .context("failed to run cargo")?;
    if !output.status.success() {
        bail!("failed to build the programs:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(folder)
}
