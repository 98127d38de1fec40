//! What pipelines run: the script for CI, the hook before a commit, the push after the merge.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{READY, code, put, ready, stderr, stdout, story};

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

/// The hook as a script of Git's own; that pre-commit runs it is held by the tests with a real pre-commit.
#[cfg(unix)]
#[test]
fn the_hook_lets_no_commit_pass_that_breaks_a_reader() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = story();
    let offered = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.pre-commit-hooks.yaml");
    let offered = std::fs::read_to_string(offered).unwrap();
    let entry = offered.lines().find_map(|line| line.trim().strip_prefix("entry: ")).expect("a hook");
    put(&folder, ".git/hooks/pre-commit", &format!("#!/bin/sh\nexec {entry}\n"));
    let hook = folder.path().join(".git/hooks/pre-commit");
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let programs = Path::new(env!("CARGO_BIN_EXE_pavane")).parent().unwrap().display();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
    let commit = |message: &str| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
        let mut command = Command::new("git");
        command.args(who).args(["commit", "-q", "-a", "-m", message]).env("PATH", &path);
        command.env_remove("PAVANE_REGISTRY").current_dir(folder.path()).output().unwrap()
    };
    put(&folder, READY, &ready("int", "0", ""));
    let refused = commit("what once stalled a season");
    let told = format!("{}{}", stdout(&refused), stderr(&refused));
    assert!(code(&refused) == 1 && told.contains("`tournament` (team competition) cannot read it"), "{told}");
    put(&folder, READY, &ready("string", "\"\"", "").replace("More.", "More of it."));
    let taken = commit("words");
    assert_eq!(code(&taken), 0, "{}{}", stdout(&taken), stderr(&taken));
    let log = Command::new("git").args(["log", "--format=%s"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(stdout(&log), "words\na state\n");
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
