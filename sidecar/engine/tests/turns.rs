//! Who waits for whom: instances in a line, rollouts in a queue.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod stage;

use pavane_choreography::{Concurrency, Plan};
use pavane_events::command::{RolloutAborted, RolloutPaused, RolloutResumed};
use pavane_events::service::{DeploymentFailed, Drained, RollbackComplete};
use pavane_events::verdict::{CommandRefused, RolloutCompleted};
use pavane_events::{Body, EventId, RolloutId};
use stage::*;

const NOTHING: [&str; 0] = [];

#[test]
fn no_more_instances_are_at_their_hooks_than_the_plan_allows() {
    let ends: [Body; 4] = [
        complete().into(),
        DeploymentFailed::default().into(),
        Drained::default().into(),
        RollbackComplete::default().into(),
    ];
    for end in ends {
        let (mut stage, what) = (in_line(2, &["user-service-1", "user-service-2"]), end.event_type());
        assert_eq!(stage.deliver(), NOTHING);
        assert_eq!(stage.engine.phase().word, "waiting");
        assert_eq!(stage.service("user-service", "user-service-3", announced()), NOTHING, "behind it");
        assert_eq!(stage.service("billing", "user-service-1", complete()), NOTHING, "another service's");
        let lines = stage.service("user-service", "user-service-2", end);
        assert_eq!(lines, ["write user-db.Ready Running", "hook user-db.Ready #1"], "{what}");
        assert_eq!(stage.engine.phase().word, "hook");
    }
}

#[test]
fn who_stands_behind_in_the_line_keeps_nobody_waiting() {
    let mut stage = in_line(1, &[]);
    let own = stage.outbox.remove(0);
    stage.outbox.clear();
    assert_eq!(stage.append(own), ["write user-db.Ready Running", "hook user-db.Ready #1"]);
    assert_eq!(stage.service("user-service", "user-service-1", announced()), NOTHING);
}

#[test]
fn who_waits_in_the_line_waits_through_a_restart_and_a_pause() {
    let mut stage = in_line(1, &["user-service-1"]);
    stage.deliver();
    assert_eq!(stage.crash(), NOTHING);
    assert_eq!(stage.engine.phase().word, "waiting");
    stage.command(ROLLOUT, RolloutPaused::default());
    assert_eq!(stage.service("user-service", "user-service-1", complete()), NOTHING, "paused");
    let lines = stage.command(ROLLOUT, RolloutResumed::default());
    assert_eq!(lines, ["write user-db.Ready Running", "hook user-db.Ready #1"]);
}

#[test]
fn who_waits_in_the_line_goes_back_without_having_moved() {
    let mut stage = in_line(1, &["user-service-1"]);
    stage.deliver();
    let decision = i64::try_from(stage.log.len()).unwrap();
    assert_eq!(stage.command(ROLLOUT, go_back()), ["write user-db.Ready Over(Superseded)"]);
    assert_eq!(stage.sentinel(addressed(decision, None, Some("1.0.0"))), ["observe"]);
    assert_eq!(stage.version("1.0.0"), ["write RollbackRequested Over(Succeeded)", "say RollbackComplete"]);
    assert_eq!(stage.calls, []);
}

#[test]
fn a_plan_that_queues_begins_where_the_last_rollout_in_its_way_ends() {
    let ends: [fn(&mut Stage) -> Vec<String>; 3] = [
        |stage| stage.command(ROLLOUT, RolloutAborted::default()),
        |stage| {
            let accepted = i64::try_from(stage.log.len()).unwrap();
            stage.sentinel(RolloutCompleted { epoch: 1, attempt: 1, accepted })
        },
        |stage| stage.sentinel(refused(0)),
    ];
    for end in ends {
        let mut stage = Stage::ready(vec![upgrade()]);
        stage.start();
        assert_eq!(stage.start_with("r-2", &queues()), NOTHING);
        assert_eq!(stage.engine.rollout().unwrap().as_str(), ROLLOUT);
        assert_eq!(ready_in(&mut stage, "r-2"), NOTHING, "kept");
        assert_eq!(stage.crash(), NOTHING);
        assert_eq!(end(&mut stage), ["observe"]);
        assert_eq!(stage.engine.rollout().unwrap().as_str(), "r-2");
        assert_eq!(stage.version("1.0.0"), ["write user-db.Ready Announced", "say DeploymentStarted"]);
        assert_eq!(stage.crash(), NOTHING);
        assert_eq!(stage.engine.rollout(), Some(&RolloutId::new("r-2").unwrap()));
    }
}

#[test]
fn whoever_waits_has_the_services_before_whoever_comes_later() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    stage.start_with("r-2", &queues());
    assert_eq!(stage.start_with("r-3", &plan()), ["tell rollout_ignored"], "it will not wait");
    assert_eq!(stage.start_with("r-4", &queues()), NOTHING);
    stage.command(ROLLOUT, RolloutAborted::default());
    assert_eq!(stage.engine.rollout().unwrap().as_str(), "r-2");
    stage.command("r-2", RolloutAborted::default());
    assert_eq!(stage.engine.rollout().unwrap().as_str(), "r-4", "r-3 was never there");
}

#[test]
fn what_waits_may_be_aborted_and_cannot_go_back_or_be_paused() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    stage.start_with("r-2", &queues());
    stage.start_with("r-3", &queues());
    assert_eq!(stage.command("r-2", go_back()), ["tell decision_ignored"]);
    assert_eq!(stage.command("r-3", RolloutPaused::default()), NOTHING);
    assert_eq!(stage.command("r-2", RolloutAborted::default()), NOTHING);
    ready_in(&mut stage, "r-3");
    assert_eq!(stage.command(ROLLOUT, RolloutAborted::default()), ["observe"]);
    assert_eq!(stage.engine.rollout().unwrap().as_str(), "r-3");
}

#[test]
fn a_rollout_that_waits_has_taken_the_services_from_those_before() {
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    let messaging = Plan { steps: vec![step("messaging", "messaging.DeploymentComplete", &[])], ..plan() };
    let users = Plan { steps: plan().steps[..2].to_vec(), ..plan() };
    stage.start_with(ROLLOUT, &users);
    stage.start_with("r-2", &messaging);
    stage.start_with("r-3", &queues());
    let accepted = i64::try_from(stage.log.len()).unwrap();
    stage.sentinel(RolloutCompleted { epoch: 1, attempt: 1, accepted });
    assert_eq!(stage.engine.rollout(), None, "r-3 waits for messaging still");
    assert_eq!(stage.command(ROLLOUT, go_back()), ["tell decision_ignored"]);
    stage.command("r-2", RolloutAborted::default());
    assert_eq!(stage.engine.rollout().unwrap().as_str(), "r-3");
}

#[test]
fn a_restart_finds_a_rollout_begun_where_it_began() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    stage.start_with("r-2", &queues());
    let waits = stage.engine.resume_from();
    stage.command(ROLLOUT, RolloutAborted::default());
    assert_eq!((waits, stage.engine.resume_from()), (0, 0), "who knows it must know what it waited for");
    stage.command("r-2", RolloutAborted::default());
    assert_eq!(stage.engine.resume_from(), 4);
}

#[test]
fn a_restart_finds_a_refused_rollout_refused() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    ready_in(&mut stage, "r-2");
    assert_eq!(stage.start_with("r-2", &plan()), ["tell rollout_ignored"]);
    stage.command(ROLLOUT, RolloutAborted::default());
    assert_eq!(stage.start_with("r-3", &plan()), NOTHING);
    assert_eq!(stage.engine.resume_from(), 0, "the early event of r-2 leads to r-2, and r-2 to what it met");
    assert_eq!(stage.crash(), NOTHING);
    assert_eq!(stage.engine.rollout().unwrap().as_str(), "r-3");
}

#[test]
fn a_start_that_was_refused_stays_refused_when_it_comes_again() {
    let mut stage = Stage::ready(vec![upgrade()]);
    stage.start();
    let refused_here = stage.event("/ci", Some("r-2"), None, None, started(&plan()));
    assert_eq!(stage.append(refused_here.clone()), ["tell rollout_ignored"]);
    stage.command(ROLLOUT, RolloutAborted::default());
    let declined = stage.event("/ci", Some("r-3"), None, None, started(&plan()));
    assert_eq!(stage.append(declined.clone()), NOTHING);
    let cites = i64::try_from(stage.log.len()).unwrap() - 1;
    let mut word = stage.event("/pavane/shop/sentinel", Some("r-3"), None, None, refused(cites));
    word.envelope.source = pavane_events::identity::sentinel_source(&word.envelope.domain);
    stage.append(word);
    assert_eq!(stage.engine.rollout(), None);
    for again in [refused_here, declined] {
        assert_eq!(stage.append(again), ["tell duplicate"], "a client that heard no answer sends it again");
    }
    assert_eq!(stage.engine.rollout(), None);
}

/// Instances of user-service that have announced themselves, and then the own one, in a step for so many.
fn in_line(most: u32, others: &[&str]) -> Stage {
    let mut plan = plan();
    plan.steps[1].max_parallel = Some(most);
    let mut stage = Stage::ready(vec![upgrade(), revert()]);
    stage.start_with(ROLLOUT, &plan);
    stage.schema_ready();
    stage.version("1.0.0");
    for other in others {
        assert_eq!(stage.service("user-service", other, announced()), NOTHING);
    }
    stage
}

fn queues() -> Plan {
    Plan { concurrency: Concurrency::Queue, ..plan() }
}

fn refused(cites: i64) -> CommandRefused {
    CommandRefused {
        command: EventId::new("e-1").unwrap(),
        event: "RolloutStarted".into(),
        cites,
        code: "conflict".into(),
        reason: String::new(),
    }
}
