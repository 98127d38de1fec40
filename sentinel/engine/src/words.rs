//! Reads what a service says: who speaks, which steps it is about, and what it says of them.

use pavane_events::{Body, Envelope, Instance, Record, Service, Version, Zone};

use crate::diagnosis::record as said_of;
use crate::rollout::Rollout;
use crate::spoken::{More, Saying, Word};

/// A service's word, and the steps that it is about.
pub(crate) struct Heard {
    /// The first of the steps, which is nearly always the only one.
    first: usize,
    others: Vec<usize>,
    pub(crate) instance: Instance,
    /// The word, as a step takes it that does not ask for a version.
    word: Word,
    /// Whether it is the event that the steps await.
    is_exact: bool,
}

impl Heard {
    /// The steps, in the order of the plan.
    pub(crate) fn steps(&self) -> impl Iterator<Item = usize> + use<> {
        std::iter::once(self.first).chain(self.others.clone())
    }

    /// The word as one of the steps takes it.
    pub(crate) fn word(&self, rollout: &Rollout, i: usize) -> Word {
        let mut word = self.word.clone();
        if self.is_exact && !rollout.plan_step(i).accepts(word.version()) {
            word.saying = Saying::WrongVersion;
        }
        word
    }
}

/// Reads a service's word: an awaited event is about every step that awaits it (the cohorts of one step), any other
/// about the step that the service is at. None when it is about no step.
pub(crate) fn read(rollout: &Rollout, record: &Record) -> Option<Heard> {
    let envelope = &record.event.envelope;
    let (service, zone) = (envelope.service.as_ref()?, envelope.zone.as_ref());
    let event = record.event.body.event_type();
    let score = &rollout.score;
    let mut exact = rollout.awaiting(service, event).filter(|i| score.concerns(*i, zone));
    let next = exact.next();
    let is_exact = next.is_some();
    let first = next.or_else(|| current(rollout, service, zone))?;
    let others = if is_exact { exact.collect() } else { Vec::new() };
    let deployment = said(&record.event.body);
    let moved = deployment.is_some();
    let (other, more) = match deployment {
        Some(said) => said,
        None => (is_exact.then_some(Saying::Awaited)?, More::default()),
    };
    let (version, boot) = (envelope.version.clone(), envelope.boot.clone());
    let more = More { version, boot, sequence: envelope.sequence, ..more };
    let word = Word {
        saying: if is_exact { Saying::Awaited } else { other },
        moved,
        offset: record.offset,
        more: more.kept(),
    };
    Some(Heard { first, others, instance: speaker(record), word, is_exact })
}

/// The word of a record that says what the one step of its service awaits, whatever the version.
pub(crate) fn awaited(record: &Record, moved: bool, from: Option<&Version>) -> Word {
    let Envelope { version, boot, sequence, .. } = &record.event.envelope;
    let more = || More {
        version: version.clone(),
        from: from.cloned(),
        detail: String::new(),
        exit: None,
        boot: boot.clone(),
        sequence: *sequence,
    };
    let says_more = version.is_some() || from.is_some() || boot.is_some() || sequence.is_some();
    Word { saying: Saying::Awaited, moved, offset: record.offset, more: says_more.then(|| Box::new(more())) }
}

/// Who speaks: the instance, or the service where none is named (CI, a deploy tool).
pub(crate) fn speaker(record: &Record) -> Instance {
    let envelope = &record.event.envelope;
    let named = envelope.instance.clone();
    let service = || envelope.service.as_ref().map_or("unnamed", |service| service.as_str());
    named.unwrap_or_else(|| Instance::new(service()).expect("a service is a name"))
}

/// The step of a service that a word without an exact place belongs to: the last one whose window is open, else
/// its first.
pub(crate) fn current(rollout: &Rollout, service: &Service, zone: Option<&Zone>) -> Option<usize> {
    let mut steps = rollout.steps_of(service).filter(|i| rollout.score.concerns(*i, zone));
    let first = steps.next()?;
    let open = |i: &usize| rollout.steps[*i].anchor.is_some();
    Some(steps.rfind(open).unwrap_or(first))
}

/// What a deployment event says of itself, whichever step it belongs to.
fn said(body: &Body) -> Option<(Saying, More)> {
    let from = |from: &Option<Version>| More { from: from.clone(), ..More::default() };
    if let Body::DeploymentStarted(body) = body {
        return Some((Saying::Started, from(&body.from)));
    }
    if let Body::DeploymentComplete(body) = body {
        return Some((Saying::Started, from(&body.from)));
    }
    if let Body::DeploymentFailed(failed) = body {
        // the hook's last lines stand below the reason
        let mut why = vec![said_of::detail(body).replace('\n', " ")];
        why.extend(said_of::output(body));
        return Some((
            Saying::Failed,
            More { detail: why.join("\n"), exit: failed.exit_code, ..More::default() },
        ));
    }
    matches!(body, Body::Drained(_)).then_some((Saying::Drained, More::default()))
}
