//! What a replica says, and when: proposals, what was decided, pulses, and what it makes of a leap.

use std::sync::Arc;

use pavane_events::control::{ProposalKind, Proposed, Pulse, Sighting};
use pavane_events::{Body, RolloutId, Service};

use super::{Engine, STANDBY};
use crate::alert;
use crate::asked::AGAIN;
use crate::effect::{AlertStatus, Draft, Effect};
use crate::input::BlindCause;
use crate::propose::{Known, proposals};
use crate::seeing;

impl Engine {
    pub(super) fn propose(&mut self, n: u64, out: &mut Vec<Effect>) {
        let Some(rollout) = self.fold.rollouts.get(n) else {
            self.asked.keep(n, &[]);
            return;
        };
        let known = Known { heard: &self.heartbeats, watches: &self.watches, own: self.now };
        let mut wanted = std::mem::take(&mut self.wanted);
        proposals(&self.fold, &known, n, rollout, self.estimate(), &mut wanted);
        self.asked.keep(n, &wanted);
        let first = if self.speaks { self.now } else { self.now + STANDBY };
        for proposed in wanted.drain(..) {
            if self.asked.ask(n, &proposed, first, self.now) {
                let rollout = Some(rollout.id.clone());
                out.push(append(rollout, proposed.into()));
            }
        }
        self.wanted = wanted;
    }

    /// Says what was decided and does not yet stand on the log: the owner at once, a standby after two pulses.
    pub(super) fn say(&mut self, out: &mut Vec<Effect>) {
        let (patience, again) = if self.speaks { (0, AGAIN) } else { (STANDBY, STANDBY) };
        let due = self.saying.due(&mut self.fold, self.now, patience, again);
        let owed = due.iter().filter_map(|id| self.fold.owed.get(id));
        out.extend(owed.map(|owed| Effect::Append(Arc::clone(&owed.0))));
        if !due.is_empty()
            && let Some(Effect::Append(draft)) = out.last()
        {
            self.newest_said = Some(Arc::clone(draft));
        }
    }

    pub(super) fn pulse(&mut self, out: &mut Vec<Effect>) {
        if self.sight.pulse_due(self.fold.open > 0) <= self.now {
            self.sight.pulsed(self.now);
            self.skews.look(&self.fold, &self.heartbeats, self.now);
            let body =
                Pulse { sent_ms: self.now, open_from: self.fold.open_from(), sightings: self.sightings() };
            out.push(append(None, body.into()));
        }
    }

    /// What this replica sees beside the log and speaks of.
    fn sightings(&self) -> Vec<Sighting> {
        if !self.speaks || !self.sighted {
            return Vec::new();
        }
        let known = Known { heard: &self.heartbeats, watches: &self.watches, own: self.now };
        let mut seen = seeing::of_phases(&self.fold, &known, &self.phased, self.estimate());
        seen.extend(self.drifts.sightings(&self.fold, &self.heartbeats, self.now));
        seen.extend(self.skews.sightings(&self.fold, &self.heartbeats, self.now));
        seen
    }

    /// Hands the rows of services out: those that changed, or all where this replica has just begun to speak.
    pub(super) fn remember(&mut self, all: bool, out: &mut Vec<Effect>) {
        let changed = std::mem::take(&mut self.fold.services.changed);
        if !self.caught_up || !self.speaks {
            return;
        }
        let row = |service: &Service| self.fold.row(service);
        let rows: Vec<_> =
            if all { self.fold.rows().collect() } else { changed.iter().filter_map(row).collect() };
        out.extend(rows.into_iter().map(|row| Effect::Remember(Box::new(row))));
    }

    pub(super) fn explain_leaps(&mut self, out: &mut Vec<Effect>) {
        if self.fold.clock.leaps().is_empty() && self.leaps.is_empty() {
            return;
        }
        let leaps = self.fold.clock.leaps().to_vec();
        self.leaps.retain(|offset, _| leaps.iter().any(|leap| leap.offset == *offset));
        for leap in leaps {
            let (first, said) = *self.leaps.entry(leap.offset).or_insert((self.now, self.now - AGAIN));
            let Some(by_ms) = self.sight.explain(leap, first, self.now) else { continue };
            if said + AGAIN <= self.now {
                self.leaps.insert(leap.offset, (first, self.now));
                let (kind, leap) = (ProposalKind::ClockStepped, Some(leap.offset));
                out.push(append(None, Proposed { kind, leap, by_ms, ..Proposed::default() }.into()));
            }
        }
    }

    pub(super) fn sight_effect(&self, news: Result<BlindCause, BlindCause>) -> Effect {
        let alert = |cause, status| Box::new(alert::blind(&self.fold.domain, &self.replica, cause, status));
        match news {
            Ok(cause) => Effect::Blind { cause, alert: alert(cause, AlertStatus::Firing) },
            Err(cause) => Effect::Sighted { alert: alert(cause, AlertStatus::Resolved) },
        }
    }
}

fn append(rollout: Option<RolloutId>, body: Body) -> Effect {
    Effect::Append(Arc::new(Draft { id: None, rollout, causation: None, service: None, body }))
}
