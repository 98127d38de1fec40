//! What stands about on the stage: plans, steps, reactions, words.

use std::collections::BTreeMap;

use pavane_choreography::{Expect, OnStall, Phase, Plan, Step};
use pavane_events::command::{Member, PhaseBegun, RollbackRequested, RolloutStarted};
use pavane_events::service::{DeploymentComplete, DeploymentStarted, Ready};
use pavane_events::{Domain, EventType, Instance, PhaseId, Service, StepId, Version};
use pavane_sidecar_engine::{Call, Reaction, Readiness, Retry, Settings, Sieve, Trigger};

use super::Stage;

pub(crate) fn domain() -> Domain {
    Domain::new("shop").unwrap()
}

pub(crate) fn settings(service: &str, reactions: Vec<Reaction>) -> Settings {
    Settings {
        domain: domain(),
        service: Service::new(service).unwrap(),
        instance: Instance::new(format!("{service}-0")).unwrap(),
        zone: None,
        boot: "boot-0".to_owned(),
        partition: 3,
        seed: 7,
        reactions,
    }
}

pub(crate) fn on(event: &str) -> Trigger {
    let (service, event) = event.split_once('.').unwrap();
    let service = Service::new(service).unwrap();
    Trigger::Event(Expect { service, event: EventType::from_short(event).unwrap() })
}

pub(crate) fn reaction(on: Trigger, emit: EventType) -> Reaction {
    Reaction {
        on,
        sieve: Sieve::default(),
        instances: 1,
        hook: true,
        timeout: 60_000,
        retry: Retry { attempts: 3, first: 1_000, cap: 30_000, pause: None },
        ready: None,
        hold: None,
        emit,
        prerequisite: String::new(),
        once: false,
        stagger: 0,
    }
}

pub(crate) fn upgrade() -> Reaction {
    reaction(on("user-db.Ready"), EventType::DeploymentComplete)
}

pub(crate) fn revert() -> Reaction {
    reaction(Trigger::RollbackRequested, EventType::RollbackComplete)
}

pub(crate) fn readiness() -> Readiness {
    Readiness { within: 120_000, successes: 3, every: 1_000 }
}

/// user-db.Ready → user-service.DeploymentComplete (>=2.0.0, <3) → messaging.DeploymentComplete
pub(crate) fn plan() -> Plan {
    let mut users = step("users", "user-service.DeploymentComplete", &["schema"]);
    users.version = Some(">=2.0.0, <3".parse().unwrap());
    let steps = vec![
        step("schema", "user-db.Ready", &[]),
        users,
        step("messaging", "messaging.DeploymentComplete", &["users"]),
    ];
    Plan::new("users-v2", "identity", steps)
}

pub(crate) fn step(id: &str, expect: &str, after: &[&str]) -> Step {
    let Trigger::Event(expect) = on(expect) else { unreachable!("an event") };
    let after = after.iter().map(|id| StepId::new(*id).unwrap()).collect();
    Step { after, on_stall: OnStall::Rollback, ..Step::new(StepId::new(id).unwrap(), expect, 60_000, "") }
}

pub(crate) fn started(plan: &Plan) -> RolloutStarted {
    RolloutStarted {
        choreography: plan.name.clone(),
        plan: plan.to_json(),
        plan_digest: plan.digest(),
        rules: 1,
        by: "ada".into(),
        reason: String::new(),
    }
}

/// A phase that has begun, for these instances of user-service; for all when none is named.
pub(crate) fn begun(phase: &str, cohort: &[&str], accepted: Option<i64>) -> PhaseBegun {
    let service = Service::new("user-service").unwrap();
    let member = |name: &&str| Member { service: service.clone(), instance: Instance::new(*name).unwrap() };
    PhaseBegun {
        phase: PhaseId::new(phase).unwrap(),
        epoch: 1,
        attempt: 1,
        cohort: cohort.iter().map(member).collect(),
        evidence: Vec::new(),
        accepted,
    }
}

/// A phase that opens these steps, and nothing else about it.
pub(crate) fn phase(id: &str, steps: &[&str], cohort: Option<&str>) -> Phase {
    Phase {
        id: PhaseId::new(id).unwrap(),
        steps: steps.iter().map(|id| StepId::new(*id).unwrap()).collect(),
        approval: None,
        cohort: cohort.map(|share| share.parse().unwrap()),
        soak: 0,
        watch: None,
    }
}

/// The decision of a person to go back.
pub(crate) fn go_back() -> RollbackRequested {
    RollbackRequested { epoch: 1, by: "ada".into(), ..RollbackRequested::default() }
}

/// The request that is addressed to user-service, for the decision at an offset.
pub(crate) fn addressed(decision: i64, expected: Option<&str>, target: Option<&str>) -> RollbackRequested {
    RollbackRequested {
        epoch: 1,
        step: Some(StepId::new("users").unwrap()),
        service: Some(Service::new("user-service").unwrap()),
        expected: expected.map(|version| Version::new(version).unwrap()),
        target: target.map(|version| Version::new(version).unwrap()),
        decision: Some(decision),
        ..RollbackRequested::default()
    }
}

pub(crate) fn complete() -> DeploymentComplete {
    DeploymentComplete::default()
}

pub(crate) fn announced() -> DeploymentStarted {
    DeploymentStarted::default()
}

/// How often each attempt of each hook was ordered.
pub(crate) fn runs(calls: &[Call]) -> BTreeMap<(String, String, i64, u32), u32> {
    let mut runs = BTreeMap::new();
    for call in calls {
        let key = (call.rollout.to_string(), call.reaction.clone(), call.epoch, call.attempt);
        *runs.entry(key).or_insert(0) += 1;
    }
    runs
}

pub(crate) fn ready_in(stage: &mut Stage, rollout: &str) -> Vec<String> {
    let by = Some(("user-db", "user-db-0"));
    let event = stage.event("/pavane/shop/user-db/user-db-0", Some(rollout), by, None, Ready::default());
    stage.append(event)
}
