//! What a sentinel does in its turn: hears of the group, reads, speaks, tells people; and what becomes of its words.

use std::collections::VecDeque;
use std::sync::Arc;

use pavane_sentinel_engine::{Alert, AlertStatus, BlindCause, Effect, Input};

use crate::fault::{Kind, NEVER};
use crate::herald::Answer;
use crate::manager;
use crate::partition::Kept;
use crate::voice;
use crate::world::{Act, World};

/// How old an event may be when its turn to be written comes, as in the shell.
const STALE: i64 = 4_000;

/// How long a client tries before it says that it could not.
const GIVES_UP: i64 = 3_000;

impl World {
    pub(crate) fn sentinel(&mut self, k: usize) {
        let again = self.dice.between(20, 160);
        self.at(again, Act::Sentinel(k));
        if self.faults.on(Kind::SentinelCrash, k, self.now) {
            if !self.sentinels[k].down {
                self.crash_sentinel(k);
            }
            return;
        }
        if self.sentinels[k].down {
            self.sentinels[k].reboot(self.now, &self.partitions);
            let joins = self.dice.between(100, 3_000);
            self.sentinels[k].joins_at = self.now + joins;
            for p in 0..self.partitions.len() {
                let from = self.sentinels[k].watches[p].began;
                self.board.note(format!("began {from:?}"));
                let position = self.sentinels[k].watches[p].position;
                self.tell(|world| format!("{} starts again at {position} of {p}", world.sentinels[k].name));
            }
        }
        if self.faults.on(Kind::SentinelFreeze, k, self.now) {
            if self.faults.on(Kind::SentinelClock, k, self.now) {
                self.sentinels[k].stood += again;
            }
            return;
        }
        for p in 0..self.partitions.len() {
            self.watch(k, p);
        }
        self.tell_people(k);
    }

    /// Killed: what was on its way may still arrive.
    fn crash_sentinel(&mut self, k: usize) {
        self.tell(|world| format!("{} is killed", world.sentinels[k].name));
        self.sentinels[k].down = true;
        self.sentinels[k].boot += 1;
        for p in 0..self.partitions.len() {
            let watch = &mut self.sentinels[k].watches[p];
            let first = watch.orders.pop_front().filter(|_| watch.writing.is_some());
            watch.orders.clear();
            if let Some((_, event)) = first
                && self.dice.chance(50)
            {
                let delay = self.dice.between(1, 500);
                self.send(p, delay, event);
            }
        }
    }

    fn watch(&mut self, k: usize, p: usize) {
        let now = self.now;
        while let Some(speaks) = self.sentinels[k].watches[p].news.pop_front() {
            self.sentinels[k].watches[p].speaks = speaks;
            self.handle(k, p, Input::Speaks(speaks));
        }
        let away = self.faults.unreachable(p, now);
        if !away && !self.faults.on(Kind::SentinelDeaf, k, now) {
            self.read(k, p);
            self.hear(k, p);
        } else if away && !self.faults.any(Kind::BrokerFrozen, now) {
            let complained = &mut self.sentinels[k].watches[p].complained;
            if now - *complained >= 1_000 {
                *complained = now;
                self.handle(k, p, Input::Lost(BlindCause::Broker));
            }
        }
        self.handle(k, p, Input::Tick);
        if !away && !self.faults.on(Kind::SentinelMute, k, now) {
            self.keep(k, p);
        }
    }

    /// The owner puts what it holds on the topic of snapshots, now and then; a torn one is cut short on its way.
    fn keep(&mut self, k: usize, p: usize) {
        const EVERY: usize = 25;
        let watch = &mut self.sentinels[k].watches[p];
        if !watch.speaks || !watch.caught_up || watch.position < watch.kept + EVERY {
            return;
        }
        watch.kept = watch.position;
        let mut bytes = watch.engine.snapshot();
        if self.sentinels[k].is_next {
            bytes = of_the_next_version(&bytes);
        }
        if self.faults.any(Kind::SnapshotTorn, self.now) {
            let end = self.dice.below(bytes.len());
            bytes.truncate(end);
        }
        let by_next = self.sentinels[k].is_next;
        self.partitions[p].snapshots.push(Kept { bytes, by_next });
    }

    fn read(&mut self, k: usize, p: usize) {
        let late = if self.faults.on(Kind::SentinelLag, k, self.now) { 4_000 } else { 0 };
        let seen = self.now - self.sentinels[k].lag - late;
        loop {
            let watch = &mut self.sentinels[k].watches[p];
            if !watch.caught_up && watch.position >= watch.end {
                watch.caught_up = true;
                self.handle(k, p, Input::CaughtUp);
                continue;
            }
            let partition = &self.partitions[p];
            if watch.position >= partition.end() || partition.truth[watch.position] > seen {
                return;
            }
            let entry = partition.entries[watch.position].clone();
            watch.position += 1;
            self.handle(k, p, Input::Read(entry));
        }
    }

    /// Heartbeats come by a topic of their own, so not in the order of the log.
    fn hear(&mut self, k: usize, p: usize) {
        let late = if self.faults.any(Kind::HeartbeatsLate, self.now) { 2_500 } else { 0 };
        let seen = self.now - self.sentinels[k].beat_lag - late;
        loop {
            let place = self.sentinels[k].watches[p].beats;
            let Some(beat) = self.partitions[p].beats.get(place).filter(|beat| beat.came <= seen) else {
                return;
            };
            let beat = beat.clone();
            self.sentinels[k].watches[p].beats += 1;
            let offset = i64::try_from(place).expect("short");
            self.handle(k, p, Input::Heartbeat { heartbeat: beat.heartbeat, offset, at: beat.at });
        }
    }

    /// Gives the engine an input and carries out what it orders.
    fn handle(&mut self, k: usize, p: usize, input: Input) {
        let own = self.sentinels[k].own(self.now);
        let mut effects: VecDeque<_> = self.sentinels[k].watches[p].engine.handle(own, input).into();
        while let Some(effect) = effects.pop_front() {
            let more = match effect {
                Effect::Append(draft) => {
                    let id = self.fresh_id();
                    let event = voice::of_sentinel(
                        &self.partitions[p].domain,
                        &self.sentinels[k].name,
                        Arc::unwrap_or_clone(draft),
                        id,
                    );
                    let fits = self.sentinels[k].watches[p].order(self.now, event);
                    self.begin_write(k, p);
                    (!fits).then_some(Input::Lost(BlindCause::Broker))
                }
                Effect::Measure { query } => {
                    let away = self.faults.any(Kind::MetricsAway, self.now);
                    let value = if away { Err("away".to_owned()) } else { self.measure() };
                    Some(Input::Measured { query, value })
                }
                Effect::Raise(alert) => {
                    self.sentinels[k].herald.raise(self.now, &alert, Some(p));
                    None
                }
                Effect::Blind { alert, cause } => {
                    self.tell(|world| {
                        format!("{} is blind of {p}: {}", world.sentinels[k].name, cause.as_str())
                    });
                    self.go_blind(k, p, *alert);
                    None
                }
                Effect::Sighted { .. } => {
                    self.tell(|world| format!("{} sees {p} again", world.sentinels[k].name));
                    self.sentinels[k].watches[p].blind = None;
                    None
                }
                Effect::DeadLetter { .. } | Effect::Ended(_) | Effect::Count(_) | Effect::Remember(_) => None,
            };
            if let Some(input) = more {
                effects.extend(self.sentinels[k].watches[p].engine.handle(own, input));
            }
        }
    }

    fn measure(&mut self) -> Result<f64, String> {
        if self.lasting.is_some() { Ok(0.001) } else { manager::measure(&mut self.dice) }
    }

    /// Each time of blindness is a story of its own, and goes straight to the receivers.
    fn go_blind(&mut self, k: usize, p: usize, mut alert: Alert) {
        let story = format!("{}-{p}-{}-{}", alert.id, self.sentinels[k].name, self.now);
        alert.id = pavane_events::EventId::new(story).expect("a name");
        self.sentinels[k].watches[p].blind = Some(alert.clone());
        self.sentinels[k].herald.raise(self.now, &alert, None);
        self.watchman.blind.entry((k, p)).or_insert(self.now);
    }

    fn begin_write(&mut self, k: usize, p: usize) {
        let now = self.now;
        let watch = &mut self.sentinels[k].watches[p];
        if watch.writing.is_some() || watch.orders.is_empty() {
            return;
        }
        watch.writing = Some(now);
        let boot = self.sentinels[k].boot;
        let delay = self.dice.pick(&[1, 1, 3, 3, 10, 10, 30, 60, 200]);
        let delay = if self.lasting.is_none() && self.dice.chance(4) { 2_500 } else { delay };
        self.at(delay, Act::Wrote(k, p, boot));
    }

    /// The first order is on the log, or its client gives it up.
    pub(crate) fn wrote(&mut self, k: usize, p: usize, boot: u32) {
        let now = self.now;
        if self.sentinels[k].boot != boot {
            return;
        }
        if self.faults.on(Kind::SentinelFreeze, k, now) {
            return self.at(150, Act::Wrote(k, p, boot));
        }
        let away = self.faults.unreachable(p, now);
        let mute = self.faults.on(Kind::SentinelMute, k, now);
        let watch = &mut self.sentinels[k].watches[p];
        let began = watch.writing.unwrap_or(now);
        if (away || mute) && now - began < GIVES_UP {
            return self.at(250, Act::Wrote(k, p, boot));
        }
        watch.writing = None;
        let Some((since, event)) = watch.orders.pop_front() else { return };
        let lost = self.faults.any(Kind::LostAppends, now) && self.dice.chance(40);
        if away || mute || lost {
            // a broker that stands still has it in its hands already
            if self.faults.any(Kind::BrokerFrozen, now) && !mute && self.dice.chance(50) {
                self.send(p, 0, event);
            }
            self.handle(k, p, Input::Lost(BlindCause::Broker));
        } else if began - since <= STALE {
            self.send(p, 0, event);
        }
        self.begin_write(k, p);
    }

    /// Tries what is to be told to people.
    fn tell_people(&mut self, k: usize) {
        let (now, deaf) = (self.now, self.faults.on(Kind::SentinelDeaf, k, self.now));
        if !deaf && !self.faults.unreachable(0, now) {
            self.sentinels[k].herald.read(now, &self.post);
        }
        let watches = &self.sentinels[k].watches;
        let speaks: Vec<bool> = watches.iter().map(|watch| watch.speaks).collect();
        let due = self.sentinels[k].herald.due(now, |p| speaks[p]);
        for place in due {
            let errand = &self.sentinels[k].herald.errands[place];
            let receiver = errand.key.2;
            let answer = if self.faults.on(Kind::ReceiverAway, receiver, now) {
                Answer::Refused
            } else if self.faults.on(Kind::ReceiverMumbles, receiver, now) {
                Answer::TakenUnheard
            } else {
                Answer::Taken
            };
            if answer != Answer::Refused {
                self.post.take(now, errand);
                let (id, status) = (errand.key.0.clone(), errand.key.1);
                self.tell(|world| told(&world.sentinels[k].name, &id, status, receiver));
            }
            let key = errand.key.clone();
            if self.sentinels[k].herald.attempted(now, place, answer) {
                self.note(k, key);
            }
        }
        self.sentinels[k].herald.forget();
    }

    /// Notes a delivery on the topic of notifications, when the sentinel can.
    fn note(&mut self, k: usize, key: crate::herald::Key) {
        let at = self.faults.reachable_at(0, self.now);
        if at < NEVER && !self.faults.on(Kind::SentinelMute, k, self.now) {
            let delay = self.dice.between(5, 300);
            self.post.put(at + delay, key);
        }
    }
}

/// A snapshot as the next version writes it: with a field on every line that this one does not know.
fn of_the_next_version(bytes: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).expect("a snapshot is text");
    text.split_inclusive('\n')
        .map(|line| line.replacen('{', "{\"next\":[1],", 1))
        .collect::<String>()
        .into_bytes()
}

fn told(by: &str, id: &pavane_events::EventId, status: AlertStatus, receiver: usize) -> String {
    format!("{by} tells receiver {receiver} of {id}: {}", status.as_str())
}
