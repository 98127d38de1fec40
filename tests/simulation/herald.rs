//! Who is told what, and by which sentinel: the owner at once, a standby when nobody has after two pulses. What was
//! delivered stands on a topic of its own.

use std::collections::{BTreeMap, BTreeSet};

use pavane_events::EventId;
use pavane_sentinel_engine::{Alert, AlertStatus, PULSE};

/// How many receivers there are.
pub(crate) const RECEIVERS: usize = 2;

/// How long a standby leaves the word to the owner.
const HOLD: i64 = 2 * PULSE;

/// The waits after the first, second, … failed attempt.
const WAITS: [i64; 3] = [5_000, 30_000, 120_000];

/// What is told: which alert, how far its story goes, and to whom.
pub(crate) type Key = (EventId, AlertStatus, usize);

/// An alert on its way to one receiver.
pub(crate) struct Errand {
    pub(crate) key: Key,
    pub(crate) alert: Alert,
    /// The partition that it is about; none for what goes straight to the receivers.
    pub(crate) of: Option<usize>,
    pub(crate) since: i64,
    failed: usize,
    next: i64,
}

/// What is left to tell, and what is known to have been told.
#[derive(Default)]
pub(crate) struct Herald {
    pub(crate) errands: Vec<Errand>,
    told: BTreeSet<Key>,
    /// How much of the topic of notifications was read.
    read: usize,
}

/// What was delivered, as the receivers and the topic of notifications hold it.
#[derive(Default)]
pub(crate) struct Post {
    /// When each was delivered first, and how often.
    pub(crate) delivered: BTreeMap<Key, (i64, u32)>,
    /// Every text that an alert came with.
    pub(crate) texts: BTreeMap<(EventId, AlertStatus), BTreeSet<String>>,
    /// The rows of the topic of notifications, with the time from which they can be read.
    rows: Vec<(i64, Key)>,
}

/// What the world answers an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Taken,
    /// It was taken, and the answer never came.
    TakenUnheard,
    Refused,
}

impl Herald {
    pub(crate) fn raise(&mut self, now: i64, alert: &Alert, of: Option<usize>) {
        for receiver in 0..RECEIVERS {
            let key = (alert.id.clone(), alert.status, receiver);
            let known = self.told.contains(&key) || self.errands.iter().any(|errand| errand.key == key);
            if !known {
                self.errands.push(Errand { key, alert: alert.clone(), of, since: now, failed: 0, next: now });
            }
        }
    }

    /// Reads on the topic of notifications.
    pub(crate) fn read(&mut self, now: i64, post: &Post) {
        while let Some((_, key)) = post.rows.get(self.read).filter(|(at, _)| *at <= now) {
            self.told.insert(key.clone());
            self.read += 1;
        }
        self.forget();
    }

    /// Drops the errands that somebody has run.
    pub(crate) fn forget(&mut self) {
        let told = &self.told;
        self.errands.retain(|errand| !told.contains(&errand.key));
    }

    /// The places of the errands whose turn it is.
    pub(crate) fn due(&self, now: i64, speaks: impl Fn(usize) -> bool) -> Vec<usize> {
        let due = |errand: &Errand| {
            let first = (errand.key.0.clone(), AlertStatus::Firing, errand.key.2);
            let ordered = errand.key.1 == AlertStatus::Firing || self.told.contains(&first);
            let turn = errand.of.is_none_or(speaks_or_hold(now, errand.since, &speaks));
            ordered && turn && errand.next <= now
        };
        (0..self.errands.len()).filter(|place| due(&self.errands[*place])).collect()
    }

    /// Notes how the attempt of an errand went; true when it is to be noted on the topic.
    pub(crate) fn attempted(&mut self, now: i64, place: usize, answer: Answer) -> bool {
        let errand = &mut self.errands[place];
        if answer == Answer::Taken {
            self.told.insert(errand.key.clone());
            return errand.of.is_some();
        }
        errand.next = now + WAITS[errand.failed.min(WAITS.len() - 1)];
        errand.failed += 1;
        false
    }
}

fn speaks_or_hold(now: i64, since: i64, speaks: &impl Fn(usize) -> bool) -> impl Fn(usize) -> bool {
    move |partition| speaks(partition) || now - since >= HOLD
}

impl Post {
    /// A receiver takes what it is told.
    pub(crate) fn take(&mut self, now: i64, errand: &Errand) {
        let delivered = self.delivered.entry(errand.key.clone()).or_insert((now, 0));
        delivered.1 += 1;
        if errand.of.is_some() {
            let Alert { labels, annotations, starts_at, .. } = &errand.alert;
            let text = format!("{labels:?} {annotations:?} {starts_at:?}");
            self.texts.entry((errand.key.0.clone(), errand.key.1)).or_default().insert(text);
        }
    }

    /// A row is put on the topic of notifications, and can be read from then on.
    pub(crate) fn put(&mut self, at: i64, key: Key) {
        self.rows.push((at, key));
    }
}
