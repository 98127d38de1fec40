//! What we offer to pipelines, taken by those who run it: pre-commit runs our hooks, and our files for GitHub and GitLab
//! pass the schemas of GitHub and GitLab.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pavane_tests::place::workspace;
use pavane_tests::program::Program;
use pavane_tests::real::python::{self, Python};
use tempfile::TempDir;

const HOOKS: &str = ".pre-commit-hooks.yaml";
const READY: &str = "schemas/services/matchmaking/Ready.avsc";

#[tokio::test]
async fn the_hook_that_pre_commit_runs_lets_no_change_pass_that_breaks_a_reader() {
    let test = "the_hook_that_pre_commit_runs_lets_no_change_pass_that_breaks_a_reader";
    if !python::is_there(test) {
        return;
    }
    let python = Python::get().unwrap();
    let offered = tempfile::tempdir().unwrap();
    std::fs::copy(workspace().join(HOOKS), offered.path().join(HOOKS)).unwrap();
    git(&offered, &["init", "-q", "-b", "main"]);
    let revision = commit(&offered);

    let checkout = tempfile::tempdir().unwrap();
    let demo = workspace().join("cli/demo");
    for (from, to) in [
        ("schemas/services/matchmaking/Ready.avsc", READY),
        ("plans/season-7.yaml", "season-7.yaml"),
        ("sidecars/tournament.yaml", "services/tournament.yaml"),
        ("sidecars/matchmaking.yaml", "services/matchmaking.yaml"),
    ] {
        let content = std::fs::read_to_string(demo.join(from)).unwrap();
        put(
            &checkout,
            to,
            &content
                .replace("{{http}}", "127.0.0.1:3650")
                .replace("{{journal}}", "/tmp/journal")
                .replace("{{service}}", "http://127.0.0.1:8080"),
        );
    }
    let config = format!(
        "repos:\n  - repo: {}\n    rev: {revision}\n    hooks:\n      - id: pavane-schemas\n      - id: pavane-check\n",
        offered.path().display()
    );
    put(&checkout, ".pre-commit-config.yaml", &config);
    git(&checkout, &["init", "-q", "-b", "main"]);
    commit(&checkout);
    let path = path_with_pavane(&python).await;
    let hooked = |command: &mut Command| {
        let homes = [("PRE_COMMIT_HOME", offered.path().join("home")), ("PATH", PathBuf::from(&path))];
        command.envs(homes).env_remove("PAVANE_REGISTRY").current_dir(checkout.path()).output().unwrap()
    };
    let installed = hooked(python.tool("pre-commit").arg("install"));
    assert!(installed.status.success(), "{}", told(&installed));

    let broken = std::fs::read_to_string(demo.join("schemas/Ready.broken.avsc")).unwrap();
    put(&checkout, READY, &broken);
    git(&checkout, &["add", "-A"]);
    let refused =
        hooked(who(&mut Command::new("git")).args(["commit", "-q", "-m", "what once stalled a season"]));
    let said = told(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("event contracts") && said.contains("`tournament` (team events) cannot read it"),
        "{said}"
    );

    let sound = std::fs::read_to_string(demo.join("schemas/services/matchmaking/Ready.avsc")).unwrap();
    let more = r#"{ "name": "region", "type": ["null", "string"], "doc": "Where.", "default": null }"#;
    let (fields, end) = sound.rsplit_once(']').expect("it has fields");
    put(&checkout, READY, &format!("{},\n    {more}\n  ]{end}", fields.trim_end()));
    git(&checkout, &["add", "-A"]);
    let taken = hooked(who(&mut Command::new("git")).args(["commit", "-q", "-m", "a field more"]));
    assert!(taken.status.success(), "{}", told(&taken));
    assert_eq!(git(&checkout, &["log", "--format=%s"]), "a field more\na state\n");
}

#[test]
fn the_files_for_github_gitlab_and_pre_commit_pass_the_schemas_of_those_who_read_them() {
    let test = "the_files_for_github_gitlab_and_pre_commit_pass_the_schemas_of_those_who_read_them";
    if !python::is_there(test) {
        return;
    }
    let python = Python::get().unwrap();
    let validate = |schema: &str, file: &Path| {
        let mut command = python.tool("check-jsonschema");
        command.args(["--builtin-schema", schema]).arg(file).output().unwrap()
    };
    let ci = workspace().join("deploy/ci");
    let folder = tempfile::tempdir().unwrap();
    for (schema, file, from, to) in [
        ("vendor.github-actions", "github/action.yml", "using: composite", "using: compost"),
        ("vendor.github-workflows", "github/workflow.yml", "runs-on:", "run-on:"),
        ("vendor.gitlab-ci", "gitlab.yml", "when: always", "when: perhaps"),
    ] {
        let output = validate(schema, &ci.join(file));
        assert!(output.status.success(), "{file}: {}", told(&output));
        let content = std::fs::read_to_string(ci.join(file)).unwrap();
        assert!(content.contains(from), "{file}");
        put(&folder, "broken.yml", &content.replace(from, to));
        let output = validate(schema, &folder.path().join("broken.yml"));
        assert_eq!(output.status.code(), Some(1), "{file}: the schema would have seen it: {}", told(&output));
    }
    let manifest =
        |file: &Path| python.tool("pre-commit").arg("validate-manifest").arg(file).output().unwrap();
    let output = manifest(&workspace().join(HOOKS));
    assert!(output.status.success(), "{}", told(&output));
    let content = std::fs::read_to_string(workspace().join(HOOKS)).unwrap();
    put(&folder, HOOKS, &content.replace("entry:", "enter:"));
    assert_eq!(manifest(&folder.path().join(HOOKS)).status.code(), Some(1));
}

/// `PATH` with our programs and those of the environment before all else.
async fn path_with_pavane(python: &Python) -> String {
    let pavane = Program::Pavane.command().await.unwrap();
    let pavane = Path::new(pavane.get_program()).parent().unwrap().to_owned();
    let tools = python.tool("pre-commit");
    let tools = Path::new(tools.get_program()).parent().unwrap().to_owned();
    format!("{}:{}:{}", pavane.display(), tools.display(), std::env::var("PATH").unwrap())
}

fn put(folder: &TempDir, file: &str, text: &str) {
    let path = folder.path().join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Commits all; returns the commit.
fn commit(folder: &TempDir) -> String {
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", "a state"]);
    git(folder, &["rev-parse", "HEAD"]).trim().to_owned()
}

fn git(folder: &TempDir, arguments: &[&str]) -> String {
    let output = who(&mut Command::new("git")).args(arguments).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Says who commits, whatever this machine knows of it.
fn who(command: &mut Command) -> &mut Command {
    for name in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"] {
        command.env_remove(name);
    }
    command.args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"])
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
