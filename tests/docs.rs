//! What the documents promise about themselves: pages that exist, links that lead somewhere.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pavane_events::Cause;
use pavane_sentinel_engine::diagnosis::{ALERTS, page_of};
use pavane_tests::place::workspace;

/// Does not compile when a cause is missing from it: the list of them must grow with it.
const fn listed(cause: Cause) -> bool {
    match cause {
        Cause::Failed
        | Cause::NotFinished
        | Cause::NotStarted
        | Cause::OutOfOrder
        | Cause::Conflict
        | Cause::ContractBroken
        | Cause::Undelivered
        | Cause::Gap
        | Cause::Unreachable
        | Cause::Unknown => true,
    }
}

#[test]
fn every_cause_has_a_page_that_says_what_to_do() {
    let folder = workspace().join("docs/verdicts");
    for cause in Cause::ALL {
        assert!(listed(cause));
        let page = read(&folder.join(format!("{}.md", cause.as_str())));
        assert!(page.starts_with(&format!("# {}\n", cause.as_str())), "{cause:?}");
        assert!(page.contains("\n## What to do\n"), "{cause:?}");
        let alone = page.contains("Never rolled back by itself");
        assert_eq!(
            alone,
            !cause.allows_rollback(),
            "{cause:?}: the page and the engine disagree on rollbacks"
        );
    }
}

#[test]
fn every_alert_has_a_page_and_every_page_is_of_a_cause_or_an_alert() {
    let folder = workspace().join("docs/verdicts");
    let mut known: BTreeSet<String> =
        Cause::ALL.into_iter().map(|cause| format!("{}.md", cause.as_str())).collect();
    known.insert("README.md".to_owned());
    for alert in ALERTS {
        let path = page_of(alert, "failed");
        let file = path.strip_prefix("docs/verdicts/").expect("it lies there").to_owned();
        let page = read(&folder.join(&file));
        assert!(page.contains("\n## What to do\n"), "{alert}");
        assert!(file == "failed.md" || page.starts_with(&format!("# {alert}\n")), "{alert}");
        known.insert(file);
    }
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name());
    let files: BTreeSet<String> = files.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(files, known);
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    let pages = pages();
    let mut broken = Vec::new();
    let mut followed = 0;
    for page in &pages {
        for link in links(&read(page)) {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            followed += 1;
            if !page.parent().expect("a page lies in a folder").join(path).exists() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
    assert!(followed > 10, "only {followed} links were found in {} pages", pages.len());
}

#[test]
fn a_link_is_found_in_the_text() {
    assert_eq!(links("see [a](b.md) and [c](d/e.md#f)."), ["b.md", "d/e.md#f"]);
}

#[test]
fn the_first_page_shows_the_two_commands_and_the_packages() {
    let text = read(&workspace().join("README.md"));
    for line in ["cargo run --release -- demo", "cargo test --workspace", "apt-get install"] {
        assert!(text.contains(line), "README.md does not show {line}");
    }
}

fn links(text: &str) -> Vec<String> {
    let ends = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    ends.map(str::to_owned).collect()
}

fn pages() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![workspace().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let hidden = path.file_name().is_some_and(|name| name == "target" || name == ".git");
            if path.is_dir() && !hidden {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                found.push(path);
            }
        }
    }
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("failed to read {}: {error}", path.display()))
}
