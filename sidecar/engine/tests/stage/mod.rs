//! A stage for the engine: a log, a journal that survives crashes, and effects as lines of text.

#![expect(dead_code, reason = "shared by test files that each use a part of it")]

mod props;

use pavane_choreography::Plan;
use pavane_events::service::Ready;
use pavane_events::{
    Body, Entry, Envelope, Event, EventId, EventType, Instance, Millis, Record, RolloutId, Service, Source,
    Timestamp, Unreadable, UnreadableReason, Version, Zone, identity,
};
use pavane_sidecar_engine::{Call, Effect, Engine, HookOutcome, Input, Memory, Reaction, Settings};

pub(crate) use props::*;

pub(crate) const ROLLOUT: &str = "r-1";

/// A sidecar of `user-service` with its log and its journal.
pub(crate) struct Stage {
    pub(crate) engine: Engine,
    pub(crate) settings: Settings,
    pub(crate) log: Vec<Entry>,
    pub(crate) memory: Memory,
    pub(crate) outbox: Vec<Event>,
    pub(crate) said: Vec<Event>,
    pub(crate) calls: Vec<Call>,
    pub(crate) ticket: u64,
    pub(crate) now: Millis,
    /// What `start` starts.
    pub(crate) plan: Plan,
    boots: u32,
    ids: u32,
}

impl Stage {
    pub(crate) fn new(reactions: Vec<Reaction>) -> Self {
        let settings = settings("user-service", reactions);
        let engine = Engine::new(settings.clone(), Memory::default());
        Self {
            engine,
            settings,
            log: Vec::new(),
            memory: Memory::default(),
            outbox: Vec::new(),
            said: Vec::new(),
            calls: Vec::new(),
            ticket: 0,
            now: 0,
            plan: plan(),
            boots: 0,
            ids: 0,
        }
    }

    /// A stage that has caught up with an empty log.
    pub(crate) fn ready(reactions: Vec<Reaction>) -> Self {
        let mut stage = Self::new(reactions);
        assert_eq!(stage.catch_up(), [""; 0]);
        stage
    }

    /// Tells the engine a fact; its orders come back as lines.
    pub(crate) fn tell(&mut self, input: Input) -> Vec<String> {
        let effects = self.engine.handle(self.now, input);
        effects.into_iter().map(|effect| self.carry_out(effect)).collect()
    }

    pub(crate) fn carry_out(&mut self, effect: Effect) -> String {
        match effect {
            Effect::Write(job) => {
                let line = format!("write {} {:?}", job.key.reaction, job.stage);
                self.memory.jobs.insert(job.key.clone(), *job);
                line
            }
            Effect::WriteRejected(offset) => {
                self.memory.rejected.insert(offset);
                format!("write rejected {offset}")
            }
            Effect::Say(event) => {
                let line = format!("say {}", event.body.event_type());
                self.outbox.push((*event).clone());
                self.said.push(*event);
                line
            }
            Effect::DeadLetter { unreadable } => format!("dead letter {}", unreadable.offset),
            Effect::ObserveVersion { ticket } => {
                self.ticket = ticket;
                "observe".to_owned()
            }
            Effect::RunHook(call) => {
                self.ticket = call.ticket;
                let line = format!("hook {} #{}", call.reaction, call.attempt);
                self.calls.push(*call);
                line
            }
            Effect::CutOff { .. } => "cut off".to_owned(),
            Effect::Probe { ticket, reaction } => {
                self.ticket = ticket;
                format!("probe {reaction}")
            }
            Effect::Assess { ticket } => {
                self.ticket = ticket;
                "assess".to_owned()
            }
            Effect::Tell(notice) => format!("tell {}", notice.kind),
        }
    }

    /// Appends an event to the log and lets the engine read it.
    pub(crate) fn append(&mut self, event: Event) -> Vec<String> {
        let entry = self.put(event);
        self.tell(Input::Observed(entry))
    }

    /// Appends an event to the log without reading it.
    pub(crate) fn put(&mut self, event: Event) -> Entry {
        let offset = i64::try_from(self.log.len()).unwrap();
        let at = Timestamp(1_000_000 + self.now);
        self.log.push(Entry::Event(Record { offset, at, event }));
        self.log.last().unwrap().clone()
    }

    /// What stands in the outbox reaches the log and is read back.
    pub(crate) fn deliver(&mut self) -> Vec<String> {
        let waiting = std::mem::take(&mut self.outbox);
        waiting.into_iter().flat_map(|event| self.append(event)).collect()
    }

    /// Everything that stands on the log has been read.
    pub(crate) fn catch_up(&mut self) -> Vec<String> {
        let end = i64::try_from(self.log.len()).unwrap();
        self.tell(Input::CaughtUp { end })
    }

    pub(crate) fn start(&mut self) -> Vec<String> {
        let plan = self.plan.clone();
        self.start_with(ROLLOUT, &plan)
    }

    pub(crate) fn start_with(&mut self, rollout: &str, plan: &Plan) -> Vec<String> {
        let body = started(plan);
        self.command(rollout, body)
    }

    /// A person says something about a rollout.
    pub(crate) fn command(&mut self, rollout: &str, body: impl Into<Body>) -> Vec<String> {
        let event = self.event("/ci", Some(rollout), None, None, body);
        self.append(event)
    }

    /// The sentinel says something about the rollout.
    pub(crate) fn sentinel(&mut self, body: impl Into<Body>) -> Vec<String> {
        let source = identity::sentinel_source(&domain());
        let event = self.event(source.as_str(), Some(ROLLOUT), None, None, body);
        self.append(event)
    }

    /// An instance of a service says something in the rollout.
    pub(crate) fn service(&mut self, service: &str, instance: &str, body: impl Into<Body>) -> Vec<String> {
        let source = format!("/pavane/shop/{service}/{instance}");
        let event = self.event(&source, Some(ROLLOUT), Some((service, instance)), Some("2.0.0"), body);
        self.append(event)
    }

    /// An instance of a service in a zone says something in the rollout.
    pub(crate) fn in_zone(
        &mut self,
        zone: &str,
        service: &str,
        instance: &str,
        body: impl Into<Body>,
    ) -> Vec<String> {
        let source = format!("/pavane/shop/{service}/{instance}");
        let mut event = self.event(&source, Some(ROLLOUT), Some((service, instance)), Some("2.0.0"), body);
        event.envelope.zone = Some(Zone::new(zone).unwrap());
        self.append(event)
    }

    /// The sentinel says that a phase has begun, accepted right before, for these instances of user-service.
    pub(crate) fn begin(&mut self, phase: &str, cohort: &[&str]) -> Vec<String> {
        let accepted = i64::try_from(self.log.len()).unwrap() - 1;
        self.sentinel(begun(phase, cohort, Some(accepted)))
    }

    pub(crate) fn schema_ready(&mut self) -> Vec<String> {
        self.service("user-db", "user-db-0", Ready::default())
    }

    pub(crate) fn event(
        &mut self,
        source: &str,
        rollout: Option<&str>,
        by: Option<(&str, &str)>,
        version: Option<&str>,
        body: impl Into<Body>,
    ) -> Event {
        self.ids += 1;
        let id = EventId::new(format!("e-{}", self.ids)).unwrap();
        let mut envelope = Envelope::new(domain(), Source::new(source).unwrap(), id);
        envelope.rollout = rollout.map(|rollout| RolloutId::new(rollout).unwrap());
        envelope.service = by.map(|(service, _)| Service::new(service).unwrap());
        envelope.instance = by.map(|(_, instance)| Instance::new(instance).unwrap());
        envelope.version = version.map(|version| Version::new(version).unwrap());
        Event { envelope, body: body.into() }
    }

    pub(crate) fn unreadable(&mut self, service: &str, event: EventType) -> Vec<String> {
        let entry = self.put_unreadable(service, event);
        self.tell(Input::Observed(entry))
    }

    /// Appends a record that nobody can read.
    pub(crate) fn put_unreadable(&mut self, service: &str, event: EventType) -> Entry {
        let offset = i64::try_from(self.log.len()).unwrap();
        self.log.push(Entry::Unreadable(Unreadable {
            offset,
            at: Timestamp(1_000_000 + self.now),
            event_type: Some(event.full_name()),
            id: Some(EventId::new("bad-1").unwrap()),
            service: Some(Service::new(service).unwrap()),
            rollout: Some(RolloutId::new(ROLLOUT).unwrap()),
            schema_id: Some(7),
            reason: UnreadableReason::Incompatible,
            field: "/rating".to_owned(),
            detail: "rating is a string where a long is read".to_owned(),
        }));
        self.log.last().unwrap().clone()
    }

    pub(crate) fn version(&mut self, version: &str) -> Vec<String> {
        let version = Ok(Version::new(version).unwrap());
        self.tell(Input::VersionObserved { ticket: self.ticket, version })
    }

    pub(crate) fn hook(&mut self, outcome: HookOutcome) -> Vec<String> {
        self.tell(Input::HookEnded { ticket: self.ticket, outcome })
    }

    pub(crate) fn probe(&mut self, result: Result<(), &str>) -> Vec<String> {
        let result = result.map_err(str::to_owned);
        self.tell(Input::Probed { ticket: self.ticket, result })
    }

    pub(crate) fn tick(&mut self, by: Millis) -> Vec<String> {
        self.now += by;
        self.tell(Input::Tick)
    }

    /// The process dies and starts again: what was in memory is gone, the log is read from where it must be.
    pub(crate) fn crash(&mut self) -> Vec<String> {
        let from = self.engine.resume_from();
        self.restart(from)
    }

    /// The journal is lost too.
    pub(crate) fn crash_and_lose_the_journal(&mut self) -> Vec<String> {
        self.memory = Memory::default();
        self.restart(0)
    }

    fn restart(&mut self, from: i64) -> Vec<String> {
        self.boots += 1;
        let settings = Settings { boot: format!("boot-{}", self.boots), ..self.settings.clone() };
        self.engine = Engine::new(settings, self.memory.clone());
        let rest: Vec<Entry> = self.log.iter().filter(|entry| entry.offset() >= from).cloned().collect();
        for entry in rest {
            let lines = self.tell(Input::Observed(entry));
            let acts = lines.iter().find(|line| !line.starts_with("tell"));
            assert_eq!(acts, None, "nothing is done before it has caught up");
        }
        self.catch_up()
    }

    /// Plays the first step of the way forward, up to the running hook.
    pub(crate) fn up_to_hook(&mut self) {
        self.start();
        self.schema_ready();
        self.version("1.0.0");
        self.deliver();
        assert_eq!(self.calls.len(), 1, "the hook runs");
    }

    /// Plays the way forward to its end.
    pub(crate) fn up_to_complete(&mut self) {
        self.up_to_hook();
        self.hook(HookOutcome::Done);
        if self.engine.phase().word == "readiness" && self.settings.reactions[0].ready.is_some() {
            self.probe(Ok(()));
        }
        self.version("2.0.0");
        self.deliver();
    }

    /// The last thing that was said.
    pub(crate) fn last(&self) -> &Body {
        &self.said.last().unwrap().body
    }
}
