//! What docs/faults.md promises is held by tests that there are: each row names some, and each of them exists.

#![cfg(test)]

use pavane_tests::place::workspace;

#[test]
fn every_fault_and_every_promise_names_tests_that_there_are() {
    let page = read("docs/faults.md");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.contains("| shown by |"));
    let (mut missing, mut named) = (Vec::new(), 0);
    for row in rows {
        let tests: Vec<_> = names(row).collect();
        assert!(!tests.is_empty(), "no test is named: {row}");
        named += tests.len();
        missing.extend(tests.into_iter().filter(|(file, name)| !exists(file, name)));
    }
    assert!(named > 60, "only {named} tests are named");
    assert!(missing.is_empty(), "these are named and do not exist: {missing:#?}");
}

#[test]
fn a_test_that_is_not_there_is_found() {
    let named: Vec<_> = names("| x | `y` | `tests/faults.rs::names` `a/b.rs::c` |").collect();
    assert_eq!(named, [("tests/faults.rs", "names"), ("a/b.rs", "c")]);
    assert!(exists("tests/faults.rs", "a_test_that_is_not_there_is_found"));
    assert!(!exists("tests/faults.rs", "names"), "it is no test");
    assert!(!exists("tests/faults.rs", "a_test_that_is_not"));
    assert!(exists("tests/simulation/fault.rs", "BrokerFrozen"));
    assert!(!exists("tests/simulation/fault.rs", "Broker"));
}

/// The tests that a row names, each as its file and its name.
fn names(row: &str) -> impl Iterator<Item = (&str, &str)> {
    row.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::"))
}

/// Whether a file has this test; of the simulation, whether this is one of the faults that strike; of the crash matrix, whether
/// it is one of its rows.
fn exists(file: &str, name: &str) -> bool {
    let text = read(file);
    if file == "tests/simulation/fault.rs" {
        return text.contains(&format!("(Self::{name}, "));
    }
    if text.contains(&format!("\n    {name} => ")) && text.contains("#[tokio::test") {
        return true;
    }
    let mut lines = text.lines().collect::<Vec<_>>().into_iter().rev();
    let it = format!("fn {name}(");
    lines.any(|line| line.trim_start().trim_start_matches("async ").starts_with(&it))
        && lines.take_while(|line| line.trim_start().starts_with('#')).any(is_attribute)
}

/// Whether a line marks what stands below it as a test.
fn is_attribute(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("#[test]") || line.starts_with("#[tokio::test")
}

fn read(path: &str) -> String {
    let path = workspace().join(path);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("failed to read {}: {error}", path.display()))
}
