//! A Python with the stock clients: a second, independent reading of what stands on the wire.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::{Missing, cache, skip};
use crate::place;
use crate::process::Process;

/// The packages, with fixed versions.
const REQUIREMENTS: &str = include_str!("../../../bus/tests/stock_clients/requirements.txt");

/// Runs a script, and ends it after 3 minutes with a traceback of every thread: a client that waits for ever would
/// hold up the whole run and say nothing.
const BOUNDED: &str = "import faulthandler, runpy, sys; faulthandler.dump_traceback_later(180, exit=True); \
                       del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')";

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
        let digest = Sha256::digest(REQUIREMENTS);
        let folder = cache.join(format!("python-{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2]));
        let whole = folder.join("complete");
        if !whole.exists() {
            // an environment holds its own path, so it is filled in place and marked at the end
            cache::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
            let pip = ["install", "--quiet", "--disable-pip-version-check"];
            cache::run(Command::new(folder.join("bin/pip")).args(pip).args(REQUIREMENTS.lines()))?;
            std::fs::write(&whole, REQUIREMENTS).context("failed to mark the environment as whole")?;
        }
        Ok(Self { program: folder.join("bin/python") })
    }

    /// Starts a script of the workspace that goes on; its output goes into `folder`, named after `name`.
    pub fn start(&self, name: &str, script: &str, arguments: &[&str], folder: &Path) -> Result<Process> {
        let mut command = Command::new(&self.program);
        command.arg(place::workspace().join(script)).args(arguments);
        Process::start(name, &mut command, &folder.join(format!("{name}.log")), None)
    }

    /// A command for a program that one of the packages brings.
    pub fn tool(&self, name: &str) -> Command {
        Command::new(self.program.with_file_name(name))
    }

    /// Runs a script of the workspace to its end, for 3 minutes at most.
    pub fn run(&self, script: &str, arguments: &[&str]) -> Result<Output> {
        let path = place::workspace().join(script);
        Command::new(&self.program)
            .args(["-c", BOUNDED])
            .arg(&path)
            .args(arguments)
            .output()
            .with_context(|| format!("failed to run {}", path.display()))
    }
}

/// Whether a Python is here to make the environment with; else says that the test did not run.
///
/// # Panics
/// When there is none and `PAVANE_REQUIRE_REAL=1`.
pub fn is_there(test: &str) -> bool {
    let version = Command::new("python3").arg("--version").output();
    let missing = || Missing("python3 is needed and does not run".to_owned());
    version.is_ok_and(|output| output.status.success()) || skip::<()>(test, &missing()).is_some()
}
