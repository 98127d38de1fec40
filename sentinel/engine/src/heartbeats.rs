//! Who is alive: the newest heartbeat of every instance. It says when to speak and why; what is accepted quotes it.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::{Cause, Evidence, EvidenceKind, Heartbeat, Instance, Millis, Service, Timestamp, Zone};

use crate::alert::spoken;
use crate::fold::Fold;
use crate::rollout::{Rollout, Status};
use crate::spoken::{Saying, Word};

/// An instance is alive when it was heard within this time of the deadline.
pub(crate) const ALIVE: Millis = 3_000;
/// An instance that was not heard for so long takes no part.
pub(crate) const GONE: Millis = 60_000;
/// How long after a heartbeat the log must have been read for a gap to be told.
const SETTLED: Millis = 1_000;

/// How long heartbeats must have been heard before instances are counted: each sidecar has had its turn.
const ROUND: Millis = 2_000;
/// How often a boot that made way for another must have come back for the two to be twins: the last heartbeat of one that
/// was killed may come after the first of its successor.
const RETURNS: u32 = 3;
/// How long after its last heartbeat a twin counts as gone.
const TWIN_GONE: Millis = 10_000;
/// The phase of a sidecar that stops.
const STOPPING: &str = "draining";

#[derive(Clone, Debug)]
struct Heard {
    heartbeat: Heartbeat,
    offset: i64,
    at: Timestamp,
    /// When its count of acknowledged events was heard first.
    acknowledged: Timestamp,
    other: Option<Other>,
}

/// The boot that spoke under the same name before.
#[derive(Clone, Debug)]
struct Other {
    boot: String,
    /// When it was heard last.
    at: Timestamp,
    /// How often the two have taken turns since.
    returns: u32,
}

impl Heard {
    /// The boot before the one of this heartbeat.
    fn before(&self, heartbeat: &Heartbeat) -> Option<Other> {
        if self.heartbeat.boot == heartbeat.boot {
            return self.other.clone();
        }
        let again = self.other.as_ref().filter(|other| other.boot == heartbeat.boot);
        let returns = again.map_or(0, |other| other.returns + 1);
        Some(Other { boot: self.heartbeat.boot.clone(), at: self.at, returns })
    }

    /// The boot of another sidecar that says that it is this instance.
    fn twin(&self) -> Option<&str> {
        let twin = |other: &&Other| other.returns >= RETURNS && self.at.since(other.at) < TWIN_GONE;
        self.other.as_ref().filter(twin).map(|other| other.boot.as_str())
    }
}

/// The newest heartbeat of every instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heartbeats {
    heard: BTreeMap<Service, BTreeMap<Instance, Heard>>,
    newest: Timestamp,
    /// When the first one was heard, in the replica's own elapsed time.
    since: Option<Millis>,
    complete: bool,
}

impl Heartbeats {
    pub(crate) fn hear(&mut self, heartbeat: Heartbeat, offset: i64, at: Timestamp, now: Millis) {
        self.newest = self.newest.max(at);
        self.since.get_or_insert(now);
        let service = self.heard.entry(heartbeat.service.clone()).or_default();
        service.retain(|_, heard| at.since(heard.at) < GONE);
        let same = |old: &&Heard| {
            (&old.heartbeat.boot, old.heartbeat.acknowledged) == (&heartbeat.boot, heartbeat.acknowledged)
        };
        let old = service.get(&heartbeat.instance);
        let leaves = |old: &Heard| heartbeat.phase == STOPPING && heartbeat.boot != old.heartbeat.boot;
        if old.is_some_and(leaves) {
            return;
        }
        let other = old.and_then(|old| old.before(&heartbeat));
        let acknowledged = old.filter(same).map_or(at, |old| old.acknowledged);
        let instance = heartbeat.instance.clone();
        service.insert(instance, Heard { heartbeat, offset, at, acknowledged, other });
    }

    /// Whether everybody who is alive has had time to be heard.
    pub(crate) fn is_complete(&self, now: Millis) -> bool {
        self.since.is_some_and(|since| since + ROUND <= now)
    }

    /// Whether whoever is alive must have been heard by this time, and whoever was not is gone.
    pub(crate) fn is_settled(&self, now: Millis) -> bool {
        self.since.is_some_and(|since| since + GONE <= now)
    }

    /// When the newest heartbeat of all was appended.
    pub(crate) const fn newest(&self) -> Timestamp {
        self.newest
    }

    /// The newest heartbeat of an instance that is not gone.
    pub(crate) fn of(&self, service: &Service, instance: &Instance) -> Option<&Heartbeat> {
        let heard = self.heard.get(service)?.get(instance)?;
        (self.newest.since(heard.at) < GONE).then_some(&heard.heartbeat)
    }

    /// The newest heartbeats of a service that came within this time before the newest one of all.
    pub(crate) fn within(&self, service: &Service, limit: Millis) -> impl Iterator<Item = &Heartbeat> {
        let heard = self.heard.get(service).into_iter().flat_map(BTreeMap::values);
        let recent = heard.filter(move |heard| self.newest.since(heard.at) < limit);
        recent.map(|heard| &heard.heartbeat)
    }

    /// Whether an instance says that it runs another version than it was last heard to run.
    pub(crate) fn is_news(&self, heartbeat: &Heartbeat) -> bool {
        let last = self.of(&heartbeat.service, &heartbeat.instance);
        last.is_none_or(|last| last.version != heartbeat.version)
    }

    /// Whether that has come about since this was asked last.
    pub(crate) fn is_newly_complete(&mut self, now: Millis) -> bool {
        let complete = self.is_complete(now);
        complete && !std::mem::replace(&mut self.complete, complete)
    }

    /// When it will, in the replica's own elapsed time.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.since.map(|since| since + ROUND).filter(|_| !self.complete)
    }

    /// The instances of a service, in a zone where one is given, that are alive by the newest heartbeat or record.
    pub(crate) fn alive(&self, service: &Service, zone: Option<&Zone>, raw: Timestamp) -> Vec<&Instance> {
        let now = self.newest.max(raw);
        let concerns = |heard: &Heard| zone.is_none() || heard.heartbeat.zone.as_ref() == zone;
        let alive = |heard: &Heard| concerns(heard) && now.since(heard.at) < ALIVE;
        let heard = self.heard.get(service).into_iter().flatten();
        heard.filter(|(_, heard)| alive(heard)).map(|(instance, _)| instance).collect()
    }

    /// What was seen of every instance that owes the step's event. `after` is the unadjusted time that a
    /// heartbeat is held against: the deadline for a stall, the stall for a rollback.
    pub(crate) fn evidence(
        &self,
        fold: &Fold,
        rollout: &Rollout,
        i: usize,
        after: Timestamp,
    ) -> Vec<Evidence> {
        let state = &rollout.steps[i];
        let service = &*rollout.service(i);
        let heard = self.heard.get(service);
        let zone = rollout.plan_step(i).zone.as_ref();
        let concerns = |instance: &Instance, heard: &Heard| {
            let there = zone.is_none() || heard.heartbeat.zone.as_ref() == zone;
            there && (state.members.is_empty() || state.members.contains(instance))
        };
        let going_back = rollout.status == Status::RollingBack;
        let owing: BTreeSet<&Instance> = if going_back {
            state.moved().collect()
        } else {
            let heard = heard.into_iter().flatten().filter(|(instance, heard)| concerns(instance, heard));
            state.words.keys().chain(heard.map(|(instance, _)| instance)).collect()
        };
        let owes = |instance: &&Instance| match state.words.get(instance) {
            _ if going_back => !state.answers.contains_key(*instance),
            Some(word) => word.saying != Saying::Awaited,
            None => true,
        };
        let look = |instance: &Instance| {
            let heard = heard.and_then(|heard| heard.get(instance));
            Self::look(fold, rollout, i, instance, heard, after)
        };
        let mut seen: Vec<Evidence> = owing.into_iter().filter(owes).map(look).collect();
        let unheard = unheard(rollout, i, seen.len());
        if seen.is_empty() || unheard > 0 {
            let detail = if seen.is_empty() {
                format!("no heartbeat of any instance of {service}")
            } else {
                format!("no heartbeat of {unheard} more instance(s) of {service} that the step wants")
            };
            seen.push(Evidence {
                kind: EvidenceKind::Silence,
                cause: Cause::Unreachable,
                detail,
                ..Evidence::default()
            });
        }
        seen
    }

    fn look(
        fold: &Fold,
        rollout: &Rollout,
        i: usize,
        instance: &Instance,
        heard: Option<&Heard>,
        after: Timestamp,
    ) -> Evidence {
        let word = rollout.steps[i].words.get(instance);
        let twins = twins(fold, rollout, i, instance, heard);
        let failed = |word: &&Word| word.saying == Saying::Failed && rollout.status == Status::Open;
        if let Some(word) = word.filter(failed).filter(|_| twins.is_none()) {
            return failure(instance, word);
        }
        if let Some(word) = word.filter(|word| word.saying == Saying::WrongVersion && heard.is_none()) {
            return other_version(rollout, i, instance, word);
        }
        let Some(heard) = heard.filter(|heard| heard.at.since(after) > -ALIVE) else {
            let last = heard.map_or("never heard".to_owned(), |heard| {
                format!("last heard {} before", spoken(after.since(heard.at)))
            });
            return Evidence {
                kind: EvidenceKind::Silence,
                cause: Cause::Unreachable,
                instance: Some(instance.clone()),
                detail: last,
                ..Evidence::default()
            };
        };
        let heartbeat = &heard.heartbeat;
        let (cause, what) = told(fold, rollout, i, heard, twins);
        Evidence {
            kind: EvidenceKind::Heartbeat,
            cause,
            instance: Some(instance.clone()),
            version: heartbeat.version.clone(),
            phase: heartbeat.phase.clone(),
            offset: Some(heard.offset),
            at: Some(heard.at),
            outbox: heartbeat.outbox,
            behind: (fold.offset - heartbeat.position).max(0),
            value: String::new(),
            detail: what,
        }
    }
}

/// What a sidecar that is alive says of the step: the cause, and in words.
fn told(fold: &Fold, rollout: &Rollout, i: usize, heard: &Heard, twins: Option<String>) -> (Cause, String) {
    let heartbeat = &heard.heartbeat;
    let (instance, acknowledged) = (&heartbeat.instance, heartbeat.acknowledged);
    let word = rollout.steps[i].words.get(instance);
    let wrong = word.is_some_and(|word| word.saying == Saying::WrongVersion);
    let behind = match fold.offset - heartbeat.position {
        behind @ 1.. => format!(", {behind} records behind"),
        _ => String::new(),
    };
    match (way(fold, rollout, i, heard), twins) {
        (_, Some(twins)) => (Cause::Conflict, twins),
        _ if heartbeat.outbox > 0 => {
            (Cause::Undelivered, format!("alive, {} event(s) wait in its outbox", heartbeat.outbox))
        }
        (Way::Lost, None) => {
            let lacks = lacks(fold, rollout, i, heard);
            (Cause::Gap, format!("alive, says that the broker acknowledged its event {acknowledged}{lacks}"))
        }
        (Way::Underway, None) => {
            (Cause::Undelivered, format!("alive, and its event {acknowledged} has not been read yet"))
        }
        (Way::Forgotten, None) => (
            Cause::Unknown,
            format!("alive, and how many events it said is forgotten ({acknowledged} by its count)"),
        ),
        (Way::Clear, None) if wrong => (Cause::Conflict, rollout.contradiction(i, instance)),
        (Way::Clear, None) if word.is_some() => (Cause::NotFinished, "alive, and not done".to_owned()),
        (Way::Clear, None) => (Cause::NotStarted, format!("alive, and has not begun{behind}")),
    }
}

/// Which numbers of what an instance has said are not on the log: between others, and behind the last.
fn lacks(fold: &Fold, rollout: &Rollout, i: usize, heard: &Heard) -> String {
    let Heartbeat { instance, boot, acknowledged, .. } = &heard.heartbeat;
    let held = fold.sequence(&rollout.service(i), instance).filter(|last| last.boot == *boot);
    let between = held.and_then(|last| last.left_out);
    let last = held.map_or(0, |last| last.number);
    let behind = (*acknowledged > last).then(|| (last + 1, *acknowledged));
    let numbers = |(first, last): (i64, i64)| {
        if first == last { first.to_string() } else { format!("{first} to {last}") }
    };
    let lacks: Vec<String> = between.into_iter().chain(behind).map(numbers).collect();
    if lacks.is_empty() { String::new() } else { format!("; not on the log: {}", lacks.join(" and ")) }
}

/// What was said is of a version that does not count. It stands for itself, also where a tool spoke that has no heartbeat.
pub(crate) fn other_version(rollout: &Rollout, i: usize, instance: &Instance, word: &Word) -> Evidence {
    Evidence {
        cause: Cause::Conflict,
        instance: Some(instance.clone()),
        version: word.version().cloned(),
        offset: Some(word.offset),
        detail: rollout.contradiction(i, instance),
        ..Evidence::default()
    }
}

/// An instance has said itself that it failed.
fn failure(instance: &Instance, word: &Word) -> Evidence {
    Evidence {
        kind: EvidenceKind::Failure,
        cause: Cause::Failed,
        instance: Some(instance.clone()),
        version: word.version().cloned(),
        offset: Some(word.offset),
        detail: format!("it said so itself: {}", word.detail()),
        ..Evidence::default()
    }
}

/// How many instances a step wants on its way forward of which nobody has heard.
fn unheard(rollout: &Rollout, i: usize, owing: usize) -> usize {
    let words = rollout.steps[i].words.values();
    let came = words.filter(|word| word.saying == Saying::Awaited).count();
    let wanted = rollout.wanted(i).filter(|_| rollout.status == Status::Open).unwrap_or_default();
    (wanted as usize).saturating_sub(came + owing)
}

/// That two sidecars say that they are this instance, by what they say on the log or beside it.
fn twins(
    fold: &Fold,
    rollout: &Rollout,
    i: usize,
    instance: &Instance,
    heard: Option<&Heard>,
) -> Option<String> {
    let service = rollout.service(i);
    if let (Some(twin), Some(heard)) = (heard.and_then(Heard::twin), heard) {
        let boot = &heard.heartbeat.boot;
        return Some(format!("two sidecars say that they are {instance}: boots {twin} and {boot}; stop one"));
    }
    let sequence = fold.sequence(&service, instance).filter(|sequence| sequence.forked)?;
    let boots = sequence.before.iter().chain([&sequence.boot]).map(String::as_str).collect::<Vec<_>>();
    Some(format!("two sidecars have spoken as {instance}: boots {} on the log", boots.join(" and ")))
}

/// What is between the instance and the log, by its numbers.
enum Way {
    /// The log holds all that the broker has acknowledged.
    Clear,
    /// The broker has acknowledged something that was not yet read.
    Underway,
    /// The log skips a number, or does not hold for a while what the broker has acknowledged.
    Lost,
    /// Nobody can tell: it has not spoken for so long that what it had said is forgotten.
    Forgotten,
}

fn way(fold: &Fold, rollout: &Rollout, i: usize, heard: &Heard) -> Way {
    let heartbeat = &heard.heartbeat;
    let last = fold.sequence(&rollout.service(i), &heartbeat.instance);
    if last.is_none() && heartbeat.acknowledged > 0 && fold.sequences.may_have_forgotten() {
        return Way::Forgotten;
    }
    let held = last.filter(|last| last.boot == heartbeat.boot);
    let behind = heartbeat.acknowledged > held.map_or(0, |last| last.number);
    let settled = fold.clock.raw().since(heard.acknowledged) > SETTLED;
    match (held.is_some_and(|last| last.skipped), behind, settled) {
        (true, ..) | (_, true, true) => Way::Lost,
        (false, true, false) => Way::Underway,
        (false, false, _) => Way::Clear,
    }
}
