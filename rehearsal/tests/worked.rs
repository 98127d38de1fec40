//! The worked choreographies keep what their own scenarios expect, with many seeds, and a good day wakes nobody.

#![expect(clippy::disallowed_methods, reason = "the choreographies are files")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pavane_rehearsal::{Piece, Script, Sidecars, Stage, judge, scenario, transcript};

/// How many seeds of each scenario are played.
const SEEDS: u64 = 2;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/choreographies")
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the folder of the worked choreographies");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    files
}

fn piece(file: &Path) -> Arc<Piece> {
    let text = std::fs::read_to_string(file).expect("a file");
    let name = file.display().to_string();
    Arc::new(Piece::new(
        pavane_choreography::read(&text, &name).unwrap_or_else(|defects| panic!("{defects:#?}")),
    ))
}

fn plays(script: &Script, seeds: u64) {
    let stage = Stage::new(script.clone(), &Sidecars::new());
    for seed in 1..=seeds {
        let performance = stage.play(seed);
        let judgements = judge(script, &performance);
        let text = || transcript::text(script, &performance, &judgements);
        assert!(judgements.iter().all(|judgement| judgement.holds), "{}", text());
    }
}

#[test]
fn every_worked_choreography_keeps_what_its_own_scenarios_expect() {
    let mut played = 0;
    for file in files() {
        let (piece, text) = (piece(&file), std::fs::read_to_string(&file).expect("a file"));
        let mut library = |plan: &str| Ok(self::piece(&folder().join(plan)));
        let scripts = scenario::tests(&text, &file.display().to_string(), &piece, &mut library);
        for script in scripts.unwrap_or_else(|defects| panic!("{defects:#?}")) {
            plays(&script, SEEDS);
            played += 1;
        }
    }
    assert!(played >= 5, "{played} scenarios stand in the worked choreographies");
}
