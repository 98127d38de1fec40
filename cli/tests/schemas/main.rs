//! What people and pipelines rely on when they check a change of schemas: what is compared, who is named, in which form.

#![cfg(test)]

mod base;
mod change;
mod forms;
mod pages;
mod pipeline;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const READY: &str = "schemas/services/matchmaking/Ready.avsc";
const POOLS: &str = r#"{ "name": "pools", "type": { "type": "array", "items": "string" }, "doc": "Open pools.", "default": [] }"#;
const TOURNAMENT: &str = "service: tournament\ndomain: arena\nteam: competition\njournal: /var/lib/pavane/journal\n\
    version: { env: VERSION }\nreactions:\n  - { on: matchmaking.Ready, emit: DeploymentComplete, run: { exec: [./up] } }\n";
const SEASON: &str = "apiVersion: pavane/v1\nkind: Choreography\n\
    metadata: { name: season-7, owner: arena, runbook: \"https://runbooks.example/season\" }\nsteps:\n  \
    - { id: pools, expect: matchmaking.Ready, within: 5m }\n  \
    - { id: tournament, after: [pools], expect: tournament.DeploymentComplete, within: 5m }\n";

/// Matchmaking's form of `Ready`, whose `prerequisite` is of this type.
fn ready(prerequisite: &str, default: &str, more: &str) -> String {
    format!(
        r#"{{
  "type": "record", "name": "Ready", "namespace": "shop.matchmaking", "doc": "A pool is open.",
  "fields": [
    {{ "name": "prerequisite", "type": "{prerequisite}", "doc": "What is ready.", "default": {default} }},
    {{ "name": "detail", "type": "string", "doc": "More.", "default": "" }}{more}
  ]
}}
"#
    )
}

/// A checkout whose `main` holds the story as it was, on a branch of its own.
fn story() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(&folder, &["init", "-q", "-b", "main"]);
    put(&folder, READY, &ready("string", "\"\"", &format!(",\n    {POOLS}")));
    put(&folder, "services/tournament.yaml", TOURNAMENT);
    put(&folder, "season.yaml", SEASON);
    commit(&folder);
    git(&folder, &["checkout", "-q", "-b", "change"]);
    folder
}

fn check(folder: &TempDir, arguments: &[&str]) -> Output {
    run(folder.path(), &[&["schemas", "check"], arguments].concat())
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pavane"));
    for name in ["PAVANE_REGISTRY", "PAVANE_KAFKA", "GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder).output().unwrap()
}

fn git(folder: &TempDir, arguments: &[&str]) {
    let who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
    let mut command = Command::new("git");
    for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
        command.env_remove(name);
    }
    let output = command.args(who).args(arguments).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn commit(folder: &TempDir) {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "--allow-empty", "-m", "a state"]);
}

fn put(folder: &TempDir, file: &str, text: &str) {
    let path = folder.path().join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn findings(output: &Output) -> Vec<Value> {
    let json: Value = serde_json::from_str(&stdout(output))
        .unwrap_or_else(|_| panic!("{}{}", stdout(output), stderr(output)));
    json["findings"].as_array().unwrap().clone()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
