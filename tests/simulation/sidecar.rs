//! One instance of a service with its sidecar: the engine, the journal and outbox that survive a crash, and a
//! service that hangs, fails or will not go back.

use std::collections::{BTreeMap, VecDeque};

use pavane_choreography::Expect;
use pavane_events::{Domain, Event, EventId, EventType, Instance, Service, Version};
use pavane_sidecar_engine::{
    Call, Effect, Engine, HookOutcome, Input, Memory, Reaction, Retry, Settings, Sieve, Trigger,
};

use crate::dice::Dice;

/// How the ids of forged commands begin.
pub(crate) const FORGED: &str = "forged-";

/// How a service takes it when it is told to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    Slow,
    Fails,
    Hangs,
    NoRevert,
}

/// What a sidecar waits for from its service, or sends.
pub(crate) enum Later {
    /// A fact for the engine of this boot.
    Tell(u32, Box<Input>),
    /// The hook does its work, whether or not the sidecar still lives.
    Work(u32, Box<Call>),
    /// The head of the outbox has reached the broker.
    Send(u32),
}

pub(crate) struct Sidecar {
    pub(crate) name: String,
    /// The place of its partition.
    pub(crate) partition: usize,
    pub(crate) settings: Settings,
    pub(crate) engine: Engine,
    pub(crate) memory: Memory,
    pub(crate) outbox: VecDeque<Event>,
    pub(crate) sending: bool,
    pub(crate) position: usize,
    pub(crate) end: Option<usize>,
    pub(crate) lag: i64,
    pub(crate) down: bool,
    pub(crate) boot: u32,
    pub(crate) sequence: i64,
    /// The last of this boot's events that the broker has acknowledged.
    pub(crate) acknowledged: i64,
    /// Every event that it has taken the responsibility for.
    pub(crate) said: Vec<EventId>,
    pub(crate) mood: Mood,
    pub(crate) version: String,
    /// How often each hook ran, by rollout, reaction and epoch; and the rollout and own position when it did.
    pub(crate) runs: BTreeMap<(String, String, i64), u32>,
    pub(crate) hooks: Vec<(String, i64)>,
    pub(crate) last_beat: i64,
    pub(crate) uncertain: u32,
    /// The forged commands that a hook ran for.
    pub(crate) fooled: Vec<EventId>,
}

impl Sidecar {
    pub(crate) fn enter(partition: usize, domain: &Domain, name: &str, on: Trigger, emit: EventType) -> Self {
        let mut settings = settings(domain, name, vec![reaction(on, emit), back()]);
        settings.boot = format!("{name}-0");
        Self {
            name: name.to_owned(),
            partition,
            engine: Engine::new(settings.clone(), Memory::default()),
            settings,
            memory: Memory::default(),
            outbox: VecDeque::new(),
            sending: false,
            position: 0,
            end: None,
            lag: 0,
            down: false,
            boot: 0,
            sequence: 0,
            acknowledged: 0,
            said: Vec::new(),
            mood: Mood::Well,
            version: "1.0.0".to_owned(),
            runs: BTreeMap::new(),
            hooks: Vec::new(),
            last_beat: -10_000,
            uncertain: 0,
            fooled: Vec::new(),
        }
    }

    /// The process starts again: the journal and the outbox are what is left.
    pub(crate) fn reboot(&mut self) {
        self.boot += 1;
        self.settings.boot = format!("{}-{}", self.name, self.boot);
        self.engine = Engine::new(self.settings.clone(), self.memory.clone());
        (self.sequence, self.acknowledged, self.sending) = (0, 0, false);
        self.position = 0;
        self.end = None;
    }

    /// Carries effects out, and says what comes of them and when.
    pub(crate) fn perform(&mut self, dice: &mut Dice, effects: Vec<Effect>) -> Vec<(i64, Later)> {
        let mut later = Vec::new();
        for effect in effects {
            match effect {
                Effect::Write(job) => {
                    self.memory.jobs.insert(job.key.clone(), *job);
                }
                Effect::WriteRejected(offset) => {
                    self.memory.rejected.insert(offset);
                }
                Effect::Say(event) => {
                    let mut event = *event;
                    self.sequence += 1;
                    event.envelope.boot = Some(self.settings.boot.clone());
                    event.envelope.sequence = Some(self.sequence);
                    self.said.push(event.envelope.id.clone());
                    self.uncertain += u32::from(event.body.event_type() == EventType::HookUncertain);
                    self.outbox.push_back(event);
                }
                Effect::ObserveVersion { ticket } => {
                    let version = Version::new(self.version.clone()).map_err(|error| error.to_string());
                    later.push((5, self.tell(Input::VersionObserved { ticket, version })));
                }
                Effect::RunHook(call) => {
                    let key = (call.rollout.to_string(), call.reaction.clone(), call.epoch);
                    *self.runs.entry(key).or_default() += 1;
                    let trigger = call.trigger.as_ref().map(|event| &event.envelope.id);
                    self.fooled.extend(trigger.filter(|id| id.as_str().starts_with(FORGED)).cloned());
                    if call.reaction != "RollbackRequested" {
                        let position = i64::try_from(self.position).expect("short");
                        self.hooks.push((call.rollout.to_string(), position - 1));
                    }
                    let work = if self.mood == Mood::Slow { 6_000 } else { dice.between(100, 2_500) };
                    later.push((work, Later::Work(self.boot, call)));
                }
                Effect::CutOff { ticket } => {
                    let outcome = HookOutcome::Failed(pavane_sidecar_engine::input::Failure::default());
                    later.push((10, self.tell(Input::HookEnded { ticket, outcome })));
                }
                Effect::Probe { ticket, .. } => {
                    later.push((5, self.tell(Input::Probed { ticket, result: Ok(()) })));
                }
                Effect::Assess { .. } | Effect::DeadLetter { .. } | Effect::Tell(_) => {}
            }
        }
        later
    }

    fn tell(&self, fact: Input) -> Later {
        Later::Tell(self.boot, Box::new(fact))
    }

    /// The hook's own work; what it tells the sidecar, if it ends at all.
    pub(crate) fn work(&mut self, call: &Call) -> Option<Input> {
        let back = call.reaction == "RollbackRequested";
        let outcome = match self.mood {
            Mood::Hangs if !back => return None,
            Mood::Fails if !back => HookOutcome::Failed(pavane_sidecar_engine::input::Failure::default()),
            Mood::NoRevert if back => HookOutcome::Failed(pavane_sidecar_engine::input::Failure::default()),
            Mood::Well | Mood::Slow | Mood::Fails | Mood::Hangs | Mood::NoRevert => {
                "2.0.0".clone_into(&mut self.version);
                if back {
                    self.version = call.to.as_ref().map_or("1.0.0".to_owned(), ToString::to_string);
                }
                HookOutcome::Done
            }
        };
        Some(Input::HookEnded { ticket: call.ticket, outcome })
    }
}

pub(crate) fn on(service: &str, event: EventType) -> Trigger {
    Trigger::Event(Expect { service: Service::new(service).expect("a name"), event })
}

fn settings(domain: &Domain, name: &str, reactions: Vec<Reaction>) -> Settings {
    let service = name.split('-').next().expect("a service");
    Settings {
        domain: domain.clone(),
        service: Service::new(service).expect("a name"),
        instance: Instance::new(name).expect("a name"),
        zone: None,
        boot: String::new(),
        partition: 0,
        seed: 7,
        reactions,
    }
}

fn reaction(on: Trigger, emit: EventType) -> Reaction {
    Reaction {
        on,
        sieve: Sieve::default(),
        instances: 1,
        hook: true,
        timeout: 30_000,
        retry: Retry { attempts: 1, first: 100, cap: 1_000, pause: None },
        ready: None,
        hold: None,
        emit,
        prerequisite: String::new(),
        once: false,
        stagger: 0,
    }
}

fn back() -> Reaction {
    reaction(Trigger::RollbackRequested, EventType::RollbackComplete)
}
