//! One instance of a service with the real engine of its sidecar: the journal and the outbox that survive a crash,
//! the hook, the version, and what is broken about them.

use std::collections::VecDeque;
use std::sync::Arc;

use pavane_events::{Event, EventType, Heartbeat, Millis, Version};
use pavane_sidecar_engine::health::Finding;
use pavane_sidecar_engine::input::Failure;
use pavane_sidecar_engine::{Call, Effect, Engine, HookOutcome, Input, Memory, Score, Verdict};

use crate::cast::Role;
use crate::dice::Dice;

/// What is broken about an instance.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a way to fail, and all may hold at once")]
pub(crate) struct Broken {
    /// The sidecar hears nothing of the log.
    pub(crate) deaf: bool,
    pub(crate) hook: bool,
    pub(crate) ready: bool,
    pub(crate) hangs: bool,
    pub(crate) revert: bool,
    pub(crate) stuck: bool,
    pub(crate) memory: bool,
    pub(crate) version: bool,
    pub(crate) sick: bool,
    pub(crate) twin: bool,
    pub(crate) clock: bool,
    pub(crate) drift: bool,
}

/// Whether the sidecar and its host live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Up,
    /// The sidecar died then; its service lives.
    Down(Millis),
    /// The host died then.
    Dead(Millis),
}

/// What comes of an order, and after how long.
pub(crate) enum Later {
    /// A fact for the engine of this boot.
    Tell(Box<Input>),
    /// The hook comes to its end.
    Work(Box<Call>),
}

/// One instance of a service, and its sidecar.
pub(crate) struct Dancer {
    pub(crate) role: Arc<Role>,
    pub(crate) engine: Engine,
    /// The plans that it need not read again.
    scores: Vec<Arc<Score>>,
    memory: Memory,
    pub(crate) outbox: VecDeque<Event>,
    pub(crate) sending: bool,
    /// How much of the log it has read.
    pub(crate) position: usize,
    pub(crate) lag: Millis,
    pub(crate) boot: u32,
    sequence: i64,
    pub(crate) acknowledged: i64,
    pub(crate) version: Version,
    pub(crate) broken: Broken,
    pub(crate) life: Life,
    /// The hook that runs, by its ticket and boot.
    running: Option<(u32, u64)>,
    /// The order that what its checks say answers.
    assessed: Option<u64>,
    /// When within each second its heartbeat goes.
    beat: Millis,
    /// When it is looked at next.
    pub(crate) wake: Option<Millis>,
}

impl Dancer {
    pub(crate) fn new(role: &Arc<Role>, scores: &[Arc<Score>], dice: &mut Dice) -> Self {
        Self {
            engine: engine(role, 0, Memory::default(), scores),
            scores: scores.to_vec(),
            memory: Memory::default(),
            outbox: VecDeque::new(),
            sending: false,
            position: 0,
            lag: dice.between(2, 20),
            boot: 0,
            sequence: 0,
            acknowledged: 0,
            version: role.old.clone(),
            broken: Broken::default(),
            life: Life::Up,
            running: None,
            assessed: None,
            beat: dice.between(0, 999),
            wake: None,
            role: Arc::clone(role),
        }
    }

    /// The instance as people call it.
    pub(crate) fn name(&self) -> &str {
        self.role.settings.instance.as_str()
    }

    pub(crate) fn is_up(&self) -> bool {
        self.life == Life::Up
    }

    /// Whether its service runs.
    pub(crate) const fn is_alive(&self) -> bool {
        !matches!(self.life, Life::Dead(_))
    }

    /// The host dies: what ran is gone with it.
    pub(crate) fn die(&mut self, now: Millis) {
        self.life = Life::Dead(now);
        self.running = None;
    }

    /// The sidecar starts again with its journal and its outbox. A host that died has lost nothing else.
    pub(crate) fn reboot(&mut self) {
        self.boot += 1;
        self.engine = engine(&self.role, self.boot, self.memory.clone(), &self.scores);
        (self.sequence, self.acknowledged, self.position) = (0, 0, 0);
        self.life = Life::Up;
    }

    /// Carries orders out and says what comes of them.
    pub(crate) fn perform(&mut self, dice: &mut Dice, effects: Vec<Effect>) -> Vec<(Millis, Later)> {
        let mut later = Vec::new();
        for effect in effects {
            match effect {
                Effect::Write(job) => {
                    self.memory.jobs.insert(job.key.clone(), *job);
                }
                Effect::WriteRejected(offset) => {
                    self.memory.rejected.insert(offset);
                }
                Effect::Say(event) => self.say(*event),
                Effect::ObserveVersion { ticket } => {
                    let version = Ok(self.version.clone());
                    later.push((4, Later::Tell(Box::new(Input::VersionObserved { ticket, version }))));
                }
                Effect::RunHook(call) => later.push(self.run(dice, call)),
                Effect::CutOff { ticket } => {
                    self.running = None;
                    let outcome = HookOutcome::Failed(failure("it was cut off"));
                    later.push((10, Later::Tell(Box::new(Input::HookEnded { ticket, outcome }))));
                }
                Effect::Probe { ticket, .. } => {
                    let well = !self.broken.ready;
                    let result = if well { Ok(()) } else { Err("503 from its readiness check".to_owned()) };
                    later.push((4, Later::Tell(Box::new(Input::Probed { ticket, result }))));
                }
                Effect::Assess { ticket } => {
                    self.assessed = Some(ticket);
                    later.extend(self.assessed().map(|told| (4, Later::Tell(Box::new(told)))));
                }
                Effect::DeadLetter { .. } | Effect::Tell(_) => {}
            }
        }
        later
    }

    fn say(&mut self, mut event: Event) {
        self.sequence += 1;
        event.envelope.boot = Some(self.engine_boot());
        event.envelope.sequence = Some(self.sequence);
        event.envelope.zone.clone_from(&self.role.zone);
        if self.broken.clock {
            event.envelope.time = Some("2026-01-05T09:00:00Z".to_owned());
        }
        self.outbox.push_back(event);
    }

    /// The hook begins; it ends by itself, or is given up at its limit.
    fn run(&mut self, dice: &mut Dice, call: Box<Call>) -> (Millis, Later) {
        let back = is_back(&call);
        let usual = if back { self.role.back } else { self.role.takes };
        let length = dice.between(usual / 2, usual + usual / 2).max(2);
        let hangs = if back { self.broken.stuck } else { self.broken.hangs };
        if hangs || length >= call.limit {
            let why = format!("the hook had not ended after {} ms", call.limit);
            let outcome = HookOutcome::Retry(failure(&why));
            let told = Input::HookEnded { ticket: call.ticket, outcome };
            return (call.limit, Later::Tell(Box::new(told)));
        }
        self.running = Some((self.boot, call.ticket));
        (length, Later::Work(call))
    }

    /// The hook has done its work, or failed at it; none when it was cut off before.
    pub(crate) fn work(&mut self, boot: u32, call: &Call) -> Option<Input> {
        self.running.take_if(|running| *running == (boot, call.ticket))?;
        let back = is_back(call);
        let fails = if back { self.broken.revert } else { self.broken.hook };
        let outcome = if self.broken.memory && !back {
            HookOutcome::Failed(failure("the hook was killed by signal 9: it ran out of memory"))
        } else if fails {
            let output = "migrating\nerror: relation users_v2 does not exist\n".to_owned();
            let reason = "the hook exited with 1".to_owned();
            HookOutcome::Failed(Failure { reason, exit_code: Some(1), output })
        } else {
            let there = if back { &self.role.old } else { &self.role.new };
            self.version = match &call.to {
                _ if self.broken.version && !back => other_version(),
                Some(to) => to.clone(),
                None => there.clone(),
            };
            HookOutcome::Done
        };
        Some(Input::HookEnded { ticket: call.ticket, outcome })
    }

    /// The broker has the head of the outbox.
    pub(crate) fn sent(&mut self) -> Option<Event> {
        let event = self.outbox.pop_front()?;
        if event.envelope.boot.as_deref() == Some(self.engine_boot().as_str()) {
            self.acknowledged = event.envelope.sequence.unwrap_or(0);
        }
        Some(event)
    }

    /// When its newest heartbeat went, at this time. It has lived, and said so, before anything began.
    pub(crate) fn last_beat(&self, now: Millis) -> Millis {
        const EVERY: Millis = 1_000;
        let until = match self.life {
            Life::Up => now,
            Life::Down(since) | Life::Dead(since) => now.min(since),
        };
        self.beat + (until - self.beat).div_euclid(EVERY) * EVERY
    }

    /// What its checks say, if they were asked for.
    pub(crate) fn assessed(&self) -> Option<Input> {
        let finding = Finding { check: "latency".to_owned(), reason: "900 ms, at most 200 ms".to_owned() };
        let verdict = if self.broken.sick { Verdict::Sick(vec![finding]) } else { Verdict::Ready };
        Some(Input::Assessed { ticket: self.assessed?, verdict })
    }

    /// What the second sidecar of its name says, if there is one.
    pub(crate) fn twin_of(&self, own: &Heartbeat) -> Option<Heartbeat> {
        self.broken.twin.then(|| Heartbeat { boot: format!("{}.twin", own.boot), ..own.clone() })
    }

    /// What its newest heartbeat says.
    pub(crate) fn heartbeat(&self) -> Heartbeat {
        let (settings, phase) = (&self.role.settings, self.engine.phase());
        Heartbeat {
            domain: settings.domain.clone(),
            service: settings.service.clone(),
            instance: settings.instance.clone(),
            zone: self.role.zone.clone(),
            boot: self.engine_boot(),
            version: phase.version.filter(|_| !self.broken.drift).or_else(|| Some(self.version.clone())),
            phase: phase.word.to_owned(),
            rollout: phase.rollout,
            acknowledged: self.acknowledged,
            outbox: i64::try_from(self.outbox.len()).unwrap_or(i64::MAX),
            position: phase.position,
        }
    }

    fn engine_boot(&self) -> String {
        boot_id(&self.role, self.boot)
    }
}

fn engine(role: &Role, boot: u32, memory: Memory, scores: &[Arc<Score>]) -> Engine {
    let mut settings = role.settings.clone();
    settings.boot = boot_id(role, boot);
    Engine::new(settings, memory).knowing(scores.to_vec())
}

fn boot_id(role: &Role, boot: u32) -> String {
    format!("{}.{boot}", role.settings.instance)
}

/// A version that no plan asks for.
pub(crate) fn other_version() -> Version {
    Version::new("99.0.0").expect("a version")
}

fn is_back(call: &Call) -> bool {
    call.reaction == EventType::RollbackRequested.as_str()
}

fn failure(reason: &str) -> Failure {
    Failure { reason: reason.to_owned(), ..Failure::default() }
}
