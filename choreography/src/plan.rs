//! The plan as it is meant: every default resolved, every name checked, the steps a DAG in topological order.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use pavane_events::identity::sha256_hex;
use pavane_events::name::NameError;
use pavane_events::{EventType, Millis, PhaseId, RolloutId, Service, StepId, Version, Zone};
use serde::{Deserialize, Serialize};

use crate::instances::Instances;
use crate::maintenance::Maintenance;
use crate::phase::Phase;

/// The most labels that a rollout may have.
pub const MAX_LABELS: usize = 64;

/// A resolved choreography. Its JSON travels in `RolloutStarted`, so a rollout keeps the plan it began with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The name of the choreography.
    pub name: String,
    /// The team that owns the rollout as a whole.
    pub owner: String,
    /// Where a person reads what to do.
    pub runbook: Option<String>,
    /// How loudly what concerns the rollout as a whole is told.
    #[serde(default)]
    pub severity: Severity,
    /// What the rollout is told apart from others by, e.g. its environment; whoever reacts may ask for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Who moves the rollout from step to step.
    pub method: Method,
    /// The event that starts a rollout by itself; without one a person, CI or a deploy tool does.
    #[serde(default)]
    pub trigger: Option<Trigger>,
    /// The most that may lie between two starts, in milliseconds; none where it need not start again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Millis>,
    /// What happens when another rollout owns one of the services.
    #[serde(default)]
    pub concurrency: Concurrency,
    /// When the rollout may move at all; any time when none is given.
    #[serde(default)]
    pub maintenance: Option<Maintenance>,
    /// The phases in their order; empty for the method `choreography`.
    #[serde(default)]
    pub phases: Vec<Phase>,
    /// The steps, each after all its prerequisites.
    pub steps: Vec<Step>,
}

/// Who moves a rollout from step to step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Services react to each other's events.
    #[default]
    Choreography,
    /// Services react to each other within phases that the manager opens.
    Hybrid,
    /// The manager opens every step.
    Orchestrated,
}

/// The event that starts a rollout by itself. The rollout's id is the event's correlation id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// The event.
    pub on: Expect,
    /// The versions that count; any when none is asked for.
    pub version: Option<semver::VersionReq>,
}

/// What happens when another rollout owns one of the services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Concurrency {
    /// The later start is refused.
    #[default]
    Refuse,
    /// The later start waits for the end of the others, first come, first served.
    Queue,
}

/// One step: the event that must come, and by when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The name of the step.
    pub id: StepId,
    /// The event that must come.
    pub expect: Expect,
    /// Whether every rollout has a service of its own for this step, e.g. in a preview environment: its name is the one in
    /// `expect` and `compensate`, a hyphen, and the rollout's id. So one plan, with one digest, serves them all.
    #[serde(default, skip_serializing_if = "is_false")]
    pub per_rollout: bool,
    /// The steps that must all be full before this one's window begins.
    pub after: Vec<StepId>,
    /// The steps of which one must be full as well; none is waited for when it is empty.
    #[serde(default)]
    pub after_any: Vec<StepId>,
    /// The versions that count; any when none is asked for.
    pub version: Option<semver::VersionReq>,
    /// The versions of other services that those of `version` run with; what is not named runs with any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runs_with: BTreeMap<Service, semver::VersionReq>,
    /// The zone whose instances count; all instances when none is given.
    #[serde(default)]
    pub zone: Option<Zone>,
    /// How many distinct instances must say the event.
    pub instances: Instances,
    /// How many instances may be between `DeploymentStarted` and its end at the same time; any number when none is
    /// given.
    #[serde(default)]
    pub max_parallel: Option<u32>,
    /// How long after its prerequisites the event must come, in milliseconds.
    pub within: Millis,
    /// How long after its prerequisites the first `DeploymentStarted` must come, in milliseconds.
    pub started_within: Option<Millis>,
    /// How long the full count must hold before the step is met, in milliseconds.
    pub healthy_for: Millis,
    /// What the sentinel does when the step stalls.
    pub on_stall: OnStall,
    /// Whether the service may be asked back.
    pub reversible: bool,
    /// Whether what the service does may be cut off half-way, e.g. by a rollback.
    #[serde(default = "interruptible")]
    pub interruptible: bool,
    /// How the step is taken back.
    pub compensate: Compensate,
    /// The team that owns the step.
    pub owner: String,
    /// Where a person reads what to do about this step.
    pub runbook: Option<String>,
    /// How loudly a stall of this step is told.
    pub severity: Severity,
}

const fn interruptible() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// An event of a service, written short as `user-service.DeploymentComplete`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Expect {
    /// The service that says it.
    pub service: Service,
    /// The short name of the event; always one that a service says.
    #[serde(with = "event_name")]
    pub event: EventType,
}

/// What the sentinel does when a step stalls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnStall {
    /// Tell the owner.
    #[default]
    Alert,
    /// Tell the owner and stop the clocks.
    Pause,
    /// Tell the owner and ask every service that had moved to go back.
    Rollback,
}

/// How a step is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compensate {
    /// The event that says that it is back.
    pub expect: Expect,
    /// How long after its turn the event must come, in milliseconds.
    pub within: Millis,
}

/// How loudly a stall is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Wake someone.
    #[default]
    Page,
    /// Somebody looks at it in working hours.
    Ticket,
}

impl Severity {
    /// The severity as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }
}

impl Plan {
    /// A plan of these steps, danced by the method `choreography`, with every default.
    pub fn new(name: impl Into<String>, owner: impl Into<String>, steps: Vec<Step>) -> Self {
        Self {
            name: name.into(),
            owner: owner.into(),
            runbook: None,
            severity: Severity::default(),
            labels: BTreeMap::new(),
            method: Method::default(),
            trigger: None,
            every: None,
            concurrency: Concurrency::default(),
            maintenance: None,
            phases: Vec::new(),
            steps,
        }
    }

    /// The plan as canonical JSON: fields in declaration order, no white space.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a plan has no map with keys that are not text")
    }

    /// Reads a plan back from its JSON.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// SHA-256 of the canonical JSON, in hexadecimal.
    pub fn digest(&self) -> String {
        sha256_hex(&self.to_json())
    }

    /// The step with this name.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// The steps that wait for this one directly, for it alone or for one of several.
    pub fn dependants<'a>(&'a self, id: &'a StepId) -> impl Iterator<Item = &'a Step> {
        self.steps.iter().filter(move |step| step.prerequisites().any(|other| other == id))
    }

    /// The place of the phase that holds a step; none when the plan has no phases.
    pub fn phase_of(&self, id: &StepId) -> Option<usize> {
        self.phases.iter().position(|phase| phase.steps.contains(id))
    }

    /// The plan as one rollout dances it: every service by its own name. Fails when a name gets too long.
    pub fn bound_to(mut self, rollout: &RolloutId) -> Result<Self, NameError> {
        for step in &mut self.steps {
            let service = step.service(rollout)?.into_owned();
            step.compensate.expect.service = service.clone();
            step.expect.service = service;
            step.per_rollout = false;
        }
        Ok(self)
    }

    /// The phase with this name.
    pub fn phase(&self, id: &PhaseId) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.id == *id)
    }
}

impl Step {
    /// A step that waits so many milliseconds for one instance to say the event, with every default.
    pub fn new(id: StepId, expect: Expect, within: Millis, owner: impl Into<String>) -> Self {
        let back = Expect { service: expect.service.clone(), event: EventType::RollbackComplete };
        Self {
            id,
            expect,
            per_rollout: false,
            after: Vec::new(),
            after_any: Vec::new(),
            version: None,
            runs_with: BTreeMap::new(),
            zone: None,
            instances: Instances::Count(1),
            max_parallel: None,
            within,
            started_within: None,
            healthy_for: 0,
            on_stall: OnStall::default(),
            reversible: true,
            interruptible: true,
            compensate: Compensate { expect: back, within },
            owner: owner.into(),
            runbook: None,
            severity: Severity::default(),
        }
    }

    /// The steps that this one waits for directly: for all of the first, for one of the others.
    pub fn prerequisites(&self) -> impl Iterator<Item = &StepId> {
        self.after.iter().chain(&self.after_any)
    }

    /// Whether what the step waits for is there, by a test for one prerequisite.
    pub fn is_due(&self, full: impl Fn(&StepId) -> bool) -> bool {
        self.after.iter().all(&full) && (self.after_any.is_empty() || self.after_any.iter().any(&full))
    }

    /// The service that the step awaits an event of in a rollout. Fails when its name gets too long.
    pub fn service(&self, rollout: &RolloutId) -> Result<Cow<'_, Service>, NameError> {
        if self.per_rollout {
            return Service::new(format!("{}-{rollout}", self.expect.service)).map(Cow::Owned);
        }
        Ok(Cow::Borrowed(&self.expect.service))
    }

    /// Whether the step awaits an event of this service in a rollout.
    pub fn is_of(&self, service: &Service, rollout: &RolloutId) -> bool {
        if !self.per_rollout {
            return self.expect.service == *service;
        }
        // lengths tell most others apart, and asked is for every step
        let [own, id, name] =
            [self.expect.service.as_str(), rollout.as_str(), service.as_str()].map(str::as_bytes);
        name.len() == own.len() + 1 + id.len()
            && name[0] == own[0]
            && name[own.len()] == b'-'
            && name.starts_with(own)
            && name.ends_with(id)
    }

    /// Whether what an instance in this zone says counts for the step.
    pub fn concerns(&self, zone: Option<&Zone>) -> bool {
        self.zone.is_none() || self.zone.as_ref() == zone
    }

    /// Whether an event that carries this version counts for the step. Without a requirement any does; with
    /// one, a version that is missing or is not semantic does not.
    pub fn accepts(&self, version: Option<&Version>) -> bool {
        is_wanted(self.version.as_ref(), version)
    }
}

impl Trigger {
    /// Whether an event that carries this version starts a rollout; as [`Step::accepts`].
    pub fn accepts(&self, version: Option<&Version>) -> bool {
        is_wanted(self.version.as_ref(), version)
    }
}

/// Whether a version meets a requirement. Without a requirement any does; with one, a version that is missing or is not
/// semantic does not.
pub fn is_wanted(wanted: Option<&semver::VersionReq>, found: Option<&Version>) -> bool {
    let Some(wanted) = wanted else { return true };
    let Some(found) = found else { return false };
    semver::Version::parse(found.as_str()).is_ok_and(|found| wanted.matches(&found))
}

/// Whether a version certainly does not meet a requirement. One that is not semantic can be held against none.
pub fn is_unwanted(wanted: &semver::VersionReq, found: &Version) -> bool {
    semver::Version::parse(found.as_str()).is_ok_and(|found| !wanted.matches(&found))
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.service, self.event)
    }
}

mod event_name {
    use pavane_events::EventType;
    use serde::{Deserialize, Deserializer, Serializer, de};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
    pub(super) fn serialize<S: Serializer>(event: &EventType, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(event.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EventType, D::Error> {
        let name = String::deserialize(deserializer)?;
        EventType::from_short(&name)
            .ok_or_else(|| de::Error::custom(format!("{name} is not an event of the vocabulary")))
    }
}
