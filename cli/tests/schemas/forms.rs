//! The forms in which findings are told: a person, a program, and what shows a pull request rely on every word.

use std::path::Path;

use serde_json::Value;

use crate::{POOLS, READY, check, code, commit, findings, put, ready, stdout, story};

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

const LADDER: &str = "service: ladder\ndomain: arena\nteam: ranking\njournal: /var/lib/pavane/journal\n\
    version: { env: VERSION }\nconsumes:\n  - { event: matchmaking.Ready, fields: [pools] }\n\
    reactions:\n  - { on: tournament.DeploymentComplete, emit: DeploymentComplete, run: { exec: [./up] } }\n";
const FINALS: &str = "apiVersion: pavane/v1\nkind: Choreography\n\
    metadata: { name: finals, owner: arena, runbook: \"https://runbooks.example/finals\" }\nsteps:\n  \
    - { id: pools, expect: matchmaking.Ready, within: 5m }\n  \
    - { id: tournament, after: [pools], expect: tournament.DeploymentComplete, within: 5m }\n  \
    - { id: ladder, after: [tournament], expect: ladder.DeploymentComplete, within: 5m }\n";

/// The change that once stalled a season, in every form, word by word: two teams read the event, two choreographies
/// wait for it.
#[test]
fn the_change_that_once_stalled_a_season_is_told_in_every_form_as_it_is_written_down() {
    let folder = story();
    put(&folder, "services/ladder.yaml", LADDER);
    put(&folder, "finals.yaml", FINALS);
    commit(&folder);
    put(&folder, READY, &ready("int", "0", &format!(",\n    {}", POOLS.replace("string", "long"))));
    let forms = [
        ("human", "txt"),
        ("json", "json"),
        ("github", "github.txt"),
        ("sarif", "sarif"),
        ("junit", "xml"),
        ("gitlab", "gitlab.json"),
        ("markdown", "md"),
    ];
    for (form, ending) in forms {
        let output = check(&folder, &["--base", "HEAD", "--format", form]);
        assert_eq!(code(&output), 1, "{form}");
        let text = stdout(&output);
        golden(&format!("stall.{ending}"), &if form == "sarif" { without_pages(&text) } else { text });
    }
}

/// A SARIF log without what changes with the program and its pages.
fn without_pages(text: &str) -> String {
    let mut log: Value = serde_json::from_str(text).unwrap();
    let driver = &mut log["runs"][0]["tool"]["driver"];
    assert_eq!(driver["version"], env!("CARGO_PKG_VERSION"));
    driver["version"] = "0.0.0".into();
    for rule in driver["rules"].as_array_mut().unwrap() {
        assert!(rule["help"]["markdown"].as_str().is_some_and(|page| page.starts_with("# PAV")), "{rule}");
        rule["help"] = Value::Null;
    }
    format!("{log:#}\n")
}

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{name} is told otherwise; set UPDATE_GOLDEN to accept this:\n{text}");
}
