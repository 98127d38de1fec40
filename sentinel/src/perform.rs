//! Carries the engine's orders out: the only place that knows what each of them means in the world.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pavane_bus::Raw;
use pavane_events::identity::sha256_hex;
use pavane_events::{Domain, Entry, EventId, RolloutId, ServiceRow, Unreadable};
use pavane_sentinel_engine::{
    Alert, AlertStatus, BlindCause, Counter, Draft, Effect, Ended, RolloutView, Status,
};
use pavane_telemetry::RootSpan;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::alert::dispatcher::{Raised, Way};
use crate::alert::open::Open;
use crate::clock::wall;
use crate::dead_letters::Letter;
use crate::measure::Wanted;
use crate::pace::Pace;
use crate::partition::Sight;
use crate::pen::{self, Order};
use crate::span::{self, Trail};
use crate::telemetry::{BlindBegan, BlindEnded, Counted, Dropped, rollout_ended};

/// How many unreadable records are kept until the engine orders them set aside.
const UNREADABLE_KEPT: usize = 1000;

/// What carries a domain's orders out.
pub(crate) struct Hands {
    domain: Domain,
    replica: Arc<str>,
    ways: Ways,
    speaks: watch::Receiver<bool>,
    live: bool,
    trail: Trail,
    unreadable: BTreeMap<i64, (Raw, Unreadable)>,
    /// Who said what was read last: the replica, or nobody in particular.
    last_speaker: Option<String>,
    blind: Option<Alert>,
    ended: BTreeSet<RolloutId>,
    pub(crate) pace: Pace,
    /// The offset of what was read last; -1 before anything was.
    position: i64,
    /// One for each letter that is not yet set aside, and one that is kept here.
    open_letters: Arc<()>,
}

/// Where a domain's orders go.
pub(crate) struct Ways {
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) raise: mpsc::UnboundedSender<Raised>,
    pub(crate) letters: mpsc::UnboundedSender<Letter>,
    pub(crate) measure: mpsc::UnboundedSender<Wanted>,
    pub(crate) known: mpsc::UnboundedSender<ServiceRow>,
    /// What is not done with.
    pub(crate) open: Arc<Open>,
}

impl Hands {
    pub(crate) fn new(domain: Domain, replica: Arc<str>, ways: Ways, speaks: watch::Receiver<bool>) -> Self {
        Self {
            domain,
            replica,
            ways,
            speaks,
            live: false,
            trail: Trail::default(),
            unreadable: BTreeMap::new(),
            last_speaker: None,
            blind: None,
            ended: BTreeSet::new(),
            pace: Pace::default(),
            position: -1,
            open_letters: Arc::default(),
        }
    }

    /// Says that history ends here: what comes is counted and traced.
    pub(crate) fn live(&mut self) {
        self.live = true;
    }

    /// Whether history has ended.
    pub(crate) const fn is_live(&self) -> bool {
        self.live
    }

    /// Goes on after what another process has read, with what it had raised and not delivered.
    pub(crate) fn resume(&mut self, position: i64, alerts: Vec<Alert>) {
        self.position = position;
        for alert in alerts {
            self.tell(alert);
        }
    }

    /// What is not done with: whoever goes on from here raises it again.
    pub(crate) fn undelivered(&self) -> Vec<Alert> {
        self.ways.open.of(&self.domain)
    }

    /// Brings an alert of the log to those who are told.
    pub(crate) fn tell(&mut self, alert: Alert) {
        self.raise(alert, Way::Log { speaks: self.speaks.clone() });
    }

    /// Whether every record that nobody can read has been set aside: whoever goes on from here does not read it again.
    pub(crate) fn has_set_all_aside(&self) -> bool {
        Arc::strong_count(&self.open_letters) == 1
    }

    /// Keeps what later orders refer to.
    pub(crate) fn follow(&mut self, entry: &Entry, raw: Raw) {
        self.position = entry.offset();
        self.trail.follow(entry);
        match entry {
            Entry::Event(record) => self.last_speaker.clone_from(&record.event.envelope.replica),
            Entry::Unreadable(unreadable) => {
                self.last_speaker = None;
                self.unreadable.insert(unreadable.offset, (raw, unreadable.clone()));
                if self.unreadable.len() > UNREADABLE_KEPT {
                    self.unreadable.pop_first();
                    Dropped { queue: "unreadable", domain: &self.domain }.emit();
                }
            }
        }
    }

    /// Carries one order out, and gives back why the sentinel is blind when it could not.
    pub(crate) fn perform(&mut self, effect: Effect, sight: &watch::Sender<Sight>) -> Option<BlindCause> {
        match effect {
            Effect::Append(draft) => return self.append(Arc::unwrap_or_clone(draft)),
            Effect::Raise(alert) => self.tell(*alert),
            Effect::DeadLetter { offset } => self.set_aside(offset),
            Effect::Blind { cause, alert } => self.blind(cause, *alert, sight),
            Effect::Sighted { .. } => self.sighted(sight),
            Effect::Measure { query } => self.measure(query),
            Effect::Remember(row) => self.remember(*row),
            // the loop tells it with the rollout as it stands
            Effect::Ended(_) => {}
            Effect::Count(what) => self.count(what),
        }
        None
    }

    fn append(&self, draft: Draft) -> Option<BlindCause> {
        let span = span::decide(&draft, &self.trail);
        let event = pen::event(draft, &self.domain, &self.replica);
        let order = Order { event, span, since: Instant::now(), read: self.position };
        if self.ways.orders.try_send(order).is_ok() {
            return None;
        }
        Dropped { queue: "appends", domain: &self.domain }.emit();
        Some(BlindCause::Broker)
    }

    fn remember(&self, row: ServiceRow) {
        // Whoever writes ends only with the process; the next one hands all rows out again.
        let _ended = self.ways.known.send(row);
    }

    fn raise(&mut self, alert: Alert, way: Way) {
        if let Way::Log { .. } = way {
            self.ways.open.put(&alert);
        }
        // The dispatcher ends only with the process; after the restart the alert is raised again.
        let _ended = self.ways.raise.send(Raised { alert, way });
    }

    fn set_aside(&mut self, offset: i64) {
        if let Some((raw, unreadable)) = self.unreadable.remove(&offset) {
            // As above: the record is read again after the restart, no snapshot is taken meanwhile.
            let (since, open) = (Instant::now(), self.open_letters.clone());
            let _ended = self.ways.letters.send(Letter { raw, unreadable, since, open });
        }
    }

    fn measure(&self, query: String) {
        // Whoever answers ends only with the process.
        let _ended = self.ways.measure.send(Wanted { domain: self.domain.clone(), query });
    }

    fn blind(&mut self, cause: BlindCause, mut alert: Alert, sight: &watch::Sender<Sight>) {
        BlindBegan { domain: &self.domain, cause }.emit();
        sight.send_replace(Sight::Blind(cause.as_str()));
        self.end_story();
        // Each time of blindness is a story of its own; no log says when it began.
        alert.starts_at = wall();
        let story = sha256_hex(&format!("{} {}", alert.id, alert.starts_at.0));
        alert.id = EventId::new(format!("blind-{story}")).expect("70 characters of a name");
        self.blind = Some(alert.clone());
        self.raise(alert, Way::Straight);
    }

    fn sighted(&mut self, sight: &watch::Sender<Sight>) {
        BlindEnded { domain: &self.domain }.emit();
        sight.send_replace(Sight::CatchingUp);
        self.end_story();
    }

    /// Tells that the blindness which people were told of last is over, or is another one.
    fn end_story(&mut self) {
        if let Some(mut alert) = self.blind.take() {
            alert.status = AlertStatus::Resolved;
            alert.ends_at = Some(wall());
            self.raise(alert, Way::Straight);
        }
    }

    /// Counts and traces a rollout whose ending this replica said, or that a person ended under its eyes.
    pub(crate) fn ended(&mut self, ended: &Ended, rollout: Option<&RolloutView>) {
        let own = match &self.last_speaker {
            Some(replica) => **replica == *self.replica,
            None => *self.speaks.borrow(),
        };
        if !(self.live && own && self.ended.insert(ended.rollout.clone())) {
            return;
        }
        rollout_ended(&self.domain, ended.status, (ended.started, ended.ended));
        if let Some(rollout) = rollout {
            self.pace.ended(&self.domain, rollout);
        }
        RootSpan {
            rollout: &ended.rollout,
            domain: &self.domain,
            choreography: &ended.choreography,
            started: ended.started,
            ended: ended.ended,
            outcome: ended.status.as_str(),
            good: ended.status == Status::Completed,
        }
        .emit();
    }

    fn count(&self, what: Counter) {
        if self.live {
            Counted { domain: &self.domain, what }.emit();
        }
    }
}
