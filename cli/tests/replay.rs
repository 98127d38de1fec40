//! What `pavane replay` and `pavane report` say of a log, read from a file: verdicts with their offsets, and what came of it
//! all, the same bytes every time.
//!
//! `UPDATE_GOLDEN=1` writes what is told anew; read the difference before it is committed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use pavane_cli::replay::line::{self, FORMAT, Head};
use pavane_events::{Body, Domain, Entry};
use pavane_rehearsal::{Performance, Piece, Sidecars, Stage, scenario};
use serde_json::Value;

#[test]
fn a_recorded_log_is_told_verdict_by_verdict_and_twice_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = record(&folder, "log.jsonl", &play("users-v2.yaml", DOES_NOT_START).log);
    let once = replay(&["--file", &file]);
    assert_eq!((once.status.code(), text(&once.stderr).as_str()), (Some(0), ""));
    let again = replay(&["--file", &file]);
    assert_eq!(text(&once.stdout), text(&again.stdout));
    golden("does-not-start.txt", &text(&once.stdout));
}

#[test]
fn for_programs_each_verdict_is_an_object_on_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let performance = play("users-v2.yaml", DOES_NOT_START);
    let file = record(&folder, "log.jsonl", &performance.log);
    let lines = json(&replay(&["--file", &file, "--output", "json"]));
    let stalls: Vec<&Value> =
        lines.iter().filter(|line| line["what"] == "accepted" && line["event"] == "RolloutStalled").collect();
    let said = performance.log.iter().find_map(stall).expect("it stalled");
    assert_eq!(stalls.len(), 1);
    assert_eq!((&stalls[0]["offset"], &stalls[0]["cause"]), (&said.0.into(), &said.1.into()));
    let sum = &lines.last().unwrap()["summary"];
    assert_eq!((&sum["records"], &sum["unfounded"]), (&performance.log.len().into(), &0.into()));
}

#[test]
fn a_range_says_what_is_printed_and_a_rollout_whose() {
    let folder = tempfile::tempdir().unwrap();
    let file = record(&folder, "log.jsonl", &play("users-v2.yaml", DOES_NOT_START).log);
    let all = json(&replay(&["--file", &file, "--output", "json"]));
    let offset = |line: &Value| line["offset"].as_i64();
    let late = json(&replay(&["--file", &file, "--output", "json", "--from", "62", "--to", "66"]));
    let wanted: Vec<&Value> =
        all.iter().filter(|line| offset(line).is_some_and(|at| (62..66).contains(&at))).collect();
    assert!(wanted.len() > 2 && late.iter().filter(|line| offset(line).is_some()).eq(wanted), "{late:#?}");
    let nobody = replay(&["--file", &file, "--rollout", "furst"]);
    assert_eq!((nobody.status.code(), text(&nobody.stdout).as_str()), (Some(1), ""));
    let said = text(&nobody.stderr);
    assert!(
        said.contains("nothing that was read is of rollout furst") && said.contains("did you mean first?"),
        "{said}"
    );
    let soon = json(&replay(&["--file", &file, "--output", "json", "--to", "2026-01-05T10:01:00Z"]));
    assert!(soon.iter().all(|line| line["event"] != "RolloutStalled") && soon.len() < all.len(), "{soon:#?}");
}

#[test]
fn a_report_says_what_came_of_the_rollouts_before_and_since() {
    let folder = tempfile::tempdir().unwrap();
    let file = record(&folder, "log.jsonl", &play("users-v2.yaml", DOES_NOT_START).log);
    let report = |arguments: &[&str]| run("report", &[&["--file", &file], arguments].concat());
    let whole = report(&[]);
    assert_eq!((whole.status.code(), text(&whole.stderr).as_str()), (Some(0), ""));
    golden("report.txt", &text(&whole.stdout));
    assert_eq!(text(&whole.stdout), text(&report(&[]).stdout), "the same log, the same report");
    golden("report-split.txt", &text(&report(&["--split", "62"]).stdout));

    let period = |arguments: &[&str], k: usize| {
        json(&report(&[&["--output", "json"], arguments].concat()))[0]["periods"][k].clone()
    };
    let (before, since) = (period(&["--split", "62"], 0), period(&["--split", "62"], 1));
    assert_eq!((&before["ended"], &before["incidents"]), (&serde_json::json!({}), &1.into()), "{before:#}");
    assert_eq!(before["told_after_ms"]["median"], 280, "{before:#}");
    assert_eq!(before["burned_ms"]["median"], 1_096, "a page counts where it began: {before:#}");
    assert_eq!((&since["ended"]["rolled_back"], &since["change_failure_rate"]), (&1.into(), &1.0.into()));
    assert_eq!(since["burning"], 1, "{since:#}");

    let late = period(&["--from", "62"], 0);
    assert_eq!(
        (&late["pages"]["RolloutStalled (not started)"], &late["ended"]["rolled_back"]),
        (&Value::Null, &1.into())
    );
    let other = period(&["--choreography", "another"], 0);
    assert_eq!((&other["incidents"], &other["ended"]), (&0.into(), &serde_json::json!({})), "{other:#}");
    assert_eq!(period(&["--choreography", "users-v2"], 0), period(&[], 0));
}

#[test]
fn a_verdict_that_the_log_did_not_accept_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = play("users-v2.yaml", DOES_NOT_START).log;
    log.retain(|entry| {
        !matches!(entry, Entry::Event(record) if matches!(&record.event.body, Body::Proposed(p) if p.kind.as_str() == "RolloutStalled"))
    });
    let output = replay(&["--file", &record(&folder, "log.jsonl", &log)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("  unfounded   first  RolloutStalled"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("that the log did not accept"), "{}", text(&output.stderr));
}

#[test]
fn a_file_that_is_no_log_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = record(&folder, "log.jsonl", &play("users-v2.yaml", DOES_NOT_START).log);
    let good = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let broken = |name: &str, lines: &[&str]| {
        let path = folder.path().join(name);
        std::fs::write(&path, lines.join("\n")).unwrap();
        let output = replay(&["--file", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        text(&output.stderr)
    };
    assert!(broken("head", &lines[1..]).contains("its first line is no head"));
    assert!(broken("twice", &[lines[0], lines[2], lines[1]]).contains("twice:3: offset 0 stands behind 1"));
    assert!(broken("garbled", &[lines[0], lines[1], "{\"offset\":"]).contains("garbled:3: EOF"));
    assert_eq!(replay(&["--file", "nowhere.jsonl"]).status.code(), Some(3));
    assert_eq!(replay(&["--file", &file, "--from", "soon"]).status.code(), Some(2));
}

#[test]
fn a_longer_window_turns_a_stall_and_a_shorter_one_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = record(&folder, "log.jsonl", &play("cascade.yaml", LATE).log);
    let longer =
        other(&folder, "cascade.yaml", "within: 2m\n    owner: identity", "within: 5m\n    owner: identity");
    let told = replay(&["--file", &file, "--plan", &longer]);
    assert_eq!((told.status.code(), text(&told.stderr).as_str()), (Some(1), ""));
    assert_eq!(text(&told.stdout), text(&replay(&["--file", &file, "--plan", &longer]).stdout));
    golden("longer-window.txt", &text(&told.stdout));
    let shorter =
        other(&folder, "cascade.yaml", "within: 2m\n    owner: identity", "within: 3s\n    owner: identity");
    golden("shorter-window.txt", &text(&replay(&["--file", &file, "--plan", &shorter]).stdout));
}

#[test]
fn the_same_plan_decides_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for (plan, timeline) in
        [("cascade.yaml", LATE), ("users-v2.yaml", DOES_NOT_START), ("hybrid.yaml", APPROVED)]
    {
        let file = record(&folder, "log.jsonl", &play(plan, timeline).log);
        let same = other(&folder, plan, "apiVersion", "apiVersion");
        let told = replay(&["--file", &file, "--plan", &same]);
        assert_eq!(told.status.code(), Some(0), "{plan}: {}{}", text(&told.stdout), text(&told.stderr));
        assert!(text(&told.stdout).contains("0 of 1 rollout would have gone otherwise"), "{plan}");
    }
}

#[test]
fn what_rests_on_a_rollback_that_another_plan_does_not_ask_for_is_marked_as_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let file = record(&folder, "log.jsonl", &play("users-v2.yaml", DOES_NOT_START).log);
    let patient = other(&folder, "users-v2.yaml", "started_within: 30s", "started_within: 4m");
    let told = replay(&["--file", &file, "--plan", &patient]);
    assert_eq!(told.status.code(), Some(1));
    golden("no-rollback.txt", &text(&told.stdout));
    let json = json(&replay(&["--file", &file, "--plan", &patient, "--output", "json"]));
    assert!(json[0]["rollouts"][0]["unknown_from"].is_i64(), "{json:#?}");
    let unknown = other(&folder, "users-v2.yaml", "name: users-v2", "name: users-v9");
    let nobody = replay(&["--file", &file, "--plan", &unknown]);
    assert_eq!(nobody.status.code(), Some(0), "nobody danced that");
    let said = text(&nobody.stderr);
    assert!(said.contains("nothing was compared") && said.contains("danced there: users-v2"), "{said}");
    let named = replay(&["--file", &file, "--plan", &unknown, "--rollout", "first"]);
    assert!(text(&named.stdout).contains("of 1 rollout"), "{}", text(&named.stdout));
}

#[test]
fn a_rollback_that_only_another_plan_asks_for_ends_what_can_be_known() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        record(&folder, "log.jsonl", &play("users-v2.yaml", "  - at: 0s\n    start: { by: ada }\n").log);
    let hasty = other(&folder, "users-v2.yaml", "started_within: 30s\n    within: 5m", "within: 5s");
    golden("hasty.txt", &text(&replay(&["--file", &file, "--plan", &hasty]).stdout));
}

const LATE: &str = "  - at: 0s\n    start: { by: ada }\n  - at: 0s\n    delay: { event: users.DeploymentComplete, by: 150s }\n";
const APPROVED: &str =
    "  - at: 0s\n    start: { by: ada }\n  - at: 10m\n    approve: { phase: till, by: grace }\n";
const DOES_NOT_START: &str =
    "  - at: 0s\n    start: { by: ada }\n  - at: 30s\n    fail: { service: user-service, how: start }\n";

fn stall(entry: &Entry) -> Option<(i64, &'static str)> {
    let Entry::Event(record) = entry else { return None };
    let Body::RolloutStalled(said) = &record.event.body else { return None };
    Some((said.accepted, said.cause.as_str()))
}

fn play(plan: &str, timeline: &str) -> Performance {
    let text = format!(
        "apiVersion: pavane/v1\nkind: Scenario\nname: recorded\nplan: {plan}\ntimeline:\n{timeline}expect:\n  - never: {{ said: Drained }}\n"
    );
    let script = scenario::read(&text, "recorded", &mut |plan| {
        let text = plan_text(plan);
        let plan = pavane_choreography::read(&text, plan).map_err(|defects| format!("{defects:#?}"))?;
        Ok(Arc::new(Piece::new(plan)))
    });
    Stage::new(script.unwrap_or_else(|defects| panic!("{defects:#?}")), &Sidecars::new()).play(1)
}

fn plan_text(name: &str) -> String {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/why").join(name);
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rehearsal/tests/scenarios").join(name);
    std::fs::read_to_string(if own.exists() { own } else { other }).expect("the plan is there")
}

/// A plan with one thing changed, as a file.
fn other(folder: &tempfile::TempDir, plan: &str, from: &str, to: &str) -> String {
    let text = plan_text(plan);
    assert!(text.contains(from), "{plan} does not say {from}");
    let path = folder.path().join("other.yaml");
    std::fs::write(&path, text.replacen(from, to, 1)).expect("it can be written");
    path.to_str().expect("text").to_owned()
}

fn record(folder: &tempfile::TempDir, name: &str, log: &[Entry]) -> String {
    let domain = Domain::new("rehearsal").expect("it can be written");
    let head = Head { format: FORMAT.to_owned(), domain, partition: 0, begins: 0 };
    let head = serde_json::to_string(&head).expect("it can be written");
    let lines = log.iter().map(|entry| line::write(entry, None).expect("it can be written"));
    let all: Vec<String> = std::iter::once(head).chain(lines).collect();
    let path = folder.path().join(name);
    std::fs::write(&path, all.join("\n") + "\n").expect("it can be written");
    path.to_str().expect("it can be written").to_owned()
}

fn replay(arguments: &[&str]) -> Output {
    run("replay", arguments)
}

fn run(verb: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pavane"));
    let ours = |name: &String| name.starts_with("PAVANE_") || name.starts_with("OTEL_");
    for name in std::env::vars().map(|(name, _)| name).filter(ours) {
        command.env_remove(name);
    }
    command.arg(verb).args(arguments).output().expect("the program runs")
}

fn json(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn golden(name: &str, found: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).expect("the folder is ours");
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{name} reads otherwise:\n{found}");
}
