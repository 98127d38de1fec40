//! Of two rollouts that touch the same service, the first start on the log owns it. At every offset a service has one
//! owner at most, and who starts later is refused where it stands, by name, or waits where its plan says so.
//!
//! `PAVANE_SEEDS=N` tries that many pairs (1,000 by default); a failure names its seed.

mod floor;
mod history;

use std::collections::BTreeMap;
use std::sync::Arc;

use floor::{Log, abort, complete, go_back, plan_of, ready, rollout_id, step};
use history::dice::{Dice, seeds};
use history::reading::Reading;
use pavane_choreography::{Concurrency, Plan, Step};
use pavane_events::{Body, Entry, EventType};
use pavane_sentinel_engine::{Effect, Engine, Input, Status};

const SERVICES: [&str; 4] = ["db", "users", "chat", "mail"];

#[test]
fn of_a_thousand_pairs_every_service_has_one_owner_at_every_offset() {
    let pairs = seeds(1_000);
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..pairs {
        *outcomes.entry(pair(seed)).or_default() += 1;
    }
    for outcome in ["refused", "queued and begun", "queued", "after its end"] {
        assert!(pairs < 100 || outcomes.contains_key(outcome), "no pair was {outcome}: {outcomes:?}");
    }
}

/// Two rollouts that share a service, each danced as chance will have it. Says what became of the later one.
fn pair(seed: u64) -> &'static str {
    let mut dice = Dice::new(seed);
    let shared = dice.pick(&SERVICES);
    let (first, later) = (draw(&mut dice, shared), draw(&mut dice, shared));
    let mut stage = Pair::new(seed);
    stage.start("r1", &first);
    for _ in 0..dice.below(6) {
        stage.happens(&mut dice, &[("r1", &first)]);
    }
    let ended = !stage.is_under_way("r1");
    let offset = stage.start("r2", &later);
    let refusal = stage.refusal_of(offset);
    let queues = later.concurrency == Concurrency::Queue;
    let outcome = match (ended, queues) {
        (true, _) => "after its end",
        (false, true) => "queued",
        (false, false) => "refused",
    };
    let what = format!("seed {seed}: {outcome}: {refusal:?}");
    match &refusal {
        Some((code, reason)) => {
            assert_eq!((outcome, code.as_str()), ("refused", "conflict"), "{what}");
            assert!(
                reason.contains("rollout r1") && touched(&later).any(|s| reason.starts_with(s)),
                "{what}"
            );
            assert!(stage.engine.rollout(&rollout_id("r2")).is_none(), "{what}");
        }
        None => assert_ne!(outcome, "refused", "{what}"),
    }
    for _ in 0..12 {
        stage.happens(&mut dice, &[("r1", &first), ("r2", &later)]);
    }
    let begun = stage.engine.rollout(&rollout_id("r2")).is_some_and(|view| view.status != Status::Queued);
    if outcome == "queued" && begun { "queued and begun" } else { outcome }
}

/// A plan of some services, one of them this one.
fn draw(dice: &mut Dice, shared: &str) -> Plan {
    let others: Vec<_> = SERVICES.into_iter().filter(|other| *other != shared && dice.chance(40)).collect();
    let mut steps: Vec<Step> = Vec::new();
    for service in std::iter::once(shared).chain(others) {
        let event = if service == "db" { EventType::Ready } else { EventType::DeploymentComplete };
        let before: Vec<String> = steps.iter().map(|step| step.id.to_string()).collect();
        let after = before.last().map(String::as_str);
        steps.push(step(service, service, event, after.as_slice()));
    }
    let mut plan = plan_of(&steps);
    if dice.chance(50) {
        plan.concurrency = Concurrency::Queue;
    }
    plan
}

fn touched(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.steps.iter().map(|step| step.expect.service.as_str())
}

/// A log, the sentinel beside it, and who owns what.
struct Pair {
    seed: u64,
    log: Log,
    engine: Engine,
    read: usize,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let engine = Engine::new(floor::domain(), "s1".to_owned());
        let mut pair = Self { seed, log: Log::default(), engine, read: 0 };
        for input in [Input::Speaks(true), Input::CaughtUp] {
            pair.feed(input);
        }
        pair
    }

    fn start(&mut self, rollout: &str, plan: &Plan) -> i64 {
        let offset = self.log.start(rollout, plan);
        self.settle();
        offset
    }

    /// One of the rollouts goes on, ends, or goes back.
    fn happens(&mut self, dice: &mut Dice, plans: &[(&str, &Plan)]) {
        let (rollout, plan) = dice.pick(plans);
        self.log.time += dice.pick(&[5, 400]);
        let step = &plan.steps[dice.below(plan.steps.len())];
        let instance = format!("{}-0", step.expect.service);
        match dice.below(12) {
            0 => drop(self.log.person(rollout, abort())),
            1 => drop(self.log.person(rollout, go_back())),
            2 => {
                let epoch = self.engine.rollout(&rollout_id(rollout)).map_or(1, |view| view.epoch);
                self.log.says(rollout, &instance, "2.0.0", floor::back(epoch));
            }
            _ if step.expect.event == EventType::Ready => {
                self.log.says(rollout, &instance, "2.0.0", ready());
            }
            _ => drop(self.log.says(rollout, &instance, "2.0.0", complete())),
        }
        self.settle();
    }

    /// Reads to the end, carries out what is to be written, and looks at each offset who owns what.
    fn settle(&mut self) {
        while let Some(entry) = self.log.entries.get(self.read).cloned() {
            self.read += 1;
            self.feed(Input::Read(entry.clone()));
            self.one_owner_each(entry.offset());
        }
    }

    fn feed(&mut self, input: Input) {
        for effect in self.engine.handle(self.log.time, input) {
            if let Effect::Append(draft) = effect {
                self.log.draft("s1", Arc::unwrap_or_clone(draft));
            }
        }
    }

    fn one_owner_each(&self, offset: i64) {
        let mut owners: BTreeMap<String, String> = BTreeMap::new();
        for view in self.engine.view().rollouts.iter().filter(|view| view.status.is_open()) {
            for step in &view.steps {
                let other = owners.insert(step.service.clone(), view.id.to_string());
                let (seed, service) = (self.seed, &step.service);
                assert!(other.is_none(), "seed {seed}: {service} has {other:?} and {} at {offset}", view.id);
            }
        }
    }

    fn is_under_way(&self, rollout: &str) -> bool {
        self.engine.rollout(&rollout_id(rollout)).is_some_and(|view| view.status.is_open())
    }

    /// The code and the reason with which the log refuses what stands at an offset.
    fn refusal_of(&self, offset: i64) -> Option<(String, String)> {
        self.log.entries.iter().find_map(|entry| {
            let Entry::Event(record) = entry else { return None };
            let Body::CommandRefused(refused) = &record.event.body else { return None };
            (refused.cites == offset).then(|| (refused.code.clone(), refused.reason.clone()))
        })
    }
}

#[test]
fn another_reader_of_the_same_log_names_the_same_owners() {
    for seed in 0..seeds(1_000).min(100) {
        let mut dice = Dice::new(seed);
        let (first, later) = (draw(&mut dice, "users"), draw(&mut dice, "users"));
        let mut stage = Pair::new(seed);
        stage.start("r1", &first);
        stage.start("r2", &later);
        for _ in 0..12 {
            stage.happens(&mut dice, &[("r1", &first), ("r2", &later)]);
        }
        let other = Reading::of(&stage.log.entries);
        assert!(
            other.engine.snapshot() == stage.engine.snapshot(),
            "seed {seed}: another reader holds something else"
        );
    }
}
