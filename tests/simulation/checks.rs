//! What must hold when a run has ended.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{Body, Entry, Event, EventId};
use pavane_sentinel_engine::{AlertStatus, Engine, Input, PhaseStatus, RolloutView, StepStatus};
use pavane_sidecar_engine::{Engine as SidecarEngine, Input as Fact, Memory};

use crate::board::Zero;
use crate::fault::Kind;
use crate::floor;
use crate::herald::RECEIVERS;
use crate::partition::Partition;
use crate::watchman::BOUND;
use crate::world::{END, World};

/// How long before the end what was raised may still be on its way to a receiver that refused it.
const RETRIES: i64 = 48_000;

impl World {
    /// Holds the whole run against what was promised.
    pub(crate) fn check(&mut self) {
        self.sentinels_hold_the_same();
        self.sidecars_believe_what_sentinels_decided();
        self.every_rollout_is_ended_or_told();
        self.no_hook_runs_twice_or_against_a_stop();
        self.no_event_is_lost();
        self.no_command_comes_twice();
        self.no_alert_is_lost();
    }

    fn broken(&mut self, zero: Zero, what: String) {
        self.board.break_promise(zero, what);
    }

    /// Each sentinel, restored or not, brought to the end of the log, holds byte for byte what one holds that read the
    /// log alone.
    fn sentinels_hold_the_same(&mut self) {
        for p in 0..self.partitions.len() {
            let partition = &self.partitions[p];
            let expected = partition.oracle.snapshot();
            for sentinel in &mut self.sentinels {
                let watch = &mut sentinel.watches[p];
                for entry in &partition.entries[watch.position..] {
                    let _ = watch.engine.handle(10_000_000, Input::Read(entry.clone()));
                }
                self.board.chance(Zero::Agreement, 1);
                if watch.engine.snapshot() != expected {
                    let what = format!("{} holds {} otherwise", sentinel.name, partition.domain);
                    self.board.break_promise(Zero::Agreement, what);
                }
            }
        }
    }

    /// A sidecar reads no proposals, and yet takes part in the rollout that the sentinels say is open.
    fn sidecars_believe_what_sentinels_decided(&mut self) {
        for sidecar in &self.sidecars {
            let partition = &self.partitions[sidecar.partition];
            let view = partition.oracle.view();
            if view.rollouts.iter().any(|rollout| rollout.deciding.is_some()) {
                continue;
            }
            let mut engine = SidecarEngine::new(sidecar.settings.clone(), Memory::default());
            for entry in &partition.entries {
                let _ = engine.handle(0, Fact::Observed(entry.clone()));
            }
            let service = sidecar.settings.service.as_str();
            let touches = |rollout: &&RolloutView| rollout.steps.iter().any(|step| step.service == service);
            let owner = view.rollouts.iter().filter(|rollout| rollout.status.is_open()).find(touches);
            let (believed, owner) = (engine.rollout().cloned(), owner.map(|rollout| rollout.id.clone()));
            self.board.chance(Zero::Agreement, 1);
            if believed != owner {
                let what = format!("{} believes {believed:?} instead of {owner:?}", sidecar.name);
                self.board.break_promise(Zero::Agreement, what);
            }
        }
    }

    /// No path ends in silence. What was decided, or fell due, just before the run ended may wait to be said.
    fn every_rollout_is_ended_or_told(&mut self) {
        for p in 0..self.partitions.len() {
            if self.faults.unreachable(p, END) {
                continue;
            }
            let partition = &self.partitions[p];
            let lately = partition.oracle.time().plus(-BOUND);
            let mut silent = Vec::new();
            for rollout in &partition.oracle.view().rollouts {
                let stands = rollout.steps.iter().any(|step| step.state == StepStatus::Stalled);
                let runs =
                    rollout.steps.iter().any(|step| step.deadline.is_some_and(|deadline| deadline > lately));
                let asks = [PhaseStatus::AwaitingApproval, PhaseStatus::Watching];
                let asked = rollout.phases.iter().any(|phase| asks.contains(&phase.state));
                let waits = rollout.paused || stands || runs || asked || rollout.deciding.is_some();
                if rollout.status.is_open() && !waits && !spoken_of_lately(partition, rollout) {
                    silent.push(rollout.id.clone());
                }
            }
            for rollout in silent {
                self.broken(Zero::MissedStalls, format!("{rollout} is neither ended nor told"));
            }
        }
    }

    /// A hook runs at most once for a rollout, crashes or not, and never above a stop that its sidecar has read.
    fn no_hook_runs_twice_or_against_a_stop(&mut self) {
        let mut starts: BTreeMap<(usize, i64), Vec<(String, String)>> = BTreeMap::new();
        for sidecar in &self.sidecars {
            for _ in 0..sidecar.uncertain {
                self.board.note("hook uncertain".to_owned());
            }
            for (hook, times) in &sidecar.runs {
                self.board.note(format!("hook {}", hook.1));
                self.board.chance(Zero::DuplicateRollbacks, 1);
                if *times != 1 {
                    let what = format!("{} ran {hook:?} {times} times", sidecar.name);
                    self.board.break_promise(Zero::DuplicateRollbacks, what);
                }
            }
            for (rollout, position) in &sidecar.hooks {
                let service = sidecar.settings.service.to_string();
                starts.entry((sidecar.partition, *position)).or_default().push((rollout.clone(), service));
            }
            for forged in &sidecar.fooled {
                let what = format!("{} followed {forged}", sidecar.name);
                self.board.break_promise(Zero::ForgedCommands, what);
            }
        }
        self.board.chance(Zero::ForgedCommands, self.ids_forged);
        for p in 0..self.partitions.len() {
            self.hooks_go_where_they_may(p, &mut starts);
        }
    }

    fn hooks_go_where_they_may(
        &mut self,
        p: usize,
        starts: &mut BTreeMap<(usize, i64), Vec<(String, String)>>,
    ) {
        let partition = &self.partitions[p];
        let mut engine = Engine::new(partition.domain.clone(), "hooks".to_owned());
        for entry in &partition.entries {
            let _ = engine.handle(0, Input::Read(entry.clone()));
            for (rollout, service) in starts.remove(&(p, entry.offset())).into_iter().flatten() {
                let view = engine.rollout(&floor::rollout_id(&rollout)).expect("it has started");
                let goes = view.status == pavane_sentinel_engine::Status::Open && !view.paused;
                if !goes || !has_begun(&view, &service) {
                    let what =
                        format!("{service} ran above a stop or before its phase at {}", entry.offset());
                    self.board.break_promise(Zero::Agreement, what);
                }
            }
        }
    }

    /// What a sidecar has taken the responsibility for stands on the log, or waits in its outbox.
    fn no_event_is_lost(&mut self) {
        let on_log: Vec<BTreeSet<EventId>> = self.partitions.iter().map(ids).collect();
        for sidecar in &self.sidecars {
            let waits: BTreeSet<&EventId> = sidecar.outbox.iter().map(|event| &event.envelope.id).collect();
            self.board.chance(Zero::LostEvents, sidecar.said.len());
            for id in &sidecar.said {
                if !on_log[sidecar.partition].contains(id) && !waits.contains(id) {
                    self.board.break_promise(Zero::LostEvents, format!("{}: {id}", sidecar.name));
                }
            }
        }
    }

    /// What sentinels say has one id, and an id says one thing.
    fn no_command_comes_twice(&mut self) {
        for partition in &self.partitions {
            let (mut by_id, mut by_text) = (BTreeMap::new(), BTreeMap::new());
            for event in said_by_sentinels(partition) {
                let envelope = &event.envelope;
                let text = format!("{:?} {:?} {:?}", envelope.rollout, envelope.service, event.body);
                if by_id.insert(envelope.id.clone(), text.clone()).is_some_and(|before| before != text) {
                    let what = format!("{} says two things: {text}", envelope.id);
                    self.board.break_promise(Zero::DuplicateCommands, what);
                }
                let again = by_text.insert(text.clone(), envelope.id.clone());
                if again.is_some_and(|before| before != envelope.id) {
                    self.board.break_promise(Zero::DuplicateCommands, format!("said under two ids: {text}"));
                }
            }
            self.board.chance(Zero::DuplicateCommands, by_id.len());
        }
    }

    /// What the log raises reaches every receiver, or somebody who lives still tries; and always in the same words.
    fn no_alert_is_lost(&mut self) {
        let mut lost = Vec::new();
        for partition in &self.partitions {
            for ((id, status), (alert, raised)) in &partition.raised {
                for receiver in 0..RECEIVERS {
                    let key = (id.clone(), *status, receiver);
                    self.board.chance(Zero::LostAlerts, 1);
                    let live = self.sentinels.iter().filter(|sentinel| !sentinel.down);
                    let tried =
                        live.flat_map(|sentinel| &sentinel.herald.errands).any(|errand| errand.key == key);
                    let away = self.faults.on(Kind::ReceiverAway, receiver, END);
                    let lately = END - raised < if tried { RETRIES + BOUND } else { BOUND };
                    let patient = lately || tried && away;
                    if !self.post.delivered.contains_key(&key) && !patient {
                        lost.push(format!("{:?} of {} to {receiver}", alert.labels.get("alertname"), id));
                    }
                }
            }
        }
        let texts = self.post.texts.iter().filter(|(_, texts)| texts.len() > 1);
        lost.extend(
            texts.map(|((id, status), texts)| format!("{id} {} in words {texts:#?}", status.as_str())),
        );
        for what in lost {
            self.broken(Zero::LostAlerts, what);
        }
    }
}

fn ids(partition: &Partition) -> BTreeSet<EventId> {
    let id = |entry: &Entry| match entry {
        Entry::Event(record) => Some(record.event.envelope.id.clone()),
        Entry::Unreadable(_) => None,
    };
    partition.entries.iter().filter_map(id).collect()
}

/// The verdicts and commands of the sentinels, forged ones left out.
fn said_by_sentinels(partition: &Partition) -> impl Iterator<Item = &Event> {
    let said = |entry: &'_ Entry| match entry {
        Entry::Event(record) => {
            let forged = record.event.envelope.id.as_str().starts_with(crate::sidecar::FORGED);
            let control = matches!(record.event.body, Body::Proposed(_) | Body::Pulse(_));
            record.event.envelope.replica.is_some() && !control && !forged
        }
        Entry::Unreadable(_) => false,
    };
    partition.entries.iter().filter(move |entry| said(entry)).filter_map(|entry| match entry {
        Entry::Event(record) => Some(&record.event),
        Entry::Unreadable(_) => None,
    })
}

/// Whether something was said about a rollout shortly before the end of the run.
fn spoken_of_lately(partition: &Partition, rollout: &RolloutView) -> bool {
    let about = |entry: &&Entry| match entry {
        Entry::Event(record) => record.event.envelope.rollout.as_ref() == Some(&rollout.id),
        Entry::Unreadable(_) => false,
    };
    let last = partition.entries.iter().rposition(|entry| about(&entry));
    last.is_some_and(|place| END - partition.truth[place] < BOUND)
}

/// Whether the phase that holds the step of a service has begun; true without phases.
fn has_begun(view: &RolloutView, service: &str) -> bool {
    let step = view.steps.iter().find(|step| step.service == service);
    let phase = step.and_then(|step| step.phase.as_ref());
    let phase = view.phases.iter().find(|view| Some(&view.id) == phase);
    let shut = [PhaseStatus::Waiting, PhaseStatus::AwaitingApproval, PhaseStatus::Ready];
    phase.is_none_or(|phase| !shut.contains(&phase.state))
}

/// Whether an alert was told to a receiver, and when first.
impl World {
    pub(crate) fn delivered(&self, id: &EventId, receiver: usize) -> Option<i64> {
        self.post.delivered.get(&(id.clone(), AlertStatus::Firing, receiver)).map(|(at, _)| *at)
    }
}
