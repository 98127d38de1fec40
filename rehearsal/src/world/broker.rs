//! The broker: appends in virtual time, away at times, and what it does to single events.

use pavane_choreography::Expect;
use pavane_events::{
    Body, Entry, Envelope, Event, EventId, Millis, Record, Service, Source, Speaker, Unreadable,
    UnreadableReason,
};

use super::{Act, World};
use crate::scenario::{Moment, Named, When};

impl World<'_> {
    /// The next event of an outbox goes to the broker.
    pub(super) fn send(&mut self, d: usize) {
        if !self.dancers[d].is_up() {
            self.dancers[d].sending = false;
            return;
        }
        if self.now < self.broker_away {
            let again = self.broker_away - self.now + self.dice.between(20, 400);
            self.later(again, Act::Send(d));
            return;
        }
        let head = self.dancers[d].outbox.front().and_then(what);
        if let Some(by) = head.as_ref().and_then(|head| self.delay(head)) {
            self.later(by, Act::Send(d));
            return;
        }
        if let Some(event) = self.dancers[d].sent() {
            let taken = |list: &mut Vec<Expect>| {
                let at = list.iter().position(|one| Some(one) == head.as_ref());
                at.map(|at| list.remove(at)).is_some()
            };
            let (lost, twice) = (taken(&mut self.fates.lose), taken(&mut self.fates.duplicate));
            if twice {
                let again = self.dice.between(100, 3_000);
                self.later(again, Act::Append(Box::new(event.clone())));
            }
            if !lost {
                self.append(event);
            }
        }
        self.dancers[d].sending = false;
        self.post(d);
    }

    /// Sends what waits in an outbox, one after the other.
    pub(super) fn post(&mut self, d: usize) {
        let dancer = &mut self.dancers[d];
        if !dancer.sending && !dancer.outbox.is_empty() && dancer.is_up() {
            dancer.sending = true;
            let delay = self.dice.between(2, 20);
            self.later(delay, Act::Send(d));
        }
    }

    fn delay(&mut self, head: &Expect) -> Option<Millis> {
        let at = self.fates.delay.iter().position(|(expect, _)| expect == head)?;
        Some(self.fates.delay.remove(at).1)
    }

    /// A record comes to stand on the log, or waits for the broker.
    pub(super) fn append(&mut self, event: Event) {
        if self.now < self.broker_away {
            let again = self.broker_away - self.now + self.dice.between(20, 400);
            return self.later(again, Act::Append(Box::new(event)));
        }
        let offset = i64::try_from(self.log.len()).expect("a log that fits into memory");
        let at = self.broker_time(self.now);
        if event.body.event_type().speaker() != Speaker::Control {
            self.news = self.now;
        }
        self.cue_said(&event);
        let changed = what(&event).is_some_and(|what| self.fates.schema.contains(&what));
        let entry = if changed {
            Entry::Unreadable(unreadable(event, offset, at))
        } else {
            Entry::Event(Record { offset, at, event })
        };
        self.announce(stirs(&entry));
        self.came.push(self.now);
        self.log.push(entry);
    }

    /// Everyone who reads will see what stands at the end of the log.
    fn announce(&mut self, stirs: bool) {
        for k in 0..self.watchers.len() {
            let lag = self.watchers[k].lag;
            self.wake_watcher(k, self.now + lag);
        }
        for d in (0..self.dancers.len()).filter(|_| stirs) {
            let lag = self.dancers[d].lag;
            self.wake_dancer(d, self.now + lag);
        }
    }

    /// The entry at a place of the log, when a reader with this lag can see it.
    pub(super) fn visible(&self, position: usize, lag: Millis) -> Option<&Entry> {
        let away = self.now < self.broker_away || self.now < self.registry_away;
        let entry = self.log.get(position)?;
        (!away && self.came[position] + lag <= self.now).then_some(entry)
    }

    fn cue_said(&mut self, event: &Event) {
        if self.waiting.is_empty() {
            return;
        }
        let (kind, service) = (event.body.event_type(), event.envelope.service.clone());
        self.cue_when(|moment| match moment {
            Moment::Said(Named::Any(wanted)) => *wanted == kind,
            Moment::Said(Named::Of(wanted)) => {
                wanted.event == kind && Some(&wanted.service) == service.as_ref()
            }
            Moment::Ended(_) | Moment::Stalled(_) | Moment::Awaits(_) => false,
        });
    }

    /// Puts the cues into the queue that have waited for this.
    pub(super) fn cue_when(&mut self, come: impl Fn(&Moment) -> bool) {
        let timeline = &self.stage.script.scenario.timeline;
        let waited = |number: &usize| match &timeline[*number].when {
            When::After(moment, later) if come(moment) => Some(*later),
            When::After(..) | When::At(_) => None,
        };
        let due: Vec<(usize, Millis)> =
            self.waiting.iter().filter_map(|number| Some((*number, waited(number)?))).collect();
        for (number, later) in due {
            self.waiting.retain(|waiting| *waiting != number);
            self.cue_in(later, number);
        }
    }

    pub(super) fn fresh_id(&mut self) -> EventId {
        self.ids += 1;
        EventId::new(format!("rehearsal-{}", self.ids)).expect("a name")
    }

    /// An event that does not come from a sidecar or a sentinel.
    pub(super) fn spoken_by(&mut self, by: &str, body: impl Into<Body>) -> Event {
        let domain = self.stage.cast.domain.clone();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let by: String = by.chars().take(32).map(plain).collect();
        let source = Source::new(format!("/pavane/{domain}/cli/{by}")).expect("three names fit");
        let id = self.fresh_id();
        Event { envelope: Envelope::new(domain, source, id), body: body.into() }
    }
}

/// Whether an entry may move a sidecar. A pulse says nothing to it: that it is read later, with what comes next, is
/// seen by nobody.
pub(super) const fn stirs(entry: &Entry) -> bool {
    !matches!(entry, Entry::Event(Record { event: Event { body: Body::Pulse(_), .. }, .. }))
}

/// Which event of which service it is.
fn what(event: &Event) -> Option<Expect> {
    let service: Service = event.envelope.service.clone()?;
    Some(Expect { service, event: event.body.event_type() })
}

/// The record as readers see it who do not know its schema.
fn unreadable(event: Event, offset: i64, at: pavane_events::Timestamp) -> Unreadable {
    let kind = event.body.event_type();
    Unreadable {
        offset,
        at,
        event_type: Some(kind.full_name()),
        id: Some(event.envelope.id),
        service: event.envelope.service,
        rollout: event.envelope.rollout,
        schema_id: Some(2),
        reason: UnreadableReason::Incompatible,
        field: "/".to_owned(),
        detail: format!("{kind} is written in a schema that its readers do not know"),
    }
}
