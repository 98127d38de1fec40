//! The files around a rollout: choreographies, sidecars' and sentinels' files, named one by one or by their folders.
//!
//! A file that is named must be what it is taken for, and every choreography must be sound. A sidecar's or sentinel's
//! file, or a template, that merely lies in a folder and is not sound is left out by name: `pavane check` tells what is wrong with it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use pavane_choreography::Plan;
use pavane_choreography::diagnostic::Diagnostic;
use pavane_sentinel::Config as SentinelConfig;
use pavane_sidecar::config::{Survey, survey};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, File, Kind};

/// What was found, in the order in which it was named and within a folder by path.
#[derive(Debug, Default)]
pub struct Collection {
    /// The choreographies.
    pub choreographies: Vec<Plan>,
    /// The sidecars' files.
    pub sidecars: Vec<Survey>,
    /// The sentinels' files.
    pub sentinels: Vec<SentinelConfig>,
    /// Files in a folder that are not sound: of sidecars and sentinels, and choreographies yet to be filled in.
    pub left_out: Vec<String>,
    /// Whether any file says where spans go.
    pub exports_spans: bool,
}

/// Reads files and folders. All defects of all files are in the failure.
pub fn read(paths: &[PathBuf]) -> Result<Collection, Failure> {
    let files = files::read(paths, &[])?;
    files.whole()?;
    let (mut found, mut defects) = (Collection::default(), files.garbled);
    for file in files.read {
        found.exports_spans |= file.text.contains("OTEL_EXPORTER_OTLP_");
        if let Err(told) = found.take(&file) {
            let beside = matches!(file.kind, Kind::Sidecar | Kind::Sentinel) || file.unfilled().is_some();
            if beside && !file.named {
                found.left_out.push(file.name);
            } else {
                defects.extend(told);
            }
        }
    }
    if defects.is_empty() { Ok(found) } else { Err(invalid(defects)) }
}

impl Collection {
    /// A file that was named and is nothing of ours is taken for a choreography, so that its defects are told.
    fn take(&mut self, file: &File) -> Result<(), Vec<Diagnostic>> {
        let (text, name) = (&file.text, &file.name);
        match file.kind {
            Kind::Choreography => self.choreographies.push(pavane_choreography::read(text, name)?),
            Kind::Other if file.named => self.choreographies.push(pavane_choreography::read(text, name)?),
            Kind::Sidecar => self.sidecars.push(survey(text, name)?),
            Kind::Sentinel => self.sentinels.push(SentinelConfig::from_yaml(text, name)?),
            Kind::Scenario | Kind::Schema { .. } | Kind::Other => {}
        }
        Ok(())
    }

    /// The plans, or that there are none.
    pub fn plans(&self, paths: &[PathBuf]) -> Result<&[Plan], Failure> {
        if self.choreographies.is_empty() {
            let named: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            return Err(Failure::new(Exit::Invalid, format!("no choreography is in {}", named.join(", ")))
                .help(
                    "name a choreography, or a folder that holds one: its file says `kind: Choreography`",
                ));
        }
        Ok(&self.choreographies)
    }
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
            ("sentinel.yaml", "domains: [shop]\nreceivers: []\n"),
            ("template.yaml", &PLAN.replace("owner: o", "owner: {{owner}}")),
            ("sidecar.yaml", "service: a\ndomain: shop\n"),
            ("notes.txt", "kind: Choreography\n"),
        ] {
            std::fs::write(path(name), text).expect("a file");
        }
        let found = read(&[folder.path().to_owned(), path("deep/plan.yaml")]).expect("sound files");
        assert_eq!((found.choreographies.len(), found.sentinels.len()), (1, 1));
        assert!(found.exports_spans && found.sidecars.is_empty());
        assert_eq!(
            found.left_out,
            ["sidecar.yaml", "template.yaml"].map(|name| path(name).display().to_string())
        );
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
