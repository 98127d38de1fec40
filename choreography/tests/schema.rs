//! The published JSON Schema says what the reader reads: it is told by the reader, committed as it is told, and holds
//! against every file that the reader is held against.
//!
//! `UPDATE_GOLDEN=1` writes the committed schema anew.

mod validator;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pavane_choreography::schema::{paths, schema, words};
use pavane_choreography::yaml;
use serde_json::Value;
use validator::violations;

/// Defects that cannot be seen in one value at a time.
const UNSEEN: &[&str] = &[
    "after-any-itself",
    "after-any-unknown",
    "after-both-ways",
    "circle-of-three",
    "circle-of-two",
    "circle-through-any",
    "cohort-name-taken",
    "cohort-name-too-long",
    "cohorts-and-count",
    "cohorts-descending",
    "cohorts-without-the-rest",
    "compensate-by-another",
    "compensate-irreversible",
    "every-too-short",
    "matrix-missing",
    "matrix-not-in-id",
    "matrix-placeholder-unknown",
    "matrix-same-expectation",
    "matrix-too-many",
    "matrix-unused",
    "phase-for-none",
    "phase-of-unknown-step",
    "phase-opens-step-twice",
    "phase-order",
    "phase-twice",
    "phases-overlap-in-a-zone",
    "plan-too-large",
    "rollback-irreversible",
    "runs-with-any-version",
    "runs-with-bad-range",
    "same-expectation",
    "soak-beyond",
    "started-after-within",
    "step-twice",
    "step-unknown",
    "step-waits-for-itself",
    "text-deceives",
    "trigger-version",
    "version-bad",
    "watch-bound-no-number",
    "watch-slower-than-it-holds",
    "window-beyond",
    "window-overflow",
    "window-zero",
    "zone-twice",
    "zones-any",
    "zones-too-many",
];

#[test]
fn the_committed_schema_is_the_one_that_the_reader_tells() {
    let told = format!("{:#}\n", schema());
    let file = root().join("../schemas/choreography/v1/choreography.schema.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &told).expect("a folder that can be written");
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(told == committed, "{} differs; UPDATE_GOLDEN=1 writes it anew", file.display());
}

#[test]
fn every_field_has_words_and_all_words_are_about_a_field() {
    let fields: BTreeSet<String> = paths().into_iter().collect();
    let told: BTreeSet<String> = words().iter().map(|word| word.path.to_owned()).collect();
    assert_eq!(fields, told);
    assert!(fields.len() > 50, "{fields:?}");
    let schema = schema().to_string();
    for word in words() {
        let meaning = serde_json::to_string(word.meaning).expect("a text");
        assert!(schema.contains(&meaning), "{} is not described", word.path);
    }
}

#[test]
fn every_good_file_holds_against_the_schema() {
    let mut files = documents("tests/good");
    files.extend(documents("../deploy/choreographies"));
    for file in files {
        assert_eq!(
            violations(&schema(), &json(&file).expect("YAML")),
            Vec::<String>::new(),
            "{}",
            file.display()
        );
    }
}

#[test]
fn every_defect_that_a_schema_can_see_is_seen() {
    let mut unseen = BTreeSet::new();
    for file in documents("tests/defects") {
        // what is not YAML is seen by whoever parses it
        if json(&file).is_some_and(|json| violations(&schema(), &json).is_empty()) {
            unseen.insert(file.file_stem().expect("a name").to_string_lossy().into_owned());
        }
    }
    let listed: BTreeSet<String> = UNSEEN.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(unseen, listed);
}

fn json(file: &Path) -> Option<Value> {
    let text = fs::read_to_string(file).expect("UTF-8");
    yaml::read(&text, "", |item| Ok(item.json())).ok()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn documents(folder: &str) -> Vec<PathBuf> {
    let files =
        fs::read_dir(root().join(folder)).expect("the folder").map(|file| file.expect("a file").path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    files
}
