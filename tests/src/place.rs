//! Where things may live: free ports, the target folder and the cache beneath it.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Takes `N` different loopback ports that nobody listens on.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let held: [TcpListener; N] = std::array::from_fn(|_| {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port")
    });
    held.map(|listener| listener.local_addr().expect("a bound socket has an address").port())
}

/// The folder that cargo builds this profile into, e.g. `target/debug`; our binaries lie there.
pub fn profile_dir() -> Result<PathBuf> {
    let exe = std::env::current_exe().context("failed to find the running test binary")?;
    let dir = exe.parent().context("failed to find the folder of the test binary")?;
    let dir = if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir };
    Ok(dir.to_path_buf())
}

/// The folder for what is fetched once and kept: `PAVANE_TEST_CACHE`, or `test-cache` in cargo's target folder.
pub fn cache_dir() -> Result<PathBuf> {
    let dir = match std::env::var_os("PAVANE_TEST_CACHE") {
        Some(dir) => PathBuf::from(dir),
        None => profile_dir()?.parent().context("failed to find the target folder")?.join("test-cache"),
    };
    std::fs::create_dir_all(&dir).with_context(|| format!("failed to make the cache {}", dir.display()))?;
    Ok(dir)
}

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in a folder of the workspace")
}
