//! The engine: facts in, orders out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pavane_choreography::Expect;
use pavane_events::{Entry, Event, EventType, Millis, RolloutId, Unreadable, Version};

use crate::effect::{Effect, Notice};
use crate::fold::Fold;
use crate::hold::Watch;
use crate::input::{Failure, Input};
use crate::journal::{Ending, Job, Memory, Stage};
use crate::rollout::Rollout;
use crate::score::Score;
use crate::settings::Settings;
use crate::work::{Purpose, Wait, Work};

/// How many unreadable records are remembered until everything has been read.
const REJECTIONS: usize = 1_000;

/// What the sidecar is doing, for its heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// `idle`, `announced`, `waiting`, `hook`, `readiness`, `reverting`, `done` or `failed`.
    pub word: &'static str,
    /// The rollout that it takes part in.
    pub rollout: Option<RolloutId>,
    /// The version that the service was last seen to run.
    pub version: Option<Version>,
    /// The offset up to which it has read; -1 before the first record.
    pub position: i64,
}

/// A sidecar's decisions, as a fold over what it is told.
#[derive(Debug)]
pub struct Engine {
    pub(crate) settings: Settings,
    pub(crate) fold: Fold,
    pub(crate) memory: Memory,
    pub(crate) work: Option<Work>,
    pub(crate) version: Option<Version>,
    pub(crate) now: Millis,
    pub(crate) caught_up_to: i64,
    pub(crate) tickets: u64,
    pub(crate) said: u64,
    pub(crate) watch: Watch,
    /// What the table of services says; none before it was read.
    pub(crate) known_good: Option<BTreeSet<Version>>,
    caught_up: bool,
    rejections: BTreeMap<i64, Unreadable>,
}

impl Engine {
    /// An engine that knows what the journal held and nothing of the log.
    pub fn new(settings: Settings, memory: Memory) -> Self {
        let fold = Fold::new(&settings);
        Self {
            settings,
            fold,
            memory,
            work: None,
            version: None,
            now: Millis::MIN,
            caught_up_to: -1,
            tickets: 0,
            said: 0,
            watch: Watch::default(),
            known_good: None,
            caught_up: false,
            rejections: BTreeMap::new(),
        }
    }

    /// The engine with plans at hand that were read before. It spares the reading and changes nothing else.
    #[must_use]
    pub fn knowing(mut self, scores: Vec<Arc<Score>>) -> Self {
        self.fold.scores = scores;
        self
    }

    /// Takes the next entry of the log as [`Engine::handle`] takes [`Input::Observed`], and leaves it where it stands.
    #[must_use = "an effect that is not carried out is lost"]
    pub fn read(&mut self, now: Millis, entry: &Entry) -> Vec<Effect> {
        if let Entry::Event(record) = entry
            && self.fold.lets_pass(record)
        {
            return Vec::new();
        }
        let mut out = Vec::new();
        self.now = self.now.max(now);
        self.observe(entry, &mut out);
        out.extend(self.handle(now, Input::Tick));
        out
    }

    /// Takes one fact. `now` is the shell's own elapsed time in milliseconds; it never runs back.
    #[must_use = "an effect that is not carried out is lost"]
    pub fn handle(&mut self, now: Millis, input: Input) -> Vec<Effect> {
        self.now = self.now.max(now);
        let mut out = Vec::new();
        match input {
            Input::Observed(entry) => self.observe(&entry, &mut out),
            Input::CaughtUp { end } => {
                self.caught_up = true;
                self.fold.position = self.fold.position.max(end - 1);
                self.caught_up_to = self.fold.position;
            }
            Input::VersionObserved { ticket, version } => self.version_observed(ticket, &version, &mut out),
            Input::HookEnded { ticket, outcome } => self.hook_ended(ticket, outcome, &mut out),
            Input::KnownGood(versions) => self.known_good = Some(versions),
            Input::HookReported { run, outcome } => self.hook_reported(&run, outcome, &mut out),
            Input::Probed { ticket, result } => self.probed(ticket, result),
            Input::Assessed { ticket, verdict } => self.assessed(ticket, verdict),
            Input::Tick => {}
        }
        if self.caught_up {
            self.reject(&mut out);
            self.settle(&mut out);
            self.watch(&mut out);
        }
        out
    }

    /// When the shell should call again at the latest, by the same clock as `now`; none when only a fact matters.
    pub fn next_deadline(&self) -> Option<Millis> {
        let work = self.work.as_ref().and_then(Work::deadline);
        work.into_iter().chain(self.held_at()).filter(|at| *at > self.now).min()
    }

    /// The offset from which a restarted sidecar must read to come to the same state.
    pub fn resume_from(&self) -> i64 {
        let open = |job: &&Job| !matches!(job.stage, Stage::Over(_));
        let unfinished =
            self.memory.jobs.values().filter(open).filter_map(|job| self.fold.find(&job.key.rollout));
        let starts = unfinished.map(|rollout| rollout.since);
        starts.chain([self.fold.resume_from()]).min().unwrap_or(0)
    }

    /// Whether everything that stood on the log at the start has been read.
    pub const fn is_caught_up(&self) -> bool {
        self.caught_up
    }

    /// The open rollout that owns the service.
    pub fn rollout(&self) -> Option<&RolloutId> {
        self.fold.owner().map(|rollout| &rollout.id)
    }

    /// What the sidecar is doing.
    pub fn phase(&self) -> Phase {
        let owner = self.fold.owner();
        let over = |rollout: &Rollout| {
            let jobs = self.memory.jobs.values().filter(|job| job.key.rollout == rollout.id);
            jobs.max_by_key(|job| (job.key.epoch, job.target.is_some())).map(|job| job.stage)
        };
        let word = match (&self.work, owner.and_then(over)) {
            (Some(work), _)
                if self.waits_for_others(work) || work.turn.is_some_and(|turn| turn > self.now) =>
            {
                "waiting"
            }
            (Some(work), _) => work.phase(),
            (None, Some(Stage::Over(Ending::Succeeded | Ending::Yielded))) => "done",
            (
                None,
                Some(Stage::Over(Ending::Failed | Ending::Refused | Ending::Uncertain | Ending::Sickened)),
            ) => "failed",
            (None, _) => "idle",
        };
        let rollout = owner.map(|rollout| rollout.id.clone());
        Phase { word, rollout, version: self.version.clone(), position: self.fold.position }
    }

    /// Whether the hook that runs may be ended before it has come to its own end.
    pub fn may_be_cut_off(&self) -> bool {
        let step = self.work.as_ref().and_then(|work| self.step_of(work));
        step.is_none_or(|step| step.interruptible)
    }

    fn observe(&mut self, entry: &Entry, out: &mut Vec<Effect>) {
        self.fold.position = self.fold.position.max(entry.offset());
        match entry {
            Entry::Event(record) => {
                let notice = self.fold.apply(record);
                out.extend(notice.map(Effect::Tell));
                for unjudged in std::mem::take(&mut self.fold.unjudged) {
                    self.unjudged(unjudged, out);
                }
            }
            Entry::Unreadable(unreadable) => self.unreadable(unreadable, out),
        }
    }

    /// An unreadable record matters when it may be an event that a reaction waits for.
    fn unreadable(&mut self, unreadable: &Unreadable, out: &mut Vec<Effect>) {
        let event = unreadable.event_type.as_deref().and_then(EventType::from_full);
        let expect = unreadable.service.clone().zip(event).map(|(service, event)| Expect { service, event });
        let awaited = expect.is_some_and(|expect| self.fold.watched.contains(&expect));
        let known = self.memory.rejected.contains(&unreadable.offset);
        if awaited && !known && self.rejections.len() < REJECTIONS {
            self.rejections.insert(unreadable.offset, unreadable.clone());
        } else if !known {
            let (offset, detail) = (unreadable.offset, unreadable.detail.clone());
            out.push(Effect::Tell(Notice { offset, kind: unreadable.reason.as_str(), detail }));
        }
    }

    /// An event that a condition cannot judge is as one that cannot be read.
    fn unjudged(&mut self, unjudged: Unreadable, out: &mut Vec<Effect>) {
        let Unreadable { offset, detail, reason, .. } = &unjudged;
        if self.memory.rejected.contains(offset) {
            return;
        }
        out.push(Effect::Tell(Notice { offset: *offset, kind: reason.as_str(), detail: detail.clone() }));
        if self.rejections.len() < REJECTIONS {
            self.rejections.entry(*offset).or_insert(unjudged);
        }
    }

    /// Says at once that an event the service depends on cannot be read, unless its rollout is over.
    fn reject(&mut self, out: &mut Vec<Effect>) {
        for (offset, unreadable) in std::mem::take(&mut self.rejections) {
            let rollout = unreadable.rollout.as_ref().and_then(|id| self.fold.find(id));
            if rollout.is_some_and(|rollout| !rollout.status.is_open()) {
                continue;
            }
            let event = self.rejection(&unreadable);
            self.memory.rejected.insert(offset);
            out.extend([
                Effect::WriteRejected(offset),
                Effect::Say(Box::new(event)),
                Effect::DeadLetter { unreadable: Box::new(unreadable) },
            ]);
        }
    }

    /// Does what can be done until there is nothing left but to wait.
    fn settle(&mut self, out: &mut Vec<Effect>) {
        while let Some(work) = self.work.take().or_else(|| self.next_work(out)) {
            self.advance(work, out);
            if self.work.is_some() {
                return;
            }
        }
    }

    fn next_work(&mut self, out: &mut Vec<Effect>) -> Option<Work> {
        let open = |job: &&Job| !matches!(job.stage, Stage::Over(_));
        while let Some(job) = self.memory.jobs.values().find(open).cloned() {
            if let Some(work) = self.resume(job, out) {
                return Some(work);
            }
        }
        self.asked().or_else(|| self.wanted()).or_else(|| self.recovered())
    }

    /// Takes up what the journal says was under way when the process ended.
    fn resume(&mut self, job: Job, out: &mut Vec<Effect>) -> Option<Work> {
        let stage = job.stage;
        let Some(reaction) = self.settings.reaction(&job.key.reaction).cloned() else {
            let (kind, detail) =
                ("reaction_gone", format!("the file has no reaction on {} any more", job.key.reaction));
            out.push(Effect::Tell(Notice { offset: -1, kind, detail }));
            let ending = if stage == Stage::Announced { Ending::Superseded } else { Ending::Uncertain };
            let job = Job { stage: Stage::Over(ending), ..job };
            self.memory.jobs.insert(job.key.clone(), job.clone());
            out.push(Effect::Write(Box::new(job)));
            return None;
        };
        let mut work = Work::new(job, reaction, self.now, Wait::Barrier);
        work.wait = match stage {
            Stage::Announced | Stage::Over(_) => Wait::Barrier,
            Stage::Running => Wait::version(Purpose::Recovery),
            Stage::Working { after, left } => {
                let until = self.now.saturating_add(left);
                Wait::Call { at: self.now.saturating_add(after).min(until), until }
            }
            Stage::Resting => Wait::Rest { at: self.now },
            Stage::Checking => self.checks(&work),
        };
        Some(work)
    }

    fn advance(&mut self, work: Work, out: &mut Vec<Effect>) {
        if self.is_called_back(&work) {
            return self.call_back(work, out);
        }
        match work.wait {
            Wait::Version { .. } => self.ask_version(work, out),
            Wait::Well { .. } => self.ask_well(work, out),
            Wait::Hold { .. } => self.hold(work, out),
            Wait::Barrier => self.pass_barrier(work, out),
            Wait::Call { until, .. } if self.now >= until => self.end_attempt(work, out),
            Wait::Call { at, until } if self.now >= at => self.call(work, until, out),
            Wait::Rest { at } if self.now >= at => self.try_again(work, out),
            Wait::Hook { .. } | Wait::Call { .. } | Wait::Rest { .. } => self.work = Some(work),
        }
    }

    /// Announces a reaction; its hook waits until the announcement has been read back.
    pub(crate) fn announce(&mut self, mut work: Work, event: Event, out: &mut Vec<Effect>) {
        work.job.stage = Stage::Announced;
        work.job.announced = Some(event.envelope.id.clone());
        work.job.boot = Some(self.settings.boot.clone());
        self.write(&work, out);
        out.push(Effect::Say(Box::new(event)));
        work.wait = Wait::Barrier;
        self.work = Some(work);
    }

    pub(crate) fn succeed(&mut self, work: Work, out: &mut Vec<Effect>) {
        let event = self.success(&work);
        self.conclude(work, Ending::Succeeded, Some(event), out);
    }

    pub(crate) fn fail(&mut self, work: Work, stage: &str, failure: Failure, out: &mut Vec<Effect>) {
        let event = self.failure(&work, stage, failure);
        self.conclude(work, Ending::Failed, Some(event), out);
    }

    /// Ends a reaction; its ending and what is said of it are one transaction.
    pub(crate) fn conclude(
        &mut self,
        mut work: Work,
        ending: Ending,
        event: Option<Event>,
        out: &mut Vec<Effect>,
    ) {
        work.job.stage = Stage::Over(ending);
        self.write(&work, out);
        out.extend(event.map(|event| Effect::Say(Box::new(event))));
    }

    pub(crate) fn write(&mut self, work: &Work, out: &mut Vec<Effect>) {
        self.memory.jobs.insert(work.job.key.clone(), work.job.clone());
        out.push(Effect::Write(Box::new(work.job.clone())));
    }

    /// Takes the reaction under way when it waits for this.
    pub(crate) fn take_work(&mut self, waits: impl Fn(&Wait) -> bool) -> Option<Work> {
        self.work.take_if(|work| waits(&work.wait))
    }

    pub(crate) const fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }
}
