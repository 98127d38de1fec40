//! A sidecar on a stage on which anything may happen.

#![expect(clippy::wildcard_enum_match_arm, reason = "each part looks at what matters to it alone")]

use std::collections::BTreeSet;

use pavane_events::command::{
    DomainHeld, DomainReleased, RollbackRequested, RolloutAborted, RolloutPaused, RolloutResumed,
    StepOverridden,
};
use pavane_events::control::{ProposalKind, Proposed};
use pavane_events::service::Ready;
use pavane_events::verdict::{RolloutCompleted, RolloutRolledBack};
use pavane_events::{Body, Entry, EventType, Millis, StepId, Version};
use pavane_sidecar_engine::input::Failure;
use pavane_sidecar_engine::{
    Effect, Engine, HookOutcome, Input, Memory, Reaction, Readiness, Stage as JobStage,
};

use crate::model;
use crate::shape::Shape;
use crate::stage::{Stage, addressed, announced, begun, complete, go_back, revert, started, upgrade};

/// Something that happens to the sidecar.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Happening {
    /// What the plan would have next.
    Next,
    Start,
    Ready,
    /// A prerequisite that a reaction may wait for as well.
    Cache,
    /// The sentinel begins a phase, accepted so many records ago: the next one, for the own instance or for another.
    Begin(i64, bool),
    /// The sentinel counts the instances of a share.
    Count(i64),
    /// Another instance of the service begins its move, or ends it.
    Other(bool),
    Pause,
    Resume,
    Hold,
    Release,
    Abort,
    PersonGoesBack,
    SentinelGoesBack(i64),
    Asked(Option<bool>),
    Override,
    Completed(i64),
    /// The rollout that owns the service is complete, whichever it is.
    OwnerCompleted,
    RolledBack(i64),
    Unreadable,
    Deliver,
    Version(Option<bool>),
    Hook(u8),
    Probe(bool),
    Tick(Millis),
    Crash,
    /// The process dies while it carries out the next orders: before it has written anything, or right after.
    CrashAtNext(bool),
}

/// A stage on which things happen, with the service that the hooks change.
pub(crate) struct Play {
    pub(crate) stage: Stage,
    pub(crate) shape: Shape,
    waited: bool,
    running: &'static str,
    rollouts: u32,
    asked: Option<&'static str>,
    crash_next: Option<bool>,
    decision: i64,
    pub(crate) retries: u32,
    pub(crate) again: u32,
    /// The inputs as the engine saw them since its last start, with its effects.
    pub(crate) inputs: Vec<(Millis, Input)>,
    pub(crate) effects: Vec<Vec<Effect>>,
    twice: bool,
    pub(crate) endings: BTreeSet<String>,
}

impl Play {
    pub(crate) fn new(shape: Shape, twice: bool) -> Self {
        let ready = Some(Readiness { within: 10_000, successes: 2, every: 1_000 });
        let reactions = vec![Reaction { ready, on: shape.on(), ..upgrade() }, revert()];
        let mut stage = Stage::new(reactions);
        stage.settings.zone = shape.own_zone();
        stage.engine = Engine::new(stage.settings.clone(), Memory::default());
        let mut play = Self {
            stage,
            shape,
            waited: false,
            running: "1.0.0",
            rollouts: 0,
            asked: None,
            crash_next: None,
            decision: -1,
            retries: 0,
            again: 0,
            inputs: Vec::new(),
            effects: Vec::new(),
            twice,
            endings: BTreeSet::new(),
        };
        play.tell(Input::CaughtUp { end: 0 });
        play
    }

    fn rollout(&self) -> String {
        format!("r-{}", self.rollouts)
    }

    pub(crate) fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Next => {
                let next = self.next();
                self.happen(next);
            }
            Happening::Start => {
                self.rollouts += 1;
                let body = started(&self.shape.plan());
                self.say("/ci", body);
            }
            Happening::Ready => self.instance("user-db", "user-db-0", Ready::default()),
            Happening::Cache => self.instance("cache", "cache-0", Ready::default()),
            Happening::Other(begins) => {
                let body: Body = if begins { announced().into() } else { complete().into() };
                self.instance("user-service", "user-service-1", body);
            }
            Happening::Unreadable => {
                let entry = self.stage.put_unreadable("user-db", EventType::Ready);
                self.observe(entry);
            }
            Happening::Deliver => {
                let waiting = std::mem::take(&mut self.stage.outbox);
                for event in waiting {
                    self.read(event);
                }
            }
            Happening::Version(right) => self.answer_version(right),
            Happening::Hook(how) => self.answer_hook(how),
            Happening::Probe(well) => {
                if self.asked == Some("probe") {
                    let result = if well { Ok(()) } else { Err("503".to_owned()) };
                    self.answer(Input::Probed { ticket: self.stage.ticket, result });
                }
            }
            Happening::Tick(by) => {
                self.stage.now += by;
                self.tell(Input::Tick);
            }
            Happening::Crash => self.crash(),
            Happening::CrashAtNext(written) => self.crash_next = Some(written),
            decree => self.decree(decree),
        }
    }

    /// What people and the sentinel say.
    fn decree(&mut self, happening: Happening) {
        match happening {
            Happening::Pause => self.say("/ci", RolloutPaused::default()),
            Happening::Resume => self.say("/ci", RolloutResumed::default()),
            Happening::Hold => self.say("/ci", DomainHeld::default()),
            Happening::Release => self.say("/ci", DomainReleased::default()),
            Happening::Abort => self.say("/ci", RolloutAborted::default()),
            Happening::PersonGoesBack => {
                self.decision = self.end();
                self.say("/ci", go_back());
            }
            Happening::SentinelGoesBack(since) => {
                self.decision = self.end();
                let (accepted, step) = (Some(self.end() - since), Some(StepId::new("users").unwrap()));
                self.say("/pavane/shop/sentinel", RollbackRequested { accepted, step, ..go_back() });
            }
            Happening::Asked(expected) => {
                let expected = expected.map(|right| if right { "2.0.0" } else { "3.0.0" });
                self.say("/pavane/shop/sentinel", addressed(self.decision, expected, Some("1.0.0")));
            }
            Happening::Begin(since, named) => {
                let accepted = Some(self.end() - 1 - since);
                let cohort = if named { "user-service-0" } else { "user-service-1" };
                let Some((phase, share)) = self.shape.next_phase(&self.stage, &self.rollout()) else {
                    return;
                };
                let body = begun(phase, if share { std::slice::from_ref(&cohort) } else { &[] }, accepted);
                self.say("/pavane/shop/sentinel", body);
            }
            Happening::Count(count) => {
                let kind = ProposalKind::InstancesCounted;
                let (step, count) = (Some(StepId::new("schema").unwrap()), Some(count));
                let body = Proposed { kind, step, count, epoch: 1, attempt: 1, ..Proposed::default() };
                self.say("/pavane/shop/sentinel", body);
            }
            Happening::Override => {
                let step = StepId::new("schema").unwrap();
                self.say("/ci", StepOverridden { step, by: String::new(), reason: String::new() });
            }
            Happening::OwnerCompleted => {
                let Some(owner) = self.stage.engine.rollout().cloned() else { return };
                let body = RolloutCompleted { epoch: 1, attempt: 1, accepted: self.end() };
                let event = self.stage.event("/pavane/shop/sentinel", Some(owner.as_str()), None, None, body);
                self.read(event);
            }
            Happening::Completed(since) => {
                let accepted = self.end() - since;
                self.say("/pavane/shop/sentinel", RolloutCompleted { epoch: 1, attempt: 1, accepted });
            }
            Happening::RolledBack(since) => {
                let accepted = self.end() - since;
                self.say("/pavane/shop/sentinel", RolloutRolledBack { epoch: 1, attempt: 1, accepted });
            }
            _ => unreachable!("a decree"),
        }
    }

    /// What the plan would have next.
    fn next(&self) -> Happening {
        match self.asked {
            Some("observe") => return Happening::Version(Some(true)),
            Some("hook") => return Happening::Hook(0),
            Some("probe") => return Happening::Probe(true),
            _ => {}
        }
        let phase = self.stage.engine.phase();
        let Some(rollout) = phase.rollout.filter(|_| self.stage.outbox.is_empty()) else {
            return if self.stage.outbox.is_empty() { Happening::Start } else { Happening::Deliver };
        };
        // The newest rollout is the one that is spoken of; it may wait for the one that owns the service.
        let said = |service: &str| model::has_said(&self.stage.log, &self.rollout(), service);
        let awaited = self.shape.next_phase(&self.stage, &self.rollout());
        match phase.word {
            _ if rollout.as_str() != self.rollout() => Happening::OwnerCompleted,
            "waiting" => Happening::Other(false),
            "announced" => Happening::Resume,
            _ if !said("user-db") => Happening::Ready,
            _ if self.shape.wants_cache() && !said("cache") => Happening::Cache,
            _ if self.decision >= 0 && phase.word != "reverting" => Happening::Asked(Some(true)),
            "idle" if awaited.is_some() => Happening::Begin(0, true),
            "idle" if self.shape.share => Happening::Count(1),
            _ => Happening::Tick(1_000),
        }
    }

    fn answer_version(&mut self, right: Option<bool>) {
        if self.asked == Some("observe") {
            let version = match right {
                Some(true) => Ok(Version::new(self.running).unwrap()),
                Some(false) => Ok(Version::new("9.9.9").unwrap()),
                None => Err("connection refused".to_owned()),
            };
            self.answer(Input::VersionObserved { ticket: self.stage.ticket, version });
        }
    }

    fn answer_hook(&mut self, how: u8) {
        if self.asked != Some("hook") {
            return;
        }
        let back = self.stage.calls.last().unwrap().reaction == "RollbackRequested";
        let outcome = match how {
            0 => {
                self.running = if back { "1.0.0" } else { "2.0.0" };
                HookOutcome::Done
            }
            1 => HookOutcome::Retry(Failure::default()),
            2 => HookOutcome::InProgress { after: 5_000 },
            _ => HookOutcome::Failed(Failure::default()),
        };
        self.retries += u32::from(how == 1 || how == 2);
        self.again += u32::from(how == 2);
        let asked_back = self.stage.log.last().is_some_and(model::asks_back);
        if asked_back && !back && !self.shape.interruptible {
            self.endings.insert("left to end".to_owned());
        }
        self.answer(Input::HookEnded { ticket: self.stage.ticket, outcome });
    }

    fn answer(&mut self, input: Input) {
        self.asked = None;
        self.tell(input);
    }

    /// An instance says something, in the zone in which all do.
    fn instance(&mut self, service: &str, instance: &str, body: impl Into<Body>) {
        let (rollout, source) = (self.rollout(), format!("/pavane/shop/{service}/{instance}"));
        let mut event =
            self.stage.event(&source, Some(&rollout), Some((service, instance)), Some("2.0.0"), body);
        event.envelope.zone = self.shape.own_zone();
        self.read(event);
    }

    fn say(&mut self, source: &str, body: impl Into<Body>) {
        let rollout = self.rollout();
        let event = self.stage.event(source, Some(&rollout), None, None, body);
        self.read(event);
    }

    fn read(&mut self, event: pavane_events::Event) {
        let entry = self.stage.put(event);
        self.observe(entry);
    }

    fn observe(&mut self, entry: Entry) {
        self.tell(Input::Observed(entry.clone()));
        if self.twice {
            self.tell(Input::Observed(entry));
        }
    }

    fn end(&self) -> i64 {
        i64::try_from(self.stage.log.len()).unwrap()
    }

    fn tell(&mut self, input: Input) {
        let effects = self.stage.engine.handle(self.stage.now, input.clone());
        self.inputs.push((self.stage.now, input));
        self.effects.push(effects.clone());
        self.waited |= self.stage.engine.phase().word == "waiting";
        let acts = effects.iter().any(|effect| !matches!(effect, Effect::Tell(_)));
        let crash = if acts { self.crash_next.take() } else { None };
        for effect in effects {
            let durable = matches!(effect, Effect::Write(_) | Effect::WriteRejected(_) | Effect::Say(_));
            if crash == Some(false) || (crash == Some(true) && !durable) {
                continue;
            }
            self.watch(&effect);
            self.stage.carry_out(effect);
        }
        if crash.is_some() {
            self.crash();
        }
    }

    fn watch(&mut self, effect: &Effect) {
        match effect {
            Effect::Write(job) => {
                self.asked = None;
                if let JobStage::Over(ending) = job.stage {
                    let back = if job.target.is_some() { "back " } else { "" };
                    self.endings.insert(format!("{back}{}", ending.as_str()));
                }
            }
            Effect::ObserveVersion { .. } => self.asked = Some("observe"),
            Effect::RunHook(call) => {
                self.asked = Some("hook");
                let again =
                    self.stage.calls.iter().any(|old| old.run == call.run && old.attempt == call.attempt);
                if call.reaction != "RollbackRequested" && !again {
                    let wait = std::mem::take(&mut self.waited).then_some("after waiting");
                    self.endings.extend(
                        self.shape.words_of(call, &self.stage.log).into_iter().chain(wait).map(str::to_owned),
                    );
                }
                model::nothing_stands_against(self.shape, &self.stage.log, call, again);
            }
            Effect::Probe { .. } => self.asked = Some("probe"),
            Effect::CutOff { .. } => assert!(self.shape.interruptible, "it may not be cut off"),
            Effect::Assess { .. } => unreachable!("no reaction of the play waits for checks"),
            Effect::WriteRejected(_) | Effect::Say(_) | Effect::DeadLetter { .. } | Effect::Tell(_) => {}
        }
    }

    /// The process dies and starts again; what it reads from where it must is all it needs.
    fn crash(&mut self) {
        // A hook that works on is asked for its end; where the answer dies with the process, it is asked once more.
        let works = self.stage.memory.jobs.values().any(|job| matches!(job.stage, JobStage::Working { .. }));
        self.again += u32::from(works && self.asked == Some("hook"));
        self.asked = None;
        self.inputs.clear();
        self.effects.clear();
        let from = self.stage.engine.resume_from();
        let whole = replay(&self.stage, 0);
        let lines = self.stage.crash();
        assert_eq!(whole.phase(), self.stage.engine.phase(), "from {from} as from the beginning");
        self.asked = lines.iter().rev().find_map(|line| match line.split(' ').next() {
            Some("observe") => Some("observe"),
            Some("hook") => Some("hook"),
            Some("probe") => Some("probe"),
            _ => None,
        });
    }
}

/// A fresh engine that has read the log from an offset.
fn replay(stage: &Stage, from: i64) -> Engine {
    let mut engine = Engine::new(stage.settings.clone(), stage.memory.clone());
    for entry in stage.log.iter().filter(|entry| entry.offset() >= from) {
        let _ = engine.handle(stage.now, Input::Observed(entry.clone()));
    }
    let end = i64::try_from(stage.log.len()).unwrap();
    let _ = engine.handle(stage.now, Input::CaughtUp { end });
    engine
}
