//! Every defect that a file can have is told with its place and its remedy; every good file has its plan.
//!
//! `UPDATE_GOLDEN=1` writes the expectations anew; read the difference before it is committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pavane_choreography::diagnostic::{Code, Diagnostic};
use pavane_choreography::yaml::MAX_BYTES;
use pavane_choreography::{Plan, read};

#[test]
fn each_defect_is_told_with_its_place_and_its_remedy() {
    for file in documents("defects") {
        let found = read(&text(&file), &name(&file)).expect_err(&name(&file));
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        compare(&file.with_extension("txt"), &(told.join("\n") + "\n"));
    }
}

#[test]
fn one_defect_is_told_once() {
    let many = ["many-defects.yaml", "many-more.yaml", "yaml-bomb.yaml", "yaml-key-is-a-map.yaml"];
    for file in documents("defects").into_iter().filter(|file| !many.contains(&name(file).as_str())) {
        let found = read(&text(&file), &name(&file)).expect_err(&name(&file));
        assert_eq!(found.len(), 1, "{}: {found:#?}", name(&file));
    }
}

#[test]
fn every_code_that_a_choreography_can_get_has_an_example() {
    let found: BTreeSet<String> = documents("defects")
        .iter()
        .flat_map(|file| read(&text(file), "").expect_err(&name(file)))
        .map(|found| found.code)
        .collect();
    let ours = Code::ALL.iter().filter(|code| code.as_str() < "PAV200");
    let missing: Vec<_> = ours.filter(|code| !found.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "without a file in tests/defects: {missing:?}");
}

#[test]
fn a_file_beyond_the_size_limit_is_not_even_parsed() {
    let found = read(&"x".repeat(MAX_BYTES + 1), "big.yaml").expect_err("too large");
    assert_eq!(codes(&found), ["PAV003"]);
}

#[test]
fn a_good_file_has_exactly_its_plan() {
    for file in documents("good") {
        let plan = read(&text(&file), &name(&file)).unwrap_or_else(|found| panic!("{found:#?}"));
        let told = serde_json::json!({ "digest": plan.digest(), "plan": plan });
        compare(&file.with_extension("json"), &format!("{told:#}\n"));
        assert_eq!(Plan::from_json(&plan.to_json()).expect("a plan"), plan);
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    for file in documents("good") {
        let plain = text(&file);
        let other = format!("\u{feff}{}", plain.replace('\n', "\r\n"));
        assert_eq!(read(&other, "a.yaml"), read(&plain, "a.yaml"));
    }
}

fn codes(found: &[Diagnostic]) -> Vec<&str> {
    found.iter().map(|found| found.code.as_str()).collect()
}

fn documents(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let files = fs::read_dir(&folder).expect("the folder").map(|file| file.expect("a file").path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

fn name(file: &Path) -> String {
    file.file_name().expect("a name").to_string_lossy().into_owned()
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).expect("UTF-8")
}

fn compare(golden: &Path, told: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(golden, told).expect("a folder that can be written");
    }
    let wanted = fs::read_to_string(golden).unwrap_or_default();
    assert_eq!(told, wanted, "{} differs; UPDATE_GOLDEN=1 writes it anew", golden.display());
}
