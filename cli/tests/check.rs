//! What people and pipelines rely on when they check files: exit codes, forms, what is read and what is left alone.

#![cfg(test)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const PLAN: &str = "apiVersion: pavane/v1\nkind: Choreography\n\
    metadata: { name: users-v2, owner: identity, runbook: \"https://runbooks.example/users\" }\n\
    steps:\n  - id: users\n    expect: user-service.DeploymentComplete\n    within: 5m\n";
const SIDECAR: &str = "service: user-service\ndomain: shop\nteam: identity\njournal: /var/lib/pavane/journal\n\
    version: { env: VERSION }\nreactions:\n  - on: RolloutStarted\n    \
    run: { exec: [\"./upgrade.sh\"], timeout: 1m }\n    retry: { attempts: 1 }\n  - on: RollbackRequested\n    \
    run: { exec: [\"./revert.sh\"], timeout: 1m }\n";

#[test]
fn sound_files_end_with_0_and_a_sum() {
    let folder = folder(&[("plan.yaml", PLAN), ("sidecar.yaml", SIDECAR)]);
    let output = check(&folder, &[]);
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "2 files checked, nothing found\n"));
    assert_eq!(stderr(&output), "");
}

#[test]
fn errors_end_with_1_and_warnings_only_when_asked() {
    let warned = PLAN.replace("5m", "1s");
    let dir = folder(&[("plan.yaml", &warned)]);
    assert_eq!(code(&check(&dir, &[])), 0);
    assert_eq!(code(&check(&dir, &["--warnings-as-errors"])), 1);
    assert_eq!(code(&check(&dir, &["--warnings-as-errors", "--allow", "PAV420"])), 0);
    let broken = folder(&[("plan.yaml", &PLAN.replace("within", "wihtin"))]);
    let output = check(&broken, &[]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("error[PAV007]: `wihtin` is not known here"), "{}", stdout(&output));
    assert!(stdout(&output).ends_with("1 file checked: 2 errors\n"), "{}", stdout(&output));
}

#[test]
fn what_cannot_be_read_ends_with_3_after_all_else_was_told() {
    let dir = folder(&[("plan.yaml", PLAN)]);
    let output = check(&dir, &["nowhere.yaml"]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("cannot read nowhere.yaml"), "{}", stderr(&output));
    std::fs::write(dir.path().join("latin.yaml"), b"kind: Choreography\nowner: J\xfcrgen\n").unwrap();
    let output = check(&dir, &[]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("latin.yaml:2:1") && stdout(&output).contains("not UTF-8"));
}

#[test]
fn a_code_that_is_unknown_or_cannot_be_allowed_is_a_usage_error() {
    let dir = folder(&[("plan.yaml", PLAN)]);
    for (arguments, words) in [
        (["--allow", "PAV999"], "there is no code \"PAV999\""),
        (["--allow", "PAV104"], "PAV104 cannot be allowed"),
        (["--explain", "oops"], "there is no code \"oops\""),
        (["--format", "html"], "invalid value 'html'"),
    ] {
        let output = check(&dir, &arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
}

#[test]
fn a_check_that_found_nothing_to_check_does_not_pass() {
    let output = check(&folder(&[("deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\n")]), &[]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("there is nothing to check here"), "{}", stderr(&output));
}

#[test]
fn a_code_is_explained_by_its_page() {
    let dir = folder(&[]);
    let output = check(&dir, &["--explain", "pav104"]);
    let set = Command::new(env!("CARGO_BIN_EXE_pavane"))
        .args(["check", "--explain", "PAV104"])
        .env("PAVANE_KAFKA", "nowhere:1")
        .output()
        .unwrap();
    assert_eq!(stdout(&set), stdout(&output), "wherever Kafka is");
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).starts_with("# PAV104: steps wait for each other in a circle\n"));
    assert!(stdout(&output).contains("## What to do"));
}

#[test]
fn in_folders_only_our_files_are_read_and_what_is_hidden_or_built_is_left_alone() {
    let broken = "apiVersion: pavane/v1\nkind: Choreography\nsteps: [\n";
    let dir = folder(&[
        ("a/plan.yaml", PLAN),
        (".hidden/plan.yaml", broken),
        ("a/target/plan.yaml", broken),
        ("node_modules/x/plan.yml", broken),
        ("deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\n"),
        ("notes.txt", broken),
        ("old/plan.yaml", broken),
    ]);
    let output = check(&dir, &["--exclude", "old"]);
    assert_eq!(stdout(&output), "1 file checked, nothing found\n");
    let output = check(&dir, &["deployment.yaml", ".hidden/plan.yaml"]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("error[PAV400]"), "{}", stdout(&output));
    assert!(stdout(&output).contains(" --> .hidden/plan.yaml:3:"), "{}", stdout(&output));
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_and_a_file_that_is_named_twice_is_read_once() {
    let dir = folder(&[("a/plan.yaml", PLAN)]);
    std::os::unix::fs::symlink(dir.path(), dir.path().join("a/round")).unwrap();
    std::os::unix::fs::symlink("plan.yaml", dir.path().join("a/link.yaml")).unwrap();
    let whole = dir.path().join("a/plan.yaml");
    let output = check(&dir, &[".", "a/plan.yaml", "./a/plan.yaml", whole.to_str().unwrap()]);
    assert_eq!(stdout(&output), "1 file checked, nothing found\n");
}

#[test]
fn files_are_held_against_each_other_and_every_run_says_the_same() {
    let circle = SIDECAR.replace("RolloutStarted", "messaging.DeploymentComplete");
    let later =
        "  - id: messaging\n    after: [users]\n    expect: messaging.DeploymentComplete\n    within: 5m\n";
    let dir = folder(&[("plan.yaml", &format!("{PLAN}{later}")), ("sidecar.yaml", &circle)]);
    let output = check(&dir, &[]);
    assert_eq!(code(&output), 1);
    let text = stdout(&output);
    assert!(text.contains("error[PAV415]") && text.contains("users -> messaging -> users"), "{text}");
    assert!(text.contains("`messaging` waits for `users` in line 9 of the choreography"), "{text}");
    assert!(text.contains("in line 7 of sidecar.yaml"), "{text}");
    for form in ["human", "json", "github", "sarif", "junit"] {
        let run = || stdout(&check(&dir, &["--format", form]));
        assert_eq!(run(), run(), "{form}");
    }
}

#[test]
fn programs_find_the_same_findings_in_every_form() {
    let dir = folder(&[("plan.yaml", &PLAN.replace("5m", "1s").replace("users-v2", "\"a b\""))]);
    let form = |form: &str| stdout(&check(&dir, &["--format", form]));
    let json: Value = serde_json::from_str(&form("json")).unwrap();
    let first = &json["findings"][0];
    assert_eq!((first["code"].as_str(), first["line"].as_u64()), (Some("PAV011"), Some(3)));
    let global = Command::new(env!("CARGO_BIN_EXE_pavane"))
        .args(["--output", "json", "check"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(global.stdout).unwrap(), form("json"));
    assert!(form("github").starts_with("::error file=plan.yaml,line=3,col="), "{}", form("github"));
    let sarif: Value = serde_json::from_str(&form("sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "PAV011");
    assert!(
        sarif["runs"][0]["tool"]["driver"]["rules"][0]["help"]["markdown"]
            .as_str()
            .unwrap()
            .starts_with("# PAV011")
    );
    assert!(form("junit").contains("<failure type=\"PAV011\""), "{}", form("junit"));
}

#[test]
fn a_comment_lets_a_finding_pass() {
    let allowed = PLAN.replace("5m", "1s  # pavane: allow PAV420: a test of the pace");
    let dir = folder(&[("plan.yaml", &allowed)]);
    assert_eq!(stdout(&check(&dir, &["--warnings-as-errors"])), "1 file checked, nothing found\n");
}

#[test]
fn the_demos_files_have_nothing_that_must_be_mended_or_looked_at() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo");
    let dir = TempDir::new().unwrap();
    for part in ["plans", "sidecars", "."] {
        for entry in std::fs::read_dir(source.join(part)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|end| end != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let values = [
                ("http", "127.0.0.1:3650"),
                ("service", "http://127.0.0.1:8080"),
                ("journal", "/var/lib/pavane/journal"),
                ("replica", "a"),
                ("receiver", "http://127.0.0.1:9000"),
                ("secret_file", "/run/secrets/on-call"),
            ];
            let fill =
                |text: String, (name, value): &(&str, &str)| text.replace(&format!("{{{{{name}}}}}"), value);
            let text = values.iter().fold(text, fill);
            let name = path.file_name().unwrap().to_string_lossy();
            std::fs::write(dir.path().join(format!("{}-{name}", part.trim_matches('.'))), text).unwrap();
        }
    }
    let schema = "schemas/services/matchmaking/Ready.avsc";
    std::fs::create_dir_all(dir.path().join(schema).parent().unwrap()).unwrap();
    std::fs::copy(source.join(schema), dir.path().join(schema)).unwrap();
    let output = check(&dir, &["--warnings-as-errors"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(stdout(&output).contains("10 files checked"), "{}", stdout(&output));
}

#[test]
fn what_an_ignore_file_names_is_left_alone_below_it() {
    let broken = "apiVersion: pavane/v1\nkind: Choreography\nsteps: [\n";
    let dir = folder(&[
        ("a/plan.yaml", PLAN),
        ("a/tests/defects/plan.yaml", broken),
        ("a/old-plan.yaml", broken),
        ("b/old-plan.yaml", "apiVersion: apps/v1\n"),
        (".pavaneignore", "# broken on purpose\n*/tests/\nold-*.yaml\n"),
    ]);
    let output = check(&dir, &[]);
    assert_eq!((code(&output), stdout(&output).as_str()), (0, "1 file checked, nothing found\n"));
    assert_eq!(code(&check(&dir, &["a/old-plan.yaml"])), 1, "what is named is read");
    std::fs::write(dir.path().join("b/.pavaneignore"), "!plan.yaml\n").unwrap();
    let output = check(&dir, &[]);
    assert_eq!(code(&output), 3);
    assert!(stderr(&output).contains("cannot read b/.pavaneignore"), "{}", stderr(&output));
}

#[test]
fn notes_take_a_line_each_unless_they_are_asked_for() {
    let dir =
        folder(&[("plan.yaml", PLAN), ("sidecar.yaml", &SIDECAR.replace("attempts: 1", "attempts: 9"))]);
    let brief = stdout(&check(&dir, &[]));
    assert!(brief.contains("  plan.yaml:7:13 PAV421: step `users` has 5m, and in "), "{brief}");
    assert!(!brief.contains("-->") && brief.ends_with("2 files checked: 1 note\n"), "{brief}");
    let full = stdout(&check(&dir, &["--notes"]));
    assert!(full.contains("note[PAV421]") && full.contains(" --> plan.yaml:7:13"), "{full}");
    assert_eq!(full, stdout(&check(&dir, &["-v"])));
}

#[test]
fn this_repository_has_nothing_that_must_be_mended_or_looked_at() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = check(&folder(&[]), &["--warnings-as-errors", root.to_str().unwrap()]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
}

#[test]
fn the_pace_is_the_sentinels() {
    let pace = pavane_sentinel_engine::PULSE + pavane_sentinel_engine::GRACE;
    assert_eq!(pavane_review::check::PACE, pace);
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (file, text) in files {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

fn check(folder: &TempDir, arguments: &[&str]) -> Output {
    let pavane = env!("CARGO_BIN_EXE_pavane");
    Command::new(pavane).arg("check").args(arguments).current_dir(folder.path()).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
