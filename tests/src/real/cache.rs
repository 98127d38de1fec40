//! Fetching the services' files once, by Maven with its ordinary settings, into the cache.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Missing;
use crate::place;

const KAFKA: &str = "4.3.1";
const APICURIO: &str = "3.3.3";

/// Whether Maven is there.
pub fn maven() -> Result<(), Missing> {
    match Command::new("mvn").arg("--version").output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(Missing(format!("mvn --version failed ({})", output.status))),
        Err(error) => Err(Missing(format!("Maven is needed: mvn does not run ({error})"))),
    }
}

/// The folder with Kafka's jars; fetched unless the cache holds it.
pub fn kafka() -> Result<PathBuf> {
    once(&format!("kafka-{KAFKA}"), fetch_kafka)
}

/// The folder with the registry's `quarkus-run.jar`; fetched unless the cache holds it.
pub fn apicurio() -> Result<PathBuf> {
    once(&format!("apicurio-{APICURIO}"), fetch_apicurio)
}

/// Fills a folder under a working name and renames it, so that a folder under its own name is whole. Test
/// binaries that run at the same time wait for each other.
pub(super) fn once(name: &str, fill: impl Fn(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = place::cache_dir()?;
    let lock = File::create(cache.join(format!("{name}.lock"))).context("failed to create a lock file")?;
    lock.lock().context("failed to lock the cache")?;
    let whole = cache.join(name);
    if whole.is_dir() {
        return Ok(whole);
    }
    let partial = cache.join(format!("{name}.partial"));
    if partial.exists() {
        std::fs::remove_dir_all(&partial).context("failed to clear what an earlier run left half done")?;
    }
    std::fs::create_dir_all(&partial).with_context(|| format!("failed to make {}", partial.display()))?;
    fill(&partial).with_context(|| format!("failed to fetch {name}"))?;
    std::fs::rename(&partial, &whole).with_context(|| format!("failed to name {}", whole.display()))?;
    Ok(whole)
}

fn fetch_kafka(folder: &Path) -> Result<()> {
    let pom = folder.join("pom.xml");
    let text = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>io.pavane</groupId><artifactId>test-cache</artifactId><version>1</version><dependencies>\
         <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>\
         <version>{KAFKA}</version></dependency></dependencies></project>\n"
    );
    std::fs::write(&pom, text).with_context(|| format!("failed to write {}", pom.display()))?;
    let goal = ["dependency:copy-dependencies", "-DoutputDirectory=."];
    run(Command::new("mvn").args(["-q", "-B"]).args(goal).current_dir(folder))
}

fn fetch_apicurio(folder: &Path) -> Result<()> {
    let artifact = format!("-Dartifact=io.apicurio:apicurio-registry-app:{APICURIO}:tar.gz:all");
    let goal = ["dependency:copy", &artifact, "-DoutputDirectory=."];
    run(Command::new("mvn").args(["-q", "-B"]).args(goal).current_dir(folder))?;
    let archive = folder.join(format!("apicurio-registry-app-{APICURIO}-all.tar.gz"));
    run(Command::new("tar").arg("-xzf").arg(&archive).current_dir(folder))?;
    std::fs::remove_file(&archive).with_context(|| format!("failed to remove {}", archive.display()))
}

/// Runs a command to its end; an error holds what it said.
pub(super) fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("failed to run {command:?}"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{command:?} failed ({}):\n{}", output.status, String::from_utf8_lossy(&said));
    }
    Ok(())
}
