//! One instance of a service with its sidecar: the engine, the journal and outbox that survive a crash, and a
//! service that hangs, fails or will not go back.

use std::collections::{BTreeMap, VecDeque};

use pavane_choreography::Expect;
use pavane_events::{Event, EventType, Instance, Service, Version};
use pavane_sidecar_engine::{
    Call, Effect, Engine, HookOutcome, Input, Memory, Reaction, Retry, Settings, Trigger,
};

use crate::dice::{Dice, Fate};
use crate::floor::domain;

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
    /// The head of the outbox goes to the broker.
    Send,
}

pub(crate) struct Sidecar {
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) engine: Engine,
    pub(crate) memory: Memory,
    pub(crate) outbox: VecDeque<Event>,
    pub(crate) sending: bool,
    pub(crate) position: usize,
    pub(crate) end: Option<usize>,
    pub(crate) lag: i64,
    pub(crate) fate: Fate,
    pub(crate) boot: u32,
    pub(crate) sequence: i64,
    pub(crate) mood: Mood,
    pub(crate) version: String,
    /// How often each hook ran, by rollout, reaction and epoch; and the rollout and own position when it did.
    pub(crate) runs: BTreeMap<(String, String, i64), u32>,
    pub(crate) hooks: Vec<(String, i64)>,
    pub(crate) last_beat: i64,
    pub(crate) uncertain: u32,
}

impl Sidecar {
    pub(crate) fn draw(dice: &mut Dice, name: &str, on: Trigger, emit: EventType) -> Self {
        use Mood::{Fails, Hangs, NoRevert, Slow, Well};
        let mut settings = settings(name, vec![reaction(on, emit), back()]);
        settings.boot = format!("{name}-0");
        let dies = dice.chance(5);
        Self {
            name: name.to_owned(),
            engine: Engine::new(settings.clone(), Memory::default()),
            settings,
            memory: Memory::default(),
            outbox: VecDeque::new(),
            sending: false,
            position: 0,
            end: None,
            lag: dice.pick(&[0, 5, 30, 150]),
            fate: if dies { Fate::death(dice.between(1_000, 20_000)) } else { Fate::draw(dice) },
            boot: 0,
            sequence: 0,
            mood: dice.pick(&[Well, Well, Well, Well, Well, Slow, Fails, Hangs, NoRevert]),
            version: "1.0.0".to_owned(),
            runs: BTreeMap::new(),
            hooks: Vec::new(),
            last_beat: -10_000,
            uncertain: 0,
        }
    }

    /// The process starts again: the journal and the outbox are what is left.
    pub(crate) fn reboot(&mut self) {
        self.boot += 1;
        self.settings.boot = format!("{}-{}", self.name, self.boot);
        self.engine = Engine::new(self.settings.clone(), self.memory.clone());
        self.sequence = 0;
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
        if !self.sending && !self.outbox.is_empty() {
            self.sending = true;
            later.push((transit(dice), Later::Send));
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

/// How long an event is on its way to the broker.
pub(crate) fn transit(dice: &mut Dice) -> i64 {
    if dice.chance(7) { dice.between(1_000, 9_000) } else { dice.pick(&[1, 5, 30, 30, 300]) }
}

pub(crate) fn on(service: &str, event: EventType) -> Trigger {
    Trigger::Event(Expect { service: Service::new(service).expect("a name"), event })
}

fn settings(name: &str, reactions: Vec<Reaction>) -> Settings {
    let service = name.split('-').next().expect("a service");
    Settings {
        domain: domain(),
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
        instances: 1,
        hook: true,
        timeout: 30_000,
        retry: Retry { attempts: 1, first: 100, cap: 1_000 },
        ready: None,
        hold: None,
        emit,
        prerequisite: String::new(),
        once: false,
    }
}

fn back() -> Reaction {
    reaction(Trigger::RollbackRequested, EventType::RollbackComplete)
}
