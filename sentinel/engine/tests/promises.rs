//! What the engine promises, over random histories: same log, same verdicts; a step is judged once per attempt; what
//! comes twice does no harm; every record is accounted for; no stall stands above its event.
//!
//! `PAVANE_SEEDS=N` runs that many seeds; a failure names its seed, and a seed is the same history for ever.

mod floor;
mod history;

use std::collections::{BTreeMap, BTreeSet};

use history::dice::Dice;
use history::reach::{OUTCOMES, Reach};
use history::reading::{Reading, alike, proposal};
use history::witness::Witness;
use history::{History, drawn};
use pavane_events::{Body, Entry, Envelope, Record, Timestamp, Unreadable, UnreadableReason};
use pavane_sentinel_engine::{AlertStatus, BlindCause, Counter, Effect, Engine, Input, RolloutView, Status};

#[test]
fn histories_reach_every_outcome() {
    let mut reach = Reach::default();
    for history in drawn() {
        reach.read(history);
    }
    reach.must(OUTCOMES);
}

#[test]
fn whoever_reads_a_log_whenever_and_whatever_it_hears_finds_the_same() {
    for history in drawn() {
        let alone = Reading::of(&history.entries);
        for reader in 1..=3 {
            let other = read_in_its_own_way(history, reader);
            let what = format!("{}, reader {reader}", history.name());
            assert_eq!(alone.counted, other.counted, "{what}");
            alike(&alone, &other, &what);
        }
    }
}

/// A replica of another name, with a clock of its own, that ticks, hears, loses and speaks as chance will have it.
fn read_in_its_own_way(history: &History, reader: u64) -> Reading {
    let mut dice = Dice::new(history.seed * 7 + reader);
    let mut reading = Reading::new(&format!("reader-{reader}"));
    let (hears, steps) = (dice.chance(50), dice.pick(&[&[0, 1][..], &[0, 400, 90_000], &[700, -5_000]]));
    let mut now = dice.between(0, 1_000_000);
    let mut beats = history.beats.iter().peekable();
    for (n, entry) in history.entries.iter().enumerate() {
        now += dice.pick(steps);
        while let Some((_, heartbeat, at)) = beats.next_if(|(before, ..)| *before <= n) {
            let input = Input::Heartbeat { heartbeat: heartbeat.clone(), offset: 0, at: *at };
            if hears {
                let _ = reading.engine.handle(now, input);
            }
        }
        let aside = match dice.below(12) {
            0 => Some(Input::CaughtUp),
            1 => Some(Input::Speaks(dice.chance(50))),
            2 => Some(Input::Lost(dice.pick(&[BlindCause::Broker, BlindCause::Registry]))),
            3 => Some(Input::Measured { query: "errors".to_owned(), value: Ok(7.0) }),
            4..=6 => Some(Input::Tick),
            _ => None,
        };
        let _ = aside.map(|input| reading.engine.handle(now, input));
        reading.read(now, entry);
    }
    reading
}

#[test]
fn what_was_kept_and_the_rest_of_the_log_are_the_whole_log_in_bytes() {
    for history in drawn() {
        let mut dice = Dice::new(history.seed);
        let whole = Reading::of(&history.entries).engine.snapshot();
        let mut cut = dice.below(history.entries.len());
        let mut engine = Reading::of(&history.entries[..cut]).engine;
        while cut < history.entries.len() {
            let what = || format!("{}, cut at {cut}", history.name());
            let kept = engine.snapshot();
            engine =
                Engine::restore(floor::domain(), "another".to_owned(), &kept).expect("what was kept is read");
            assert!(engine.snapshot() == kept, "{}: it does not keep what it was given", what());
            let folded = engine.folded();
            let next = (cut + 1 + dice.below(200)).min(history.entries.len());
            for entry in &history.entries[cut..next] {
                let _ = engine.handle(0, Input::Read(entry.clone()));
            }
            assert!(folded.snapshot() == kept, "{}: what was taken out reads on", what());
            cut = next;
        }
        assert!(engine.snapshot() == whole, "{}: not the whole", history.name());
    }
}

#[test]
fn a_step_is_judged_once_per_attempt_and_a_decision_is_made_once() {
    for history in drawn() {
        let accepted = Reading::of(&history.entries).accepted;
        let mut judged = BTreeMap::new();
        for entry in history.entries.iter().filter(|entry| accepted.contains_key(&entry.offset())) {
            let (rollout, proposed) = proposal(entry).expect("what is accepted was proposed");
            let step = proposed.step.as_ref().map(ToString::to_string);
            let what =
                (rollout.cloned(), proposed.epoch, step, proposed.leap, proposed.kind, proposed.attempt);
            let first = judged.insert(what.clone(), entry.offset());
            let about = || history.around(entry.offset(), 300);
            assert_eq!(first, None, "{}: {what:?} again at {}\n{}", history.name(), entry.offset(), about());
        }
    }
}

#[test]
fn what_comes_twice_changes_nothing() {
    for history in drawn() {
        let once = Reading::of(&history.entries);
        for way in [Again::Some, Again::Prefix, Again::Each] {
            let mut dice = Dice::new(history.seed);
            let log = repeated(&mut dice, &history.entries, way);
            let more = Reading::of(&log);
            let what = format!("{}, {way:?}", history.name());
            assert!(log.len() > history.entries.len(), "{what}: nothing came twice");
            assert_eq!(once.ids, more.ids, "{what}");
            alike(&once, &more, &what);
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Again {
    /// Any record, any number of times.
    Some,
    /// Everything up to somewhere.
    Prefix,
    /// Each record, at once, three times.
    Each,
}

/// The log with copies of what was on it before, at offsets that were free, appended when the record before was.
fn repeated(dice: &mut Dice, entries: &[Entry], way: Again) -> Vec<Entry> {
    let mut log = Vec::new();
    let (last, place) = (entries.len() - 1, 1 + dice.below(entries.len() - 2));
    for (n, entry) in entries.iter().enumerate() {
        log.push(entry.clone());
        let (mut offset, at) = (entry.offset(), entry.at());
        let copies: Vec<usize> = match way {
            Again::Some => (0..dice.pick(&[0, 0, 1, 4])).map(|_| dice.below(n + 1)).collect(),
            Again::Prefix if n == place => (0..n).collect(),
            Again::Prefix => Vec::new(),
            Again::Each => vec![n, n],
        };
        for copy in copies.into_iter().filter(|_| n < last) {
            if let Entry::Event(record) = &entries[copy] {
                // the whole prefix does not fit between two offsets; an offset is never judged by
                offset = if matches!(way, Again::Prefix) { offset } else { offset + 1 };
                let again = Record { offset, at: Timestamp(at.0), event: record.event.clone() };
                log.push(Entry::Event(again));
            }
        }
    }
    log
}

#[test]
fn every_record_is_accounted_for_once_and_the_accounts_add_up() {
    let mut accounts = BTreeMap::new();
    for history in drawn() {
        let log = repeated(&mut Dice::new(history.seed), &history.entries, Again::Some);
        let (mut engine, mut seen) = (Engine::new(floor::domain(), "reader".to_owned()), BTreeSet::new());
        for entry in &log {
            let effects = engine.handle(0, Input::Read(entry.clone()));
            let what = || format!("{}, at {}: {effects:?}", history.name(), entry.offset());
            let found = accounts_of(&effects);
            let account = match entry {
                Entry::Unreadable(Unreadable { reason: UnreadableReason::NewerVocabulary, .. }) => {
                    assert_eq!(engine.blindness(), Some(BlindCause::NewerVocabulary), "{}", what());
                    "blinds"
                }
                Entry::Unreadable(unreadable) => {
                    let letter = Effect::DeadLetter { offset: unreadable.offset };
                    assert_eq!(effects.iter().filter(|effect| **effect == letter).count(), 1, "{}", what());
                    "set aside"
                }
                Entry::Event(record) => {
                    let Envelope { source, id, .. } = &record.event.envelope;
                    let first = seen.insert((source.clone(), id.clone()));
                    let asks = matches!(record.event.body, Body::Proposed(_)) && first;
                    assert_eq!(found.answers, usize::from(asks), "{}", what());
                    if first { "read" } else { "double" }
                }
            };
            assert_eq!(found.doubles, usize::from(account == "double"), "{}", what());
            let unread = matches!(entry, Entry::Unreadable(_));
            assert_eq!(found.unread, usize::from(unread), "{}", what());
            assert_eq!(found.letters, usize::from(account == "set aside"), "{}", what());
            assert_eq!(engine.position(), entry.offset(), "{}", what());
            *accounts.entry(account).or_insert(0_usize) += 1;
        }
        *accounts.entry("delivered").or_insert(0) += log.len();
    }
    let delivered = accounts.remove("delivered").expect("there are histories");
    assert_eq!(accounts.values().sum::<usize>(), delivered, "{accounts:?}");
    assert!(
        drawn().len() < 100 || ["read", "double", "set aside"].iter().all(|a| accounts[a] > 100),
        "{accounts:?}"
    );
}

/// What a reader says became of a record.
struct Accounts {
    doubles: usize,
    unread: usize,
    letters: usize,
    answers: usize,
}

fn accounts_of(effects: &[Effect]) -> Accounts {
    let count = |of: fn(&Effect) -> bool| effects.iter().filter(|effect| of(effect)).count();
    Accounts {
        doubles: count(|effect| matches!(effect, Effect::Count(Counter::Duplicate))),
        unread: count(|effect| matches!(effect, Effect::Count(Counter::Unreadable(_)))),
        letters: count(|effect| matches!(effect, Effect::DeadLetter { .. })),
        answers: count(|effect| {
            matches!(effect, Effect::Count(Counter::ProposalAccepted(_) | Counter::ProposalVoid(_)))
        }),
    }
}

#[test]
fn no_stall_stands_above_its_event() {
    let (mut forward, mut back) = (0, 0);
    for history in drawn() {
        let (mut reading, mut witness) = (Reading::new("reader"), Witness::default());
        for entry in &history.entries {
            let before = about(&reading, entry);
            let accepted = reading.read(0, entry);
            if let (Some("RolloutStalled"), Some(rollout)) = (accepted, &before) {
                let (_, proposed) = proposal(entry).expect("what is accepted was proposed");
                let step = proposed.step.as_ref().expect("a stall is about a step").as_str();
                let goes_back = rollout.status == Status::RollingBack;
                let breach = proposed.phase.is_some();
                let there = if goes_back {
                    witness.is_answered(rollout, step)
                } else {
                    witness.is_full(rollout, step) != breach
                };
                let what = format!("{}, {step} at {}", history.name(), entry.offset());
                assert!(!there, "{what}: stalled above its event\n{}", history.around(entry.offset(), 400));
                assert!(!rollout.paused, "{what}: stalled while the clocks stood still");
                *if goes_back { &mut back } else { &mut forward } += 1;
            }
            witness.see(entry, before.as_ref());
        }
    }
    assert!(drawn().len() < 100 || (forward > 100 && back > 10), "{forward} forward, {back} back");
}

/// The rollout that an entry is about, as it stands below it.
fn about(reading: &Reading, entry: &Entry) -> Option<RolloutView> {
    let Entry::Event(record) = entry else { return None };
    reading.engine.rollout(record.event.envelope.rollout.as_ref()?)
}

#[test]
fn an_alert_fires_once_and_is_over_once_and_in_this_order() {
    let mut over = 0;
    for history in drawn() {
        let (mut burning, mut known) = (BTreeSet::new(), BTreeSet::new());
        let mut reading = Reading::new("reader");
        for entry in &history.entries {
            reading.read(0, entry);
            for alert in reading.alerts.drain(..) {
                let what = || format!("{}, {alert:#?} at {}", history.name(), entry.offset());
                match alert.status {
                    AlertStatus::Firing => {
                        assert!(known.insert(alert.id.clone()), "{}: fired before", what());
                        burning.insert(alert.id.clone());
                    }
                    AlertStatus::Resolved => {
                        assert!(burning.remove(&alert.id), "{}: over and not burning", what());
                        over += 1;
                    }
                }
            }
        }
    }
    assert!(drawn().len() < 100 || over > 100, "{over} alerts were over");
}
