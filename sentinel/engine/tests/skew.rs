//! Versions that run together, held against what plans say of them: told once and damped, over when it is mended, silent
//! where nobody knows.

mod floor;
mod stage;

use floor::*;
use pavane_choreography::Plan;
use pavane_events::control::{Pulse, Sighting, SightingKind};
use pavane_events::{EventType, Service, Timestamp, Version};
use pavane_sentinel_engine::{Alert, AlertStatus, Effect, Engine, Input, Status};
use stage::Stage;

/// One step of `users`: its versions run with these of `db`.
fn users(version: &str, db: &str) -> Plan {
    let mut plan = plan_of(&[step("users", "users", EventType::DeploymentComplete, &[])]);
    plan.steps[0].version = version.parse().ok();
    plan.steps[0].runs_with = [(service("db"), db.parse().expect("a range"))].into();
    plan
}

fn service(name: &str) -> Service {
    Service::new(name).expect("a name")
}

/// A rollout that completes at this version.
fn completes(stage: &mut Stage, id: &str, plan: &Plan, instance: &str, version: &str) {
    stage.log.start(id, plan);
    stage.log.says(id, instance, version, complete());
    stage.settle();
    assert_eq!(stage.engine.rollout(&rollout_id(id)).expect("it started").status, Status::Completed);
}

/// A stage on which `users` has completed at 2.0.0, which runs with `db` from 5 on and below 7.
fn settled() -> Stage {
    let mut stage = Stage::empty();
    completes(&mut stage, "r1", &users(">=2", ">=5, <7"), "users-0", "2.0.0");
    stage
}

/// Lets time go by, with a heartbeat of each of these instances on its version every second.
fn beat(stage: &mut Stage, seconds: i64, alive: &[(&str, &str)]) {
    for _ in 0..seconds {
        for (instance, version) in alive {
            let mut heartbeat = heartbeat(instance, "idle");
            heartbeat.version = Version::new(*version).ok();
            stage.feed(Input::Heartbeat { heartbeat, offset: 0, at: Timestamp(stage.log.time) });
        }
        stage.wait(1_000, &[]);
    }
}

fn skews(stage: &Stage) -> Vec<&Alert> {
    stage.alerts.iter().filter(|alert| alert.labels["alertname"] == "VersionSkew").collect()
}

fn restart(stage: &mut Stage) {
    let snapshot = stage.engine.snapshot();
    stage.engine = Engine::restore(domain(), "s1".to_owned(), &snapshot).expect("its own snapshot");
    stage.feed(Input::Speaks(true));
    stage.feed(Input::CaughtUp);
    stage.settle();
}

#[test]
fn what_is_outside_is_told_and_what_nobody_can_compare_is_not() {
    let (mut told, mut silent) = (0, 0);
    for (users, db, outside) in [
        ("2.0.0", "5.0.0", false),
        ("2.4.1", "6.9.9", false),
        ("2.0.0", "4.9.9", true),
        ("2.0.0", "7.0.0", true),
        ("3.0.0", "1.0.0", true),
        ("1.9.9", "4.0.0", false),
        ("1.9.9", "7.0.0", false),
        // as everywhere, a pre-release meets only a range that names it
        ("2.0.0", "6.0.0-rc.1", true),
        ("2.0.0-rc.1", "4.0.0", false),
        ("2.0.0", "nightly", false),
        ("nightly", "4.0.0", false),
        ("2.0.0", "", false),
        ("", "4.0.0", false),
    ] {
        let mut stage = settled();
        beat(&mut stage, 120, &[("users-0", users), ("db-0", db)]);
        assert_eq!(skews(&stage).len(), usize::from(outside), "users {users} beside db {db}");
        *(if outside { &mut told } else { &mut silent }) += 1;
    }
    assert!(told >= 4 && silent >= 8, "{told} told, {silent} not");
}

#[test]
fn it_is_told_once_to_the_owner_with_both_sides_and_is_no_verdict() {
    let mut stage = settled();
    let log = stage.log.entries.len();
    beat(
        &mut stage,
        150,
        &[("users-0", "2.0.0"), ("users-1", "2.0.0"), ("users-2", "1.0.0"), ("db-0", "7.1.0")],
    );
    let [alert] = skews(&stage)[..] else { panic!("told once: {:?}", skews(&stage)) };
    let label = |name: &str| alert.labels[name].as_str();
    assert_eq!((label("severity"), label("owner"), label("service")), ("ticket", "team-users", "users"));
    assert_eq!((label("choreography"), label("step"), label("rollout")), ("users-v2", "users", "r1"));
    let says = |name: &str| alert.annotations[name].as_str();
    assert_eq!(says("summary"), "users 2.0.0 runs beside db 7.1.0, and wants >=5, <7");
    assert!(says("description").contains("users-0, users-1 beside db-0"), "{alert:?}");
    assert!(says("description").contains("rollout r1, started at offset 1"), "{alert:?}");
    assert!(says("next_step").starts_with("bring db to >=5, <7, or users to a version"), "{alert:?}");
    let view = stage.engine.view().skew;
    assert_eq!((view.len(), view[0].with_version.as_str(), stage.engine.skewed()), (1, "7.1.0", 1));
    let pulses = stage.log.entries[log..].iter().all(|entry| {
        let pavane_events::Entry::Event(record) = entry else { return false };
        record.event.body.event_type() == EventType::Pulse
    });
    assert!(pulses, "nothing is asked back, and nothing is judged");
    assert_eq!(
        stage.burning(),
        ["VersionDrift", "VersionSkew"],
        "users-2 drifts, and its 1.0.0 may run with any"
    );
}

#[test]
fn it_is_damped_both_ways() {
    let mut stage = settled();
    let (right, wrong) =
        ([("users-0", "2.0.0"), ("db-0", "6.0.0")], [("users-0", "2.0.0"), ("db-0", "4.0.0")]);
    for _ in 0..4 {
        beat(&mut stage, 55, &wrong);
        beat(&mut stage, 1, &right);
    }
    assert!(skews(&stage).is_empty(), "not for less than a minute without a break");
    beat(&mut stage, 120, &wrong);
    assert_eq!(stage.burning(), ["VersionSkew"]);
    for _ in 0..4 {
        beat(&mut stage, 55, &right);
        beat(&mut stage, 1, &wrong);
    }
    assert_eq!((stage.burning().len(), skews(&stage).len()), (1, 1), "nor is it over for less");
    beat(&mut stage, 120, &right);
    assert!(stage.burning().is_empty() && stage.engine.view().skew.is_empty());
    let [began, over] = skews(&stage)[..] else { panic!("{:?}", skews(&stage)) };
    assert_eq!((&began.id, &began.labels, over.status), (&over.id, &over.labels, AlertStatus::Resolved));
}

#[test]
fn who_is_silent_is_not_mended_and_who_is_gone_is() {
    let mut stage = settled();
    beat(&mut stage, 120, &[("users-0", "2.0.0"), ("db-0", "4.0.0")]);
    assert_eq!(stage.burning(), ["VersionSkew"]);
    beat(&mut stage, 40, &[("users-0", "2.0.0")]);
    stage.wait(400_000, &[]);
    assert_eq!(
        stage.burning(),
        ["VersionSkew"],
        "nobody at all is heard: the sentinel has lost sight of what runs"
    );
    beat(&mut stage, 200, &[("users-0", "2.0.0")]);
    assert!(stage.burning().is_empty(), "the others are heard, and db is gone");
    assert_eq!(skews(&stage).len(), 2);
}

#[test]
fn a_restart_neither_forgets_nor_tells_again() {
    let mut stage = settled();
    restart(&mut stage);
    let wrong = [("users-0", "2.0.0"), ("db-0", "4.0.0")];
    beat(&mut stage, 120, &wrong);
    assert_eq!(stage.burning(), ["VersionSkew"], "what the plan says was kept");
    restart(&mut stage);
    beat(&mut stage, 150, &wrong);
    assert_eq!(skews(&stage).len(), 1, "told once");
    restart(&mut stage);
    beat(&mut stage, 200, &[("users-0", "2.0.0"), ("db-0", "5.0.0")]);
    assert_eq!((stage.burning().len(), skews(&stage).len()), (0, 2));
}

#[test]
fn all_who_read_the_log_tell_the_same() {
    let mut stage = settled();
    beat(&mut stage, 100, &[("users-0", "2.0.0"), ("db-0", "4.0.0")]);
    beat(&mut stage, 150, &[("users-0", "2.0.0"), ("db-0", "5.0.0")]);
    let mut other = Engine::new(domain(), "s2".to_owned());
    let mut alerts = Vec::new();
    for entry in &stage.log.entries {
        for effect in other.handle(0, Input::Read(entry.clone())) {
            if let Effect::Raise(alert) = effect {
                alerts.push(*alert);
            }
        }
    }
    assert_eq!(alerts, stage.alerts);
    assert_eq!(skews(&stage).len(), 2);
    assert!(other.snapshot() == stage.engine.snapshot());
}

#[test]
fn while_a_rollout_is_on_its_way_both_its_plan_and_the_one_before_count_each_for_its_versions() {
    let old_beside_new = [("users-0", "2.0.0"), ("db-0", "7.0.0")];
    let new_beside_old = [("users-0", "3.0.0"), ("db-0", "6.0.0")];
    let newer = users(">=3", ">=7");
    let open = || {
        let mut stage = settled();
        stage.log.start("r2", &newer);
        stage.settle();
        stage
    };
    for (running, wanted) in [(old_beside_new, ">=5, <7"), (new_beside_old, ">=7")] {
        let mut stage = open();
        beat(&mut stage, 120, &running);
        let [alert] = skews(&stage)[..] else { panic!("{running:?}: {:?}", skews(&stage)) };
        assert!(alert.annotations["summary"].ends_with(&format!("wants {wanted}")), "{alert:?}");
    }

    let mut stage = open();
    beat(&mut stage, 120, &old_beside_new);
    stage.log.says("r2", "users-0", "3.0.0", complete());
    stage.settle();
    let of = |stage: &Stage| stage.burning().iter().filter(|name| *name == "VersionSkew").count();
    assert_eq!(
        of(&stage),
        0,
        "the newer plan stands in the place of the older one, and says nothing of 2.0.0"
    );
    beat(&mut stage, 120, &old_beside_new);
    assert_eq!(of(&stage), 0);
    beat(&mut stage, 120, &new_beside_old);
    assert_eq!(of(&stage), 1);
}

#[test]
fn a_rollout_that_did_not_complete_leaves_what_the_one_before_said() {
    for end in [abort(), go_back()] {
        let mut stage = settled();
        stage.log.start("r2", &users(">=3", ">=7"));
        stage.settle();
        stage.log.says("r2", "users-0", "3.0.0", started("2.0.0"));
        stage.log.person("r2", end);
        stage.settle();
        stage.log.says("r2", "users-0", "2.0.0", back(1));
        stage.settle();
        beat(&mut stage, 120, &[("users-0", "3.0.0"), ("db-0", "6.0.0")]);
        assert!(skews(&stage).is_empty(), "its own word is gone");
        beat(&mut stage, 120, &[("users-0", "2.0.0"), ("db-0", "4.0.0")]);
        assert_eq!(skews(&stage).len(), 1, "the one before holds");
    }
}

#[test]
fn a_service_that_is_back_beside_what_cannot_be_taken_back_is_told_by_the_plan_before() {
    let mut stage = Stage::empty();
    completes(&mut stage, "r1", &users(">=1", "<5"), "users-0", "1.0.0");
    let mut db = step("db", "db", EventType::DeploymentComplete, &[]);
    db.reversible = false;
    let mut newer = users(">=2", ">=5").steps.remove(0);
    newer.after = vec![db.id.clone()];
    stage.log.start("r2", &plan_of(&[db, newer]));
    stage.log.says("r2", "db-0", "5.0.0", complete());
    stage.log.says("r2", "users-0", "2.0.0", started("1.0.0"));
    stage.log.person("r2", go_back());
    stage.settle();
    stage.log.says("r2", "users-0", "1.0.0", back(1));
    stage.settle();
    assert_eq!(stage.engine.rollout(&rollout_id("r2")).expect("it started").status, Status::RolledBack);
    beat(&mut stage, 120, &[("users-0", "1.0.0"), ("db-0", "5.0.0")]);
    let [alert] = skews(&stage)[..] else { panic!("{:?}", skews(&stage)) };
    assert_eq!(alert.annotations["summary"], "users 1.0.0 runs beside db 5.0.0, and wants <5");
    assert_eq!(alert.labels["rollout"], "r1");
}

#[test]
fn a_plan_that_says_nothing_takes_back_what_was_said() {
    let mut stage = settled();
    beat(&mut stage, 120, &[("users-0", "2.0.0"), ("db-0", "4.0.0")]);
    let mut plan = users(">=2", ">=5, <7");
    plan.steps[0].runs_with.clear();
    completes(&mut stage, "r2", &plan, "users-0", "2.0.0");
    assert!(stage.burning().is_empty(), "{:?}", stage.burning());
    beat(&mut stage, 120, &[("users-0", "2.0.0"), ("db-0", "4.0.0")]);
    assert_eq!(skews(&stage).len(), 2);
}

#[test]
fn instances_of_different_zones_do_not_run_together() {
    let mut stage = settled();
    let apart = [("users-0@eu", "2.0.0"), ("db-0@us", "4.0.0"), ("db-1@eu", "5.0.0")];
    beat(&mut stage, 120, &apart);
    assert!(skews(&stage).is_empty());
    beat(&mut stage, 120, &[("users-0@eu", "2.0.0"), ("db-0@eu", "4.0.0")]);
    assert_eq!(skews(&stage).len(), 1);
    let mut stage = settled();
    beat(&mut stage, 120, &[("users-0@eu", "2.0.0"), ("db-0", "4.0.0")]);
    assert_eq!(skews(&stage).len(), 1, "what has no zone is everywhere");
}

#[test]
fn a_service_without_heartbeats_runs_what_its_last_rollout_left() {
    let db = plan_of(&[step("db", "db", EventType::DeploymentComplete, &[])]);
    let mut stage = settled();
    completes(&mut stage, "d1", &db, "db-0", "4.0.0");
    beat(&mut stage, 200, &[("users-0", "2.0.0")]);
    let [alert] = skews(&stage)[..] else { panic!("{:?}", skews(&stage)) };
    assert!(
        alert.annotations["description"].contains("users-0 beside db, as its last rollout left it"),
        "{alert:?}"
    );
    stage.log.start("d2", &db);
    stage.settle();
    beat(&mut stage, 120, &[("users-0", "2.0.0")]);
    stage.log.says("d2", "db-0", "5.0.0", complete());
    stage.settle();
    beat(&mut stage, 120, &[("users-0", "2.0.0")]);
    assert_eq!(skews(&stage).last().map(|alert| alert.status), Some(AlertStatus::Resolved));
    assert_eq!(skews(&stage).len(), 2);
}

#[test]
fn a_service_may_say_which_versions_of_itself_run_together() {
    let mut plan = users(">=3", "*");
    plan.steps[0].runs_with = [(service("users"), ">=2.9".parse().expect("a range"))].into();
    let mut stage = Stage::empty();
    completes(&mut stage, "r1", &plan, "users-0", "3.0.0");
    beat(&mut stage, 120, &[("users-0", "3.0.0"), ("users-1", "2.9.4")]);
    assert!(skews(&stage).is_empty());
    beat(&mut stage, 120, &[("users-0", "3.0.0"), ("users-1", "2.8.0")]);
    assert_eq!(skews(&stage).len(), 1);
}

#[test]
fn a_word_that_no_plan_gives_a_ground_for_tells_nothing() {
    let sighted = |stage: &mut Stage, with_version: &str| {
        let version = |text: &str| Version::new(text).ok();
        let seen = Sighting {
            kind: SightingKind::Skewed,
            service: Some(service("users")),
            version: version("2.0.0"),
            with: Some(service("db")),
            with_version: version(with_version),
            ..Sighting::default()
        };
        let body =
            Pulse { sightings: vec![seen.clone(), Sighting { with: None, ..seen }], ..Pulse::default() }
                .into();
        let (id, rollout, causation, service) = (None, None, None, None);
        stage.log.draft("s2", pavane_sentinel_engine::Draft { id, rollout, causation, service, body });
        stage.settle();
    };
    let mut stage = settled();
    for fine in ["5.0.0", "nightly"] {
        sighted(&mut stage, fine);
        assert!(skews(&stage).is_empty(), "{fine}");
    }
    sighted(&mut stage, "4.0.0");
    sighted(&mut stage, "4.0.0");
    assert_eq!(skews(&stage).len(), 1, "what two replicas see at once is told once");

    let mut stage = Stage::empty();
    let mut forged = users(">=2", ">=5");
    forged.steps[0].version = None;
    completes(&mut stage, "r1", &forged, "users-0", "2.0.0");
    sighted(&mut stage, "4.0.0");
    beat(&mut stage, 120, &[("users-0", "2.0.0"), ("db-0", "4.0.0")]);
    assert!(skews(&stage).is_empty(), "no document can say that");
}
