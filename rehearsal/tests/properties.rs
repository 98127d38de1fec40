//! What holds of every seed, and what a small set of plans must be able to reach.

#![expect(clippy::disallowed_methods, reason = "the plans are files")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use pavane_rehearsal::explore::Ground;
use pavane_rehearsal::{Piece, Script, Sidecars, Stage, explore, scenario, transcript};

const PLANS: [&str; 6] =
    ["users-v2.yaml", "matchmaking.yaml", "hybrid.yaml", "canary.yaml", "queue.yaml", "share.yaml"];

fn piece(name: &str) -> Arc<Piece> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let plan = pavane_choreography::read(&text, name).unwrap_or_else(|defects| panic!("{defects:#?}"));
    Arc::new(Piece::new(plan))
}

#[test]
fn a_good_day_wakes_nobody_whatever_the_seed() {
    for name in PLANS {
        let script = Script::plain(piece(name));
        let stage = Stage::new(script, &Sidecars::new());
        for seed in 0..100 {
            let performance = stage.play(seed);
            let text = || transcript::text(stage.script(), &performance, &[]);
            assert_eq!(performance.stalls().count(), 0, "{}", text());
        }
    }
}

#[test]
fn the_same_seed_is_the_same_bytes_and_another_is_not() {
    let script = Script::plain(piece("users-v2.yaml"));
    let stage = Stage::new(script, &Sidecars::new());
    let text = |seed| transcript::text(stage.script(), &stage.play(seed), &[]);
    let texts: BTreeSet<String> = (0..20).map(text).collect();
    assert_eq!(texts.len(), 20, "every seed is a rehearsal of its own");
    assert!((0..20).all(|seed| texts.contains(&text(seed))), "and the same one each time");
}

#[test]
fn what_an_exploration_writes_is_read_as_the_scenario_that_it_played() {
    let piece = piece("users-v2.yaml");
    let ground = Ground {
        piece: Arc::clone(&piece),
        name: "users-v2.yaml".to_owned(),
        fleet: BTreeMap::new(),
        seed: 3,
        pairs: 40,
    };
    for script in ground.scripts() {
        let text = scenario::write(&script.scenario, "users-v2.yaml", "found");
        let read = scenario::read(&text, "found.yaml", &mut |_| Ok(Arc::clone(&piece)));
        let read = read.unwrap_or_else(|defects| panic!("{text}\n{defects:#?}"));
        let wanted = scenario::Scenario { plan: Some("users-v2.yaml".to_owned()), ..script.scenario };
        assert_eq!(read.scenario, wanted, "{text}");
    }
}

/// A gate: an exploration that reaches nothing would find nothing wrong.
#[test]
fn explorations_reach_every_cause_that_faults_can_have_and_every_ending() {
    let (mut causes, mut ends) = (BTreeSet::new(), BTreeSet::new());
    for name in PLANS {
        let piece = piece(name);
        let ground = Ground { piece, name: name.to_owned(), fleet: BTreeMap::new(), seed: 1, pairs: 0 };
        for (script, seed) in ground.scripts().into_iter().zip(1..) {
            let performance = Stage::new(script, &Sidecars::new()).play(seed);
            causes.extend(performance.told.iter().map(|told| told.label("cause").to_owned()));
            ends.extend(performance.status(None).map(pavane_sentinel_engine::Status::as_str));
        }
        let found = explore(&ground, &Sidecars::new(), &mut |_, _| {});
        assert!(found.runs > 15 && found.slowest.is_some(), "{}", found.to_text());
    }
    for cause in ["failed", "not_started", "not_finished", "contract_broken", "undelivered", "unreachable"] {
        assert!(causes.contains(cause), "no fault was told as {cause}: {causes:?}");
    }
    for end in ["completed", "rolled_back", "partial", "open"] {
        assert!(ends.contains(end), "no rollout ended {end}: {ends:?}");
    }
}
