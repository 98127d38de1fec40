//! `docs/plans.md` as a reader goes through it: every command line of it runs, on files that the page itself shows.

#![cfg(all(test, unix))]

use std::path::Path;
use std::process::Command;

/// The end of a command that has something to tell, as the page says beside it.
const DIFFERS: &str = "pavane diff";

#[test]
fn every_command_line_of_the_page_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/plans.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::os::unix::fs::symlink(root.join("deploy").canonicalize().unwrap(), folder.path().join("deploy"))
        .unwrap();
    let plan = std::fs::read_to_string(root.join("deploy/choreographies/users-v2.yaml")).unwrap();
    write("users-v2.yaml", &plan);
    write("users-v2.new.yaml", &plan.replacen("within: 5m", "within: 7m", 1));
    for (name, text) in files(&page) {
        write(name, text);
    }
    let lines: Vec<&str> = blocks(&page, "sh").into_iter().flat_map(str::lines).collect();
    for command in ["check", "graph", "advise", "plan", "diff", "simulate", "test"] {
        let line = format!("pavane {command} ");
        assert!(lines.iter().any(|other| other.starts_with(&line)), "the page does not show {line}");
    }
    let path = Path::new(env!("CARGO_BIN_EXE_pavane")).parent().unwrap();
    let path = format!("{}:{}", path.display(), std::env::var("PATH").unwrap());
    for line in lines {
        let run =
            Command::new("sh").args(["-c", line]).current_dir(folder.path()).env("PATH", &path).output();
        let output = run.unwrap();
        let end = i32::from(line.starts_with(DIFFERS));
        assert_eq!(output.status.code(), Some(end), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The files that the page shows: each begins with its name in a remark.
fn files(page: &str) -> Vec<(&str, &str)> {
    blocks(page, "yaml")
        .into_iter()
        .filter_map(|text| {
            let name = text.strip_prefix("# ")?.split([':', '\n', ' ']).next()?;
            name.split_once(".yaml").map(|_| (name, text))
        })
        .collect()
}

/// The fenced blocks of a language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let open = format!("\n```{language}\n");
    page.split(&open).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}
