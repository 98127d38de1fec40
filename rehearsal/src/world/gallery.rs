//! The gallery: how the sentinels read, look and speak, and what people are told.

use std::sync::Arc;

use pavane_events::{Body, Envelope, Event, Millis, identity};
use pavane_sentinel_engine::{Alert, AlertStatus, BlindCause, Draft, Effect, Ended, Input};

use super::{Act, World};
use crate::performance::{Noted, Told};
use crate::scenario::Moment;

/// How often heartbeats come while somebody may want them, and while nothing changes.
const BEAT: Millis = 1_000;
const SLOW_BEAT: Millis = 2_500;

impl World<'_> {
    pub(super) fn boot_watcher(&mut self, k: usize) {
        let (domain, script) = (&self.stage.cast.domain, &self.stage.script);
        let mut effects = self.watchers[k].boot(domain, script, self.now);
        for position in 0..self.log.len() {
            let entry = self.log[position].clone();
            effects.extend(self.watchers[k].engine.handle(self.now, Input::Read(entry)));
        }
        self.watchers[k].position = self.log.len();
        self.hear_beats(k);
        effects.extend(self.watchers[k].engine.handle(self.now, Input::CaughtUp));
        self.carry_out(k, effects);
        self.look_again(k);
    }

    pub(super) fn wake_watcher(&mut self, k: usize, at: Millis) {
        let watcher = &mut self.watchers[k];
        let at = at.max(self.now);
        if watcher.up && watcher.wake.is_none_or(|wake| wake > at) {
            watcher.wake = Some(at);
            self.later(at - self.now, Act::Watcher(k));
        }
    }

    /// A sentinel reads what has come, and looks at its own deadlines.
    pub(super) fn look(&mut self, k: usize) {
        if self.watchers[k].wake != Some(self.now) || !self.watchers[k].up {
            return;
        }
        self.watchers[k].wake = None;
        let position = self.watchers[k].position;
        while let Some(entry) = self.visible(self.watchers[k].position, self.watchers[k].lag) {
            let entry = entry.clone();
            self.watchers[k].position += 1;
            self.hand(k, Input::Read(entry));
        }
        if self.watchers[k].position == position && position < self.log.len() && self.now < self.registry_away
        {
            self.hand(k, Input::Lost(BlindCause::Registry));
        }
        if self.must_hear(k).is_some_and(|at| at <= self.now) {
            self.hear_beats(k);
        }
        if self.watchers[k].engine.next_deadline().is_some_and(|at| at <= self.now) {
            self.hand(k, Input::Tick);
        }
        self.look_again(k);
    }

    fn look_again(&mut self, k: usize) {
        let watcher = &self.watchers[k];
        let own = watcher.engine.next_deadline().map(|at| at.max(self.now + 1));
        let own = own.into_iter().chain(self.must_hear(k).map(|at| at.max(self.now)));
        let blocked = self.broker_away.max(self.registry_away);
        let next = self.came.get(watcher.position).map(|came| {
            let seen = came + watcher.lag;
            // A reader that is refused tries again each second.
            if blocked > self.now { blocked.min(self.now + 1_000) } else { seen.max(self.now) }
        });
        if let Some(at) = own.chain(next).min() {
            self.wake_watcher(k, at);
        }
    }

    /// When a sentinel must hear heartbeats: just before it looks at anything but its next pulse. Pulses fall on
    /// even milliseconds, and deadlines with their grace on odd ones, where all windows are even.
    fn must_hear(&self, k: usize) -> Option<Millis> {
        const STILL_FRESH: Millis = 500;
        let watcher = &self.watchers[k];
        let at = watcher.engine.next_deadline().filter(|at| at % 2 != 0 || self.odd_windows)?;
        (watcher.heard + STILL_FRESH < at).then_some(at - 1)
    }

    /// Hands a sentinel something, and carries out what it orders.
    pub(super) fn hand(&mut self, k: usize, input: Input) {
        let effects = self.watchers[k].engine.handle(self.now, input);
        if !effects.is_empty() {
            self.carry_out(k, effects);
        }
    }

    fn carry_out(&mut self, k: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append(draft) => self.write(k, Arc::unwrap_or_clone(draft)),
                Effect::Raise(alert) => {
                    let burns = alert.status == AlertStatus::Firing;
                    let changed = if burns {
                        self.watchers[k].burning.insert(alert.id.clone())
                    } else {
                        self.watchers[k].burning.remove(&alert.id)
                    };
                    if changed && burns && !self.beating {
                        self.beating = true;
                        self.later(BEAT, Act::Beats);
                    }
                    self.deliver(*alert);
                }
                Effect::Blind { alert, .. } | Effect::Sighted { alert } => self.deliver_blind(*alert),
                Effect::Measure { query } => self.later(20, Act::Measured(k, query)),
                Effect::Ended(ended) => self.ended(*ended),
                Effect::DeadLetter { .. } | Effect::Count(_) | Effect::Remember(_) => {}
            }
        }
    }

    /// A sentinel's record is on its way; with the broker away it is lost, and said again by who wants it.
    fn write(&mut self, k: usize, draft: Draft) {
        if self.now < self.broker_away {
            return;
        }
        let domain = self.stage.cast.domain.clone();
        let id = draft.id.unwrap_or_else(|| self.fresh_id());
        let mut envelope = Envelope::new(domain.clone(), identity::sentinel_source(&domain), id);
        envelope.rollout = draft.rollout;
        envelope.causation = draft.causation;
        envelope.service = draft.service;
        envelope.replica = Some(self.watchers[k].name.clone());
        // What one sentinel writes stands on the log in the order in which it was written.
        let delay = if matches!(draft.body, Body::Pulse(_)) { 4 } else { self.dice.between(2, 12) };
        let at = (self.now + delay).max(self.watchers[k].wrote);
        self.watchers[k].wrote = at;
        self.later(at - self.now, Act::Append(Box::new(Event { envelope, body: draft.body })));
    }

    /// A receiver gets an alert: each once, whoever raised it.
    fn deliver(&mut self, alert: Alert) {
        let over = alert.ends_at.map_or(0, |at| at.since(self.begins));
        if !self.known.insert((alert.id.clone(), alert.status == AlertStatus::Firing, over)) {
            return;
        }
        self.news = self.now;
        let (at, place) = (self.now, self.told.len());
        let told = Told { at, alert };
        if told.alert.status == AlertStatus::Firing {
            self.cue_told(&told);
        }
        self.told.push(told);
        self.note(Noted::Told(place));
    }

    fn cue_told(&mut self, told: &Told) {
        let (step, stalls) = (told.label("step"), told.is_stall());
        let (awaits, summary) = (told.name() == "ApprovalAwaited", told.annotation("summary"));
        self.cue_when(|moment| match moment {
            Moment::Stalled(wanted) => stalls && wanted.as_ref().is_none_or(|wanted| wanted.as_str() == step),
            Moment::Awaits(None) => awaits,
            Moment::Awaits(Some(phase)) => awaits && summary.contains(&format!("phase {phase} ")),
            Moment::Ended(_) | Moment::Said(_) => false,
        });
    }

    /// A sentinel says straight away that it cannot see; each of its alerts counts.
    fn deliver_blind(&mut self, alert: Alert) {
        let place = self.told.len();
        self.told.push(Told { at: self.now, alert });
        self.note(Noted::Told(place));
    }

    fn ended(&mut self, ended: Ended) {
        if self.endings.contains(&ended) {
            return;
        }
        self.news = self.now;
        let status = ended.status;
        self.endings.push(ended);
        self.cue_when(|moment| *moment == Moment::Ended(status));
    }

    pub(super) fn measured(&mut self, k: usize, query: String) {
        let value = self.value_of(&query);
        if self.watchers[k].up {
            self.hand(k, Input::Measured { query, value });
            self.look_again(k);
        }
    }

    /// Brings the newest heartbeats to every sentinel for as long as somebody may want them.
    pub(super) fn beat(&mut self) {
        let wanted = self.counts_the_living || self.watchers.iter().any(|one| !one.burning.is_empty());
        self.beating = wanted;
        if !wanted {
            return;
        }
        for k in 0..self.watchers.len() {
            if self.watchers[k].up {
                self.hear_beats(k);
                self.look_again(k);
            }
        }
        let fresh = self.now - self.news < 5_000;
        self.later(if fresh { BEAT } else { SLOW_BEAT }, Act::Beats);
    }

    fn hear_beats(&mut self, k: usize) {
        self.watchers[k].heard = self.now;
        if self.now < self.broker_away {
            return;
        }
        for d in 0..self.dancers.len() {
            let beat = self.dancers[d].last_beat(self.now);
            self.beats += 1;
            let (heartbeat, offset, at) = (self.dancers[d].heartbeat(), self.beats, self.broker_time(beat));
            let twin = self.dancers[d].twin_of(&heartbeat);
            self.hand(k, Input::Heartbeat { heartbeat, offset, at });
            if let Some(heartbeat) = twin {
                self.hand(k, Input::Heartbeat { heartbeat, offset, at });
            }
        }
    }
}
