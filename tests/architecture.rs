//! The shape of the workspace, held by tests: who may use whom, how long a file may be, which words may stand.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use pavane_tests::place::workspace;
use serde_json::{Value, json};

/// Crate → the crates of ours that it may use. `tests` may use everything.
const ARROWS: [(&str, &[&str]); 15] = [
    ("pavane-schemas", &[]),
    ("pavane-contracts", &[]),
    ("pavane-events", &[]),
    ("pavane-choreography", &["pavane-events"]),
    ("pavane-sentinel-engine", &["pavane-events", "pavane-choreography"]),
    ("pavane-alerts", &["pavane-events", "pavane-sentinel-engine"]),
    ("pavane-sidecar-engine", &["pavane-events", "pavane-choreography"]),
    ("pavane-review", &["pavane-events", "pavane-choreography", "pavane-contracts", "pavane-schemas"]),
    (
        "pavane-rehearsal",
        &["pavane-events", "pavane-choreography", "pavane-sentinel-engine", "pavane-sidecar-engine"],
    ),
    ("pavane-bus", &["pavane-events", "pavane-schemas", "pavane-contracts"]),
    ("pavane-telemetry", &["pavane-events"]),
    (
        "pavane-sentinel",
        &[
            "pavane-events",
            "pavane-choreography",
            "pavane-sentinel-engine",
            "pavane-alerts",
            "pavane-bus",
            "pavane-telemetry",
        ],
    ),
    (
        "pavane-sidecar",
        &["pavane-events", "pavane-choreography", "pavane-sidecar-engine", "pavane-bus", "pavane-telemetry"],
    ),
    (
        "pavane-cli",
        &[
            "pavane-events",
            "pavane-choreography",
            "pavane-contracts",
            "pavane-review",
            "pavane-rehearsal",
            "pavane-schemas",
            "pavane-bus",
            "pavane-telemetry",
            "pavane-sentinel",
            "pavane-sentinel-engine",
            "pavane-alerts",
            "pavane-sidecar",
            "pavane-sidecar-engine",
        ],
    ),
    ("pavane-tests", &["*"]),
];

/// Pure crate → the foreign crates that it may use outside its tests.
const PURE: [(&str, &[&str]); 8] = [
    ("pavane-contracts", &["serde_json"]),
    ("pavane-events", &["hashbrown", "serde", "sha2", "smol_str", "thiserror"]),
    (
        "pavane-choreography",
        &["granit-parser", "semver", "serde", "serde-saphyr", "serde_json", "sha2", "strsim", "thiserror"],
    ),
    ("pavane-sentinel-engine", &["base64", "semver", "serde", "serde_json", "thiserror"]),
    ("pavane-alerts", &["jiff", "minijinja", "regex-lite", "serde", "serde_json", "thiserror"]),
    ("pavane-sidecar-engine", &["cel", "semver", "serde", "thiserror"]),
    ("pavane-review", &["semver", "serde", "serde_json"]),
    ("pavane-rehearsal", &["serde", "serde_json", "thiserror"]),
];

/// Foreign crate → the one crate of ours that may use it.
const KEPT: [(&str, &str); 3] =
    [("rdkafka", "pavane-bus"), ("schema_registry_converter", "pavane-bus"), ("redb", "pavane-sidecar")];

/// Crate → the kept crate that it may use nowhere but in its benches, because they measure ours against it.
const MEASURED: [(&str, &str); 1] = [("pavane-tests", "rdkafka")];

/// The places beside them that use such a crate: one does to topics what only an administrator does, and one carries the bytes
/// of a stranger's client.
const STRANGERS: [&str; 2] = ["tests/real/broker.rs", "tests/real/stock.rs"];

/// How many lines a source file may have without its tests.
const LONGEST: usize = 400;

/// How many lines a `main.rs` may have.
const LONGEST_MAIN: usize = 40;

/// File names that say nothing about the domain.
const EMPTY_NAMES: [&str; 10] =
    ["common", "core", "helper", "helpers", "imp", "manager", "misc", "types", "util", "utils"];

#[test]
fn crates_use_only_what_the_arrows_allow() {
    assert_eq!(violations(&metadata()), Vec::<String>::new());
}

#[test]
fn a_crossed_arrow_is_named() {
    let package = |name: &str, uses: Value| json!({ "name": name, "dependencies": uses });
    let normal = |name: &str| json!({ "name": name, "kind": null });
    let broken = json!({ "packages": [
        package("pavane-sentinel", json!([normal("pavane-sidecar")])),
        package("pavane-sidecar-engine", json!([normal("tokio"), { "name": "proptest", "kind": "dev" }])),
        package("pavane-cli", json!([normal("rdkafka")])),
        package("pavane-tests", json!([normal("rdkafka"), { "name": "redb", "kind": "dev" }])),
        package("pavane-stranger", json!([])),
    ]});
    let found = violations(&broken);
    for expected in [
        "pavane-sentinel must not use pavane-sidecar",
        "pavane-sidecar-engine is pure and must not use tokio",
        "pavane-cli must not use rdkafka, which pavane-bus keeps",
        "pavane-tests must not use rdkafka, which pavane-bus keeps",
        "pavane-tests must not use redb, which pavane-sidecar keeps",
        "pavane-stranger has no row in the table of arrows",
        "pavane-events stands in the table of arrows and is not in the workspace",
    ] {
        assert!(found.iter().any(|line| line == expected), "{expected}: {found:#?}");
    }
    assert!(!found.iter().any(|line| line.contains("proptest")), "{found:#?}");
}

#[test]
fn what_a_bench_measures_ours_against_is_used_by_benches_alone() {
    let tests = workspace().join("tests");
    for (_, used) in MEASURED {
        let uses = |path: &PathBuf| {
            let rust = path.extension().is_some_and(|extension| extension == "rs");
            rust && path.starts_with(&tests) && read(path).contains(&format!("use {used}::"))
        };
        let may = |path: &PathBuf| path.starts_with(tests.join("benches"));
        let stranger = |path: &PathBuf| STRANGERS.iter().any(|stranger| *path == workspace().join(stranger));
        let found = texts().into_iter().filter(uses).filter(|path| !stranger(path));
        let (benches, others): (Vec<_>, Vec<_>) = found.partition(may);
        assert!(!benches.is_empty(), "no bench uses {used}: take its row out");
        assert_eq!(others, Vec::<PathBuf>::new(), "{used} is for benches alone");
    }
}

#[test]
fn there_is_one_tls_stack() {
    let tree = tree("normal,build", &["--prefix", "none"]);
    let used = |name: &str| tree.lines().any(|line| line.starts_with(&format!("{name} v")));
    assert!(used("openssl-sys"), "rdkafka brings OpenSSL; if it does not, this test looks at nothing");
    for second in ["rustls", "ring", "aws-lc-sys", "aws-lc-rs"] {
        assert!(!used(second), "{second} is a second TLS stack with a second idea of which CA to trust");
    }
}

#[test]
fn spans_are_exported_by_a_client_that_needs_no_reactor() {
    let tree = tree("normal,build,features", &["-i", "opentelemetry-otlp"]);
    assert!(tree.contains("\"reqwest-blocking-client\""), "{tree}");
    // with the other client the export thread panics, and every span is lost without a word
    assert!(!tree.contains("\"reqwest-client\""), "{tree}");
}

#[test]
fn programs_that_tests_start_share_the_build_of_the_tests() {
    let features = |edges: &str| -> BTreeSet<String> {
        let tree = tree(edges, &["--prefix", "none", "-f", "{p} {f}"]);
        tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
    };
    let (tests, programs) = (features("normal,build,dev"), features("normal,build"));
    let package = |line: &str| line.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
    let built: BTreeSet<_> = programs.iter().map(|line| package(line)).collect();
    let twice: Vec<_> = tests.difference(&programs).filter(|line| built.contains(&package(line))).collect();
    assert!(twice.is_empty(), "tests/Cargo.toml has to switch on too, or all is built twice: {twice:#?}");
}

#[test]
fn what_is_shipped_has_no_places_at_which_a_test_ends_it() {
    let features = |packages: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.args(["tree", "--offline", "-e", "normal,build,features", "-i", "pavane-sidecar"]);
        for package in packages {
            command.args(["-p", package]);
        }
        let output = command.current_dir(workspace()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let shipped = features(&["pavane-cli", "pavane-sidecar", "pavane-sentinel"]);
    assert!(shipped.contains("pavane-sidecar"), "{shipped}");
    assert!(!shipped.contains("failpoints"), "{shipped}");
    assert!(features(&["pavane-tests"]).contains("failpoints"), "this looks at nothing");
}

#[test]
fn the_engines_are_fenced_against_clocks_files_and_chance() {
    let root = read(&workspace().join("clippy.toml"));
    for engine in ["sentinel/engine", "sidecar/engine"] {
        let fence = read(&workspace().join(engine).join("clippy.toml"));
        for rule in root.lines() {
            assert!(fence.contains(rule), "{engine}/clippy.toml lacks the root's rule {rule}");
        }
        for banned in [
            "std::time::Instant",
            "std::time::SystemTime",
            "std::time::SystemTime::now",
            "std::env::var",
            "std::fs::File",
            "std::net::TcpStream",
            "std::thread::spawn",
            "std::hash::RandomState",
            "std::collections::HashMap",
            "std::collections::HashSet",
        ] {
            let ban = format!("path = \"{banned}\", reason = \"");
            assert!(fence.contains(&ban), "{engine}/clippy.toml does not ban {banned} with a reason");
        }
    }
}

#[test]
fn no_source_file_outgrows_its_reader() {
    let long: Vec<String> = sources().iter().filter_map(|path| too_long(path, &read(path))).collect();
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn a_long_file_is_named_and_its_tests_do_not_count() {
    let long = "x\n".repeat(LONGEST + 1);
    let tested = format!("{}#[cfg(test)]\nmod tests {{\n{long}}}\n", "x\n".repeat(LONGEST));
    assert_eq!(too_long(Path::new("a.rs"), &tested), None);
    assert_eq!(too_long(Path::new("a.rs"), &long), Some("a.rs has 401 lines without tests".to_owned()));
    let main = "x\n".repeat(LONGEST_MAIN + 1);
    assert_eq!(too_long(Path::new("src/main.rs"), &main).map(|line| line.contains("main.rs")), Some(true));
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let silent: Vec<_> = sources().into_iter().filter(|path| !read(path).starts_with("//! ")).collect();
    assert!(silent.is_empty(), "these files do not begin with //! and a sentence: {silent:#?}");
}

#[test]
fn modules_are_nouns_of_the_domain() {
    let names = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        EMPTY_NAMES.contains(&stem.as_str())
    };
    let empty: Vec<_> = sources().into_iter().filter(names).collect();
    assert!(empty.is_empty(), "these names say nothing: {empty:#?}");
}

#[test]
fn no_text_holds_a_path_of_somebodys_machine() {
    // written in two halves, so that this file does not accuse itself
    let banned =
        [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];
    let mut found = Vec::new();
    for path in texts() {
        for (number, line) in read(&path).lines().enumerate() {
            if banned.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn tree(edges: &str, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--offline", "-e", edges])
        .args(arguments)
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Everything in which the workspace differs from the tables.
fn violations(metadata: &Value) -> Vec<String> {
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    let pure: BTreeMap<&str, &[&str]> = PURE.into_iter().collect();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        seen.insert(name);
        let Some(allowed) = arrows.get(name) else {
            found.push(format!("{name} has no row in the table of arrows"));
            continue;
        };
        for (used, kind) in uses(package) {
            if [name, "pavane-tests"].contains(&used) && kind == Some("dev") {
                // a crate's own tests may stand on the same harness, and on the crate with what is for tests alone
            } else if used.starts_with("pavane-") {
                if !allowed.contains(&used) && !allowed.contains(&"*") {
                    found.push(format!("{name} must not use {used}"));
                }
            } else if kind != Some("dev") && pure.get(name).is_some_and(|list| !list.contains(&used)) {
                found.push(format!("{name} is pure and must not use {used}"));
            }
            if kind == Some("dev") && MEASURED.contains(&(name, used)) {
                // a bench measures ours against it
            } else if let Some((_, keeper)) =
                KEPT.iter().find(|(kept, keeper)| *kept == used && *keeper != name)
            {
                found.push(format!("{name} must not use {used}, which {keeper} keeps"));
            }
        }
    }
    let gone = arrows.keys().filter(|name| !seen.contains(**name));
    found
        .extend(gone.map(|name| format!("{name} stands in the table of arrows and is not in the workspace")));
    found
}

fn uses(package: &Value) -> impl Iterator<Item = (&str, Option<&str>)> {
    let dependencies = package["dependencies"].as_array().unwrap();
    dependencies.iter().map(|used| (used["name"].as_str().unwrap(), used["kind"].as_str()))
}

fn too_long(path: &Path, text: &str) -> Option<String> {
    let lines = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().lines().count();
    let limit = if path.ends_with("main.rs") { LONGEST_MAIN } else { LONGEST };
    (lines > limit).then(|| format!("{} has {lines} lines without tests", path.display()))
}

/// Every Rust file of the workspace that is not a test of a crate.
fn sources() -> Vec<PathBuf> {
    let found: Vec<PathBuf> = texts()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter(|path| path.components().any(|part| part.as_os_str() == "src"))
        .collect();
    assert!(found.len() > 40, "only {} source files were found", found.len());
    found
}

/// Every text of the workspace that people wrote.
fn texts() -> Vec<PathBuf> {
    const ENDINGS: [&str; 10] = ["rs", "toml", "md", "yaml", "yml", "avsc", "json", "py", "sh", "service"];
    let mut found = Vec::new();
    let mut folders = vec![workspace().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let named = matches!(name.as_str(), "run" | "Containerfile");
            if path.is_dir() && !matches!(name.as_str(), "target" | ".git" | "__pycache__") {
                folders.push(path);
            } else if named || path.extension().is_some_and(|end| ENDINGS.iter().any(|&known| known == end)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("failed to read {}: {error}", path.display()))
}
