//! Finding a Java that is new enough: the default `java` of a stable distribution often is not.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Missing;

/// The oldest Java that the registry runs on; Kafka is content with 17.
pub const OLDEST: u32 = 21;

/// A Java runtime that is new enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jdk {
    /// The `java` program.
    pub java: PathBuf,
    /// The feature release, e.g. 25.
    pub release: u32,
}

impl Jdk {
    /// The first that is new enough of `PAVANE_TEST_JAVA` (the program), `JAVA_HOME`, the default `java`, and
    /// what lies below `/usr/lib/jvm` and `/opt`.
    pub fn find() -> Result<Self, Missing> {
        let mut seen = Vec::new();
        for java in candidates() {
            if let Some(release) = release(&java) {
                if release >= OLDEST {
                    return Ok(Self { java, release });
                }
                seen.push(format!("{} is {release}", java.display()));
            }
        }
        let seen = if seen.is_empty() { "no java was found".to_owned() } else { seen.join(", ") };
        Err(Missing(format!(
            "Java {OLDEST} or newer is needed: {seen}; install one, or name one in JAVA_HOME or PAVANE_TEST_JAVA"
        )))
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::env::var_os("PAVANE_TEST_JAVA").map(PathBuf::from).into_iter().collect();
    found.extend(std::env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java")));
    found.push(PathBuf::from("java"));
    for folder in ["/usr/lib/jvm", "/opt"] {
        // a folder that is not there holds no Java
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        let mut homes: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        homes.sort();
        found.extend(homes.into_iter().map(|home| home.join("bin/java")).filter(|java| java.exists()));
    }
    found
}

fn release(java: &Path) -> Option<u32> {
    let output = Command::new(java).arg("-version").output().ok()?;
    parse(&String::from_utf8_lossy(&output.stderr))
}

/// The feature release in what `java -version` says: `openjdk version "17.0.15" 2025-04-15`.
fn parse(text: &str) -> Option<u32> {
    let version = text.split('"').nth(1)?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_every_vendors_words() {
        assert_eq!(parse("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime"), Some(17));
        assert_eq!(parse("openjdk version \"25\" 2025-09-16 LTS"), Some(25));
        assert_eq!(parse("java version \"1.8.0_202\""), Some(1));
        assert_eq!(parse("openjdk version \"26-ea\" 2026-03-17"), Some(26));
        assert_eq!(parse("bash: java: command not found"), None);
    }
}
