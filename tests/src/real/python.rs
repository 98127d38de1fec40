//! A Python with the stock clients: a second, independent reading of what stands on the wire.

use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context, Result};

use super::cache;
use crate::place;

/// Fixed, so that a green run stays green.
const PACKAGES: [&str; 3] =
    ["confluent-kafka[avro,schemaregistry]==2.16.0", "cloudevents==2.2.0", "fastavro==1.13.1"];

/// A Python whose packages lie in the cache.
#[derive(Clone, Debug)]
pub struct Python {
    program: PathBuf,
}

impl Python {
    /// Makes the environment where the cache does not hold it.
    pub fn get() -> Result<Self> {
        let cache = place::cache_dir()?;
        let lock = std::fs::File::create(cache.join("lock.python")).context("failed to lock the cache")?;
        lock.lock().context("failed to lock the cache")?;
        let folder = cache.join("python-1");
        let whole = folder.join("complete");
        if !whole.exists() {
            // an environment holds its own path, so it is filled in place and marked at the end
            cache::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
            let pip = ["install", "--quiet", "--disable-pip-version-check"];
            cache::run(Command::new(folder.join("bin/pip")).args(pip).args(PACKAGES))?;
            std::fs::write(&whole, PACKAGES.join("\n")).context("failed to mark the environment as whole")?;
        }
        Ok(Self { program: folder.join("bin/python") })
    }

    /// Runs a script of the workspace to its end.
    pub fn run(&self, script: &str, arguments: &[&str]) -> Result<Output> {
        let path = place::workspace().join(script);
        Command::new(&self.program)
            .arg(&path)
            .args(arguments)
            .output()
            .with_context(|| format!("failed to run {}", path.display()))
    }
}
