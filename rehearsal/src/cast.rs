//! Who takes part: a sidecar's settings for every instance, from its file where there is one, else made up from
//! the plans.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::{Expect, Step};
use pavane_events::{Domain, EventType, Instance, Millis, Service, StepId, Version, Zone};
use pavane_sidecar_engine::{Hold, Reaction, Readiness, Retry, Settings, Sieve, Trigger};

use crate::piece::Part;
use crate::scenario::{Fault, How, What};
use crate::script::Script;

/// How many instances a service has of which a plan wants a share.
const FLEET: u32 = 4;

/// What the sidecars' files say, by service.
pub type Sidecars = BTreeMap<Service, Settings>;

/// Everyone who takes part in a scenario; made once, played any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub(crate) domain: Domain,
    pub(crate) roles: Vec<Role>,
}

/// One instance of a service.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) settings: Settings,
    pub(crate) zone: Option<Zone>,
    pub(crate) old: Version,
    pub(crate) new: Version,
    /// How long its hook takes, more or less, in milliseconds.
    pub(crate) takes: Millis,
    /// How long its way back takes, more or less, in milliseconds.
    pub(crate) back: Millis,
    /// Its number among the instances of its service, from 0.
    pub(crate) number: u32,
}

impl Cast {
    pub(crate) fn of(script: &Script, sidecars: &Sidecars) -> Self {
        let usual = || Domain::new("rehearsal").expect("a name");
        let domain = sidecars.values().next().map_or_else(usual, |settings| settings.domain.clone());
        let mut roles = Vec::new();
        for (service, part) in parts(script) {
            let made_up = || made_up(script, &domain, &service);
            let mut settings = sidecars.get(&service).cloned().unwrap_or_else(made_up);
            if falls_ill(script, &service) {
                settings.reactions.iter_mut().for_each(|reaction| reaction.hold = Some(CHECKED));
            }
            let usual =
                part.wanted.unwrap_or_else(|| FLEET.max(u32::try_from(part.zones.len()).unwrap_or(0)));
            let count = script.scenario.fleet.get(&service).copied().unwrap_or(usual);
            let takes =
                script.scenario.takes.get(&service).copied().unwrap_or_else(|| usual_length(&part, count));
            roles.extend((0..count).map(|number| role(&settings, &domain, &part, number, takes)));
        }
        Self { domain, roles }
    }
}

/// The checks of a service that has none of its own, and falls ill.
const CHECKED: Hold = Hold { within: 60_000, healthy_for: 0 };

fn falls_ill(script: &Script, service: &Service) -> bool {
    let falls =
        |fault: &Fault| matches!(fault, Fault::Fail { whom, how: How::Sick, .. } if whom.service == *service);
    script.scenario.timeline.iter().any(|cue| matches!(&cue.what, What::Fault(fault) if falls(fault)))
}

/// The parts of all services; one that takes part in several plans is there once, as the first plan has it.
fn parts(script: &Script) -> BTreeMap<Service, Part> {
    let mut parts = BTreeMap::new();
    for piece in script.pieces() {
        for (service, part) in piece.parts() {
            parts.entry(service.clone()).or_insert_with(|| part.clone());
        }
    }
    parts
}

/// A tenth of the window, shared by those that must go one after the other.
fn usual_length(part: &Part, count: u32) -> Millis {
    let rounds = part.max_parallel.map_or(1, |at_once| count.div_ceil(at_once.max(1)).max(1));
    (part.window / 10 / Millis::from(rounds)).max(2)
}

fn role(settings: &Settings, domain: &Domain, part: &Part, number: u32, takes: Millis) -> Role {
    let zone = match part.zones.as_slice() {
        [] => None,
        zones => zones.get(number as usize % zones.len()).cloned(),
    };
    let instance = Instance::new(format!("{}-{number}", settings.service));
    let instance = instance.unwrap_or_else(|_| Instance::new(format!("instance-{number}")).expect("a name"));
    let settings = Settings {
        instance,
        zone: zone.clone(),
        domain: domain.clone(),
        partition: 0,
        seed: u64::from(number),
        ..settings.clone()
    };
    let (old, new) = (part.old.clone(), part.new.clone());
    Role { settings, zone, old, new, takes, back: (part.back / 10).max(2), number }
}

/// The settings of a service without a file: it moves when its step is due, and back when it is asked to.
fn made_up(script: &Script, domain: &Domain, service: &Service) -> Settings {
    let mut reactions: Vec<Reaction> = Vec::new();
    let mut names = BTreeSet::new();
    for piece in script.pieces() {
        let own = piece.plan().steps.iter().filter(|step| step.expect.service == *service);
        for step in own {
            let expects = |id: &StepId| piece.plan().step(id).map(|step: &Step| step.expect.clone());
            let on = trigger(step, expects);
            if names.insert(on.name()) {
                reactions.push(forward(on, step));
            }
        }
    }
    reactions.push(back());
    Settings {
        domain: domain.clone(),
        service: service.clone(),
        instance: Instance::new(service.as_str()).expect("a service is a name"),
        zone: None,
        boot: String::new(),
        partition: 0,
        seed: 0,
        reactions,
    }
}

/// What a step reacts to: the events that it waits for; else the start, which means when it is due.
fn trigger(step: &Step, expects: impl Fn(&StepId) -> Option<Expect>) -> Trigger {
    match (step.after.is_empty(), step.after_any.is_empty()) {
        (false, true) => Trigger::all(step.after.iter().filter_map(expects)),
        (true, false) => Trigger::any(step.after_any.iter().filter_map(expects)),
        (true, true) | (false, false) => Trigger::RolloutStarted,
    }
}

fn forward(on: Trigger, step: &Step) -> Reaction {
    let within = (step.within / 4).max(1_000);
    Reaction {
        on,
        sieve: Sieve::default(),
        instances: 1,
        hook: true,
        timeout: step.within.max(1_000),
        retry: Retry { attempts: 1, first: 1_000, cap: 1_000, pause: None },
        ready: Some(Readiness { within, successes: 1, every: 1_000 }),
        hold: None,
        emit: step.expect.event,
        prerequisite: String::new(),
        once: false,
        stagger: 0,
    }
}

fn back() -> Reaction {
    Reaction {
        on: Trigger::RollbackRequested,
        sieve: Sieve::default(),
        instances: 1,
        hook: true,
        timeout: 600_000,
        retry: Retry { attempts: 1, first: 1_000, cap: 1_000, pause: None },
        ready: None,
        hold: None,
        emit: EventType::RollbackComplete,
        prerequisite: String::new(),
        once: false,
        stagger: 0,
    }
}
