//! What happens to the world: people give orders, things break and are mended.

use pavane_choreography::Bound;
use pavane_events::command::{
    DomainHeld, DomainReleased, GateApproved, GateRejected, RollbackRequested, RolloutAborted, RolloutPaused,
    RolloutResumed, StepOverridden,
};
use pavane_events::service::DeploymentComplete;
use pavane_events::{Body, EventType, Millis, RolloutId, Version};
use pavane_sentinel_engine::{BlindCause, Input, Status};

use super::{Act, Over, World};
use crate::dancer::Life;
use crate::performance::Noted;
use crate::scenario::{Fault, How, Order, What, Whom};

/// How long a command is on its way to the broker, in milliseconds.
const ON_ITS_WAY: Millis = 10;
/// How long after its owner has died another sentinel is given the partition, in milliseconds.
const HANDOVER: Millis = 10_000;

impl World<'_> {
    pub(super) fn cue(&mut self, number: usize) {
        self.cues_due -= 1;
        self.news = self.now;
        self.note(Noted::Cue(number));
        let stage = self.stage;
        match &stage.script.scenario.timeline[number].what {
            What::Start { plan, rollout, by } => self.start(plan.as_deref(), rollout, by),
            What::Fault(fault) => self.fault(fault),
            What::Order { order, rollout, by, reason } => self.order(order, rollout, by, reason),
            What::Say { event, rollout, version } => {
                let mut said = self.spoken_by("ci", word(event.event));
                said.envelope.rollout = Some(rollout.clone());
                said.envelope.service = Some(event.service.clone());
                let new = self.new_version(&event.service);
                said.envelope.version = version.clone().or(new);
                self.later(ON_ITS_WAY, Act::Append(Box::new(said)));
            }
            What::Metric { query, value } => self.metrics.push((query.clone(), *value)),
        }
    }

    fn start(&mut self, plan: Option<&str>, rollout: &RolloutId, by: &str) {
        let piece = self.stage.script.named(plan);
        let mut event = self.spoken_by(by, piece.start(by));
        event.envelope.rollout = Some(rollout.clone());
        self.later(ON_ITS_WAY, Act::Append(Box::new(event)));
    }

    fn order(&mut self, order: &Order, rollout: &RolloutId, by: &str, reason: &str) {
        let (who, reason) = (by.to_owned(), reason.to_owned());
        let body: Body = match order {
            Order::Pause => RolloutPaused { by: who, reason, accepted: None }.into(),
            Order::Resume => RolloutResumed { by: who, reason }.into(),
            Order::Abort => RolloutAborted { by: who, reason }.into(),
            Order::Hold => DomainHeld { by: who, reason }.into(),
            Order::Release => DomainReleased { by: who, reason }.into(),
            Order::Override(step) => StepOverridden { step: step.clone(), by: who, reason }.into(),
            Order::Rollback => {
                let epoch = self.next_epoch(rollout);
                RollbackRequested { epoch, attempt: 1, by: who, reason, ..RollbackRequested::default() }
                    .into()
            }
            Order::Approve(phase) => {
                let (gate, plan_digest) = (phase.to_string(), self.digest_of(rollout));
                let attempt = self.attempt_of(rollout, &gate);
                GateApproved { gate, plan_digest, attempt, by: who, reason }.into()
            }
            Order::Reject(phase) => {
                let (gate, plan_digest) = (phase.to_string(), self.digest_of(rollout));
                let attempt = self.attempt_of(rollout, &gate);
                self.rejections.insert((rollout.clone(), gate.clone()), attempt);
                GateRejected { gate, plan_digest, attempt, by: who, reason }.into()
            }
        };
        let mut event = self.spoken_by(by, body);
        let of_domain = matches!(order, Order::Hold | Order::Release);
        event.envelope.rollout = (!of_domain).then(|| rollout.clone());
        self.later(ON_ITS_WAY, Act::Append(Box::new(event)));
    }

    /// The epoch that a rollback asked for at this moment has.
    fn next_epoch(&self, rollout: &RolloutId) -> i64 {
        let view = self.watchers[0].engine.rollout(rollout);
        view.map_or(1, |view| view.epoch + i64::from(view.status == Status::Completed))
    }

    fn attempt_of(&self, rollout: &RolloutId, gate: &str) -> i64 {
        1 + self.rejections.get(&(rollout.clone(), gate.to_owned())).copied().unwrap_or(0)
    }

    /// The digest of the plan that a rollout was started with.
    fn digest_of(&self, rollout: &RolloutId) -> String {
        let started = self.stage.script.scenario.timeline.iter().find_map(|cue| match &cue.what {
            What::Start { plan, rollout: id, .. } if id == rollout => Some(plan.as_deref()),
            What::Start { .. }
            | What::Fault(_)
            | What::Order { .. }
            | What::Say { .. }
            | What::Metric { .. } => None,
        });
        self.stage.script.named(started.flatten()).digest.clone()
    }

    fn new_version(&self, service: &pavane_events::Service) -> Option<Version> {
        self.stage.script.pieces().find_map(|piece| Some(piece.versions(service)?.1.clone()))
    }

    fn fault(&mut self, fault: &Fault) {
        match fault {
            Fault::Fail { whom, how, lasting } => self.fail(whom, *how, *lasting),
            Fault::Mend(whom) => How::ALL.iter().for_each(|(_, how)| self.mend(whom, *how)),
            Fault::Schema(expect) => {
                self.fates.schema.insert(expect.clone());
            }
            Fault::Lose(expect) => self.fates.lose.push(expect.clone()),
            Fault::Duplicate(expect) => self.fates.duplicate.push(expect.clone()),
            Fault::Delay(expect, by) => self.fates.delay.push((expect.clone(), *by)),
            Fault::Registry(away) => {
                self.registry_away = self.now + away;
                self.later(*away, Act::Over(Over::Registry));
            }
            Fault::Broker(away) => {
                self.broker_away = self.now + away;
                for k in 0..self.watchers.len() {
                    self.hand(k, Input::Lost(BlindCause::Broker));
                }
                self.later(*away, Act::Over(Over::Broker));
            }
            Fault::Frozen(away) => {
                self.broker_away = self.now + away;
                self.later(*away, Act::Over(Over::Broker));
            }
            Fault::Leap(by) => {
                self.leaps.push((self.now, *by));
            }
            Fault::Sentinel(number, lasting) => self.crash_sentinel(*number, *lasting),
        }
    }

    fn crash_sentinel(&mut self, number: u32, lasting: Millis) {
        let k = number as usize - 1;
        let Some(watcher) = self.watchers.get_mut(k) else { return };
        (watcher.up, watcher.wake) = (false, None);
        if watcher.speaks && lasting > HANDOVER {
            self.later(HANDOVER, Act::Over(Over::Handover(k)));
        }
        self.later(lasting, Act::Over(Over::Watcher(k)));
    }

    fn fail(&mut self, whom: &Whom, how: How, lasting: Option<Millis>) {
        for d in self.instances(whom) {
            let (now, dancer) = (self.now, &mut self.dancers[d]);
            match how {
                How::Start => dancer.broken.deaf = true,
                How::Hook => dancer.broken.hook = true,
                How::Ready => dancer.broken.ready = true,
                How::Hang => dancer.broken.hangs = true,
                How::Revert => dancer.broken.revert = true,
                How::Stuck => dancer.broken.stuck = true,
                How::Memory => dancer.broken.memory = true,
                How::Version => dancer.broken.version = true,
                How::Drift => {
                    (dancer.broken.drift, dancer.version) = (true, crate::dancer::other_version());
                }
                How::Sick => dancer.broken.sick = true,
                How::Twin => (dancer.broken.deaf, dancer.broken.twin) = (true, true),
                How::Clock => dancer.broken.clock = true,
                How::Die => dancer.die(now),
                How::Crash if dancer.is_up() => dancer.life = Life::Down(now),
                How::Crash => {}
            }
            if how == How::Sick
                && let Some(told) = self.dancers[d].assessed()
            {
                let boot = self.dancers[d].boot;
                self.later(4, Act::Tell(d, boot, Box::new(told)));
            }
            if let (How::Crash | How::Die, Some(lasting)) = (how, lasting) {
                self.later(lasting, Act::Over(Over::Dancer(d)));
            }
        }
        if let (Some(lasting), false) = (lasting, matches!(how, How::Crash | How::Die)) {
            self.later(lasting, Act::Over(Over::Mend(whom.clone(), how)));
        }
    }

    fn mend(&mut self, whom: &Whom, how: How) {
        for d in self.instances(whom) {
            let broken = &mut self.dancers[d].broken;
            match how {
                How::Start => broken.deaf = false,
                How::Hook => broken.hook = false,
                How::Ready => broken.ready = false,
                How::Hang => broken.hangs = false,
                How::Revert => broken.revert = false,
                How::Stuck => broken.stuck = false,
                How::Memory => broken.memory = false,
                How::Version => broken.version = false,
                How::Sick => broken.sick = false,
                How::Twin => (broken.deaf, broken.twin) = (false, false),
                How::Clock => broken.clock = false,
                How::Drift => broken.drift = false,
                How::Crash | How::Die => self.revive(d),
            }
            self.wake_dancer(d, self.now);
        }
    }

    fn revive(&mut self, d: usize) {
        if !self.dancers[d].is_up() {
            self.dancers[d].reboot();
            (self.dancers[d].wake, self.dancers[d].sending) = (None, false);
            self.catch_up(d);
        }
    }

    pub(super) fn over(&mut self, over: Over) {
        self.news = self.now;
        let what = match &over {
            Over::Registry => "the registry answers again".to_owned(),
            Over::Broker => "the broker answers again".to_owned(),
            Over::Dancer(d) => format!("{}'s sidecar is back", self.dancers[*d].name()),
            Over::Mend(whom, _) => format!("{whom} is well again"),
            Over::Watcher(k) => format!("{} is back", self.watchers[*k].name),
            Over::Handover(_) => "the partition is given to the other sentinel".to_owned(),
        };
        self.note(Noted::Over(what));
        match over {
            Over::Registry | Over::Broker => {
                for k in 0..self.watchers.len() {
                    self.wake_watcher(k, self.now);
                }
                for d in 0..self.dancers.len() {
                    self.wake_dancer(d, self.now);
                }
            }
            Over::Dancer(d) => self.revive(d),
            Over::Mend(whom, how) => self.mend(&whom, how),
            Over::Watcher(k) => self.boot_watcher(k),
            Over::Handover(k) => {
                self.watchers[k].speaks = false;
                if let Some(other) = (0..self.watchers.len()).find(|other| *other != k) {
                    self.watchers[other].speaks = true;
                    self.hand(other, Input::Speaks(true));
                    self.wake_watcher(other, self.now + 1);
                }
            }
        }
    }

    fn instances(&self, whom: &Whom) -> Vec<usize> {
        let is_meant = |role: &crate::cast::Role| {
            role.settings.service == whom.service && whom.instance.is_none_or(|number| number == role.number)
        };
        (0..self.dancers.len()).filter(|d| is_meant(&self.dancers[*d].role)).collect()
    }

    /// What the metrics answer: what the scenario said last, else a value that keeps to the bound.
    pub(super) fn value_of(&self, query: &str) -> Result<f64, String> {
        if let Some((_, value)) = self.metrics.iter().rfind(|(part, _)| query.contains(part.as_str())) {
            return value.ok_or_else(|| "the metrics do not answer".to_owned());
        }
        let watches = self.stage.script.pieces().flat_map(|piece| &piece.plan().phases);
        let mut watches = watches.filter_map(|phase| phase.watch.as_ref());
        let bound = watches.find(|watch| watch.query == query).map(|watch| &watch.bound);
        match bound {
            Some(Bound::AtLeast(least)) => Ok(least.as_f64().unwrap_or(0.0)),
            Some(Bound::AtMost(most)) => Ok(most.as_f64().unwrap_or(0.0).min(0.0)),
            None => Err(format!("no watch asks for {query}")),
        }
    }
}

/// What a tool says of a service: a body that says nothing but its name.
fn word(event: EventType) -> Body {
    Body::decode(event, Empty).unwrap_or_else(|_| DeploymentComplete::default().into())
}

/// Decodes a body that says nothing but its name.
struct Empty;

impl pavane_events::vocabulary::Decode for Empty {
    type Error = serde_json::Error;

    fn decode<T: serde::de::DeserializeOwned>(self) -> Result<T, Self::Error> {
        serde_json::from_str("{}")
    }
}
