//! What is to start again and again is missed when it does not: once, and by the log alone.

mod floor;
mod stage;

use floor::*;
use pavane_choreography::Plan;
use pavane_events::command::{RULES, RolloutStarted};
use pavane_events::{Body, EventType};
use pavane_sentinel_engine::AlertStatus::{self, Firing, Resolved};
use pavane_sentinel_engine::{BlindCause, Effect, Engine, Input};
use stage::Stage;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// One step that starts again every hour.
fn hourly() -> Plan {
    let mut plan = plan_of(&[step("users", "users", EventType::DeploymentComplete, &[])]);
    plan.every = Some(HOUR);
    plan
}

/// A rollout starts and is done.
fn dances(stage: &mut Stage, rollout: &str, plan: &Plan) {
    stage.log.start(rollout, plan);
    stage.settle();
    stage.log.says(rollout, "users-0", "2.0.0", complete());
    stage.settle();
}

/// What was told of missed starts: what burns and what is over.
fn told(stage: &Stage) -> Vec<AlertStatus> {
    let missed = stage.alerts.iter().filter(|alert| alert.labels["alertname"] == "StartMissed");
    missed.map(|alert| alert.status).collect()
}

#[test]
fn a_start_that_does_not_come_is_told_once_and_over_with_the_next_start() {
    let mut stage = Stage::empty();
    dances(&mut stage, "r1", &hourly());
    stage.wait(HOUR - 5 * MINUTE, &[]);
    dances(&mut stage, "r2", &hourly());
    stage.wait(HOUR - MINUTE, &[]);
    assert_eq!(told(&stage), [], "an hour has not gone by since the last one");
    stage.wait(3 * HOUR, &[]);
    assert_eq!(told(&stage), [Firing]);
    let alert = stage.alert("StartMissed").clone();
    let labels = ["choreography", "owner", "severity"].map(|label| alert.labels[label].as_str());
    assert_eq!(labels, ["users-v2", "identity", "ticket"]);
    assert!(
        alert.annotations["description"].contains("Its last rollout, r2, started at offset"),
        "{alert:#?}"
    );
    let late = alert.starts_at.since(alert.deadline.expect("it was due"));
    assert!((1..=MINUTE / 2).contains(&late), "by the next record: {late} ms");
    assert!(stage.engine.view().schedules[0].missed);

    dances(&mut stage, "r3", &hourly());
    assert_eq!((told(&stage), &stage.alert("StartMissed").id), (vec![Firing, Resolved], &alert.id));
    assert!(!stage.engine.view().schedules[0].missed);
    stage.wait(HOUR + MINUTE, &[]);
    assert_eq!(told(&stage), [Firing, Resolved, Firing]);
    assert_ne!(stage.alert("StartMissed").id, alert.id, "another one");
    assert!(stage.verdicts().iter().all(|said| said.starts_with("RolloutCompleted")), "it is no verdict");
}

#[test]
fn a_start_that_is_refused_is_none_and_one_that_waits_its_turn_is_one() {
    let mut stage = Stage::empty();
    stage.log.start("r1", &hourly());
    stage.settle();
    stage.wait(50 * MINUTE, &["users-0"]);
    stage.log.start("r2", &hourly());
    stage.settle();
    assert_eq!(stage.refusals(), ["conflict"]);
    stage.wait(11 * MINUTE, &["users-0"]);
    assert_eq!(told(&stage), [Firing]);
    let mut queued = hourly();
    queued.concurrency = pavane_choreography::Concurrency::Queue;
    stage.log.start("r3", &queued);
    stage.settle();
    assert_eq!(told(&stage), [Firing, Resolved]);
}

#[test]
fn while_the_domain_is_held_nothing_is_missed_and_the_release_gives_the_whole_time_again() {
    let mut stage = Stage::empty();
    dances(&mut stage, "r1", &hourly());
    stage.wait(30 * MINUTE, &[]);
    stage.person(held());
    stage.wait(3 * HOUR, &[]);
    assert_eq!(told(&stage), []);
    stage.person(released());
    stage.wait(59 * MINUTE, &[]);
    assert_eq!(told(&stage), []);
    // to release what is not held gives nothing
    stage.person(released());
    stage.wait(2 * MINUTE, &[]);
    assert_eq!(told(&stage), [Firing]);
}

#[test]
fn the_plan_that_started_last_says_what_is_missed() {
    let mut stage = Stage::empty();
    dances(&mut stage, "r1", &hourly());
    let mut other = hourly();
    "backup".clone_into(&mut other.name);
    dances(&mut stage, "r2", &other);
    stage.wait(2 * HOUR, &[]);
    assert_eq!(told(&stage), [Firing, Firing], "each choreography by itself");
    let mut never = other;
    never.every = None;
    stage.log.start("r3", &never);
    stage.log.person("r3", abort());
    stage.settle();
    assert_eq!(told(&stage), [Firing, Firing, Resolved]);
    stage.wait(3 * HOUR, &[]);
    assert_eq!(told(&stage), [Firing, Firing, Resolved]);
    let left = stage.engine.view().schedules;
    assert_eq!(left.iter().map(|one| one.choreography.as_str()).collect::<Vec<_>>(), ["users-v2"]);
}

#[test]
fn who_cannot_read_all_starts_misses_none() {
    let mut stage = Stage::empty();
    dances(&mut stage, "r1", &hourly());
    let plan = hourly();
    let newer = RolloutStarted {
        choreography: plan.name.clone(),
        plan_digest: plan.digest(),
        plan: plan.to_json(),
        rules: RULES + 1,
        by: String::new(),
        reason: String::new(),
    };
    stage.log.person("r2", Body::from(newer));
    stage.settle();
    assert_eq!(stage.engine.blindness(), Some(BlindCause::NewerRules));
    // another replica, of a newer program, goes on
    for _ in 0..300 {
        stage.log.time += MINUTE;
        stage.log.draft("s2", pulse());
        stage.settle();
    }
    assert_eq!(told(&stage), []);
}

#[test]
fn a_leap_of_the_brokers_clock_misses_nothing() {
    let mut stage = Stage::empty();
    stage.log.start("r1", &hourly());
    stage.settle();
    stage.wait(5_000, &["users-0"]);
    // the broker alone leaps: the sentinel's own time says how much of it was none
    for entry in ahead(&mut stage, 10 * HOUR) {
        stage.feed(entry);
    }
    assert_eq!(told(&stage), [], "nobody knows yet what time it is");
}

/// A record of the sentinel that the broker appends so far ahead.
fn ahead(stage: &mut Stage, by: i64) -> Vec<Input> {
    let own = stage.log.time;
    stage.log.time += by;
    stage.log.draft("s2", pulse());
    let entries = stage.log.entries[stage.read..].iter().cloned().map(Input::Read).collect();
    (stage.log.time, stage.read) = (own, stage.log.entries.len());
    entries
}

fn pulse() -> pavane_sentinel_engine::Draft {
    let body = pavane_events::control::Pulse::default().into();
    pavane_sentinel_engine::Draft { id: None, rollout: None, causation: None, service: None, body }
}

#[test]
fn a_replica_that_begins_with_a_snapshot_tells_the_same_wherever_it_begins() {
    let mut stage = Stage::empty();
    dances(&mut stage, "r1", &hourly());
    stage.wait(2 * HOUR, &[]);
    dances(&mut stage, "r2", &hourly());
    let raised = |engine: &mut Engine, entry: &pavane_events::Entry| -> Vec<Effect> {
        let effects = engine.handle(0, Input::Read(entry.clone()));
        effects.into_iter().filter(|effect| matches!(effect, Effect::Raise(_))).collect()
    };
    let mut whole = Engine::new(domain(), "s2".to_owned());
    let mut told = 0;
    for entry in &stage.log.entries {
        let kept = whole.snapshot();
        let mut restored = Engine::restore(domain(), "s3".to_owned(), &kept).expect("its own snapshot");
        let effects = raised(&mut whole, entry);
        assert_eq!(raised(&mut restored, entry), effects);
        assert!(restored.snapshot() == whole.snapshot());
        told += effects.len();
    }
    assert_eq!(told, 2, "told, and over");
}

#[test]
fn a_time_that_no_document_can_say_asks_for_nothing() {
    for every in [-1, 0, 999, i64::MAX] {
        let mut plan = hourly();
        plan.every = Some(every);
        let mut stage = Stage::empty();
        dances(&mut stage, "r1", &plan);
        stage.wait(HOUR, &[]);
        assert_eq!((told(&stage), stage.engine.view().schedules.len()), (vec![], 0));
    }
}
