//! The files around a rollout: choreographies, sidecars' and sentinels' files, named one by one or by their folders.
//!
//! A file that is named must be what it is taken for, and every choreography must be sound. A sidecar's or sentinel's
//! file that merely lies in a folder and is not sound is left out by name: `pavane check` tells what is wrong with it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pavane_choreography::diagnostic::Diagnostic;
use pavane_sentinel::Config as SentinelConfig;
use pavane_sidecar::config::{Survey, survey};

use crate::document::{self, Document};
use crate::exit::Exit;
use crate::failure::Failure;

/// What is left alone in a folder beside hidden files.
const LEFT_ALONE: [&str; 2] = ["target", "node_modules"];

/// What was found, in the order in which it was named and within a folder by path.
#[derive(Debug, Default)]
pub struct Collection {
    /// The choreographies.
    pub choreographies: Vec<Document>,
    /// The sidecars' files.
    pub sidecars: Vec<Survey>,
    /// The sentinels' files.
    pub sentinels: Vec<SentinelConfig>,
    /// Files of sidecars and sentinels in a folder that are not sound.
    pub left_out: Vec<String>,
    /// Whether any file says where spans go.
    pub exports_spans: bool,
}

/// What a file looks like.
#[derive(Clone, Copy)]
enum Kind {
    Choreography,
    Sidecar,
    Sentinel,
    Other,
}

/// Reads files and folders. All defects of all files are in the failure.
pub fn read(paths: &[PathBuf]) -> Result<Collection, Failure> {
    let mut found = Collection::default();
    let mut defects = Vec::new();
    for (path, named) in files(paths)? {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&name, error))?;
        found.exports_spans |= text.contains("OTEL_EXPORTER_OTLP_");
        let kind = kind(&text, named);
        let outcome = match kind {
            Kind::Choreography => match document::parse(text, &name) {
                Ok(document) => {
                    found.choreographies.push(document);
                    Ok(())
                }
                Err(failure) => Err(failure.into_diagnostics()?),
            },
            Kind::Sidecar => survey(&text, &name).map(|survey| found.sidecars.push(survey)),
            Kind::Sentinel => {
                SentinelConfig::from_yaml(&text, &name).map(|config| found.sentinels.push(config))
            }
            Kind::Other => Ok(()),
        };
        match (outcome, kind, named) {
            (Ok(()), ..) => {}
            (Err(_), Kind::Sidecar | Kind::Sentinel, false) => found.left_out.push(name),
            (Err(told), ..) => defects.extend(told),
        }
    }
    if defects.is_empty() { Ok(found) } else { Err(invalid(defects)) }
}

impl Collection {
    /// The plans, or that there are none.
    pub fn plans(&self, paths: &[PathBuf]) -> Result<Vec<pavane_choreography::Plan>, Failure> {
        if self.choreographies.is_empty() {
            let named: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            return Err(Failure::new(Exit::Invalid, format!("no choreography is in {}", named.join(", ")))
                .help(
                    "name a choreography, or a folder that holds one: its file says `kind: Choreography`",
                ));
        }
        Ok(self.choreographies.iter().map(|document| document.plan.clone()).collect())
    }
}

/// The files behind the paths, each once, with whether it was named itself.
fn files(paths: &[PathBuf]) -> Result<Vec<(PathBuf, bool)>, Failure> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    for path in paths {
        let name = path.display().to_string();
        let about = std::fs::metadata(path).map_err(|error| unreadable(&name, error))?;
        let files = if about.is_dir() { folder(path)? } else { vec![path.clone()] };
        for file in files {
            let whole = std::fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
            if seen.insert(whole) {
                found.push((file, !about.is_dir()));
            }
        }
    }
    Ok(found)
}

/// The YAML files in a folder and below, by path. Links are not followed.
fn folder(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let (mut files, mut open) = (Vec::new(), vec![path.to_owned()]);
    while let Some(folder) = open.pop() {
        let failed = |error| unreadable(&folder.display().to_string(), error);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let skipped = name.starts_with('.') || (kind.is_dir() && LEFT_ALONE.contains(&name.as_str()));
            let yaml = entry.path().extension().is_some_and(|end| end == "yaml" || end == "yml");
            match (skipped, kind.is_dir(), kind.is_file() && yaml) {
                (true, _, _) | (false, false, false) => {}
                (false, true, _) => open.push(entry.path()),
                (false, false, true) => files.push(entry.path()),
            }
        }
    }
    files.sort();
    Ok(files)
}

/// A file that was named and looks like nothing of ours is taken for a choreography, so that its defects are told.
fn kind(text: &str, named: bool) -> Kind {
    let has = |field: &str| text.lines().any(|line| line.starts_with(field));
    let choreography = text.lines().any(|line| {
        line.strip_prefix("kind:").is_some_and(|kind| kind.trim_start().starts_with("Choreography"))
    });
    match (choreography, has("service:") && has("domain:"), has("domains:")) {
        (true, _, _) => Kind::Choreography,
        (false, true, _) => Kind::Sidecar,
        (false, false, true) => Kind::Sentinel,
        (false, false, false) if named => Kind::Choreography,
        (false, false, false) => Kind::Other,
    }
}

fn unreadable(name: &str, error: std::io::Error) -> Failure {
    Failure::new(Exit::Invalid, format!("cannot read {name}"))
        .because(error)
        .help("name files and folders that are there and can be read")
}

fn invalid(defects: Vec<Diagnostic>) -> Failure {
    let files: BTreeSet<&str> = defects.iter().map(|defect| defect.file.as_str()).collect();
    let name = match files.into_iter().collect::<Vec<_>>().as_slice() {
        [one] => (*one).to_owned(),
        several => format!("{} files together", several.len()),
    };
    Failure::invalid(&name, defects)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "apiVersion: pavane/v1\nkind: Choreography\nmetadata: { name: p, owner: o }\nsteps:\n  - \
                        { id: a, expect: a.Ready, within: 1m }\n";

    #[test]
    fn a_folder_gives_what_looks_like_ours_and_a_file_is_read_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("deep")).expect("a folder");
        std::fs::create_dir_all(path(".hidden")).expect("a folder");
        for (name, text) in [
            ("deep/plan.yaml", PLAN),
            (".hidden/plan.yaml", "kind: Choreography\n"),
            ("compose.yml", "services: {}\nenv: OTEL_EXPORTER_OTLP_ENDPOINT\n"),
            ("sentinel.yaml", "domains: [shop]\n"),
            ("sidecar.yaml", "service: a\ndomain: shop\n"),
            ("notes.txt", "kind: Choreography\n"),
        ] {
            std::fs::write(path(name), text).expect("a file");
        }
        let found = read(&[folder.path().to_owned(), path("deep/plan.yaml")]).expect("sound files");
        assert_eq!((found.choreographies.len(), found.sentinels.len()), (1, 1));
        assert!(found.exports_spans && found.sidecars.is_empty());
        assert_eq!(found.left_out, [path("sidecar.yaml").display().to_string()]);
        assert!(read(&[path("sidecar.yaml")]).is_err());
    }

    #[test]
    fn all_defects_of_all_files_are_told_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a.yaml", "b.yaml"] {
            std::fs::write(folder.path().join(name), PLAN.replace("within", "wihtin")).expect("a file");
        }
        let failure = read(&[folder.path().to_owned()]).expect_err("defects");
        let text = failure.to_text();
        assert!(text.contains("a.yaml:5") && text.contains("b.yaml:5"), "{text}");
        assert_eq!(failure.exit, Exit::Invalid);
        let none = Collection::default().plans(&[folder.path().to_owned()]).expect_err("none");
        assert!(none.to_text().contains("no choreography is in"));
    }
}
