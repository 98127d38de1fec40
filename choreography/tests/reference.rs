//! The reference page tells every field that the reader knows, no other, and nothing that the reader refuses.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pavane_choreography::read;
use pavane_choreography::schema::{paths, schema, words};
use serde_json::Value;

#[test]
fn every_field_stands_in_the_page_in_the_order_of_the_words_and_no_other() {
    let page = page();
    let told: Vec<_> = rows(&page).into_iter().map(|row| row.field).collect();
    let known: Vec<_> = words().iter().map(|word| word.path.to_owned()).collect();
    assert_eq!(told, known);
    let mut fields = paths();
    let mut told = told;
    fields.sort();
    told.sort();
    assert_eq!(told, fields);
}

#[test]
fn what_is_required_and_what_is_assumed_is_told_as_it_is() {
    let page = page();
    let defaults: BTreeMap<_, _> = words().iter().map(|word| (word.path, word.default)).collect();
    for Row { field, default, .. } in rows(&page) {
        let told = default.trim_matches('`');
        assert_eq!(told == "required", is_required(&schema(), &field), "{field}");
        if let Some(assumed) = defaults[field.as_str()] {
            assert_eq!(told, assumed, "{field}");
        }
    }
}

#[test]
fn every_document_in_the_page_is_read() {
    let page = page();
    let documents: Vec<_> =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let whole: Vec<_> = documents.iter().filter(|text| text.starts_with("apiVersion")).collect();
    assert!(whole.len() >= 5, "{} documents", whole.len());
    for text in whole {
        let plan = read(text, "choreography.md").unwrap_or_else(|found| panic!("{found:#?}\n{text}"));
        assert_eq!(plan.check(), Ok(()));
    }
}

#[test]
fn every_field_stands_in_an_example() {
    let page = page();
    let examples: String =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let shown = |path: &str| {
        let name = path.rsplit('.').next().unwrap_or(path);
        examples.contains(&format!("{name}:"))
    };
    // the bound is shown once, and what the rehearsal reads has a page of its own
    let unshown: Vec<_> = paths().into_iter().filter(|path| !shown(path)).collect();
    assert_eq!(unshown, ["phases.watch.min", "tests"]);
}

struct Row {
    field: String,
    default: String,
}

/// The rows of tables that begin with a field.
fn rows(page: &str) -> Vec<Row> {
    let cells = |line: &str| line.split(" | ").map(str::to_owned).collect::<Vec<_>>();
    let fields = page.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells = cells(line.trim_start_matches("| ").trim_end_matches(" |"));
        Row { field: cells[0].trim_matches('`').to_owned(), default: cells[2].clone() }
    };
    fields.map(row).collect()
}

/// Whether the schema wants a field wherever what holds it is written.
fn is_required(schema: &Value, path: &str) -> bool {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let ways = schema["anyOf"].as_array().into_iter().flatten().chain(schema.get("items"));
    let mut holders =
        std::iter::once(schema).chain(ways).filter(|holder| !holder["properties"][name].is_null());
    let holder = holders.next().expect("a field that is known");
    match rest {
        Some(rest) => is_required(&holder["properties"][name], rest),
        None => holder["required"].as_array().is_some_and(|names| names.iter().any(|found| found == name)),
    }
}

fn page() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/choreography.md");
    fs::read_to_string(file).expect("the reference page")
}
