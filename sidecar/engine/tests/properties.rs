//! What holds on every path: crashes at any point, duplicates, ticks, and whatever people and sentinels say.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![expect(clippy::wildcard_enum_match_arm, reason = "the dumb model looks at what matters to it alone")]

mod stage;

use std::cell::RefCell;
use std::collections::BTreeSet;

use pavane_events::command::{
    DomainHeld, DomainReleased, RollbackRequested, RolloutAborted, RolloutPaused, RolloutResumed,
    StepOverridden,
};
use pavane_events::service::Ready;
use pavane_events::verdict::{RolloutCompleted, RolloutRolledBack};
use pavane_events::{Body, Entry, EventType, Millis, StepId, Version};
use pavane_sidecar_engine::input::Failure;
use pavane_sidecar_engine::{Effect, Engine, HookOutcome, Input, Reaction, Readiness, Stage as JobStage};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use stage::*;

/// Something that happens to the sidecar.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// What the plan would have next.
    Next,
    Start,
    Ready,
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
struct Play {
    stage: Stage,
    running: &'static str,
    rollouts: u32,
    asked: Option<&'static str>,
    crash_next: Option<bool>,
    decision: i64,
    retries: u32,
    again: u32,
    /// The inputs as the engine saw them since its last start, with its effects.
    inputs: Vec<(Millis, Input)>,
    effects: Vec<Vec<Effect>>,
    twice: bool,
    endings: BTreeSet<String>,
}

impl Play {
    fn new(twice: bool) -> Self {
        let ready = Some(Readiness { within: 10_000, successes: 2, every: 1_000 });
        let reactions = vec![Reaction { ready, ..upgrade() }, revert()];
        let mut play = Self {
            stage: Stage::new(reactions),
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

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Next => {
                let next = self.next();
                self.happen(next);
            }
            Happening::Start => {
                self.rollouts += 1;
                let body = started(&plan());
                self.say("/ci", body);
            }
            Happening::Ready => {
                let rollout = self.rollout();
                let by = Some(("user-db", "user-db-0"));
                let event = self.stage.event("/db", Some(&rollout), by, None, Ready::default());
                self.read(event);
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
            Happening::Override => {
                let step = StepId::new("schema").unwrap();
                self.say("/ci", StepOverridden { step, by: String::new(), reason: String::new() });
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
        let said = |rollout: &str| {
            let of = |entry: &Entry| {
                matches!(entry, Entry::Event(record)
                if record.event.body.event_type() == EventType::Ready
                && record.event.envelope.rollout.as_ref().unwrap().as_str() == rollout)
            };
            self.stage.log.iter().any(of)
        };
        match (self.stage.outbox.is_empty(), phase.rollout) {
            (false, _) => Happening::Deliver,
            (true, None) => Happening::Start,
            (true, Some(rollout)) if !said(rollout.as_str()) => Happening::Ready,
            (true, Some(_)) if self.decision >= 0 && phase.word != "reverting" => {
                Happening::Asked(Some(true))
            }
            (true, Some(_)) => Happening::Tick(1_000),
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
        self.answer(Input::HookEnded { ticket: self.stage.ticket, outcome });
    }

    fn answer(&mut self, input: Input) {
        self.asked = None;
        self.tell(input);
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
                self.nothing_stands_against(call);
            }
            Effect::Probe { .. } => self.asked = Some("probe"),
            Effect::WriteRejected(_)
            | Effect::Say(_)
            | Effect::DeadLetter { .. }
            | Effect::CutOff { .. }
            | Effect::Tell(_) => {}
        }
    }

    /// The dumb model: scans the whole log for what is in force when a hook begins.
    fn nothing_stands_against(&self, call: &pavane_sidecar_engine::Call) {
        let (mut held, mut paused, mut over, mut announced) = (false, false, false, false);
        for entry in &self.stage.log {
            let Entry::Event(record) = entry else { continue };
            let envelope = &record.event.envelope;
            let own = envelope.rollout.as_ref() == Some(&call.rollout);
            match &record.event.body {
                Body::DomainHeld(_) => held = true,
                Body::DomainReleased(_) => held = false,
                Body::RolloutPaused(_) if own => paused = true,
                Body::RolloutResumed(_) if own => paused = false,
                Body::RolloutAborted(_) if own => over = true,
                Body::RollbackRequested(body) if own && body.accepted.is_none() && body.service.is_none() => {
                    over |= call.reaction != "RollbackRequested";
                }
                Body::DeploymentStarted(_) | Body::RollbackInitiated(_) => {
                    announced |= envelope.id.as_str() == call.run;
                }
                _ => {}
            }
        }
        let polled = self.stage.calls.iter().any(|old| old.run == call.run && old.attempt == call.attempt);
        assert!(announced, "the announcement stands on the log");
        assert!(polled || !(held || paused || over), "held {held}, paused {paused}, over {over}");
    }

    /// The process dies and starts again; what it reads from where it must is all it needs.
    fn crash(&mut self) {
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

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let one = prop_oneof![
        60 => Just(Happening::Next),
        2 => Just(Happening::Start),
        2 => Just(Happening::Ready),
        2 => Just(Happening::Pause),
        3 => Just(Happening::Resume),
        1 => Just(Happening::Hold),
        3 => Just(Happening::Release),
        1 => Just(Happening::Abort),
        4 => Just(Happening::PersonGoesBack),
        2 => (0..6_i64).prop_map(Happening::SentinelGoesBack),
        3 => prop::option::of(any::<bool>()).prop_map(Happening::Asked),
        1 => Just(Happening::Override),
        1 => (0..6_i64).prop_map(Happening::Completed),
        1 => (0..6_i64).prop_map(Happening::RolledBack),
        1 => Just(Happening::Unreadable),
        5 => Just(Happening::Deliver),
        6 => prop::option::of(any::<bool>()).prop_map(Happening::Version),
        10 => (0..4_u8).prop_map(Happening::Hook),
        2 => any::<bool>().prop_map(Happening::Probe),
        5 => (0..12_000_i64).prop_map(Happening::Tick),
        3 => Just(Happening::Crash),
        3 => any::<bool>().prop_map(Happening::CrashAtNext),
    ];
    prop::collection::vec(one, 1..80)
}

fn play(happenings: &[Happening], twice: bool) -> Play {
    let mut play = Play::new(twice);
    for &happening in happenings {
        play.happen(happening);
    }
    play
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_hook_runs_at_most_once_wherever_the_process_dies(happenings in happenings()) {
        let play = play(&happenings, false);
        let runs = runs(&play.stage.calls);
        let more: u32 = runs.values().map(|n| n - 1).sum();
        prop_assert!(more <= play.again, "{more} calls too many");
        let attempts = u32::try_from(runs.len()).unwrap();
        let jobs = play.stage.memory.jobs.values().filter(|job| job.attempts > 0).count();
        prop_assert!(attempts <= u32::try_from(jobs).unwrap() + play.retries, "an attempt nobody asked for");
    }

    #[test]
    fn reading_every_record_twice_changes_nothing(happenings in happenings()) {
        let (once, twice) = (play(&happenings, false), play(&happenings, true));
        prop_assert_eq!(&once.stage.said, &twice.stage.said);
        prop_assert_eq!(&once.stage.calls, &twice.stage.calls);
        prop_assert_eq!(&once.stage.memory, &twice.stage.memory);
    }

    #[test]
    fn the_same_inputs_have_the_same_effects_and_ticks_between_them_none(happenings in happenings()) {
        let happenings: Vec<_> = happenings
            .into_iter()
            .filter(|happening| !matches!(happening, Happening::Crash | Happening::CrashAtNext(_)))
            .collect();
        let play = play(&happenings, false);
        let mut same = Engine::new(play.stage.settings.clone(), pavane_sidecar_engine::Memory::default());
        for ((now, input), effects) in play.inputs.iter().zip(&play.effects) {
            prop_assert_eq!(&same.handle(*now, input.clone()), effects);
            prop_assert_eq!(same.handle(*now, Input::Tick), []);
        }
    }
}

#[test]
fn the_generator_reaches_every_ending() {
    let reached = RefCell::new(BTreeSet::new());
    let mut runner = TestRunner::deterministic();
    for _ in 0..800 {
        let happenings = happenings().new_tree(&mut runner).unwrap().current();
        reached.borrow_mut().extend(play(&happenings, false).endings);
    }
    let wanted = [
        "succeeded",
        "failed",
        "uncertain",
        "superseded",
        "back succeeded",
        "back failed",
        "back refused",
        "back uncertain",
        "back superseded",
    ];
    let reached = reached.into_inner();
    for ending in wanted {
        assert!(reached.contains(ending), "{ending} was never reached: {reached:?}");
    }
}
