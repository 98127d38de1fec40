//! What people and pipelines rely on when they check a change of schemas: what is compared, who is named, in which form.

#![cfg(test)]

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

#[test]
fn the_change_that_once_stalled_a_season_names_who_would_wait_in_vain() {
    let folder = story();
    put(&folder, READY, &ready("int", "0", &format!(",\n    {POOLS}")));
    let output = check(&folder, &["--base", "main", "--output", "json"]);
    assert_eq!(code(&output), 1, "{}", stdout(&output));
    let findings = findings(&output);
    let breaks = findings.iter().find(|one| one["code"] == "PAV530").expect("somebody breaks");
    assert_eq!(
        breaks["message"],
        "matchmaking.Ready changes, and `tournament` (team competition) cannot read it: /prerequisite: the writer has int \
         where the reader has string; in the choreography `season-7` the step `tournament` would stall"
    );
    assert_eq!((&breaks["file"], &breaks["line"], &breaks["column"]), (&READY.into(), &4.into(), &39.into()));
    let fields: Vec<&String> = breaks.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["code", "severity", "file", "line", "column", "message", "help"]);
    let codes: Vec<&str> = findings.iter().filter_map(|one| one["code"].as_str()).collect();
    for expected in ["PAV508", "PAV521", "PAV531"] {
        assert!(codes.contains(&expected), "{expected} in {codes:?}");
    }
}

#[test]
fn a_change_that_everybody_can_read_passes() {
    let folder = story();
    let more = r#"{ "name": "region", "type": ["null", "string"], "doc": "Where.", "default": null }"#;
    put(&folder, READY, &ready("string", "\"\"", &format!(",\n    {POOLS},\n    {more}")));
    let output = check(&folder, &[]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    let told = format!("{READY}\n  + /region: [null, string] = null\n\n1 file checked, nothing found\n");
    assert_eq!(stdout(&output), told);
}

#[test]
fn a_field_that_a_service_says_it_uses_may_not_go_default_or_not() {
    let folder = story();
    put(&folder, READY, &ready("string", "\"\"", ""));
    assert_eq!(code(&check(&folder, &[])), 0, "nobody says that it uses the pools");
    let uses = format!("{TOURNAMENT}consumes:\n  - {{ event: matchmaking.Ready, fields: [pools] }}\n");
    put(&folder, "services/tournament.yaml", &uses);
    let output = check(&folder, &[]);
    assert_eq!(code(&output), 1);
    let told = "`tournament` (team competition) cannot read it: /pools: it was array of string, and is not written any more";
    assert!(stdout(&output).contains(told), "{}", stdout(&output));
    assert!(stdout(&output).contains("(services/tournament.yaml:9)"), "{}", stdout(&output));
}

#[test]
fn a_reader_by_a_schema_of_its_own_is_held_to_that_schema() {
    let folder = story();
    let uses = format!("{TOURNAMENT}consumes:\n  - {{ event: matchmaking.Ready, schema: reads.avsc }}\n");
    put(&folder, "services/tournament.yaml", &uses);
    put(&folder, "services/reads.avsc", &ready("string", "\"\"", &format!(",\n    {POOLS}")));
    assert_eq!(code(&check(&folder, &[])), 0, "{}", stdout(&check(&folder, &[])));
    let text = POOLS.replace(r#"{ "type": "array", "items": "string" }"#, "\"string\"").replace("[]", "\"\"");
    put(&folder, READY, &ready("string", "\"\"", &format!(",\n    {text}")));
    let output = check(&folder, &[]);
    let told = "`tournament` (team competition) cannot read it: /pools: the writer has string where the reader has array of string";
    assert!(code(&output) == 1 && stdout(&output).contains(told), "{}", stdout(&output));
}

#[test]
fn every_form_tells_the_same_findings() {
    let folder = story();
    put(&folder, READY, &ready("int", "0", ""));
    let of = |form: &str| stdout(&check(&folder, &["--format", form]));
    let count = findings(&check(&folder, &["--format", "json"])).len();
    assert!(count > 3);
    assert_eq!(of("github").lines().filter(|line| line.starts_with("::")).count(), count);
    assert!(of("github").starts_with("::error "), "the worst first: {}", of("github"));
    let sarif: Value = serde_json::from_str(&of("sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), count);
    let gitlab: Value = serde_json::from_str(&of("gitlab")).unwrap();
    let entries = gitlab.as_array().unwrap();
    assert_eq!(entries.len(), count);
    for entry in entries {
        assert!(
            entry["location"]["lines"]["begin"].is_u64()
                && entry["fingerprint"].as_str().unwrap().len() == 64
        );
    }
    assert!(of("junit").contains("<failure type=\"PAV5"), "{}", of("junit"));
    let markdown = of("markdown");
    assert!(
        markdown.contains("```diff\n- /prerequisite: string = \"\"\n+ /prerequisite: int = 0\n"),
        "{markdown}"
    );
    assert!(
        markdown.contains("```mermaid\nflowchart LR") && markdown.contains("❌ error PAV530"),
        "{markdown}"
    );
}

#[test]
fn it_is_the_commit_where_both_part_that_counts_and_names_are_from_the_top() {
    let folder = story();
    git(&folder, &["checkout", "-q", "main"]);
    put(
        &folder,
        READY,
        &ready("string", "\"\"", &format!(",\n    {POOLS},\n    {}", POOLS.replace("pools", "later"))),
    );
    commit(&folder);
    git(&folder, &["checkout", "-q", "change"]);
    let inner = folder.path().join("services");
    let output = run(&inner, &["schemas", "check", "--base", "main", "--output", "json"]);
    assert_eq!((code(&output), findings(&output).len()), (0, 0), "what main did later is no change of ours");
    std::fs::remove_file(folder.path().join(READY)).unwrap();
    let output = run(&inner, &["schemas", "check", "--base", "main", "--output", "json"]);
    let gone = &findings(&output)[0];
    assert_eq!((code(&output), &gone["code"], &gone["file"]), (1, &"PAV527".into(), &READY.into()));
    let output = run(&inner, &["schemas", "check", "--base", "main", "--allow", "PAV527"]);
    assert_eq!(code(&output), 0);
}

#[test]
fn what_cannot_be_compared_is_said_and_never_passes() {
    let folder = story();
    for base in ["nowhere", "--output=/tmp/x", "-h", "main:season.yaml", "$(touch x)"] {
        let output = check(&folder, &[&format!("--base={base}")]);
        assert_eq!(code(&output), 3, "{base}");
        assert!(stderr(&output).contains("Git knows no commit"), "{base}: {}", stderr(&output));
    }
    git(&folder, &["checkout", "-q", "--orphan", "other"]);
    put(&folder, "other.txt", "another beginning");
    commit(&folder);
    let output = check(&folder, &["--base", "main"]);
    assert!(code(&output) == 3 && stderr(&output).contains("no commit in common"), "{}", stderr(&output));
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(code(&check(&empty, &[])), 2, "no schema, no checkout");
    put(&empty, READY, &ready("string", "\"\"", ""));
    assert_eq!(code(&check(&empty, &["--base", "main"])), 2, "no checkout");
    assert_eq!(code(&check(&empty, &[])), 0, "without one the schemas are looked at by themselves");
    let output = check(&empty, &["--registry", "http://127.0.0.1:1"]);
    assert_eq!(code(&output), 4, "{}", stderr(&output));
}

#[test]
fn nothing_that_lies_in_a_hostile_checkout_is_run() {
    let folder = story();
    let trap = folder.path().join("trap.sh");
    let sprung = folder.path().join("sprung");
    std::fs::write(&trap, format!("#!/bin/sh\ntouch '{}'\ncat\n", sprung.display())).unwrap();
    Command::new("chmod").arg("+x").arg(&trap).status().unwrap();
    let trap = trap.display().to_string();
    for key in [
        "core.fsmonitor",
        "core.pager",
        "diff.evil.textconv",
        "diff.evil.command",
        "filter.evil.smudge",
        "core.sshCommand",
    ] {
        git(&folder, &["config", key, &trap]);
    }
    put(&folder, ".gitattributes", "*.avsc diff=evil filter=evil\n");
    let hook = folder.path().join(".git/hooks/post-checkout");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::copy(folder.path().join("trap.sh"), hook).unwrap();
    let _ = std::fs::remove_file(&sprung);
    put(&folder, READY, &ready("int", "0", ""));
    put(&folder, "schemas/\u{1b}[31m::error::.avsc", "{");
    let link = folder.path().join("schemas/link.avsc");
    std::os::unix::fs::symlink("/etc/passwd", link).unwrap();
    let output = check(&folder, &["--base", "main", "--format", "github"]);
    assert_eq!(code(&output), 1);
    assert!(!sprung.exists(), "something of the checkout was run");
    assert!(!stdout(&output).contains('\u{1b}') && !stdout(&output).contains("root:"), "{}", stdout(&output));
    assert!(
        stdout(&output)
            .lines()
            .all(|line| line.starts_with("::error file=") || line.starts_with("::warning file="))
    );
}

#[test]
fn the_script_for_ci_leaves_reports_and_ends_as_the_check_does() {
    let folder = story();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/ci/check.sh");
    let run = |base: &str| {
        let mut command = Command::new("sh");
        command.arg(&script).current_dir(folder.path()).env("PAVANE", env!("CARGO_BIN_EXE_pavane"));
        command.env("PAVANE_BASE", base).env("PAVANE_REPORTS", "reports").env_remove("PAVANE_REGISTRY");
        command
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_OUTPUT", "output")
            .env("GITHUB_STEP_SUMMARY", "summary.md");
        command.output().unwrap()
    };
    let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();
    assert_eq!(code(&run("main")), 0);
    assert_eq!(read("output"), "compatible=true\n");
    put(&folder, READY, &ready("int", "0", ""));
    let output = run("main");
    assert!(code(&output) == 1 && stdout(&output).starts_with("::error file="), "{}", stdout(&output));
    assert_eq!(read("output"), "compatible=true\ncompatible=false\n");
    assert!(read("summary.md").contains("error PAV530"));
    for file in ["pavane.sarif", "gl-code-quality-report.json"] {
        serde_json::from_str::<Value>(&read(&format!("reports/{file}"))).unwrap();
    }
    assert!(read("reports/pavane-junit.xml").contains("<failure"));
    let hostile = run("$(touch sprung); main");
    assert!(code(&hostile) == 3 && !folder.path().join("sprung").exists(), "{}", stderr(&hostile));
}

#[test]
fn two_schemas_are_told_apart_field_by_field_with_who_reads_whom() {
    let folder = story();
    put(&folder, "new.avsc", &ready("string", "\"\"", ""));
    let output = run(folder.path(), &["schemas", "diff", READY, "new.avsc"]);
    let told = "- /pools: array of string = []\nold and new read each other: any order of roll-out will do\n";
    assert_eq!((code(&output), stdout(&output).as_str()), (0, told));
    put(&folder, "new.avsc", &ready("int", "0", ""));
    let output = run(folder.path(), &["schemas", "diff", READY, "new.avsc", "--output", "json"]);
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&json["backward"], &json["forward"]), (&false.into(), &false.into()));
    assert_eq!(json["changes"][0]["field"], "/prerequisite");
    put(&folder, "new.avsc", "{");
    assert_eq!(code(&run(folder.path(), &["schemas", "diff", READY, "new.avsc"])), 3);
}

#[test]
fn the_page_of_events_says_who_says_and_who_reads() {
    let folder = story();
    let output = run(folder.path(), &["schemas", "docs"]);
    let page = stdout(&output);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    for told in [
        "## matchmaking.Ready",
        "| read by | tournament (team competition) |",
        "| awaited in | season-7 |",
        "| pools | array of string | [] | Open pools. |",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
}

#[test]
fn the_page_of_events_tells_how_each_came_to_be_so() {
    let folder = story();
    put(&folder, READY, &ready("string", "\"\"", ""));
    commit(&folder);
    put(
        &folder,
        READY,
        &ready("string", "\"\"", &format!(",\n    {POOLS}")).replace("Open pools.", "All pools."),
    );
    let page = stdout(&run(folder.path(), &["schemas", "docs"]));
    let told: Vec<&str> =
        page.lines().skip_while(|line| *line != "| version | what changed |").skip(2).collect();
    assert_eq!(told.len(), 3, "{page}");
    assert_eq!(told[0], "| not committed | + /pools: array of string = [] |");
    assert!(told[1].ends_with("| - /pools: array of string = [] |"), "{page}");
    assert!(told[2].ends_with("| the first one that is known |") && told[2].contains('-'), "{page}");
    assert!(page.contains("| [matchmaking.Ready](#matchmakingready) | matchmaking | tournament (team competition) | season-7 |"), "{page}");
}

#[test]
fn services_own_schemas_are_pushed_from_a_pipeline_alone() {
    let folder = story();
    let push = |ci: &[(&str, &str)], more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pavane"));
        for name in ["CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILD_ID", "PAVANE_REGISTRY", "PAVANE_KAFKA"] {
            command.env_remove(name);
        }
        let nowhere = ["schemas", "push", "--registry", "http://127.0.0.1:1", "--kafka", "127.0.0.1:1"];
        command.envs(ci.iter().copied()).args(nowhere).args(more).current_dir(folder.path()).output().unwrap()
    };
    for refused in [push(&[], &[]), push(&[("CI", "false")], &["schemas"]), push(&[("CI", "")], &[])] {
        assert_eq!(code(&refused), 2, "{}", stderr(&refused));
        assert!(stderr(&refused).contains("pushed from CI, and this is none"), "{}", stderr(&refused));
        assert!(stderr(&refused).contains("--from-here"), "{}", stderr(&refused));
    }
    for (ci, more) in [
        (&[("CI", "true")][..], &[][..]),
        (&[("GITLAB_CI", "true")], &[]),
        (&[], &["--from-here"]),
        (&[], &["--dry-run"]),
    ] {
        let asked = push(ci, more);
        assert_eq!(code(&asked), 4, "it went as far as Kafka or the registry: {}", stderr(&asked));
    }
    std::fs::remove_dir_all(folder.path().join("schemas")).unwrap();
    assert_eq!(code(&push(&[], &[])), 4, "what is built in may be pushed from anywhere");
}

#[test]
fn an_asyncapi_document_names_every_event_with_its_schema_and_who_says_and_reads_it() {
    let folder = story();
    let output = run(folder.path(), &["schemas", "asyncapi"]);
    let document: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(document["info"]["title"], "Events of the domain arena");
    assert_eq!(document["channels"]["lifecycle"]["address"], "pavane.lifecycle");
    let message = &document["components"]["messages"]["matchmaking.Ready"];
    assert_eq!(message["payload"]["schema"]["namespace"], "shop.matchmaking", "its own form");
    assert_eq!(message["headers"]["properties"]["ce_type"]["const"], "io.pavane.lifecycle.v1.Ready");
    let reads = &document["operations"]["tournament.read"];
    assert_eq!(
        (&reads["action"], &reads["tags"][0]["name"]),
        (&"receive".into(), &"team competition".into())
    );
    assert_eq!(reads["messages"][0]["$ref"], "#/channels/lifecycle/messages/matchmaking.Ready");
    put(&folder, "other.yaml", &TOURNAMENT.replace("arena", "shop"));
    let output = run(folder.path(), &["schemas", "asyncapi"]);
    assert!(code(&output) == 2 && stderr(&output).contains("arena, shop"), "{}", stderr(&output));
    let named = run(folder.path(), &["schemas", "asyncapi", "--domain", "arena"]);
    assert_eq!(stdout(&named), format!("{document:#}\n"));
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
