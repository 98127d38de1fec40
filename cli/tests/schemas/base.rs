//! What a change is held against: the commit where both part, and nothing that cannot be had passes for unchanged.

use std::process::Command;

use crate::{POOLS, READY, check, code, commit, findings, git, put, ready, run, stderr, stdout, story};

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
    let output = check(&empty, &["--mode", "fully"]);
    assert!(
        code(&output) == 2 && stderr(&output).contains("none, backward, backward-transitive"),
        "{}",
        stderr(&output)
    );
    let output = check(&empty, &["--registry", "http://127.0.0.1:1"]);
    assert_eq!(code(&output), 4, "{}", stderr(&output));
}

#[test]
fn a_shallow_clone_never_passes_for_unchanged_and_is_told_how_to_fetch() {
    let folder = story();
    put(&folder, READY, &ready("int", "0", &format!(",\n    {POOLS}")));
    commit(&folder);
    git(&folder, &["checkout", "-q", "main"]);
    let clone = tempfile::tempdir().unwrap();
    let from = format!("file://{}", folder.path().display());
    git(&clone, &["clone", "-q", "--depth", "1", "--branch", "change", &from, "."]);
    let told = |arguments: &[&str], expected: &str| {
        let output = check(&clone, arguments);
        assert_eq!(code(&output), 3, "{arguments:?}: {}", stdout(&output));
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("fetch-depth: 0"), "{arguments:?}: {}", stderr(&output));
    };
    told(&[], "this clone is shallow and knows no main branch");
    told(&["--base", "origin/main"], "Git knows no commit");
    git(&clone, &["fetch", "-q", "--depth", "1", "origin", "main:refs/remotes/origin/main"]);
    told(&["--base", "origin/main"], "no commit in common: this clone is shallow");
    told(&[], "no commit in common: this clone is shallow");
    git(&clone, &["fetch", "-q", "--unshallow", "origin", "+refs/heads/*:refs/remotes/origin/*"]);
    for arguments in [&["--base", "origin/main"][..], &[]] {
        let output = check(&clone, arguments);
        assert!(code(&output) == 1 && stdout(&output).contains("error[PAV530]"), "{}", stdout(&output));
    }
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
