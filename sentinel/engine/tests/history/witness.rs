//! A witness of a log, dumber than the engine: who said the awaited event last, by the words on the log alone.

use std::collections::{BTreeMap, BTreeSet};

use pavane_choreography::Plan;
use pavane_events::{Body, Entry, EventType, Record, RolloutId};
use pavane_sentinel_engine::{RolloutView, Status};

/// Whose word it is: rollout, service, instance.
type Who = (RolloutId, String, String);

/// A word: its event, its version, its boot and number.
type Word = (EventType, Option<String>, Option<(String, i64)>);

/// What a witness remembers.
#[derive(Default)]
pub(crate) struct Witness {
    identities: BTreeSet<(String, String)>,
    starts: BTreeMap<i64, Plan>,
    /// The last word of each. Once with `Ready` among the words, once not: it says something of a step that awaits it
    /// alone.
    words: BTreeMap<(bool, Who), Word>,
    /// Who has begun to change in a rollout, and has not said since that it is back, cannot, or will not.
    unanswered: BTreeSet<Who>,
    overridden: BTreeSet<(RolloutId, String)>,
}

impl Witness {
    /// Sees an entry; `status` is where its rollout stood below it.
    pub(crate) fn see(&mut self, entry: &Entry, rollout: Option<&RolloutView>) {
        let Entry::Event(record) = entry else { return };
        let (envelope, body) = (&record.event.envelope, &record.event.body);
        if !self.identities.insert((envelope.source.to_string(), envelope.id.to_string())) {
            return;
        }
        if let Body::RolloutStarted(started) = body
            && let Ok(plan) = Plan::from_json(&started.plan)
        {
            self.starts.insert(record.offset, plan);
        }
        let Some(id) = &envelope.rollout else { return };
        if let (Body::StepOverridden(said), Some(Status::Open)) = (body, rollout.map(|view| view.status)) {
            self.overridden.insert((id.clone(), said.step.to_string()));
        }
        if WORDS.contains(&body.event_type()) {
            self.word(record, id, true);
            self.word(record, id, false);
        }
        let goes_back = rollout.filter(|view| view.status == Status::RollingBack);
        if let (Some(who), Some(view)) = (who(record, id), goes_back)
            && epoch(body) == Some(view.epoch)
        {
            self.unanswered.remove(&who);
        }
    }

    fn word(&mut self, record: &Record, id: &RolloutId, with_ready: bool) {
        let envelope = &record.event.envelope;
        let Some(who) = who(record, id) else { return };
        let event = record.event.body.event_type();
        if event == EventType::Ready && !with_ready {
            return;
        }
        let key = (with_ready, who.clone());
        let number = envelope.boot.clone().zip(envelope.sequence);
        let last = self.words.get(&key).and_then(|(.., number)| number.as_ref());
        if let (Some((boot, number)), Some((last_boot, last))) = (&number, last)
            && boot == last_boot
            && number < last
        {
            return;
        }
        let begins = matches!(event, EventType::DeploymentStarted | EventType::DeploymentComplete);
        if begins || event != EventType::Ready && !self.words.contains_key(&key) {
            self.unanswered.insert(who.clone());
        }
        self.words.insert(key, (event, envelope.version.as_ref().map(ToString::to_string), number));
    }

    /// Whether a step of a rollout that goes forward is full, as the log says.
    pub(crate) fn is_full(&self, rollout: &RolloutView, step: &str) -> bool {
        let plan = &self.starts[&rollout.offset];
        let step = plan.steps.iter().find(|other| other.id.as_str() == step).expect("a step of the plan");
        if self.overridden.contains(&(rollout.id.clone(), step.id.to_string())) {
            return true;
        }
        let want = rollout.steps.iter().find(|view| view.id == step.id.as_str()).and_then(|view| view.want);
        let with_ready = step.expect.event == EventType::Ready;
        let counts = |(key, (event, version, _)): (&(bool, Who), &Word)| {
            let (ready, who) = key;
            let right = step.version.as_ref().is_none_or(|wanted| {
                version
                    .as_deref()
                    .and_then(|v| semver::Version::parse(v).ok())
                    .is_some_and(|v| wanted.matches(&v))
            });
            *ready == with_ready
                && who.0 == rollout.id
                && who.1 == step.expect.service.as_str()
                && *event == step.expect.event
                && right
        };
        let said = self.words.iter().filter(|word| counts(*word)).count();
        want.is_some_and(|want| said >= want as usize)
    }

    /// Whether every instance of a step that had begun to change has answered the request to go back.
    pub(crate) fn is_answered(&self, rollout: &RolloutView, step: &str) -> bool {
        let view = rollout.steps.iter().find(|view| view.id == step).expect("a step of the plan");
        !self.unanswered.iter().any(|who| who.0 == rollout.id && who.1 == view.service)
    }
}

fn who(record: &Record, id: &RolloutId) -> Option<Who> {
    let envelope = &record.event.envelope;
    let service = envelope.service.as_ref()?.to_string();
    Some((id.clone(), service, envelope.instance.as_ref()?.to_string()))
}

/// The epoch that an answer to the request to go back is about.
fn epoch(body: &Body) -> Option<i64> {
    if let Body::RollbackComplete(said) = body {
        return Some(said.epoch);
    }
    if let Body::RollbackFailed(said) = body {
        return Some(said.epoch);
    }
    if let Body::RollbackRefused(said) = body { Some(said.epoch) } else { None }
}

const WORDS: [EventType; 5] = [
    EventType::Ready,
    EventType::DeploymentStarted,
    EventType::DeploymentComplete,
    EventType::DeploymentFailed,
    EventType::Drained,
];
