//! Fifty services, forty rollouts, one day: services that are healthy, slow yet in time, restarted, said twice and read late
//! raise no stall and take nothing back; and of the faults that are put among them each is found, in time, and nothing else.

mod floor;
mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use floor::{Log, abort, complete, failed, plan_of, rollout_id, started, step};
use history::dice::Dice;
use pavane_choreography::{OnStall, Plan};
use pavane_events::{Body, Entry, Event, EventId, EventType, Record, Timestamp};
use pavane_sentinel_engine::{Counter, Effect, Engine, Input, PULSE, Status};

const SERVICES: usize = 50;
const ROLLOUTS: usize = 40;
const DAY: i64 = 86_400_000;
const WINDOW: i64 = 300_000;
/// How long after a deadline and the grace a fault is found at the latest: a sentinel that reads late may have to tell a
/// quiet moment from a leap of the clock first, and takes six pulses where it has seen neither side of it.
const BOUND: i64 = 6 * PULSE + 2_000;

/// What is the matter with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    NeverStarts,
    NeverFinishes,
    Fails,
    /// It comes, after its window.
    TooLate,
}

#[test]
#[expect(clippy::disallowed_macros, reason = "how much was looked at is part of what is promised")]
fn a_day_of_healthy_services_raises_no_stall_and_takes_nothing_back() {
    let day = Day::new(1, false).run();
    let proposals = day.counted.iter().filter(|(counter, _)| matches!(counter, Counter::ProposalVoid(_)));
    let void: usize = proposals.map(|(_, times)| times).sum();
    eprintln!(
        "{} records, {} of them twice, {void} void proposals",
        day.entries.len(),
        day.count(Counter::Duplicate)
    );
    assert_eq!(day.stalls, []);
    assert_eq!(day.said(EventType::RollbackRequested) + day.said(EventType::RolloutPaused), 0);
    assert_eq!(day.ended, vec![Status::Completed; ROLLOUTS]);
    assert!(day.entries.len() > 2 * SERVICES * ROLLOUTS && day.count(Counter::Duplicate) > 100);
}

#[test]
#[expect(clippy::disallowed_macros, reason = "how much was looked at is part of what is promised")]
fn of_the_faults_of_a_day_each_is_found_in_time_and_nothing_else() {
    let day = Day::new(2, true).run();
    let found: BTreeSet<_> = day.stalls.iter().map(|stall| (stall.0.clone(), stall.1.clone())).collect();
    let faults: BTreeSet<_> = day.faults.iter().map(|(at, _)| at.clone()).collect();
    eprintln!("{} records, {} faults, {} stalls", day.entries.len(), faults.len(), day.stalls.len());
    assert_eq!(found, faults, "found, and put there");
    assert_eq!(day.stalls.len(), day.faults.len(), "each is told once: {:?}", day.stalls);
    for (at, fault) in &day.faults {
        let (.., cause, late) =
            day.stalls.iter().find(|stall| (&stall.0, &stall.1) == (&at.0, &at.1)).expect("found");
        let expected = match fault {
            Fault::NeverStarts => "not_started",
            Fault::NeverFinishes | Fault::TooLate => "not_finished",
            Fault::Fails => "failed",
        };
        assert_eq!(cause, expected, "{at:?}, {fault:?}");
        assert!(*late <= BOUND, "{at:?}, {fault:?} was found {late} ms late");
    }
    for fault in [Fault::NeverStarts, Fault::NeverFinishes, Fault::Fails, Fault::TooLate] {
        assert!(day.faults.iter().any(|(_, put)| *put == fault), "{fault:?} was never put there");
    }
}

/// A rollout and a step of it.
type At = (String, String);

/// A day, its log, and two sentinels beside it.
struct Day {
    dice: Dice,
    faulty: bool,
    now: i64,
    entries: Vec<Entry>,
    /// What comes to the log later, by when.
    later: BTreeMap<i64, Vec<Event>>,
    sentinels: Vec<(Engine, usize)>,
    plan: Plan,
    ids: usize,
    /// The steps of each rollout that are full.
    full: BTreeMap<String, BTreeSet<usize>>,
    faults: Vec<(At, Fault)>,
    /// Rollout, step, cause, and how late it was accepted.
    stalls: Vec<(String, String, String, i64)>,
    counted: BTreeMap<Counter, usize>,
    ended: Vec<Status>,
}

impl Day {
    fn new(seed: u64, faulty: bool) -> Self {
        let mut dice = Dice::new(seed);
        let sentinel = |k: usize| {
            let mut engine = Engine::new(floor::domain(), format!("s{k}"));
            for input in [Input::Speaks(k == 0), Input::CaughtUp] {
                let _ = engine.handle(0, input);
            }
            (engine, 0)
        };
        Self {
            plan: layers(&mut dice, if faulty { OnStall::Alert } else { OnStall::Rollback }),
            dice,
            faulty,
            now: 0,
            entries: Vec::new(),
            later: BTreeMap::new(),
            sentinels: (0..2).map(sentinel).collect(),
            ids: 0,
            full: BTreeMap::new(),
            faults: Vec::new(),
            stalls: Vec::new(),
            counted: BTreeMap::new(),
            ended: Vec::new(),
        }
    }

    fn run(mut self) -> Self {
        let gap = DAY / i64::try_from(ROLLOUTS).expect("few");
        while self.now < DAY {
            self.now += 1_000;
            if self.now % gap == 1_000 {
                self.start(usize::try_from(self.now / gap).expect("few"));
            }
            let due: Vec<i64> = self.later.range(..=self.now).map(|(at, _)| *at).collect();
            for at in due {
                for event in self.later.remove(&at).into_iter().flatten() {
                    self.append(at, event);
                }
            }
            for k in [0, 1, 0, 1] {
                self.look(k);
            }
        }
        self
    }

    fn start(&mut self, n: usize) {
        let (rollout, plan) = (format!("r{n}"), self.plan.clone());
        let event = self.event(|log| log.start(&rollout, &plan));
        self.append(self.now, event);
        let fault = self.faulty.then(|| self.dice.pick(&FAULTS)).flatten();
        if let Some(fault) = fault {
            let step = self.plan.steps[self.dice.below(SERVICES)].id.to_string();
            self.faults.push(((rollout.clone(), step), fault));
        }
        for i in 0..10 {
            self.opens(&rollout, i, self.now);
        }
    }

    /// The step of a rollout opens: its service moves, sooner or later, and says so.
    fn opens(&mut self, rollout: &str, i: usize, at: i64) {
        let id = self.plan.steps[i].id.to_string();
        let fault =
            self.faults.iter().find(|(at, _)| (at.0.as_str(), &at.1) == (rollout, &id)).map(|put| put.1);
        let begins = at + self.dice.between(20, 5_000);
        let slow = self.dice.chance(20);
        let lasts = if slow { self.dice.between(250_000, 294_000) } else { self.dice.between(500, 60_000) };
        if fault == Some(Fault::NeverStarts) {
            return self.given_up(rollout, at);
        }
        self.says(rollout, i, begins, started("1.0.0"));
        if self.dice.chance(10) {
            // the service is restarted on its way and begins again
            self.says(rollout, i, begins + 400, started("1.0.0"));
        }
        match fault {
            None | Some(Fault::NeverStarts) => self.says(rollout, i, begins + lasts, complete()),
            Some(Fault::TooLate) => self.says(rollout, i, at + WINDOW + 20_000, complete()),
            Some(Fault::NeverFinishes) => self.given_up(rollout, at),
            Some(Fault::Fails) => {
                self.says(rollout, i, begins + lasts, failed("exit 1"));
                self.given_up(rollout, at);
            }
        }
    }

    /// Somebody ends a rollout that stands still, so that the next one may have its services.
    fn given_up(&mut self, rollout: &str, at: i64) {
        let event = self.event(|log| log.person(rollout, abort()));
        self.later.entry(at + WINDOW + 60_000).or_default().push(event);
    }

    fn says(&mut self, rollout: &str, i: usize, at: i64, body: Body) {
        let instance = format!("{}-0", self.plan.steps[i].expect.service);
        let event = self.event(|log| log.says(rollout, &instance, "2.0.0", body));
        if self.dice.chance(10) {
            let again = at + self.dice.between(1, 60_000);
            self.later.entry(again).or_default().push(event.clone());
        }
        self.later.entry(at).or_default().push(event);
    }

    fn event(&mut self, say: impl FnOnce(&mut Log) -> i64) -> Event {
        let mut scratch = Log::default();
        say(&mut scratch);
        let Some(Entry::Event(mut record)) = scratch.entries.pop() else { unreachable!("just appended") };
        self.ids += 1;
        record.event.envelope.id = EventId::new(format!("d{}", self.ids)).expect("a name");
        record.event
    }

    fn append(&mut self, at: i64, event: Event) {
        let rollout = event.envelope.rollout.as_ref().map(ToString::to_string);
        let service = event.envelope.service.as_ref().map(ToString::to_string);
        let completes = event.body.event_type() == EventType::DeploymentComplete;
        let offset = i64::try_from(self.entries.len()).expect("a day");
        self.entries.push(Entry::Event(Record { offset, at: Timestamp(at), event }));
        if let (true, Some(rollout), Some(service)) = (completes, rollout, service) {
            self.completed(&rollout, &service, at);
        }
    }

    fn completed(&mut self, rollout: &str, service: &str, at: i64) {
        let place = |service: &str| {
            self.plan.steps.iter().position(|step| step.expect.service.as_str() == service).expect("a step")
        };
        let i = place(service);
        let full = self.full.entry(rollout.to_owned()).or_default();
        if !full.insert(i) {
            return;
        }
        let full = full.clone();
        let after =
            |d: usize| self.plan.steps[d].after.iter().map(|id| place(id.as_str())).collect::<Vec<_>>();
        let due = |d: &usize| after(*d).contains(&i) && after(*d).iter().all(|a| full.contains(a));
        for d in (0..SERVICES).filter(due).collect::<Vec<_>>() {
            self.opens(rollout, d, at);
        }
    }

    /// A sentinel looks: at a heartbeat, at the log up to a record or two before its end.
    fn look(&mut self, k: usize) {
        let lag = if self.dice.chance(20) { self.dice.below(3) } else { 0 };
        let (now, end) = (self.now, self.entries.len().saturating_sub(lag));
        let mut effects = Vec::new();
        let (engine, read) = &mut self.sentinels[k];
        // a day of heartbeats of all is long; whose matter here are those of who owes something
        if let Some(service) = self.faults.last().map(|(at, _)| &at.1).filter(|_| now % 2_000 == 0) {
            let heartbeat = floor::heartbeat(&format!("{service}-0"), "hook");
            let input = Input::Heartbeat { heartbeat, offset: 0, at: Timestamp(now) };
            effects.extend(engine.handle(now, input));
        }
        while *read < end {
            let entry = self.entries[*read].clone();
            *read += 1;
            let accepted = engine.handle(now, Input::Read(entry.clone()));
            if k == 0 {
                note(&mut self.counted, &mut self.stalls, &mut self.ended, &entry, &accepted);
            }
            effects.extend(accepted);
        }
        effects.extend(engine.handle(now, Input::Tick));
        for effect in effects {
            if let Effect::Append(draft) = effect {
                let id = draft.id.clone();
                let mut event = self.event(|log| log.draft(&format!("s{k}"), Arc::unwrap_or_clone(draft)));
                event.envelope.id = id.unwrap_or(event.envelope.id);
                self.append(now, event);
            }
        }
    }

    fn count(&self, counter: Counter) -> usize {
        self.counted.get(&counter).copied().unwrap_or_default()
    }

    fn said(&self, event: EventType) -> usize {
        let said =
            |entry: &&Entry| matches!(entry, Entry::Event(record) if record.event.body.event_type() == event);
        self.entries.iter().filter(said).count()
    }
}

const FAULTS: [Option<Fault>; 5] =
    [None, Some(Fault::NeverStarts), Some(Fault::NeverFinishes), Some(Fault::Fails), Some(Fault::TooLate)];

/// Notes what the log said of an entry.
fn note(
    counted: &mut BTreeMap<Counter, usize>,
    stalls: &mut Vec<(String, String, String, i64)>,
    ended: &mut Vec<Status>,
    entry: &Entry,
    effects: &[Effect],
) {
    for effect in effects {
        if let Effect::Count(counter) = effect {
            *counted.entry(*counter).or_default() += 1;
        }
        if let Effect::Ended(end) = effect {
            ended.push(end.status);
        }
        if let (Effect::Append(draft), Entry::Event(record)) = (effect, entry)
            && let Body::RolloutStalled(said) = &draft.body
            && said.accepted == record.offset
        {
            let rollout = draft.rollout.clone().unwrap_or_else(|| rollout_id("none")).to_string();
            let late = said.deadline.map_or(0, |deadline| record.at.0 - deadline.0 - 250);
            stalls.push((rollout, said.step.to_string(), said.cause.as_str().to_owned(), late));
        }
    }
}

/// Five layers of ten services; each waits for two of the layer before.
fn layers(dice: &mut Dice, remedy: OnStall) -> Plan {
    let mut steps = Vec::new();
    for n in 0..SERVICES {
        let name = format!("svc{n}");
        let layer = n / 10;
        let before = |dice: &mut Dice| format!("svc{}", (layer - 1) * 10 + dice.below(10));
        let after: BTreeSet<String> =
            if layer == 0 { BTreeSet::new() } else { (0..2).map(|_| before(dice)).collect() };
        let after: Vec<&str> = after.iter().map(String::as_str).collect();
        let mut step = step(&name, &name, EventType::DeploymentComplete, &after);
        (step.within, step.on_stall) = (WINDOW, remedy);
        steps.push(step);
    }
    plan_of(&steps)
}
