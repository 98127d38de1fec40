//! A floor to dance on: a log in virtual time, the plan that is danced, and short words for what is said.
#![allow(dead_code, reason = "each test binary uses its part")]

use pavane_choreography::{Expect, Plan, Step};
use pavane_events::command::{
    DomainHeld, DomainReleased, GateApproved, GateRejected, RULES, RollbackRequested, RolloutAborted,
    RolloutPaused, RolloutResumed, RolloutStarted, StepOverridden,
};
use pavane_events::service::{
    DeploymentComplete, DeploymentFailed, DeploymentStarted, Drained, EventRejected, HookUncertain, Ready,
    RollbackComplete, RollbackFailed,
};
use pavane_events::{
    Body, Domain, Entry, Envelope, Event, EventId, EventType, Heartbeat, Instance, Record, RolloutId,
    Service, Source, StepId, Timestamp, Version, Zone,
};
use pavane_sentinel_engine::Draft;

pub(crate) fn domain() -> Domain {
    Domain::new("shop").expect("a name")
}

pub(crate) fn rollout_id(name: &str) -> RolloutId {
    RolloutId::new(name).expect("a name")
}

/// `db.Ready`, then `users.DeploymentComplete`, then `chat.DeploymentComplete`; windows of 10 s.
pub(crate) fn plan() -> Plan {
    plan_of(&[
        step("schema", "db", EventType::Ready, &[]),
        step("users", "users", EventType::DeploymentComplete, &["schema"]),
        step("chat", "chat", EventType::DeploymentComplete, &["users"]),
    ])
}

pub(crate) fn plan_of(steps: &[Step]) -> Plan {
    Plan::new("users-v2", "identity", steps.to_vec())
}

pub(crate) fn step(id: &str, service: &str, event: EventType, after: &[&str]) -> Step {
    let service = Service::new(service).expect("a name");
    let id = StepId::new(id).expect("a name");
    let owner = format!("team-{id}");
    let after = after.iter().map(|id| StepId::new(*id).expect("a name")).collect();
    Step { after, ..Step::new(id, Expect { service, event }, 10_000, owner) }
}

/// A log in virtual time.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    pub(crate) time: i64,
    /// Whether what starts is judged by the first rules, as what an older program has started; else by the newest.
    pub(crate) older: bool,
    ids: usize,
}

impl Log {
    pub(crate) fn append(&mut self, event: Event) -> i64 {
        let offset = i64::try_from(self.entries.len()).expect("a short log");
        self.entries.push(Entry::Event(Record { offset, at: Timestamp(self.time), event }));
        offset
    }

    fn fresh(&mut self) -> EventId {
        self.ids += 1;
        EventId::new(format!("e{}", self.ids)).expect("a name")
    }

    /// What a sentinel writes.
    pub(crate) fn draft(&mut self, replica: &str, draft: Draft) -> i64 {
        let id = draft.id.unwrap_or_else(|| self.fresh());
        let source = pavane_events::identity::sentinel_source(&domain());
        let mut envelope = Envelope::new(domain(), source, id);
        envelope.rollout = draft.rollout;
        envelope.causation = draft.causation;
        envelope.service = draft.service;
        envelope.replica = Some(replica.to_owned());
        self.append(Event { envelope, body: draft.body })
    }

    /// What a person says about a rollout.
    pub(crate) fn person(&mut self, rollout: &str, body: impl Into<Body>) -> i64 {
        let id = self.fresh();
        let mut envelope = Envelope::new(domain(), Source::new("/pavane/shop/cli/ann").expect("a name"), id);
        envelope.rollout = Some(rollout_id(rollout));
        self.append(Event { envelope, body: body.into() })
    }

    pub(crate) fn start(&mut self, rollout: &str, plan: &Plan) -> i64 {
        let (choreography, plan_digest) = (plan.name.clone(), plan.digest());
        let (plan, by, reason) = (plan.to_json(), String::new(), String::new());
        let rules = if self.older { 1 } else { RULES };
        self.person(rollout, RolloutStarted { choreography, plan, plan_digest, rules, by, reason })
    }

    /// What an instance of a service says, e.g. `users-0`.
    pub(crate) fn says(
        &mut self,
        rollout: &str,
        instance: &str,
        version: &str,
        body: impl Into<Body>,
    ) -> i64 {
        let id = self.fresh();
        let event = word(rollout, instance, version, id, body.into());
        self.append(event)
    }
}

/// The name and the zone of an instance that is written `users-0@eu`.
fn place(instance: &str) -> (&str, Option<Zone>) {
    let (name, zone) = instance.split_once('@').map_or((instance, None), |(name, zone)| (name, Some(zone)));
    (name, zone.map(|zone| Zone::new(zone).expect("a name")))
}

pub(crate) fn word(rollout: &str, instance: &str, version: &str, id: EventId, body: Body) -> Event {
    let (instance, zone) = place(instance);
    let service = instance.rsplit_once('-').map_or(instance, |(service, _)| service);
    let source = Source::new(format!("/pavane/shop/{service}/{instance}")).expect("a name");
    let mut envelope = Envelope::new(domain(), source, id);
    envelope.rollout = Some(rollout_id(rollout));
    envelope.service = Some(Service::new(service).expect("a name"));
    envelope.instance = Some(Instance::new(instance).expect("a name"));
    envelope.zone = zone;
    envelope.version = Some(Version::new(version).expect("a name"));
    Event { envelope, body }
}

pub(crate) fn heartbeat(instance: &str, phase: &str) -> Heartbeat {
    let (instance, zone) = place(instance);
    let service = instance.rsplit_once('-').map_or(instance, |(service, _)| service);
    Heartbeat {
        domain: domain(),
        service: Service::new(service).expect("a name"),
        instance: Instance::new(instance).expect("a name"),
        zone,
        boot: "b".to_owned(),
        version: None,
        phase: phase.to_owned(),
        rollout: None,
        acknowledged: 0,
        outbox: 0,
        position: 0,
    }
}

pub(crate) fn ready() -> Body {
    Ready::default().into()
}
pub(crate) fn started(from: &str) -> Body {
    DeploymentStarted { from: Some(Version::new(from).expect("a name")), to: None }.into()
}
pub(crate) fn complete() -> Body {
    DeploymentComplete::default().into()
}
pub(crate) fn failed(reason: &str) -> Body {
    DeploymentFailed { stage: "hook".to_owned(), reason: reason.to_owned(), ..DeploymentFailed::default() }
        .into()
}
pub(crate) fn failed_with(exit_code: i64) -> Body {
    let output = "one\ntwo\n".to_owned();
    DeploymentFailed {
        stage: "hook".to_owned(),
        exit_code: Some(exit_code),
        reason: "it gave up".to_owned(),
        output,
        ..DeploymentFailed::default()
    }
    .into()
}
pub(crate) fn drained() -> Body {
    Drained::default().into()
}
pub(crate) fn back(epoch: i64) -> Body {
    RollbackComplete { epoch, took_ms: 1 }.into()
}
pub(crate) fn back_failed(epoch: i64) -> Body {
    RollbackFailed { epoch, ..RollbackFailed::default() }.into()
}
pub(crate) fn rejected(producer: &str, event: &str, offset: i64) -> Body {
    let producer = Some(Service::new(producer).expect("a name"));
    let (event, field) = (event.to_owned(), "/detail".to_owned());
    EventRejected {
        producer,
        event,
        offset,
        field,
        schema_id: Some(7),
        reason: "incompatible".into(),
        ..EventRejected::default()
    }
    .into()
}
pub(crate) fn uncertain() -> Body {
    HookUncertain {
        reaction: "db.Ready".to_owned(),
        expected: None,
        observed: None,
        detail: "look".to_owned(),
    }
    .into()
}
pub(crate) fn pause() -> Body {
    RolloutPaused::default().into()
}
pub(crate) fn resume() -> Body {
    RolloutResumed::default().into()
}
pub(crate) fn abort() -> Body {
    RolloutAborted::default().into()
}
pub(crate) fn held() -> Body {
    DomainHeld::default().into()
}
pub(crate) fn released() -> Body {
    DomainReleased::default().into()
}
pub(crate) fn overrides(step: &str) -> Body {
    StepOverridden { step: StepId::new(step).expect("a name"), by: "ann".into(), reason: "seen".into() }
        .into()
}
pub(crate) fn approve(plan: &Plan, gate: &str, attempt: i64) -> Body {
    let (gate, plan_digest, by) = (gate.to_owned(), plan.digest(), "ann".to_owned());
    GateApproved { gate, plan_digest, attempt, by, reason: String::new() }.into()
}
pub(crate) fn reject(plan: &Plan, gate: &str, attempt: i64) -> Body {
    let (gate, plan_digest, by) = (gate.to_owned(), plan.digest(), "bob".to_owned());
    GateRejected { gate, plan_digest, attempt, by, reason: "not today".to_owned() }.into()
}
pub(crate) fn go_back() -> Body {
    RollbackRequested { epoch: 1, by: "ann".to_owned(), ..RollbackRequested::default() }.into()
}
