//! What is told although nobody says it, and stays told over a restart: forgotten rollouts, drift, and what is known good.

mod floor;
mod stage;

use floor::*;
use pavane_choreography::{Approval, Method, OnStall, Phase, Plan};
use pavane_events::control::DomainConfigured;
use pavane_events::{Body, EventType, PhaseId, StepId, Timestamp, Version};
use pavane_sentinel_engine::{AlertStatus, Engine, Input, Status};
use stage::Stage;

const HOUR: i64 = 3_600_000;

/// One step, `users`.
fn short() -> Plan {
    plan_of(&[step("users", "users", EventType::DeploymentComplete, &[])])
}

/// Another replica takes over: it begins with what the first one has folded, and speaks.
fn restart(stage: &mut Stage) {
    let snapshot = stage.engine.snapshot();
    stage.engine = Engine::restore(domain(), "s1".to_owned(), &snapshot).expect("its own snapshot");
    stage.feed(Input::Speaks(true));
    stage.feed(Input::CaughtUp);
    stage.settle();
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

/// A rollout of `users` to 2.0.0 that is complete.
fn complete_rollout(stage: &mut Stage) {
    stage.log.start("r1", &short());
    stage.settle();
    stage.says("users-0", started("1.0.0"));
    stage.says("users-0", complete());
    stage.says("users-1", complete());
    assert_eq!(stage.view().status, Status::Completed);
}

/// Brings partition time this far, by the pulses of the sentinel alone.
fn idle(stage: &mut Stage, ms: i64) {
    let end = stage.log.time + ms;
    while stage.log.time < end {
        stage.log.time = (stage.log.time + 30_000).min(end);
        stage.feed(Input::Tick);
        stage.settle();
        // the silence between two pulses is explained
        stage.wait(1_000, &[]);
    }
}

fn configured(stage: &mut Stage, configured: DomainConfigured) {
    stage.person(configured.into());
}

#[test]
fn a_rollout_whose_clocks_stand_for_long_is_told_once_and_over_when_they_run() {
    let mut stage = Stage::new(&short());
    configured(&mut stage, DomainConfigured { orphan_after_ms: 600_000, ..Default::default() });
    stage.person(pause());
    stage.wait(590_000, &[]);
    assert_eq!(stage.burning(), ["RolloutPaused"]);
    stage.wait(20_000, &[]);
    assert_eq!(stage.burning(), ["RolloutOrphaned", "RolloutPaused"]);
    let alert = stage.alert("RolloutOrphaned");
    assert!(alert.annotations["description"].contains("it is paused"), "{alert:?}");
    assert!(alert.annotations["next_step"].starts_with("`pavane resume r1` lets it run on"), "{alert:?}");
    assert_eq!(alert.labels["cause"], "paused");
    let told = stage.alerts.len();
    restart(&mut stage);
    stage.wait(60_000, &[]);
    assert_eq!(stage.alerts.len(), told, "it is not told again after a restart");
    stage.person(resume());
    assert_eq!((stage.alerts.len(), stage.burning().len()), (told + 2, 0));
    assert_eq!(stage.alerts[told + 1].id, stage.alerts[told - 1].id, "it is over under the same id");
}

#[test]
fn a_day_is_the_default_and_a_held_domain_and_a_queue_count_too() {
    let mut queued = short();
    queued.concurrency = pavane_choreography::Concurrency::Queue;
    let mut stage = Stage::new(&short());
    stage.log.start("r2", &queued);
    stage.settle();
    stage.person(held());
    idle(&mut stage, 23 * HOUR);
    assert_eq!(stage.burning(), ["DomainHeld"]);
    idle(&mut stage, HOUR + 120_000);
    let two = ["DomainHeld", "RolloutOrphaned", "RolloutOrphaned"];
    assert_eq!(stage.burning(), two, "the held one and the queued one");
    stage.person(released());
    assert_eq!(stage.burning(), ["RolloutOrphaned"], "the queued one still waits");
}

#[test]
fn what_a_person_stops_is_told_until_it_runs_on_and_what_the_sentinel_pauses_is_told_by_its_stall() {
    let mut stage = Stage::new(&short());
    stage.person(held());
    stage.person(held());
    stage.person(pause());
    stage.person(pause());
    assert_eq!(stage.burning(), ["DomainHeld", "RolloutPaused"], "each is told once");
    let paused = stage.alert("RolloutPaused");
    assert_eq!(paused.labels["severity"], "ticket");
    assert!(paused.annotations["next_step"].contains("`pavane resume r1`"), "{paused:?}");
    restart(&mut stage);
    stage.person(released());
    assert_eq!(stage.burning(), ["RolloutPaused"]);
    let over = stage.alerts.last().expect("it is over").clone();
    let began = stage.alerts.iter().find(|alert| alert.id == over.id).expect("it began");
    assert_eq!((&over.labels, over.starts_at), (&began.labels, began.starts_at), "over as it began");
    stage.person(resume());
    assert!(stage.burning().is_empty());

    let mut plan = short();
    plan.steps[0].on_stall = pavane_choreography::OnStall::Pause;
    let mut stage = Stage::new(&plan);
    stage.wait(60_000, &["users-0"]);
    assert!(stage.view().paused, "{:?}", stage.verdicts());
    assert_eq!(stage.burning(), ["RolloutStalled"]);
    stage.person(pause());
    stage.person(Body::from(pavane_events::command::RolloutAborted::default()));
    assert!(stage.burning().is_empty(), "{:?}", stage.burning());
}

#[test]
fn a_step_that_nobody_looks_after_is_told_a_second_time() {
    let mut stage = Stage::new(&short());
    configured(&mut stage, DomainConfigured { orphan_after_ms: 600_000, ..Default::default() });
    stage.wait(580_000, &["users-0"]);
    assert_eq!(stage.burning(), ["RolloutStalled"]);
    stage.wait(60_000, &["users-0"]);
    assert_eq!(stage.burning(), ["RolloutStalled", "StepOrphaned"]);
    restart(&mut stage);
    stage.says("users-0", complete());
    assert!(stage.burning().is_empty(), "{:?}", stage.burning());
}

#[test]
fn an_approval_that_is_awaited_is_told_again_each_time_its_gate_opens_and_over_after_a_restart() {
    let mut plan = plan_of(&[
        step("first", "users", EventType::DeploymentComplete, &[]),
        step("second", "chat", EventType::DeploymentComplete, &[]),
    ]);
    plan.method = Method::Hybrid;
    let phase = |id: &str| Phase {
        id: PhaseId::new(id).expect("a name"),
        steps: vec![StepId::new(id).expect("a name")],
        approval: (id == "second").then(|| Approval { by: "sre".to_owned() }),
        cohort: None,
        soak: 0,
        watch: None,
    };
    plan.phases = vec![phase("first"), phase("second")];
    let mut stage = Stage::new(&plan);
    stage.wait(2_500, &[]);
    stage.says("users-0", complete());
    assert_eq!(stage.burning(), ["ApprovalAwaited"]);
    stage.says("users-0", drained());
    assert!(stage.burning().is_empty(), "the gate is shut again");
    stage.says("users-0", complete());
    assert_eq!(stage.burning(), ["ApprovalAwaited"], "it is told again, under another id");
    stage.person(pause());
    assert_eq!(stage.burning(), ["ApprovalAwaited", "RolloutPaused"], "a pause decides nothing");
    restart(&mut stage);
    stage.person(approve(&plan, "second", 1));
    assert_eq!(stage.burning(), ["RolloutPaused"]);
    assert_eq!(stage.alerts.iter().filter(|alert| alert.status == AlertStatus::Resolved).count(), 2);
}

#[test]
fn an_instance_that_runs_another_version_than_was_left_is_told_and_over_when_it_is_mended() {
    let mut stage = Stage::empty();
    complete_rollout(&mut stage);
    beat(&mut stage, 200, &[("users-0", "2.0.0"), ("users-1", "2.0.0")]);
    assert!(stage.burning().is_empty());
    beat(&mut stage, 50, &[("users-0", "2.0.0"), ("users-1", "1.9.0")]);
    beat(&mut stage, 1, &[("users-1", "2.0.0")]);
    beat(&mut stage, 55, &[("users-0", "2.0.0"), ("users-1", "1.9.0")]);
    assert!(stage.burning().is_empty(), "not for less than a minute without a break");
    beat(&mut stage, 45, &[("users-0", "2.0.0"), ("users-1", "1.9.0")]);
    assert_eq!(stage.burning(), ["VersionDrift"]);
    let alert = stage.alert("VersionDrift").clone();
    assert_eq!(
        (alert.labels["instance"].as_str(), alert.labels["owner"].as_str()),
        ("users-1", "team-users")
    );
    assert_eq!(alert.annotations["summary"], "users-1 of users runs 1.9.0; r1 left 2.0.0");
    let drift = stage.engine.view().drift;
    assert_eq!((drift.len(), drift[0].version.as_str(), stage.engine.drifting()), (1, "1.9.0", 1));
    restart(&mut stage);
    beat(&mut stage, 100, &[("users-0", "2.0.0"), ("users-1", "1.9.0")]);
    assert_eq!(stage.alerts.iter().filter(|told| told.id == alert.id).count(), 1, "told once");
    beat(&mut stage, 40, &[("users-0", "2.0.0"), ("users-1", "2.0.0")]);
    assert!(stage.burning().is_empty() && stage.engine.view().drift.is_empty());
    assert_eq!(stage.alert("VersionDrift").id, alert.id, "over under the same id");
    assert!(stage.verdicts().iter().all(|said| said.starts_with("RolloutCompleted")), "it is no verdict");
}

#[test]
fn an_open_rollout_has_no_drift_and_who_is_gone_has_none_either() {
    let mut stage = Stage::empty();
    complete_rollout(&mut stage);
    beat(&mut stage, 100, &[("users-1", "1.9.0")]);
    assert_eq!(stage.burning(), ["VersionDrift"]);
    stage.log.start("r2", &short());
    stage.settle();
    assert!(stage.burning().is_empty(), "the rollout has taken the service over");
    beat(&mut stage, 5, &[("users-1", "1.9.0")]);
    stage.log.says("r2", "users-0", "2.1.0", complete());
    stage.settle();
    beat(&mut stage, 100, &[("users-0", "2.1.0"), ("users-1", "1.9.0")]);
    assert_eq!(stage.burning(), ["VersionDrift"]);
    beat(&mut stage, 130, &[("users-0", "2.1.0")]);
    assert!(stage.burning().is_empty(), "who is gone drifts no more");
}

#[test]
fn a_rollback_leaves_what_ran_before_and_an_abort_leaves_what_nobody_knows() {
    let mut stage = Stage::empty();
    complete_rollout(&mut stage);
    stage.person(go_back());
    stage.says("users-0", back(2));
    assert_eq!(stage.view().status, Status::RolledBack);
    assert!(stage.rows["users"].knows(&Version::new("2.0.0").expect("a name")));
    let left = |stage: &Stage| {
        let versions = stage.rows["users"].left.as_ref().map(|left| left.versions.clone());
        versions.map(|versions| versions.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(left(&stage), Some(vec!["1.0.0".to_owned()]), "what ran before");
    for (id, from, answer) in [("r2", "2.0.0", Some(back(1))), ("r3", "2.0.0", None)] {
        stage.log.start(id, &short());
        stage.log.says(id, "users-0", "3.0.0", started(from));
        let end = if answer.is_some() { go_back() } else { abort() };
        stage.log.person(id, end);
        stage.settle();
        if let Some(answer) = answer {
            stage.log.says(id, "users-0", from, answer);
            stage.settle();
            assert_eq!(left(&stage), Some(vec!["2.0.0".to_owned()]));
        }
    }
    assert_eq!(left(&stage), None, "half-way, nobody can tell");
    beat(&mut stage, 120, &[("users-0", "3.0.0")]);
    assert!(stage.burning().is_empty(), "and so nothing drifts");
}

#[test]
fn versions_that_completed_a_rollout_are_known_good_the_newest_first() {
    let mut stage = Stage::empty();
    for (id, version) in [("a", "1.0.0"), ("b", "2.0.0"), ("c", "1.0.0"), ("d", "3.0.0")] {
        stage.log.start(id, &short());
        let said = if id == "d" { failed("exit 1") } else { complete() };
        stage.log.says(id, "users-0", version, started("0.9.0"));
        stage.log.says(id, "users-0", version, said);
        stage.settle();
    }
    let row = &stage.rows["users"];
    let known: Vec<String> =
        row.known_good.iter().map(|known| format!("{} {}", known.version, known.rollout)).collect();
    assert_eq!(known, ["1.0.0 c", "2.0.0 b"], "each once; what failed is none");
    assert_eq!(row.left.as_ref().map(|left| left.rollout.as_str()), Some("c"));
    let written = stage.rows.clone();
    stage.rows.clear();
    restart(&mut stage);
    assert_eq!(stage.rows, written, "whoever begins to speak writes all rows anew");
}

#[test]
fn an_override_is_kept_with_who_said_it_and_why() {
    let mut stage = Stage::new(&plan());
    stage.log.time = 5_000;
    stage.person(overrides("schema"));
    restart(&mut stage);
    let view = stage.view();
    let by = view.steps[0].overridden_by.as_ref().expect("it is kept");
    assert_eq!((by.by.as_str(), by.reason.as_str(), by.at.0), ("ann", "seen", 5_000));
    assert!(
        matches!(stage.log.entries[usize::try_from(by.offset).expect("small")], pavane_events::Entry::Event(ref record) if matches!(record.event.body, Body::StepOverridden(_)))
    );
}

#[test]
fn a_pause_stops_the_clock_of_a_count_that_must_hold_too() {
    let mut plan = short();
    plan.steps[0].healthy_for = 10_000;
    let mut stage = Stage::new(&plan);
    stage.says("users-0", complete());
    stage.wait(6_000, &[]);
    stage.person(pause());
    stage.wait(60_000, &[]);
    assert_eq!(stage.view().status, Status::Open, "nothing is accepted meanwhile");
    stage.person(resume());
    stage.wait(3_500, &[]);
    assert_eq!(stage.view().status, Status::Open, "four seconds were left");
    stage.wait(1_000, &[]);
    assert_eq!(stage.view().status, Status::Completed);
}

#[test]
fn a_plan_that_pauses_does_so_once_for_a_stall() {
    let mut plan = short();
    plan.steps[0].on_stall = OnStall::Pause;
    let mut stage = Stage::new(&plan);
    stage.wait(11_000, &["users-0"]);
    assert!(stage.view().paused);
    stage.person(resume());
    stage.wait(20_000, &["users-0"]);
    assert!(!stage.view().paused, "the person has it in hand");
    stage.says("users-0", complete());
    assert_eq!(stage.view().status, Status::Completed);
}
