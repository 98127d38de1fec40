//! What an exploration says of plans: that every path is told, and that a bad plan is found out.

#![expect(clippy::disallowed_methods, reason = "the plans are files")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pavane_rehearsal::explore::Ground;
use pavane_rehearsal::{Exploration, Piece, Sidecars, explore};

fn piece(name: &str) -> Arc<Piece> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let plan = pavane_choreography::read(&text, name).unwrap_or_else(|defects| panic!("{defects:#?}"));
    Arc::new(Piece::new(plan))
}

fn explored(name: &str, pairs: usize) -> Exploration {
    let (piece, fleet) = (piece(name), BTreeMap::new());
    let ground = Ground { piece, name: name.to_owned(), fleet, seed: 7, pairs };
    explore(&ground, &Sidecars::new(), &mut |_, _| {})
}

#[test]
fn every_fault_at_every_step_of_a_good_plan_is_told_or_absorbed() {
    for plan in
        ["users-v2.yaml", "matchmaking.yaml", "hybrid.yaml", "canary.yaml", "queue.yaml", "share.yaml"]
    {
        let found = explored(plan, 0);
        assert!(found.findings.is_empty(), "{}\n{:#?}", found.to_text(), found.findings);
    }
}

#[test]
fn pairs_of_faults_are_told_or_absorbed_too() {
    let found = explored("matchmaking.yaml", 60);
    let two = found.kinds.iter().find(|kind| kind.kind == "two faults").expect("pairs were played");
    assert_eq!(two.absorbed + two.completed + two.rolled_back + two.waits + two.partial, 60);
    assert!(found.findings.is_empty(), "{}\n{:#?}", found.to_text(), found.findings);
}
