//! What flows on a log against what is declared: what `pavane schemas drift` finds, and what `pavane graph --observed`
//! draws of it.

#![cfg(test)]

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use pavane_bus::wire::{Contract, encode_json};
use serde_json::{Value, json};
use tempfile::TempDir;

const READY: &str = r#"{
  "type": "record", "name": "Ready", "namespace": "shop.matchmaking", "doc": "A pool is open.",
  "fields": [
    { "name": "prerequisite", "type": "string", "doc": "What is ready.", "default": "" },
    { "name": "detail", "type": "string", "doc": "More.", "default": "" },
    { "name": "pools", "type": { "type": "array", "items": "string" }, "doc": "Open pools.", "default": [] },
    { "name": "seats", "type": "int", "doc": "How many seats.", "default": 8 }
  ]
}
"#;
const SEASON: &str = "apiVersion: pavane/v1\nkind: Choreography\n\
    metadata: { name: season-7, owner: arena, runbook: \"https://runbooks.example/season\" }\nsteps:\n  \
    - { id: pools, expect: matchmaking.Ready, within: 5m }\n  \
    - { id: tournament, after: [pools], expect: tournament.DeploymentComplete, within: 5m }\n  \
    - { id: prizes, after: [tournament], expect: prizes.DeploymentComplete, within: 5m }\n";

fn sidecar(service: &str, team: &str, on: &str) -> String {
    format!(
        "service: {service}\ndomain: arena\nteam: {team}\njournal: /var/lib/pavane/{service}\n\
         version: {{ env: VERSION }}\nreactions:\n  - {{ on: {on}, emit: DeploymentComplete, run: {{ exec: [./up] }} }}\n"
    )
}

/// Files that declare, and a log that holds more and less than they say.
fn arena() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(&folder, "schemas/services/matchmaking/Ready.avsc", READY);
    put(&folder, "season.yaml", SEASON);
    put(&folder, "tournament.yaml", &sidecar("tournament", "competition", "matchmaking.Ready"));
    put(&folder, "ladder.yaml", &sidecar("ladder", "ranking", "tournament.DeploymentComplete"));
    let contract = Contract::parse(READY).unwrap();
    let own = encode_json(&contract, 7, br#"{"prerequisite":"pools","pools":["a"]}"#).unwrap();
    let header = |text: &str| BASE64_STANDARD.encode(text);
    let raw = json!({
        "key": header("arena"), "value": BASE64_STANDARD.encode(&own.value),
        "headers": [["ce_dataschema", header(&own.dataschema)]],
    });
    let strange = json!({
        "key": null, "value": null,
        "headers": [["ce_dataschema", header(&format!("urn:pavane:schema:sha256:{}", "a".repeat(64)))]],
    });
    let log = [
        record(0, "matchmaking", "Ready", None, &json!({ "prerequisite": "pools" }), Some(&raw)),
        record(1, "tournament", "DeploymentStarted", Some(0), &json!({}), None),
        record(2, "tournament", "DeploymentComplete", Some(0), &json!({}), None),
        record(3, "chat", "DeploymentComplete", Some(0), &json!({}), None),
        record(4, "chat", "DeploymentComplete", Some(2), &json!({}), None),
        record(5, "tournament", "Drained", Some(99), &json!({}), None),
        record(6, "matchmaking", "Ready", None, &json!({ "prerequisite": "pools" }), Some(&strange)),
        json!({ "offset": 7, "at": 7, "unreadable": { "type": "com.example.Healthy", "reason": "foreign_type" } }).to_string(),
    ];
    let head = r#"{"format":"pavane.log/1","domain":"arena","partition":3,"begins":0}"#;
    put(&folder, "arena.jsonl", &format!("{head}\n{}\n", log.join("\n")));
    folder
}

fn record(
    at: u32,
    service: &str,
    event: &str,
    cause: Option<u32>,
    body: &Value,
    raw: Option<&Value>,
) -> String {
    let mut envelope = json!({
        "id": format!("e-{at}"), "source": format!("/pavane/arena/{service}/{service}-0"), "domain": "arena",
        "rollout": "r-1", "service": service, "instance": format!("{service}-0"), "version": "2.0.0",
    });
    if let Some(cause) = cause {
        envelope["causation"] = format!("e-{cause}").into();
    }
    let mut line =
        json!({ "offset": at, "at": 1_000 + at, "type": event, "envelope": envelope, "body": body });
    if let Some(raw) = raw {
        line["raw"] = raw.clone();
    }
    line.to_string()
}

#[test]
fn drift_tells_what_nothing_declares_and_what_never_comes() {
    let folder = arena();
    let output = run(&folder, &["schemas", "drift", "--file", "arena.jsonl", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut told: Vec<(String, String, u64)> = Vec::new();
    for one in json["findings"].as_array().unwrap() {
        let fields: Vec<&String> = one.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["code", "severity", "file", "line", "column", "message", "help"]);
        let word = |name: &str| one[name].as_str().unwrap().to_owned();
        told.push((
            format!("{} {} {}", word("code"), word("severity"), word("file")),
            word("message"),
            one["line"].as_u64().unwrap(),
        ));
    }
    let log = "arena.jsonl";
    let own = "schemas/services/matchmaking/Ready.avsc";
    let expected: Vec<(String, String, u64)> = [
        ("PAV540 error", log, "chat.DeploymentComplete flows, and no file knows chat: seen 2 times, first at offset 3", 5),
        ("PAV544 error", log, "chat moves on matchmaking.Ready, and no choreography and no sidecar file says so: seen 1 time, first at offset 3", 5),
        ("PAV544 error", log, "chat moves on tournament.DeploymentComplete, and no choreography and no sidecar file says so: seen 1 time, first at offset 4", 6),
        ("PAV540 error", log, "tournament.Drained flows, and no file says that tournament says it: seen 1 time, first at offset 5", 7),
        ("PAV541 warning", log, "matchmaking.Ready is written by a schema that no file here is (aaaaaaaaaaaa): seen 1 time, first at offset 6", 8),
        ("PAV540 error", log, "com.example.Healthy flows, and nobody can read it: seen 1 time, first at offset 7", 9),
        ("PAV542 warning", "ladder.yaml", "ladder.DeploymentComplete is declared, and was never seen in 8 records of arena.jsonl", 7),
        ("PAV543 warning", own, "the field seats of matchmaking.Ready was never filled: seen 2 times, first at offset 0", 7),
        ("PAV542 warning", "season.yaml", "prizes.DeploymentComplete is declared, and was never seen in 8 records of arena.jsonl", 7),
    ]
    .map(|(code, file, message, line)| (format!("{code} {file}"), message.to_owned(), line))
    .into();
    assert_eq!(told, expected);
    assert_eq!(text(&output.stderr), "8 records of arena.jsonl read; 1 moved by what stands before them\n");
}

#[test]
fn a_range_is_kept_to_and_what_is_meant_passes() {
    let folder = arena();
    let drift =
        |more: &[&str]| run(&folder, &[&["schemas", "drift", "--file", "arena.jsonl"], more].concat());
    assert_eq!(drift(&["--to", "3"]).status.code(), Some(0), "{}", text(&drift(&["--to", "3"]).stdout));
    assert_eq!(drift(&["--to", "3", "--warnings-as-errors"]).status.code(), Some(1));
    let allowed = ["--allow", "PAV540", "--allow", "PAV544"];
    assert_eq!(drift(&allowed).status.code(), Some(0));
    let late = text(&drift(&["--from", "5"]).stdout);
    assert!(!late.contains("chat") && late.contains("tournament.Drained"), "{late}");
    assert_eq!(drift(&["--from", "soon"]).status.code(), Some(2));
    assert_eq!(run(&folder, &["schemas", "drift", "--file", "nowhere.jsonl"]).status.code(), Some(3));
    let empty = tempfile::tempdir().unwrap();
    let output = run(&empty, &["schemas", "drift", "--file", "x.jsonl"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert_eq!(run(&folder, &["schemas", "drift"]).status.code(), Some(2), "neither a file nor a log");
    put(
        &folder,
        "chat.yaml",
        &sidecar("chat", "talk", "{ any: [matchmaking.Ready, tournament.DeploymentComplete] }"),
    );
    let told = text(&drift(&[]).stdout);
    assert!(!told.contains("chat moves"), "{told}");
    let never = "ladder.DeploymentComplete is declared, and was never seen";
    assert!(told.contains(never), "{told}");
    let meant = sidecar("ladder", "ranking", "tournament.DeploymentComplete");
    put(&folder, "ladder.yaml", &format!("{}   # pavane: allow PAV542: in spring alone\n", meant.trim_end()));
    let told = text(&drift(&[]).stdout);
    assert!(!told.contains(never), "a comment lets pass what is meant: {told}");
}

#[test]
fn the_observed_graph_tells_declared_from_seen_without_a_colour() {
    let folder = arena();
    let graph = |more: &[&str]| {
        let output = run(&folder, &[&["graph", "--observed", "--file", "arena.jsonl"], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    for (form, ending) in [("text", "txt"), ("mermaid", "mmd"), ("dot", "dot"), ("svg", "svg")] {
        golden(&format!("observed.{ending}"), &graph(&["--format", form]));
    }
    let teams = graph(&["--by", "team"]);
    assert!(teams.contains("!! moves on") && teams.contains("[nobody]"), "{teams}");
    let json: Value = serde_json::from_str(&graph(&["--output", "json"])).unwrap();
    let edges = json["sheets"][0]["edges"].as_array().unwrap();
    let undeclared = edges.iter().filter(|edge| edge["seen"]["declared"] == false).count();
    assert_eq!((undeclared, edges.len()), (2, 5), "{edges:#?}");
    let plain = run(&folder, &["graph", "--file", "arena.jsonl"]);
    assert_eq!(plain.status.code(), Some(2), "a log without --observed means nothing");
}

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drift").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} is drawn otherwise; set UPDATE_GOLDEN to accept this:\n{text}");
}

fn put(folder: &TempDir, file: &str, text: &str) {
    let path = folder.path().join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn run(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pavane"));
    for name in ["PAVANE_REGISTRY", "PAVANE_KAFKA", "PAVANE_DOMAIN"] {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder.path()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
