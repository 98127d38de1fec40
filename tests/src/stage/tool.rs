//! A service that is upgraded by a program: its version stands in a file, and a script that notes each of its
//! runs changes it. The script can be made to wait, to give up, and to leave the service unwell.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::dancer::Sidecar;
use super::{SOON, Stage, script};
use crate::{place, wait};

/// The sidecar's file of such a service.
const SIDECAR: &str = r#"service: {{service}}
domain: {{domain}}
team: platform
instance: {{service}}-0
http: "{{http}}"
journal: "{{folder}}/journal"
ready_needs_kafka: true
version: { file: "{{folder}}/version" }
reactions:
  - on: {{on}}
    run: { exec: ["sh", "{{folder}}/upgrade.sh", "{{folder}}"], timeout: 60s }
    retry: { attempts: 1 }
    ready: { exec: ["sh", "-c", "test ! -e '{{folder}}/unwell'"], within: 1m, successes: 1 }
    emit: DeploymentComplete
  - on: RollbackRequested
    run: { exec: ["sh", "{{folder}}/revert.sh", "{{folder}}"], timeout: 20s }
    emit: RollbackComplete
"#;

/// Waits at most a minute, so that a run that nobody ends does not stay.
const UPGRADE: &str = r#"echo run >> "$1/upgrades"
looks=0
while [ -e "$1/wait" ] && [ $looks -lt 1200 ]; do looks=$((looks + 1)); sleep 0.05; done
if [ -e "$1/give-up" ]; then touch "$1/ended"; exit 1; fi
echo 2.0.0 > "$1/version.new" && mv "$1/version.new" "$1/version"
touch "$1/ended"
"#;

const REVERT: &str = r#"echo run >> "$1/reverts"
echo 1.0.0 > "$1/version.new" && mv "$1/version.new" "$1/version"
"#;

/// How the next upgrade goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It waits until the manner is another.
    Wait,
    /// It ends without having changed anything.
    GiveUp,
    /// It does its work; the service is not well after it until the manner is another.
    LeaveUnwell,
    /// It does its work.
    Work,
}

/// A service that is upgraded by a program, and the sidecar beside it.
#[derive(Debug)]
pub struct Tool {
    /// The sidecar.
    pub sidecar: Sidecar,
    folder: PathBuf,
}

impl Tool {
    /// A service at version 1.0.0 that moves when `on` comes. `arguments` are further ones for the sidecar.
    pub async fn enter(stage: &Stage, service: &str, on: &str, arguments: &[&str]) -> Result<Self> {
        let folder = stage.path(&format!("{service}-files"));
        std::fs::create_dir(&folder).with_context(|| format!("failed to make {}", folder.display()))?;
        for (file, text) in [("upgrade.sh", UPGRADE), ("revert.sh", REVERT), ("version", "1.0.0\n")] {
            std::fs::write(folder.join(file), text).with_context(|| format!("failed to write {file}"))?;
        }
        let [port] = place::free_ports();
        let http = format!("127.0.0.1:{port}");
        let at = folder.display().to_string();
        let domain = stage.domain().to_string();
        let values =
            [("service", service), ("domain", &domain), ("http", &http), ("folder", &at), ("on", on)];
        let text = script::fill(SIDECAR, &values)?;
        let sidecar = Sidecar::start(stage, service, &text, &http, arguments).await?;
        Ok(Self { sidecar, folder })
    }

    /// How upgrades go from here on, one that waits included.
    pub fn behave(&self, manner: Manner) -> Result<()> {
        self.mark("unwell", manner == Manner::LeaveUnwell)?;
        self.mark("give-up", manner == Manner::GiveUp)?;
        self.mark("wait", manner == Manner::Wait)
    }

    /// Back to version 1.0.0, as before the first rollout.
    pub fn reset(&self) -> Result<()> {
        std::fs::write(self.folder.join("version"), "1.0.0\n").context("failed to write the version")?;
        for file in ["upgrades", "reverts", "ended"] {
            self.mark(file, false)?;
        }
        Ok(())
    }

    /// How often the upgrade was begun.
    pub fn upgrades(&self) -> usize {
        self.lines("upgrades")
    }

    /// How often the way back was begun.
    pub fn reverts(&self) -> usize {
        self.lines("reverts")
    }

    /// The version that runs.
    pub fn version(&self) -> Result<String> {
        let text =
            std::fs::read_to_string(self.folder.join("version")).context("failed to read the version")?;
        Ok(text.trim().to_owned())
    }

    /// Waits until the upgrade was begun.
    pub async fn begun(&self) -> Result<()> {
        wait::until("the upgrade to begin", SOON, async || (self.upgrades() > 0).then_some(())).await
    }

    /// Waits until the upgrade has ended, whatever has become of the sidecar.
    pub async fn ended(&self) -> Result<()> {
        let ended = self.folder.join("ended");
        wait::until("the upgrade to end", SOON, async || ended.exists().then_some(())).await
    }

    fn mark(&self, file: &str, there: bool) -> Result<()> {
        let path = self.folder.join(file);
        match (there, path.exists()) {
            (true, false) => std::fs::write(&path, "").with_context(|| format!("failed to write {file}")),
            (false, true) => std::fs::remove_file(&path).with_context(|| format!("failed to remove {file}")),
            (true, true) | (false, false) => Ok(()),
        }
    }

    fn lines(&self, file: &str) -> usize {
        std::fs::read_to_string(self.folder.join(file)).map_or(0, |text| text.lines().count())
    }
}
