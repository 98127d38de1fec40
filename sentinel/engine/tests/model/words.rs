//! What services say in the model, and what it shows of a rollout.

use pavane_events::{Body, EventType, Record, Version};
use pavane_sentinel_engine::Status;

use super::rollout::{Rollout, Said, Word};
use super::{Mark, Model};

impl Model {
    /// A service's word about its step.
    pub(crate) fn word(&mut self, n: usize, record: &Record) {
        let mark = self.mark();
        let rollout = &mut self.rollouts[n];
        let envelope = &record.event.envelope;
        let (Some(service), Some(instance)) = (&envelope.service, &envelope.instance) else { return };
        let Some(i) = rollout.step_of(service.as_str()).filter(|_| rollout.is_open()) else { return };
        let Some(mut word) = read(rollout, i, record) else { return };
        let before = rollout.steps[i].words.get(instance.as_str()).cloned();
        if let Some(before) = &before {
            let same_boot = |(a, b): (&(String, i64), &(String, i64))| a.0 == b.0 && a.1 < b.1;
            if word.number.as_ref().zip(before.number.as_ref()).is_some_and(same_boot) {
                return;
            }
            word.moved |= before.moved;
            word.from = word.from.or_else(|| before.from.clone());
        }
        let speaks = matches!(word.said, Said::Started | Said::Awaited);
        let shut = rollout.steps[i].anchor.is_none() && rollout.steps[i].violation.is_none();
        if speaks && shut && rollout.status == Status::Open && rollout.is_early(i) {
            rollout.steps[i].violation = Some((record.offset, false));
        }
        let over = rollout.steps[i].turn.is_some() && rollout.is_answered(i);
        let forward = !matches!(word.said, Said::Failed | Said::Drained);
        if rollout.status == Status::RollingBack && forward {
            rollout.steps[i].answers.remove(instance.as_str());
        }
        rollout.steps[i].words.insert(instance.to_string(), word);
        if rollout.status == Status::Open {
            rollout.count(i, mark);
        } else if over && !rollout.is_answered(i) {
            rollout.steps[i].turn = Some(mark);
        }
    }

    /// A service's answer to the request to go back.
    pub(crate) fn answer(&mut self, n: usize, record: &Record, epoch: i64) {
        let mark = self.mark();
        let rollout = &mut self.rollouts[n];
        let envelope = &record.event.envelope;
        let (Some(service), Some(instance)) = (&envelope.service, &envelope.instance) else { return };
        if rollout.status != Status::RollingBack || rollout.epoch != epoch {
            return;
        }
        let Some(i) = rollout.step_of(service.as_str()) else { return };
        if !rollout.steps[i].words.contains_key(instance.as_str()) {
            return;
        }
        rollout.steps[i].answers.insert(instance.to_string(), record.event.body.event_type());
        if rollout.is_answered(i) && rollout.steps[i].stall.take().is_some() {
            rollout.steps[i].attempt += 1;
        }
        rollout.turns(mark);
    }
}

fn read(rollout: &Rollout, i: usize, record: &Record) -> Option<Word> {
    let (envelope, step) = (&record.event.envelope, &rollout.plan.steps[i]);
    let (said, from) = match &record.event.body {
        Body::Ready(_) => (None, None),
        Body::DeploymentStarted(body) => (Some(Said::Started), body.from.as_ref()),
        Body::DeploymentComplete(body) => (Some(Said::Started), body.from.as_ref()),
        Body::DeploymentFailed(_) => (Some(Said::Failed), None),
        Body::Drained(_) => (Some(Said::Drained), None),
        _ => return None,
    };
    let moved = said.is_some();
    let said = if record.event.body.event_type() != step.expect.event {
        said?
    } else if step.accepts(envelope.version.as_ref()) {
        Said::Awaited
    } else {
        Said::OtherVersion
    };
    let number = envelope.boot.clone().zip(envelope.sequence);
    Some(Word { said, offset: record.offset, moved, from: from.map(Version::to_string), number })
}

impl Rollout {
    /// What it holds, a line for each thing.
    pub(crate) fn lines(&self, now: i64, held: bool) -> Vec<String> {
        let deciding = self.pending.as_ref().map(|pending| pending.accepted);
        let stopped = self.stopped.is_some() && (self.paused || held);
        let (id, status) = (&self.id, self.status);
        let mut lines =
            vec![format!("{id} {status:?} stopped {stopped} epoch {} deciding {deciding:?}", self.epoch)];
        for (i, step) in self.steps.iter().enumerate() {
            let cause = step.stall.as_ref().map_or("-", |stall| stall.cause.as_str());
            lines.push(format!(
                "{id} {} {} {}/{:?} attempt {} until {:?} {cause}",
                self.plan.steps[i].id,
                self.stands(i, now),
                self.have(i),
                self.want(i),
                step.attempt,
                self.deadline(i),
            ));
        }
        for (gate, phase) in self.gates.iter().zip(&self.plan.phases) {
            let (begun, approved) = (gate.begun.is_some(), gate.approved);
            lines.push(format!("{id} {} {begun} {approved} attempt {}", phase.id, gate.attempt));
        }
        lines.extend(self.verdicts.iter().map(|verdict| format!("{id} {verdict}")));
        lines
    }

    fn stands(&self, i: usize, now: i64) -> &'static str {
        let step = &self.steps[i];
        let back = !matches!(self.status, Status::Open | Status::Completed) && step.turn.is_some();
        let moved = step.words.values().any(|word| word.moved);
        let refused = step.answers.values().any(|answer| *answer != EventType::RollbackComplete);
        let clock = self.stopped.map_or(now, |Mark { at, .. }| at);
        match () {
            () if step.stall.is_some() => "Stalled",
            () if back && refused => "NotBack",
            () if back && moved && self.is_back(i) => "Back",
            () if back && moved => "GoingBack",
            () if step.overridden => "Overridden",
            () if self.met(i).is_some_and(|met| met <= clock) => "Met",
            () if step.full.is_some() => "Holding",
            () if step.anchor.is_none() => "Waiting",
            () if step.words.is_empty() => "Open",
            () => "Running",
        }
    }
}
