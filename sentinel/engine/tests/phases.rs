//! What the manager does in a hybrid rollout: who may begin, when the next phase opens, and what is watched.

mod floor;
mod stage;

use floor::*;
use pavane_choreography::{Approval, Bound, Instances, Method, OnStall, Phase, Plan, Share, Watch};
use pavane_events::command::PhaseBegun;
use pavane_events::{Body, EventType, PhaseId, StepId};
use pavane_sentinel_engine::{AlertStatus, PhaseStatus, Status, StepStatus};
use stage::Stage;

#[test]
fn a_phase_begins_when_the_one_before_is_complete() {
    let mut stage = Stage::new(&hybrid());
    assert_eq!(begun(&stage), ["first"]);
    stage.says("users-0", started("1.0.0"));
    assert_eq!(stage.step(1), StepStatus::Waiting, "the window of a step opens with its phase");
    stage.wait(30_000, &["users-0"]);
    assert_eq!(stage.verdicts(), ["PhaseBegun", "RolloutStalled users not_finished"]);
    stage.says("users-0", complete());
    assert_eq!(begun(&stage), ["first", "second"]);
    assert_eq!(stage.step(1), StepStatus::Open);
    stage.says("chat-0", complete());
    assert_eq!(stage.view().status, Status::Completed);
}

#[test]
fn a_phase_waits_for_its_approval_and_says_so() {
    let mut plan = hybrid();
    plan.phases[1].approval = Some(Approval { by: "sre".to_owned() });
    let mut stage = Stage::new(&plan);
    stage.person(approve(&plan, "second", 1));
    assert_eq!(stage.refusals(), ["gate_not_open"]);
    stage.says("users-0", complete());
    stage.wait(3_600_000, &[]);
    assert_eq!(stage.view().phases[1].state, PhaseStatus::AwaitingApproval);
    assert_eq!(told(&stage), [("ApprovalAwaited", "sre", AlertStatus::Firing)]);
    assert_eq!(begun(&stage), ["first"]);
    let mut other = plan.clone();
    other.name = "other".to_owned();
    stage.person(approve(&other, "second", 1));
    stage.person(approve(&plan, "third", 1));
    stage.person(approve(&plan, "first", 1));
    assert_eq!(stage.refusals()[1..], ["wrong_plan", "unknown_gate", "no_approval"]);
    stage.person(approve(&plan, "second", 1));
    assert_eq!(begun(&stage), ["first", "second"]);
    assert_eq!(told(&stage).last(), Some(&("ApprovalAwaited", "sre", AlertStatus::Resolved)));
}

#[test]
fn the_first_of_approve_and_reject_wins_and_a_rejection_opens_the_next_attempt() {
    let mut plan = hybrid();
    plan.phases[1].approval = Some(Approval { by: "sre".to_owned() });
    let mut stage = Stage::new(&plan);
    stage.says("users-0", complete());
    stage.person(reject(&plan, "second", 1));
    stage.person(approve(&plan, "second", 1));
    assert_eq!(stage.refusals(), ["wrong_attempt"]);
    assert_eq!(stage.view().phases[1].attempt, 2);
    assert!(told(&stage).contains(&("GateRejected", "identity", AlertStatus::Firing)));
    stage.person(approve(&plan, "second", 2));
    stage.person(reject(&plan, "second", 2));
    assert_eq!(stage.refusals(), ["wrong_attempt", "decided"]);
    assert_eq!(begun(&stage), ["first", "second"]);
    assert!(told(&stage).contains(&("GateRejected", "identity", AlertStatus::Resolved)));
}

#[test]
fn nobody_but_the_sentinel_opens_a_phase() {
    let mut stage = Stage::new(&hybrid());
    let phase = PhaseId::new("second").expect("a name");
    let said = PhaseBegun {
        phase,
        epoch: 1,
        attempt: 2,
        cohort: Vec::new(),
        evidence: Vec::new(),
        accepted: Some(3),
    };
    stage.person(said.into());
    assert_eq!((stage.refusals(), stage.step(1)), (vec!["not_authorised".to_owned()], StepStatus::Waiting));
}

#[test]
fn a_phase_soaks_and_a_pause_stops_its_clock() {
    let mut plan = hybrid();
    plan.phases[0].soak = 60_000;
    let mut stage = Stage::new(&plan);
    stage.says("users-0", complete());
    stage.wait(30_000, &[]);
    assert_eq!(stage.view().phases[0].state, PhaseStatus::Soaking);
    stage.person(pause());
    stage.wait(120_000, &[]);
    stage.person(resume());
    stage.wait(29_000, &[]);
    assert_eq!(begun(&stage), ["first"]);
    stage.wait(2_000, &[]);
    assert_eq!(begun(&stage), ["first", "second"]);
}

#[test]
fn a_failure_while_a_phase_soaks_stalls_at_once_and_keeps_the_next_shut() {
    let mut plan = hybrid();
    plan.phases[0].soak = 60_000;
    let mut stage = Stage::new(&plan);
    stage.says("users-0", complete());
    stage.wait(30_000, &[]);
    stage.says("users-0", failed("it fell over"));
    stage.wait(60_000, &[]);
    assert_eq!(stage.verdicts(), ["PhaseBegun", "RolloutStalled users failed"]);
    stage.says("users-0", complete());
    stage.wait(59_000, &[]);
    assert_eq!(begun(&stage), ["first"], "it soaks anew");
    stage.wait(2_000, &[]);
    assert_eq!(begun(&stage), ["first", "second"]);
}

#[test]
fn the_last_phase_soaks_before_the_rollout_completes() {
    let mut plan = hybrid();
    plan.phases[1].soak = 20_000;
    let mut stage = Stage::new(&plan);
    stage.says("users-0", complete());
    stage.says("chat-0", complete());
    stage.wait(19_000, &[]);
    assert_eq!(stage.view().status, Status::Open);
    stage.wait(2_000, &[]);
    assert_eq!(stage.view().status, Status::Completed);
}

#[test]
fn a_metric_must_keep_to_its_bound_without_a_break() {
    let mut stage = Stage::new(&watched(OnStall::Alert));
    stage.metrics.insert("errors".to_owned(), 0.001);
    stage.says("users-0", complete());
    stage.wait(40_000, &[]);
    stage.metrics.remove("errors");
    stage.wait(10_000, &[]);
    stage.metrics.insert("errors".to_owned(), 0.002);
    stage.wait(55_000, &[]);
    assert_eq!(begun(&stage), ["first"], "a gap breaks the row");
    stage.wait(20_000, &[]);
    assert_eq!(begun(&stage), ["first", "second"]);
    let Some(Body::PhaseBegun(said)) = stage.said(EventType::PhaseBegun).pop() else { panic!("a phase") };
    assert_eq!(said.evidence[0].value, "0.002", "the value is quoted");
}

#[test]
fn a_metric_that_breaks_its_bound_is_a_failure_and_asks_for_the_way_back() {
    let mut stage = Stage::new(&watched(OnStall::Rollback));
    stage.metrics.insert("errors".to_owned(), 0.001);
    stage.says("users-0", started("1.0.0"));
    stage.says("users-0", complete());
    stage.wait(30_000, &[]);
    stage.metrics.insert("errors".to_owned(), 0.07);
    stage.wait(11_000, &[]);
    assert_eq!(
        stage.verdicts(),
        ["PhaseBegun", "RolloutStalled users failed", "RollbackRequested users failed"]
    );
    let alert = stage.alerts.iter().find(|alert| alert.labels["alertname"] == "RolloutStalled");
    assert_eq!(
        alert.expect("told").annotations["missing"],
        "errors at most 0.01 in phase first (it is 0.07)"
    );
    stage.says("users-0", back(1));
    assert_eq!((stage.view().status, begun(&stage).len()), (Status::RolledBack, 1));
}

#[test]
fn a_person_may_say_that_a_broken_bound_does_not_matter() {
    let mut stage = Stage::new(&watched(OnStall::Alert));
    stage.metrics.insert("errors".to_owned(), 0.07);
    stage.says("users-0", complete());
    stage.wait(5_000, &[]);
    stage.says("users-0", complete());
    assert_eq!(stage.step(0), StepStatus::Stalled, "no word of the service lifts it");
    stage.person(overrides("users"));
    stage.wait(1_000, &[]);
    assert_eq!(begun(&stage), ["first", "second"]);
}

#[test]
fn without_a_value_nothing_is_decided_and_someone_is_told() {
    let mut stage = Stage::new(&watched(OnStall::Rollback));
    stage.says("users-0", complete());
    stage.wait(300_000, &["users-0"]);
    assert_eq!((begun(&stage), stage.verdicts()), (vec!["first".to_owned()], vec!["PhaseBegun".to_owned()]));
    assert_eq!(told(&stage), [("MetricMissing", "identity", AlertStatus::Firing)]);
    stage.metrics.insert("errors".to_owned(), 0.0);
    stage.wait(75_000, &["users-0"]);
    assert_eq!(begun(&stage), ["first", "second"]);
    assert_eq!(told(&stage).last(), Some(&("MetricMissing", "identity", AlertStatus::Resolved)));
}

#[test]
fn a_cohort_is_named_and_the_rest_follows() {
    let instances: Vec<String> = (0..20).map(|i| format!("users-{i}")).collect();
    let alive: Vec<&str> = instances.iter().map(String::as_str).collect();
    let mut stage = Stage::new(&cohorts());
    stage.wait(9_000, &[]);
    assert!(told(&stage).is_empty(), "heartbeats have their time to come");
    stage.wait(2_000, &[]);
    assert_eq!(begun(&stage), Vec::<String>::new(), "nobody has been heard");
    assert_eq!(told(&stage), [("CohortUnknown", "identity", AlertStatus::Firing)]);
    stage.wait(1_000, &alive[..1]);
    assert!(begun(&stage).is_empty(), "one is not all");
    stage.wait(3_000, &alive);
    let Some(Body::PhaseBegun(said)) = stage.said(EventType::PhaseBegun).pop() else { panic!("a phase") };
    let cohort: Vec<&str> = said.cohort.iter().map(|member| member.instance.as_str()).collect();
    assert_eq!(cohort, ["users-0"], "a twentieth of twenty");
    stage.says("users-0", complete());
    assert_eq!(begun(&stage), ["canary", "rest"]);
    stage.wait(1_000, &alive);
    assert_eq!((stage.view().steps[1].want, stage.view().steps[1].have), (Some(20), 1));
    for instance in &alive[1..] {
        stage.says(instance, complete());
    }
    assert_eq!(stage.view().status, Status::Completed);
}

#[test]
fn only_the_cohort_owes_an_event() {
    let alive = ["users-0", "users-1", "users-2"];
    let mut plan = cohorts();
    plan.steps[0].on_stall = OnStall::Rollback;
    let mut stage = Stage::empty();
    stage.wait(4_000, &alive);
    stage.log.start("r1", &plan);
    stage.settle();
    stage.wait(15_000, &alive);
    let evidence = stage.said(EventType::RolloutStalled).into_iter().find_map(|body| {
        if let Body::RolloutStalled(said) = body { Some(said.evidence.clone()) } else { None }
    });
    let quoted: Vec<_> = evidence.expect("a stall").into_iter().filter_map(|seen| seen.instance).collect();
    assert_eq!(quoted.iter().map(pavane_events::Instance::as_str).collect::<Vec<_>>(), ["users-0"]);
}

#[test]
fn who_moves_before_its_phase_has_begun_is_out_of_order() {
    let mut stage = Stage::new(&hybrid());
    stage.says("chat-0", complete());
    assert_eq!(stage.verdicts(), ["PhaseBegun", "SequenceViolated chat out_of_order"]);
    let Some(Body::SequenceViolated(said)) = stage.said(EventType::SequenceViolated).pop() else {
        panic!("a verdict")
    };
    assert_eq!(said.missing, ["PhaseBegun second"]);
    stage.says("users-0", complete());
    assert_eq!(stage.view().status, Status::Completed, "its word was kept");
}

#[test]
fn later_phases_go_back_before_earlier_ones() {
    let mut stage = Stage::new(&hybrid());
    for (instance, from) in [("users-0", "1.0.0"), ("chat-0", "1.0.0")] {
        stage.says(instance, started(from));
        stage.says(instance, complete());
    }
    assert_eq!(stage.view().status, Status::Completed);
    stage.person(go_back());
    assert_eq!((stage.step(0), stage.step(1)), (StepStatus::Met, StepStatus::GoingBack));
    stage.says("chat-0", back(2));
    assert_eq!(stage.step(0), StepStatus::GoingBack);
    stage.says("users-0", back(2));
    assert_eq!(stage.view().status, Status::RolledBack);
}

#[test]
fn a_hold_between_accepted_and_said_withdraws_the_phase_and_it_comes_again() {
    let mut stage = Stage::new(&hybrid());
    stage.log.says("r1", "users-0", "2.0.0", complete());
    let n = stage.log.entries.len();
    stage.feed_next();
    stage.feed_next();
    assert_eq!(stage.log.entries.len(), n + 2, "proposed, accepted and said");
    let said = stage.log.entries.pop().expect("said");
    stage.log.person("r1", pause());
    stage.settle();
    stage.log.entries.push(moved(said, stage.log.entries.len()));
    stage.settle();
    assert_eq!(stage.step(1), StepStatus::Waiting, "it lost its ground");
    stage.person(resume());
    stage.wait(2_000, &[]);
    assert_eq!(begun(&stage), ["first", "second", "second"]);
    assert_eq!(stage.step(1), StepStatus::Open);
}

fn moved(entry: pavane_events::Entry, offset: usize) -> pavane_events::Entry {
    let pavane_events::Entry::Event(mut record) = entry else { panic!("an event") };
    record.offset = i64::try_from(offset).expect("a short log");
    pavane_events::Entry::Event(record)
}

/// `users`, then `chat`, each in a phase of its own.
fn hybrid() -> Plan {
    let mut plan = plan_of(&[
        step("users", "users", EventType::DeploymentComplete, &[]),
        step("chat", "chat", EventType::DeploymentComplete, &[]),
    ]);
    plan.method = Method::Hybrid;
    plan.phases = vec![phase("first", "users"), phase("second", "chat")];
    plan
}

/// The first phase is watched: `errors` at most 0.01 for a minute.
fn watched(on_breach: OnStall) -> Plan {
    let mut plan = hybrid();
    let most = "0.01".parse::<serde_json::Number>().expect("a number");
    let bound = Bound::AtMost(most);
    plan.phases[0].watch =
        Some(Watch { query: "errors".to_owned(), bound, hold: 60_000, every: 10_000, on_breach });
    plan
}

/// A twentieth of the instances first, then all.
fn cohorts() -> Plan {
    let mut plan = plan_of(&[
        step("users-5pct", "users", EventType::DeploymentComplete, &[]),
        step("users-100pct", "users", EventType::DeploymentComplete, &["users-5pct"]),
    ]);
    plan.method = Method::Hybrid;
    let share = Share::new(5).expect("a share");
    plan.steps[0].instances = Instances::Share(share);
    plan.steps[1].instances = Instances::Share(Share::ALL);
    plan.phases = vec![phase("canary", "users-5pct"), phase("rest", "users-100pct")];
    plan.phases[0].cohort = Some(share);
    plan
}

fn phase(id: &str, step: &str) -> Phase {
    Phase {
        id: PhaseId::new(id).expect("a name"),
        steps: vec![StepId::new(step).expect("a name")],
        approval: None,
        cohort: None,
        soak: 0,
        watch: None,
    }
}

fn begun(stage: &Stage) -> Vec<String> {
    let said = stage.said(EventType::PhaseBegun);
    let phase = |body: &Body| {
        if let Body::PhaseBegun(said) = body { said.accepted.map(|_| said.phase.to_string()) } else { None }
    };
    said.into_iter().filter_map(phase).collect()
}

fn told(stage: &Stage) -> Vec<(&str, &str, AlertStatus)> {
    let names = ["ApprovalAwaited", "GateRejected", "MetricMissing", "CohortUnknown", "MaintenanceOver"];
    let alerts = stage.alerts.iter().filter(|alert| names.contains(&alert.labels["alertname"].as_str()));
    alerts
        .map(|alert| (alert.labels["alertname"].as_str(), alert.labels["owner"].as_str(), alert.status))
        .collect()
}
