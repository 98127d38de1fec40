//! Every code has a page, and every page keeps its word: its example is found, and mended it is not.

use std::path::{Path, PathBuf};

use clap::Parser as _;
use pavane_choreography::diagnostic::{Code, Diagnostic, Severity};
use pavane_contracts::Mode;
use pavane_review::check::{self, allowed};
use pavane_review::drift;

use super::super::reading;
use super::*;
use crate::args::Cli;
use crate::commands::Context;
use crate::console::Console;
use crate::contracts::{Earlier, judge};
use crate::drift::Held;
use crate::files;
use crate::replay::range::Range;

/// Codes of files that are too large for a page. Each is found in a file that is made here.
const TOO_LARGE_TO_SHOW: [Code; 3] = [Code::MoreDefects, Code::TooManySteps, Code::PlanTooLarge];

const HEAD: &str = "apiVersion: pavane/v1\nkind: Choreography\nmetadata: { name: a, owner: a }\n";

/// The files of a page's example, and the same files mended.
struct Example {
    broken: Vec<(String, String)>,
    mended: Vec<(String, String)>,
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let built_in: Vec<&str> = PAGES.iter().map(|(code, _)| *code).collect();
    assert_eq!(built_in, codes, "the list in pages.rs differs from the codes");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/codes");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".md").to_owned())
        .collect();
    files.sort();
    assert_eq!(files, codes, "docs/codes differs from the codes");
}

#[test]
fn every_page_says_what_the_code_means_and_what_to_do() {
    for code in Code::ALL {
        let page = page(*code);
        assert!(page.starts_with(&format!("# {}: {}\n\n", code.as_str(), code.meaning())), "{code:?}");
        assert!(page.contains("\n## What to do\n\n"), "{code:?}");
        assert_eq!(page.contains("\n## Example\n"), !TOO_LARGE_TO_SHOW.contains(code), "{code:?}");
    }
}

#[test]
fn the_example_of_each_page_is_found_and_mended_it_is_not() {
    let mut broken = Vec::new();
    for code in Code::ALL.iter().filter(|code| !TOO_LARGE_TO_SHOW.contains(code)) {
        let example = Example::of(page(*code));
        let (before, after) = (findings(&example.broken), findings(&example.mended));
        let has = |found: &[Diagnostic]| found.iter().any(|one| one.code == code.as_str());
        if !has(&before) {
            broken.push(format!("{code:?} is not found: {before:#?}"));
        }
        if has(&after) || after.iter().any(|one| one.severity == Severity::Error) {
            broken.push(format!("{code:?} is not mended: {after:#?}"));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn what_is_too_large_to_show_is_found_all_the_same() {
    let step =
        |id: usize, more: &str| format!("  - {{ id: s{id}, expect: a{id}.Ready, within: 1m{more} }}\n");
    let steps = |count: usize, more: &str| -> String { (0..count).map(|id| step(id, more)).collect() };
    let long = format!(
        "  - {{ id: \"s{{n}}\", expect: \"a{{n}}.Ready\", within: 1m, runbook: \"https://a.example/{}\" }}\n",
        "x".repeat(3_000)
    );
    let values: Vec<String> = (0..400).map(|n| n.to_string()).collect();
    let texts = [
        (Code::MoreDefects, format!("{HEAD}steps:\n{}", steps(150, ", oops: 1"))),
        (Code::TooManySteps, format!("{HEAD}steps:\n{}", steps(1_001, ""))),
        (Code::PlanTooLarge, format!("{HEAD}matrix: {{ n: [{}] }}\nsteps:\n{long}", values.join(", "))),
    ];
    for (code, text) in texts {
        assert!(TOO_LARGE_TO_SHOW.contains(&code));
        let found = findings(&[("a.yaml".to_owned(), text)]);
        assert!(found.iter().any(|one| one.code == code.as_str()), "{code:?}: {found:#?}");
    }
}

impl Example {
    fn of(page: &str) -> Self {
        let (text, remedy) = page.split_once("\n## What to do\n").unwrap();
        let broken = blocks(text.split_once("\n## Example\n").unwrap().1);
        let mut mended = broken.clone();
        mended.retain(|(file, _)| !remedy.contains(&format!("Without `{file}`.")));
        for (file, text) in blocks(remedy) {
            mended.retain(|(other, _)| *other != file);
            mended.push((file, text));
        }
        assert_ne!(broken, mended, "{page}");
        Self { broken, mended }
    }
}

/// The fenced blocks with the titles of their files.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("```") {
        let (title, after) = after.split_once('\n').unwrap();
        let (block, after) = after.split_once("```").unwrap();
        found.push((title.split_once("title=").unwrap().1.to_owned(), block.to_owned()));
        rest = after;
    }
    found
}

/// What a check of these files finds when each of them is named; those below `before/` are what was there before, and
/// a `.jsonl` is a log that they are held against.
fn findings(files: &[(String, String)]) -> Vec<Diagnostic> {
    let folder = tempfile::tempdir().unwrap();
    let (mut paths, mut log): (Vec<PathBuf>, Option<PathBuf>) = (Vec::new(), None);
    let mut earlier = Earlier::default();
    for (file, text) in files {
        if let Some(file) = file.strip_prefix("before/") {
            earlier.add_file(&folder.path().join(file).display().to_string(), "main", text);
            continue;
        }
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        if Path::new(file).extension().is_some_and(|end| end == "jsonl") {
            log = Some(path);
        } else {
            paths.push(path);
        }
    }
    let files = files::read(&paths, &[]).unwrap();
    files.whole().unwrap();
    let found = reading::read(files);
    let mut all = found.defects;
    all.extend(check::check(&found.project));
    all.extend(
        judge(&found.project, &earlier, Mode::FullTransitive, |file| Path::new(file).exists()).findings,
    );
    if let Some(log) = &log {
        all.extend(drifted(log, &found.project));
    }
    allowed::apply(all, &found.texts)
}

fn drifted(log: &Path, project: &pavane_review::check::Project) -> Vec<Diagnostic> {
    let cli = Cli::try_parse_from(["pavane", "status"]).unwrap();
    let context = Context { console: &Console::new(cli.manner), connection: &cli.connection };
    let range = Range { file: Some(log.to_owned()), from: None, to: None };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let held = runtime.block_on(Held::read(&range, project, context)).unwrap();
    drift::findings(project, &held.declared, &held.flow)
}
