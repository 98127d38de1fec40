//! One Prometheus, from Debian's package.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use super::{debian, skip};
use crate::process::Process;
use crate::{place, program, wait};

const PACKAGE: &str = "prometheus";

/// The folder with `prometheus` and `promtool`. `None`: they cannot be had here and nobody insists.
pub async fn programs(test: &str) -> Option<Result<PathBuf>> {
    if let Err(missing) = debian::tools() {
        return skip(test, &missing);
    }
    let unpacked =
        tokio::task::spawn_blocking(|| debian::unpacked(PACKAGE)).await.expect("it does not panic");
    Some(unpacked.map(|folder| folder.join("usr/bin")))
}

/// A running Prometheus that scrapes and looks at its rules every second. It stops when dropped.
#[derive(Debug)]
pub struct Prometheus {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes an address, looks at these rules and tells an Alertmanager; each named `host:port`.
    pub async fn start(programs: &Path, target: &str, rules: &str, alertmanager: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("pavane-prometheus-").tempdir()?;
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        put("rules.yaml", rules).context("failed to write the rules")?;
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}
rule_files: [rules.yaml]
alerting: {{ alertmanagers: [{{ static_configs: [{{ targets: ['{alertmanager}'] }}] }}] }}
scrape_configs: [{{ job_name: pavane, static_configs: [{{ targets: ['{target}'] }}] }}]
"
        );
        put("prometheus.yml", &config).context("failed to write its file")?;
        let [port] = place::free_ports();
        let mut command = Command::new(programs.join(PACKAGE));
        command
            .arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process =
            Process::start("prometheus", &mut command, &folder.path().join("output.log"), None)?;
        program::answers(&mut process, &format!("http://127.0.0.1:{port}/-/ready")).await?;
        Ok(Self { port, _process: process, _folder: folder })
    }

    /// Waits until a query gives this value.
    pub async fn wait_value(&self, query: &str, value: &str, limit: Duration) -> Result<()> {
        let mut last = Value::Null;
        let found = wait::until(query, limit, async || {
            last = self.ask(&format!("query?query={query}")).await.ok()?;
            (last["data"]["result"][0]["value"][1] == value).then_some(())
        });
        let found = found.await;
        found.with_context(|| format!("it gave {last}"))
    }

    /// Waits until an alert of its own rules burns.
    pub async fn wait_firing(&self, name: &str, limit: Duration) -> Result<()> {
        let mut last = Value::Null;
        let found = wait::until(name, limit, async || {
            last = self.ask("alerts").await.ok()?;
            let alerts = last["data"]["alerts"].as_array()?;
            let burns = |alert: &&Value| alert["labels"]["alertname"] == name && alert["state"] == "firing";
            alerts.iter().any(|alert| burns(&alert)).then_some(())
        });
        let found = found.await;
        found.with_context(|| format!("burns: {last:#}"))
    }

    async fn ask(&self, path: &str) -> Result<Value> {
        let url = format!("http://127.0.0.1:{}/api/v1/{path}", self.port);
        Ok(reqwest::get(&url).await?.json().await?)
    }
}
