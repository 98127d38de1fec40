//! What scripts rely on: exit codes, where things are printed, and the shape of JSON.

use std::process::{Command, Output};

use serde_json::Value;

const PLAN: &str = include_str!("../demo/plans/users-v2.yaml");

#[test]
fn help_goes_to_standard_output_and_names_the_exit_codes() {
    let output = pavane(&["--help"]);
    assert_eq!(code(&output), 0);
    for meaning in ["all is well", "Kafka or the registry cannot be reached", "pavane demo"] {
        assert!(stdout(&output).contains(meaning), "{}", stdout(&output));
    }
}

#[test]
fn every_command_has_help_of_its_own() {
    for command in [
        "demo",
        "dev",
        "topics",
        "schemas",
        "apply",
        "diff",
        "plan",
        "start",
        "emit",
        "status",
        "watch",
        "why",
        "replay",
        "pause",
        "resume",
        "abort",
        "rollback",
        "approve",
        "reject",
        "override",
        "hold",
        "release",
        "begin-anew",
        "sentinel",
        "sidecar",
    ] {
        let output = pavane(&[command, "--help"]);
        assert_eq!(code(&output), 0, "{command}");
        assert!(stdout(&output).contains("Usage: pavane"), "{command}");
    }
}

#[test]
fn an_unknown_command_or_event_is_a_usage_error() {
    assert_eq!(code(&pavane(&["dance"])), 2);
    let output = pavane(&[
        "emit",
        "--rollout",
        "r",
        "--service",
        "s",
        "--version",
        "1.0.0",
        "--event",
        "RolloutStarted",
    ]);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("a service says one of: Ready, DeploymentStarted"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_missing_address_is_a_usage_error_that_says_how_to_give_it() {
    let output = pavane(&["status", "--domain", "shop"]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("--kafka HOST:PORT or set PAVANE_KAFKA"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_broken_file_is_reported_whole_with_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.yaml");
    let broken = PLAN.replace("within: 1m", "within: soon").replace("owner: data", "ownr: data");
    std::fs::write(&file, broken).unwrap();
    let output = pavane(&["apply", "--dry-run", file.to_str().unwrap()]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).matches("broken.yaml:").count() >= 2, "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
    let output = pavane(&["--output", "json", "apply", "--dry-run", file.to_str().unwrap()]);
    let error: Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(error["error"]["exit"], 3);
    let first = &error["error"]["diagnostics"][0];
    for field in ["code", "severity", "file", "line", "column", "message", "help"] {
        assert!(!first[field].is_null(), "{field}: {first}");
    }
}

#[test]
fn a_plan_is_shown_with_every_default_resolved() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users-v2.yaml");
    std::fs::write(&file, PLAN).unwrap();
    let output = pavane(&["plan", "show", file.to_str().unwrap(), "--output", "json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let shown: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(shown["plan"]["steps"][1]["compensate"]["expect"]["event"], "RollbackComplete");
    assert_eq!(shown["digest"].as_str().unwrap().len(), 64);
    let defaults: Vec<&str> =
        shown["defaults"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for unwritten in ["concurrency", "steps.schema.on_stall", "steps.users.compensate.within"] {
        assert!(defaults.contains(&unwritten), "{unwritten}: {defaults:?}");
    }
    for written in ["method", "steps.schema.reversible", "steps.users.started_within"] {
        assert!(!defaults.contains(&written), "{written}: {defaults:?}");
    }
    let text = stdout(&pavane(&["plan", "show", file.to_str().unwrap()]));
    for line in
        ["  within            1m\n", "  on_stall          (alert)\n", "  maintenance       (any time)\n"]
    {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn editors_get_the_schema_of_choreographies() {
    let output = pavane(&["plan", "schema"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let schema: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(schema["$schema"].is_string() && schema["properties"]["steps"].is_object(), "{schema:#}");
}

#[test]
fn two_files_that_mean_the_same_are_told_apart_from_two_that_differ_by_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let old = file("old.yaml", PLAN);
    let reworded = file("reworded.yaml", &PLAN.replace("steps:", "# all of them\nsteps:"));
    let longer = file("longer.yaml", &PLAN.replacen("within: 1m", "within: 2m", 1));
    let same = pavane(&["diff", &old, &reworded]);
    assert_eq!((code(&same), stderr(&same)), (0, String::new()));
    assert!(stdout(&same).contains("no change in meaning"), "{}", stdout(&same));
    let differs = pavane(&["diff", &old, &longer]);
    assert_eq!((code(&differs), stderr(&differs)), (1, String::new()));
    assert!(
        stdout(&differs).contains("step schema\n  ~ within: 1m → 2m\n      silence is told 1m later\n"),
        "{}",
        stdout(&differs)
    );
    let differs = pavane(&["diff", &old, &longer, "--output", "json"]);
    let told: Value = serde_json::from_str(&stdout(&differs)).unwrap();
    assert_eq!((&told["same"], &told["changes"][0]["what"]), (&false.into(), &"within".into()));
    assert_eq!(code(&pavane(&["diff", &old, "nowhere.yaml"])), 3);
    assert_eq!(code(&pavane(&["diff"])), 2);
}

#[test]
fn two_files_of_one_name_are_not_published_one_over_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a.yaml", "b.yaml"].map(|name| folder.path().join(name));
    for file in &files {
        std::fs::write(file, PLAN).unwrap();
    }
    let output = pavane(&["apply", "--dry-run", files[0].to_str().unwrap(), files[1].to_str().unwrap()]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("are both named users-v2"), "{}", stderr(&output));
}

#[test]
fn a_broker_out_of_reach_has_an_exit_code_of_its_own() {
    let nobody = ["--kafka", "127.0.0.1:1", "--registry", "http://127.0.0.1:1", "--domain", "shop"];
    let output = pavane(&[&["status", "--output", "json"], &nobody[..]].concat());
    assert_eq!(code(&output), 4);
    let error: Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert!(error["error"]["message"].as_str().unwrap().contains("127.0.0.1:1"), "{error}");
    assert_eq!(stdout(&output), "");
}

fn pavane(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pavane"));
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("PAVANE_") || name.starts_with("OTEL_"))
    {
        command.env_remove(name);
    }
    command.args(arguments).output().expect("the program runs")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}
