//! Every file that `deploy/` and the documents show is one that the programs take.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pavane_choreography::{Diagnostic, Expect};
use pavane_rehearsal::{Piece, Script, Sidecars, Stage, judge, scenario, transcript};
use pavane_tests::place::workspace;

fn deploy(folder: &str) -> PathBuf {
    workspace().join("deploy").join(folder)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("failed to read {}: {error}", path.display()))
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(deploy(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    found.sort();
    assert!(!found.is_empty(), "deploy/{folder} holds no file");
    found
}

fn sound<T>(name: &str, outcome: Result<T, Vec<Diagnostic>>) -> T {
    outcome.unwrap_or_else(|defects| {
        let lines: Vec<String> = defects.iter().map(ToString::to_string).collect();
        panic!("{name}:\n{}", lines.join("\n"))
    })
}

/// Takes the text for a sentinel's or a sidecar's by what it begins to say.
fn is_a_programs(text: &str, name: &str) {
    if text.lines().any(|line| line.starts_with("domains:")) {
        sound(name, pavane_sentinel::Config::from_yaml(text, name));
    } else {
        sound(name, pavane_sidecar::Config::from_yaml(text, name));
    }
}

/// The texts that stand under a key as a literal block: `key: |`, then deeper lines.
fn blocks(text: &str, key: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() != format!("{key}: |") {
            continue;
        }
        let depth = line.len() - line.trim_start().len() + 2;
        let mut block = String::new();
        while let Some(inner) = lines.next_if(|next| next.len() > depth && next[..depth].trim().is_empty()) {
            block.push_str(&inner[depth..]);
            block.push('\n');
        }
        found.push(block);
    }
    found
}

#[test]
fn the_worked_choreographies_are_sound() {
    for path in files("choreographies") {
        let name = path.display().to_string();
        let plan = sound(&name, pavane_choreography::read(&read(&path), &name));
        assert_eq!(
            path.file_stem().unwrap_or_default(),
            plan.name.as_str(),
            "a file is named after its plan"
        );
    }
}

#[test]
fn each_worked_choreography_names_an_owner_a_runbook_and_what_it_teaches() {
    for path in files("choreographies") {
        let (name, text) = (path.display().to_string(), read(&path));
        let plan = sound(&name, pavane_choreography::read(&text, &name));
        assert!(plan.runbook.is_some(), "{name} has no runbook");
        let header = text.lines().take_while(|line| line.starts_with('#')).count();
        assert!(header >= 3, "{name} begins with {header} lines of comment");
    }
}

#[test]
fn the_tests_of_the_worked_choreographies_pass() {
    for path in files("choreographies") {
        let scripts = scripts(&path);
        assert!(scripts.len() >= 2, "{}: one that goes well and one that does not", path.display());
        for script in scripts {
            let stage = Stage::new(script, &Sidecars::new());
            let performance = stage.play(1);
            let judgements = judge(stage.script(), &performance);
            let holds = judgements.iter().all(|judgement| judgement.holds);
            let told = || transcript::text(stage.script(), &performance, &judgements);
            assert!(holds, "{}:\n{}", path.display(), told());
        }
    }
}

#[test]
fn the_sidecars_beside_a_choreography_say_what_it_awaits() {
    let mut seen = 0;
    for path in files("choreographies") {
        let folder = path.with_extension("");
        if !folder.is_dir() {
            continue;
        }
        let plan = sound("plan", pavane_choreography::read(&read(&path), "plan"));
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let sidecars: Vec<_> = files(&format!("choreographies/{name}"))
            .iter()
            .map(|file| sound(&name, pavane_sidecar::Config::from_yaml(&read(file), &name)))
            .collect();
        for step in &plan.steps {
            let Expect { service, event } = &step.expect;
            let own = sidecars.iter().filter(|sidecar| sidecar.service == *service);
            let says = own.flat_map(|sidecar| &sidecar.reactions).any(|one| one.terms.emit == *event);
            assert!(says, "{name}: nobody says {}", step.expect);
            seen += 1;
        }
    }
    assert!(seen > 0, "no choreography has sidecars beside it");
}

/// The scenarios in a choreography's own `tests:`.
fn scripts(path: &Path) -> Vec<Script> {
    let piece = |path: &Path| {
        let name = path.display().to_string();
        let plan = sound(&name, pavane_choreography::read(&read(path), &name));
        Arc::new(Piece::new(plan))
    };
    let mut library = |name: &str| Ok(piece(&path.with_file_name(name)));
    let name = path.display().to_string();
    sound(&name, scenario::tests(&read(path), &name, &piece(path), &mut library))
}

#[test]
fn the_sample_files_are_what_the_programs_take() {
    for path in [files("config"), files("compose")].concat() {
        is_a_programs(&read(&path), &path.display().to_string());
    }
}

#[test]
fn the_files_inside_the_kubernetes_manifests_are_what_the_programs_take() {
    let mut seen = 0;
    for path in files("kubernetes") {
        for key in ["sentinel.yaml", "sidecar.yaml"] {
            for block in blocks(&read(&path), key) {
                is_a_programs(&block, &format!("{}, {key}", path.display()));
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 2, "the manifests hold one file for each program");
}

#[test]
fn the_services_of_the_compose_file_say_what_their_plan_awaits() {
    let path = deploy("choreographies/users-v2.yaml");
    let plan = sound("users-v2", pavane_choreography::read(&read(&path), "users-v2"));
    for (service, step) in [("user-service", 1), ("messaging", 2)] {
        let file = deploy(&format!("compose/{service}.yaml"));
        let sidecar = sound(service, pavane_sidecar::Config::from_yaml(&read(&file), service));
        let expect = &plan.steps[step].expect;
        assert_eq!(expect.service, sidecar.service);
        assert!(sidecar.reactions.iter().any(|reaction| reaction.terms.emit == expect.event), "{service}");
    }
}

#[test]
fn the_choreography_on_the_first_page_is_sound() {
    let page = read(&workspace().join("README.md"));
    let shown =
        page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("it shows one");
    sound("README.md", pavane_choreography::read(shown, "README.md"));
}

/// Every file of sources below a folder, as one text.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            text.push_str(&read(&path));
        }
    }
    text
}

#[test]
fn the_rules_for_prometheus_ask_for_metrics_that_there_are() {
    let rules = read(&deploy("prometheus").join("pavane.rules.yaml"));
    let text: String =
        ["bus/src", "sentinel/src", "sidecar/src"].iter().map(|of| sources(&workspace().join(of))).collect();
    let quoted = text.split('"').filter(|name| name.starts_with("pavane."));
    let metrics: std::collections::BTreeSet<String> = quoted.map(|name| name.replace('.', "_")).collect();
    let asked = rules.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    let asked: Vec<&str> = asked.filter(|word| word.starts_with("pavane_")).collect();
    assert!(asked.len() >= 10, "{asked:?}");
    for name in asked {
        let endings = ["_seconds_sum", "_seconds_count", "_total", "_seconds"];
        let bare = endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
        assert!(metrics.contains(bare), "no program counts {name}");
    }
    let alerts = rules.matches("- alert: ").count();
    assert_eq!((rules.matches("expr: ").count(), rules.matches("summary: ").count()), (alerts, alerts));
}
