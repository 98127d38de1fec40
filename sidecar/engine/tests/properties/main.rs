//! What holds on every path: crashes at any point, duplicates, ticks, and whatever people and sentinels say.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod model;
mod play;
mod shape;
#[path = "../stage/mod.rs"]
mod stage;

use std::cell::RefCell;
use std::collections::BTreeSet;

use pavane_sidecar_engine::{Engine, Input};
use play::{Happening, Play};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use shape::{Shape, shapes};
use stage::runs;

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        60 => Just(Happening::Next),
        2 => Just(Happening::Start),
        2 => Just(Happening::Ready),
        2 => Just(Happening::Cache),
        6 => (0..3_i64, any::<bool>()).prop_map(|(since, named)| Happening::Begin(since, named)),
        2 => (0..3_i64).prop_map(Happening::Count),
        6 => any::<bool>().prop_map(Happening::Other),
        2 => Just(Happening::Pause),
        3 => Just(Happening::Resume),
        1 => Just(Happening::Hold),
        3 => Just(Happening::Release),
        1 => Just(Happening::Abort),
        4 => Just(Happening::PersonGoesBack),
        2 => (0..6_i64).prop_map(Happening::SentinelGoesBack),
        3 => prop::option::of(any::<bool>()).prop_map(Happening::Asked),
        1 => Just(Happening::Override),
        1 => (0..6_i64).prop_map(Happening::Completed),
        1 => (0..6_i64).prop_map(Happening::RolledBack),
        1 => Just(Happening::Unreadable),
        5 => Just(Happening::Deliver),
        6 => prop::option::of(any::<bool>()).prop_map(Happening::Version),
        10 => (0..4_u8).prop_map(Happening::Hook),
        2 => any::<bool>().prop_map(Happening::Probe),
        5 => (0..12_000_i64).prop_map(Happening::Tick),
        3 => Just(Happening::Crash),
        3 => any::<bool>().prop_map(Happening::CrashAtNext),
    ];
    prop::collection::vec(one, 1..80)
}

fn play(shape: Shape, happenings: &[Happening], twice: bool) -> Play {
    let mut play = Play::new(shape, twice);
    for &happening in happenings {
        play.happen(happening);
    }
    play
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_hook_runs_at_most_once_wherever_the_process_dies(shape in shapes(), happenings in happenings()) {
        let play = play(shape, &happenings, false);
        let runs = runs(&play.stage.calls);
        let more: u32 = runs.values().map(|n| n - 1).sum();
        prop_assert!(more <= play.again, "{more} calls too many");
        let attempts = u32::try_from(runs.len()).unwrap();
        let jobs = play.stage.memory.jobs.values().filter(|job| job.attempts > 0).count();
        prop_assert!(attempts <= u32::try_from(jobs).unwrap() + play.retries, "an attempt nobody asked for");
    }

    #[test]
    fn reading_every_record_twice_changes_nothing(shape in shapes(), happenings in happenings()) {
        let (once, twice) = (play(shape, &happenings, false), play(shape, &happenings, true));
        prop_assert_eq!(&once.stage.said, &twice.stage.said);
        prop_assert_eq!(&once.stage.calls, &twice.stage.calls);
        prop_assert_eq!(&once.stage.memory, &twice.stage.memory);
    }

    #[test]
    fn the_same_inputs_have_the_same_effects_and_ticks_between_them_none(shape in shapes(), happenings in happenings()) {
        let happenings: Vec<_> = happenings
            .into_iter()
            .filter(|happening| !matches!(happening, Happening::Crash | Happening::CrashAtNext(_)))
            .collect();
        let play = play(shape, &happenings, false);
        let mut same = Engine::new(play.stage.settings.clone(), pavane_sidecar_engine::Memory::default());
        for ((now, input), effects) in play.inputs.iter().zip(&play.effects) {
            prop_assert_eq!(&same.handle(*now, input.clone()), effects);
            prop_assert_eq!(same.handle(*now, Input::Tick), []);
        }
    }
}

#[test]
fn the_generator_reaches_every_ending_and_every_word_of_a_plan() {
    let reached = RefCell::new(BTreeSet::new());
    let mut runner = TestRunner::deterministic();
    for _ in 0..800 {
        let (shape, happenings) = (shapes(), happenings()).new_tree(&mut runner).unwrap().current();
        reached.borrow_mut().extend(play(shape, &happenings, false).endings);
    }
    let wanted = [
        "succeeded",
        "failed",
        "uncertain",
        "superseded",
        "back succeeded",
        "back failed",
        "back refused",
        "back uncertain",
        "back superseded",
        "in a phase",
        "in a cohort",
        "after a cohort",
        "in a zone",
        "on all of several",
        "on one of several",
        "of one of several",
        "of a share",
        "after waiting",
        "after another rollout",
        "left to end",
    ];
    let reached = reached.into_inner();
    for ending in wanted {
        assert!(reached.contains(ending), "{ending} was never reached: {reached:?}");
    }
}
