//! The schemas of a change against what was there before: from the merge base in Git, and from the registry.

pub mod git;

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::diagnostic::Diagnostic;
use pavane_contracts::{Mode, Schema};
use pavane_review::check::Project;
use pavane_review::contracts::{Before, Offered, Summary, breaches, consumers, gone, summary};

/// Schemas that were there before. They are kept as texts, and parsed subject by subject: a registry holds many.
#[derive(Debug, Default)]
pub struct Earlier {
    /// By the full name of the record, oldest first: where each was found, and its text.
    versions: BTreeMap<String, Vec<(String, String)>>,
    /// The files that held them in the merge base: the file, the full name, where it was found.
    files: Vec<(String, String, String)>,
    /// What was held against, for a person.
    pub against: Vec<String>,
}

/// What came of holding schemas against earlier ones.
#[derive(Debug)]
pub struct Judged {
    /// Everything that breaks.
    pub findings: Vec<Diagnostic>,
    /// What has changed.
    pub summary: Summary,
}

impl Earlier {
    /// Adds a file of the merge base. One that is no schema there has nothing to be held against.
    pub fn add_file(&mut self, file: &str, label: &str, text: &str) {
        let Ok(schema) = Schema::parse(text) else { return };
        let name = schema.full_name().to_owned();
        if !name.is_empty() {
            self.add(&name, label, text.to_owned());
            self.files.push((file.to_owned(), name, label.to_owned()));
        }
    }

    /// Adds a version of the record with this full name.
    pub fn add(&mut self, name: &str, label: &str, text: String) {
        self.versions.entry(name.to_owned()).or_default().push((label.to_owned(), text));
    }

    /// The versions of a record, but for those that are no schemas.
    fn of(&self, name: &str) -> Vec<Before> {
        let versions = self.versions.get(name).into_iter().flatten();
        let parsed = |(label, text): &(String, String)| {
            Some(Before { label: label.clone(), schema: Schema::parse(text).ok()? })
        };
        versions.filter_map(parsed).collect()
    }
}

/// Holds all schemas of a project against earlier ones. `is_there` says whether a file still is.
pub fn judge(project: &Project, earlier: &Earlier, mode: Mode, is_there: impl Fn(&str) -> bool) -> Judged {
    let sound: Vec<(&Offered, Schema)> =
        project.offered.iter().filter_map(|one| Some((one, one.schema().ok()?))).collect();
    let mut findings = Vec::new();
    let mut rows = Vec::new();
    for (offered, new) in &sound {
        let mut before = earlier.of(new.full_name());
        findings.extend(breaches(&offered.file, new, &before, mode));
        if before.iter().any(|one| one.schema.text() != new.text()) {
            let change = consumers::Change { offered, new, before: &before };
            findings.extend(consumers::findings(project, &change, mode));
        }
        match before.pop() {
            Some(old) if old.schema.text() == new.text() => {}
            old => rows.push((*offered, new, old.map(|old| old.schema))),
        }
    }
    findings.extend(missing(&sound, earlier, is_there));
    let rows: Vec<_> = rows.iter().map(|(offered, new, old)| (*offered, *new, old.as_ref())).collect();
    let summary = summary(project, &rows, earlier.against.clone());
    Judged { findings, summary }
}

/// Schemas of the merge base that are not there any more.
fn missing(
    sound: &[(&Offered, Schema)],
    earlier: &Earlier,
    is_there: impl Fn(&str) -> bool,
) -> Vec<Diagnostic> {
    let names: BTreeSet<&str> = sound.iter().map(|(_, schema)| schema.full_name()).collect();
    let lost = earlier.files.iter().filter(|(_, name, _)| !names.contains(name.as_str()));
    lost.filter_map(|(file, name, label)| {
        let now = sound.iter().find(|(one, _)| one.file == *file).map(|(_, schema)| schema.full_name());
        // A file that is there and was not read, or holds no schema now, is told of elsewhere.
        (now.is_some() || !is_there(file)).then(|| gone(name, file, label, now))
    })
    .collect()
}
