//! A Node with stock libraries: a third, independent reading of what stands on the wire, and of what we write for others.

use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::cache;
use crate::place;

/// The packages, with fixed versions.
const PACKAGES: &str = include_str!("../../real/node/package.json");

/// A Node whose packages lie in the cache.
#[derive(Clone, Debug)]
pub struct Node {
    modules: PathBuf,
}

impl Node {
    /// Installs the packages where the cache does not hold them. None, said loudly, where there is no Node; with
    /// `PAVANE_REQUIRE_REAL` set that fails.
    pub fn get(test: &str) -> Option<Self> {
        let there = |program: &str| {
            Command::new(program).arg("--version").output().is_ok_and(|one| one.status.success())
        };
        if there("node") && there("npm") {
            return Some(Self::install().expect("the packages can be installed"));
        }
        assert!(std::env::var_os("PAVANE_REQUIRE_REAL").is_none(), "{test} needs node and npm");
        eprintln!("SKIPPED {test}: it needs node and npm");
        None
    }

    fn install() -> Result<Self> {
        let cache = place::cache_dir()?;
        let lock = std::fs::File::create(cache.join("lock.node")).context("failed to lock the cache")?;
        lock.lock().context("failed to lock the cache")?;
        let digest = Sha256::digest(PACKAGES);
        let folder = cache.join(format!("node-{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2]));
        let whole = folder.join("complete");
        if !whole.exists() {
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("failed to make {}", folder.display()))?;
            std::fs::write(folder.join("package.json"), PACKAGES).context("failed to name the packages")?;
            let install = ["install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"];
            cache::run(Command::new("npm").args(install).current_dir(&folder))?;
            std::fs::write(&whole, PACKAGES).context("failed to mark the packages as whole")?;
        }
        Ok(Self { modules: folder.join("node_modules") })
    }

    /// Runs a script of the workspace to its end.
    pub fn run(&self, script: &str, arguments: &[&str]) -> Result<Output> {
        let path = place::workspace().join(script);
        Command::new("node")
            .arg(&path)
            .args(arguments)
            .env("NODE_PATH", &self.modules)
            .output()
            .with_context(|| format!("failed to run {}", path.display()))
    }
}
