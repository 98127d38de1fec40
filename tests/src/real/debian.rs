//! Programs from Debian's packages, unpacked into the cache and installed nowhere.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::Missing;
use super::cache::{once, run};

/// Whether packages can be fetched and unpacked here.
pub(super) fn tools() -> Result<(), Missing> {
    for tool in ["apt-get", "dpkg"] {
        match Command::new(tool).arg("--version").output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => return Err(Missing(format!("{tool} --version failed ({})", output.status))),
            Err(error) => return Err(Missing(format!("{tool} is needed and does not run ({error})"))),
        }
    }
    Ok(())
}

/// The folder that a package was unpacked into; fetched unless the cache holds it.
pub(super) fn unpacked(package: &str) -> Result<PathBuf> {
    once(&format!("debian-{package}"), |folder| fetch(package, folder))
}

fn fetch(package: &str, folder: &Path) -> Result<()> {
    let download = |options: &[String]| {
        let mut apt = Command::new("apt-get");
        run(apt
            .args(options)
            .args(["-o", "APT::Sandbox::User=root", "download", package])
            .current_dir(folder))
    };
    // a machine that was just set up has no lists yet, and whoever is not root may not fetch them for all
    if download(&[]).is_err() {
        let own = lists(folder)?;
        run(Command::new("apt-get").args(&own).args(["-o", "APT::Sandbox::User=root", "update", "-qq"]))?;
        download(&own)?;
    }
    let files = std::fs::read_dir(folder).context("failed to look into the cache")?;
    let packages = files.filter_map(|file| Some(file.ok()?.path()));
    let package = packages.into_iter().find(|path| path.extension().is_some_and(|end| end == "deb"));
    let package = package.context("apt-get downloaded no package")?;
    run(Command::new("dpkg").arg("-x").arg(&package).arg(folder))
}

/// The options by which apt-get keeps its lists in the folder.
fn lists(folder: &Path) -> Result<Vec<String>> {
    for part in ["lists/partial", "archives/partial"] {
        std::fs::create_dir_all(folder.join(part)).context("failed to make a folder for the lists")?;
    }
    let at = |name: &str, part: &str| format!("Dir::{name}={}", folder.join(part).display());
    let settings = [
        at("State::lists", "lists"),
        at("Cache", "."),
        at("Cache::archives", "archives"),
        "Debug::NoLocking=1".to_owned(),
    ];
    Ok(settings.into_iter().flat_map(|setting| ["-o".to_owned(), setting]).collect())
}
