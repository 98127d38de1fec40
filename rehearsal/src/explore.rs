//! Every single fault at every step of a plan, and pairs of them, each played to its end.
//!
//! Asked of each: does it end in a verdict or in success; is nobody left in silence; does a way back lead to one
//! version; how long did it take until somebody was told.

mod faults;
mod report;

use std::collections::BTreeMap;
use std::sync::Arc;

use pavane_events::{Body, Entry, Millis, Service};
use pavane_sentinel_engine::{AlertStatus, Status};
use serde::Serialize;

use crate::cast::Sidecars;
use crate::dice::Dice;
use crate::performance::{Noted, Performance};
use crate::piece::Piece;
use crate::promise;
use crate::scenario::{Cue, Scenario, write};
use crate::script::Script;
use crate::world::Stage;
use faults::Deed;

/// What is explored.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The plan.
    pub piece: Arc<Piece>,
    /// What the plan is called in the scenarios that are written of what is found.
    pub name: String,
    /// How many instances a service has.
    pub fleet: BTreeMap<Service, u32>,
    /// The seed of the first run.
    pub seed: u64,
    /// How many pairs of faults are played; none when 0.
    pub pairs: usize,
}

/// What came of an exploration.
#[derive(Clone, Debug, Serialize)]
pub struct Exploration {
    /// The name of the plan.
    pub plan: String,
    /// How many rehearsals were played.
    pub runs: usize,
    /// How many pairs there are, of which so many were played as were asked for.
    pub pairs: usize,
    /// What came of each kind of fault.
    pub kinds: Vec<Kind>,
    /// The fault that it took longest to tell.
    pub slowest: Option<Slowest>,
    /// The faults after which some services are back and some are not.
    pub partial: Vec<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// What came of the faults of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// The kind.
    pub kind: String,
    /// The rollout completed and nobody had to be told.
    pub absorbed: usize,
    /// The rollout completed, and somebody was told on the way.
    pub completed: usize,
    /// The rollout is rolled back.
    pub rolled_back: usize,
    /// The rollout stands still, and somebody was told.
    pub waits: usize,
    /// The rollout is rolled back in part.
    pub partial: usize,
    /// The longest time until somebody was told, in milliseconds; none when nobody had to be.
    pub slowest_ms: Option<Millis>,
}

/// The fault that it took longest to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Slowest {
    /// The fault.
    pub fault: String,
    /// How long it took, in milliseconds, from the fault, or from when the step could begin if that is later.
    pub after_ms: Millis,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub message: String,
    /// The faults that lead there.
    pub faults: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// The scenario that plays it again.
    pub scenario: String,
}

/// Plays everything. `progress` is told how many of how many runs are done.
pub fn explore(ground: &Ground, sidecars: &Sidecars, progress: &mut dyn FnMut(usize, usize)) -> Exploration {
    let deeds = faults::deeds(&ground.piece);
    let pairs = chosen_pairs(&deeds, ground);
    let total = 1 + deeds.len() + pairs.len();
    let mut found = Exploration {
        plan: ground.piece.plan().name.clone(),
        runs: 0,
        pairs: deeds.len() * deeds.len().saturating_sub(1) / 2,
        kinds: Vec::new(),
        slowest: None,
        partial: Vec::new(),
        findings: Vec::new(),
    };
    let singles = deeds.iter().map(|deed| vec![deed]);
    for case in std::iter::once(Vec::new()).chain(singles).chain(pairs) {
        found.play(ground, sidecars, &case);
        progress(found.runs, total);
    }
    found
}

impl Ground {
    /// The scenarios that an exploration plays: nothing is wrong, every single fault, the pairs.
    pub fn scripts(&self) -> Vec<Script> {
        let deeds = faults::deeds(&self.piece);
        let singles = deeds.iter().map(|deed| vec![deed]);
        let cases = std::iter::once(Vec::new()).chain(singles).chain(chosen_pairs(&deeds, self));
        cases.map(|case| script(self, &case)).collect()
    }
}

/// Pairs of faults: all where that is not too many, else as many as are asked for, chosen by the seed.
fn chosen_pairs<'d>(deeds: &'d [Deed], ground: &Ground) -> Vec<Vec<&'d Deed>> {
    let places = (0..deeds.len()).flat_map(|a| (a + 1..deeds.len()).map(move |b| (a, b)));
    let mut places: Vec<(usize, usize)> = places.collect();
    let mut dice = Dice::new(ground.seed);
    for last in (1..places.len()).rev() {
        let other = usize::try_from(dice.between(0, i64::try_from(last).unwrap_or(0))).unwrap_or(0);
        places.swap(last, other);
    }
    places.truncate(ground.pairs);
    places.sort_unstable();
    places.into_iter().map(|(a, b)| vec![&deeds[a], &deeds[b]]).collect()
}

impl Exploration {
    /// Whether nothing is wrong.
    pub const fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn play(&mut self, ground: &Ground, sidecars: &Sidecars, case: &[&Deed]) {
        let seed = ground.seed.wrapping_add(self.runs as u64);
        self.runs += 1;
        let stage = Stage::new(script(ground, case), sidecars);
        let performance = stage.play(seed);
        let names: Vec<String> = case.iter().map(ToString::to_string).collect();
        let mut wrong: Vec<String> = promise::broken(stage.script(), &performance)
            .iter()
            .map(|broken| broken.told().to_owned())
            .collect();
        wrong.extend(cries_wolf(case, &performance));
        wrong.extend(on_weak_evidence(case, &performance));
        for message in wrong {
            let comment = format!("{message}\nplay it with --seed {seed}");
            let scenario = write(&stage.script().scenario, &ground.name, &comment);
            self.findings.push(Finding { message, faults: names.clone(), seed, scenario });
        }
        self.count(case, &performance, &names.join(" and "));
    }

    fn count(&mut self, case: &[&Deed], performance: &Performance, name: &str) {
        let kind = match case {
            [] => "nothing is wrong",
            [one] => one.kind,
            _ => "two faults",
        };
        let place = self.kinds.iter().position(|row| row.kind == kind).unwrap_or_else(|| {
            self.kinds.push(Kind { kind: kind.to_owned(), ..Kind::default() });
            self.kinds.len() - 1
        });
        let told = detection(case, performance);
        let row = &mut self.kinds[place];
        match performance.status(None) {
            Some(Status::Completed) if told.is_none() => row.absorbed += 1,
            Some(Status::Completed) => row.completed += 1,
            Some(Status::RolledBack) => row.rolled_back += 1,
            Some(Status::Partial) => {
                row.partial += 1;
                self.partial.push(name.to_owned());
            }
            Some(Status::Open | Status::RollingBack | Status::Aborted | Status::Queued) | None => {
                row.waits += 1;
            }
        }
        if let Some(after_ms) = told {
            row.slowest_ms = row.slowest_ms.max(Some(after_ms));
            if self.slowest.as_ref().is_none_or(|slowest| slowest.after_ms < after_ms) {
                self.slowest = Some(Slowest { fault: name.to_owned(), after_ms });
            }
        }
    }
}

fn script(ground: &Ground, case: &[&Deed]) -> Script {
    let names: Vec<String> = case.iter().map(ToString::to_string).collect();
    let name = if names.is_empty() { "nothing is wrong".to_owned() } else { names.join(" and ") };
    let cues = case.iter().flat_map(|deed| deed.cues.iter().cloned());
    let mut timeline: Vec<Cue> = cues.collect();
    timeline.insert(0, Cue::start());
    timeline.extend(faults::approvals(&ground.piece));
    let scenario =
        Scenario { sentinels: 2, fleet: ground.fleet.clone(), timeline, ..Scenario::of_start(name) };
    Script { scenario, piece: Arc::clone(&ground.piece), others: BTreeMap::new() }
}

/// Somebody is woken, and nothing is wrong.
fn cries_wolf(case: &[&Deed], performance: &Performance) -> Option<String> {
    let first = performance.stalls().next().filter(|_| case.is_empty())?;
    Some(format!("nothing is wrong, and yet step {} stalls ({})", first.label("step"), first.label("cause")))
}

/// The sentinel takes a rollout back by itself on evidence that may mean something else.
fn on_weak_evidence(case: &[&Deed], performance: &Performance) -> Option<String> {
    let [deed] = case else { return None };
    let by_itself = |entry: &Entry| match entry {
        Entry::Event(record) => {
            let body = &record.event.body;
            matches!(body, Body::RollbackRequested(body) if body.accepted.is_some() && body.service.is_none())
        }
        Entry::Unreadable(_) => false,
    };
    let asked = performance.log.iter().find(|entry| deed.is_weak && by_itself(entry))?;
    let stall = performance.stalls().next().map_or("", |told| told.label("cause"));
    let at = crate::clock::moment(performance.moment(asked.at()));
    Some(format!("the sentinel takes the rollout back by itself at {at} ({stall})"))
}

/// How long it took from the fault, or from the beginning of the window in which it shows, to the first alert.
fn detection(case: &[&Deed], performance: &Performance) -> Option<Millis> {
    let cue = |noted: &Noted| match noted {
        Noted::Cue(number) => Some(*number),
        Noted::HookBegan { .. } | Noted::Over(_) | Noted::Told(_) => None,
    };
    // The first cue starts the rollout; those of the faults stand behind it.
    let faults = 1..=case.iter().map(|deed| deed.cues.len()).sum::<usize>();
    let mut begun =
        performance.notes.iter().filter(|note| cue(&note.what).is_some_and(|n| faults.contains(&n)));
    let burns = |told: &&crate::performance::Told| {
        told.alert.status == AlertStatus::Firing && told.label("severity") == "page"
    };
    let told = performance.told.iter().find(burns)?;
    let since = told.alert.since.map_or(0, |since| performance.moment(since));
    let begun = begun.rfind(|note| note.at <= told.at).map_or(0, |note| note.at);
    Some(told.at - since.max(begun))
}

impl std::fmt::Display for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.step, self.kind)
    }
}
