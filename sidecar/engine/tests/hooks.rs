//! When a hook begins among many, how its own word is taken, and how often it is tried.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod stage;

use std::collections::BTreeSet;

use pavane_events::command::RolloutAborted;
use pavane_events::{Body, Instance, Version};
use pavane_sidecar_engine::input::Failure;
use pavane_sidecar_engine::{HookOutcome, Input, Reaction, Retry};
use stage::*;

const NOTHING: [&str; 0] = [];

#[test]
fn instances_that_could_all_begin_at_once_are_spread_by_their_names() {
    let mut stage = Stage::ready(vec![Reaction { stagger: 30_000, ..upgrade() }]);
    let turn = stage.settings.turn(30_000);
    assert!((1..=30_000).contains(&turn), "{turn}");
    stage.start();
    stage.schema_ready();
    stage.version("1.0.0");
    assert_eq!(stage.deliver(), ["tell staggered"]);
    assert_eq!(stage.engine.phase().word, "waiting");
    assert_eq!(stage.engine.next_deadline(), Some(stage.now + turn));
    assert_eq!(stage.tick(turn - 1), NOTHING);
    assert_eq!(stage.tick(1), ["write user-db.Ready Running", "hook user-db.Ready #1"]);

    let turns: BTreeSet<_> = (0..100)
        .map(|k| {
            let mut settings = stage.settings.clone();
            settings.instance = Instance::new(format!("user-service-{k}")).unwrap();
            assert_eq!(settings.turn(30_000), settings.turn(30_000), "the same at every start");
            settings.turn(30_000) / 3_000
        })
        .collect();
    assert_eq!(turns.len(), 10, "a hundred instances fall into every tenth of the time");
}

#[test]
fn an_instance_that_waits_its_turn_does_not_begin_when_the_rollout_has_ended() {
    let mut stage = Stage::ready(vec![Reaction { stagger: 30_000, ..upgrade() }]);
    stage.start();
    stage.schema_ready();
    stage.version("1.0.0");
    stage.deliver();
    let ended = stage.command(ROLLOUT, RolloutAborted::default());
    assert_eq!(ended, ["write user-db.Ready Over(Superseded)"]);
    assert_eq!(stage.tick(60_000), NOTHING);
}

#[test]
fn a_hook_may_tell_its_result_by_itself_before_it_is_called_again() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_hook();
    let run = stage.calls[0].run.clone();
    let reported = |run: &str, outcome| Input::HookReported { run: run.to_owned(), outcome };
    stage.hook(HookOutcome::InProgress { after: 3_600_000 });
    assert_eq!(stage.tell(reported("another", HookOutcome::Done)), NOTHING);
    assert_eq!(stage.tell(reported(&run, HookOutcome::InProgress { after: 30_000 })), NOTHING);
    let done = stage.tell(reported(&run, HookOutcome::Done));
    assert_eq!(done, ["write user-db.Ready Checking", "observe"]);
    assert_eq!(stage.tell(reported(&run, HookOutcome::Failed(Failure::default()))), NOTHING, "it is over");
    assert_eq!(stage.tick(60_000), NOTHING, "and is not called again");
}

#[test]
fn a_result_that_comes_before_the_answer_to_the_call_counts_and_the_answer_does_not() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.up_to_hook();
    let (run, ticket) = (stage.calls[0].run.clone(), stage.ticket);
    stage.tell(Input::HookReported { run, outcome: HookOutcome::Done });
    let late = Input::HookEnded { ticket, outcome: HookOutcome::Failed(Failure::default()) };
    assert_eq!(stage.tell(late), NOTHING);
}

#[test]
fn a_service_goes_back_only_to_what_is_known_to_be_good_and_says_why_not() {
    let refused = |known: Option<&[&str]>, age| {
        let mut stage = Stage::ready(vec![upgrade(), revert()]);
        stage.up_to_complete();
        if let Some(known) = known {
            let versions = known.iter().map(|version| Version::new(*version).unwrap()).collect();
            assert_eq!(stage.tell(Input::KnownGood(versions)), NOTHING);
        }
        stage.command(ROLLOUT, go_back());
        let decision = i64::try_from(stage.log.len()).unwrap() - 1;
        stage.sentinel(addressed(decision, Some("2.0.0"), Some("0.9.0")));
        stage.now += age;
        stage.service("other", "other-0", complete());
        stage.version("2.0.0");
        if let Body::RollbackRefused(body) = stage.last() {
            return Some(body.reason.clone());
        }
        assert!(matches!(stage.last(), Body::RollbackInitiated(_)), "{:?}", stage.last());
        None
    };
    assert_eq!(refused(Some(&["0.9.0", "1.0.0"]), 0), None);
    let reason = refused(Some(&["1.0.0"]), 0).unwrap();
    assert!(
        reason.contains("0.9.0 is not known to be good") && reason.ends_with("known to be good are 1.0.0"),
        "{reason}"
    );
    assert!(refused(None, 0).unwrap().ends_with("the list of known good versions could not be read"));
    assert!(refused(Some(&["0.9.0"]), 86_400_001).unwrap().contains("ms old"));
}

#[test]
fn what_the_journal_saw_run_before_the_rollout_is_good_without_any_list() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.up_to_complete();
    stage.tell(Input::KnownGood(BTreeSet::new()));
    stage.command(ROLLOUT, go_back());
    let decision = i64::try_from(stage.log.len()).unwrap() - 1;
    stage.sentinel(addressed(decision, Some("2.0.0"), Some("1.0.0")));
    assert_eq!(stage.version("2.0.0"), ["write RollbackRequested Announced", "say RollbackInitiated"]);
}

#[test]
fn a_retry_that_delays_begins_a_new_series_after_its_interval() {
    let retry = Retry { attempts: 2, first: 1_000, cap: 1_000, pause: Some(600_000) };
    let mut stage = Stage::ready(vec![Reaction { retry, ..upgrade() }]);
    stage.up_to_hook();
    let mut calls = Vec::new();
    for _ in 0..5 {
        assert_eq!(stage.hook(HookOutcome::Retry(Failure::default())), ["write user-db.Ready Resting"]);
        calls.push(stage.engine.next_deadline().unwrap() - stage.now);
        stage.tick(600_000);
    }
    assert!(calls[0] <= 1_000 && calls[2] <= 1_000 && calls[4] <= 1_000, "{calls:?}");
    assert_eq!((calls[1], calls[3]), (600_000, 600_000));
    assert_eq!(stage.calls.len(), 6);
}
