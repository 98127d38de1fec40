//! Sentinels and sidecars, the real engines of both, on modelled partitions in virtual time: they lag, freeze, crash,
//! have wrong clocks, cannot read or cannot write; the broker goes away and its clock leaps; the group shares out anew;
//! records are late and come twice, and heartbeats in another order than the log; services hang, fail and will not
//! go back; people pause and roll back; somebody forges commands; receivers of alerts refuse.
//!
//! Three runs of four hold that nobody is harmed, whatever happens. The fourth has one fault that never ends, and
//! holds that all that it does not touch is done within its bound. The scoreboard stands at the end.
//!
//! ```text
//! cargo test -p pavane-tests --test simulation                      2,000 seeds (PAVANE_SEEDS=N for another number)
//! cargo test -p pavane-tests --test simulation -- --seed 17         one run again, told in lines
//! ```

#![cfg(test)]
#![expect(clippy::print_stdout, reason = "the scoreboard is what this program is for")]

#[path = "simulation/board.rs"]
mod board;
#[path = "simulation/checks.rs"]
mod checks;
#[path = "simulation/dance.rs"]
mod dance;
#[path = "simulation/dice.rs"]
mod dice;
#[path = "simulation/fault.rs"]
mod fault;
#[path = "../sentinel/engine/tests/floor/mod.rs"]
mod floor;
#[path = "simulation/group.rs"]
mod group;
#[path = "simulation/herald.rs"]
mod herald;
#[path = "simulation/justice.rs"]
mod justice;
#[path = "simulation/liveness.rs"]
mod liveness;
#[path = "simulation/manager.rs"]
mod manager;
#[path = "simulation/partition.rs"]
mod partition;
#[path = "simulation/people.rs"]
mod people;
#[path = "simulation/sentinel.rs"]
mod sentinel;
#[path = "simulation/sidecar.rs"]
mod sidecar;
#[path = "simulation/transcript.rs"]
mod transcript;
#[path = "simulation/voice.rs"]
mod voice;
#[path = "simulation/watch.rs"]
mod watch;
#[path = "simulation/watchman.rs"]
mod watchman;
#[path = "simulation/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use board::{Board, Zero};
use world::World;

/// How many seeds are run unless told otherwise.
const SEEDS: u64 = 2_000;

/// What a campaign must reach to count: a promise that was never at stake was not kept.
const MUST: [&str; 30] = [
    "Completed",
    "RolledBack",
    "Partial",
    "Aborted",
    "Duplicate",
    "Late",
    "ProposalVoid(\"RolloutStalled\")",
    "ProposalAccepted(\"RolloutStalled\")",
    "ProposalAccepted(\"RollbackRequested\")",
    "ProposalAccepted(\"RolloutPaused\")",
    "ProposalAccepted(\"RolloutPartial\")",
    "ProposalAccepted(\"ClockStepped\")",
    "Verdict(\"RolloutStalled\", \"failed\")",
    "Verdict(\"RolloutStalled\", \"not_started\")",
    "Verdict(\"RolloutStalled\", \"not_finished\")",
    "Verdict(\"RolloutStalled\", \"unreachable\")",
    "Verdict(\"RolloutStalled\", \"undelivered\")",
    "ProposalAccepted(\"PhaseBegun\")",
    "ProposalAccepted(\"InstancesCounted\")",
    "ProposalVoid(\"PhaseBegun\")",
    "Withdrawn",
    "Withdrawn(\"PhaseBegun\")",
    "breach",
    "queued",
    "hook db.Ready",
    "hook RollbackRequested",
    "hook uncertain",
    "began Anew",
    "began Restored",
    "began FromNext",
];

/// From how many seeds on everything must have been reached.
const CAMPAIGN: u64 = 1_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        println!("simulation: test");
        return ExitCode::SUCCESS;
    }
    match seed_of(&arguments) {
        Ok(Some(seed)) => tell_one(seed),
        Ok(None) if is_other(&arguments) => ExitCode::SUCCESS,
        Ok(None) => campaign(number("PAVANE_SEEDS").unwrap_or(SEEDS)),
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn seed_of(arguments: &[String]) -> Result<Option<u64>, String> {
    let place = arguments.iter().position(|argument| argument == "--seed");
    let Some(place) = place else { return Ok(number("PAVANE_SEED")) };
    let given = arguments.get(place + 1).ok_or("--seed wants a number")?;
    given.parse().map(Some).map_err(|_| format!("--seed wants a number, and {given:?} is none"))
}

/// Whether the test runner asks for tests of another name.
fn is_other(arguments: &[String]) -> bool {
    let names: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    !names.is_empty() && names.iter().all(|name| !"simulation".contains(name.as_str()))
}

/// A line of a run that is told.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// One run, told in lines.
fn tell_one(seed: u64) -> ExitCode {
    let board = play(seed, true);
    for (zero, what) in &board.broken {
        println!("BROKEN {zero:?}: {what}");
    }
    if board.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All runs, on as many threads as there are processors.
fn campaign(seeds: u64) -> ExitCode {
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let mut board = Board::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return board;
            }
            board.join(play(seed, false));
        }
    };
    let mut board = Board::default();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            board.join(worker.join().expect("a run that panics is caught"));
        }
    });
    println!("simulation: {}  in {} s on {threads} threads", board.text(&MUST), began.elapsed().as_secs());
    let missing = board.missing(&MUST);
    if seeds >= CAMPAIGN && !missing.is_empty() {
        println!("no seed reached {missing:?}");
        return ExitCode::FAILURE;
    }
    for (zero, what) in board.broken.iter().take(20) {
        println!("BROKEN {zero:?}: {what}");
    }
    if board.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The run of a seed. What it breaks names the seed and how to see it again.
fn play(seed: u64, loud: bool) -> Board {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut world = if seed % 4 == 3 {
            let (kind, who) = liveness::drawn(seed / 4);
            World::lasting(seed, kind, who, loud)
        } else {
            World::new(seed, loud)
        };
        world = world.run();
        world.check();
        if world.lasting.is_some() {
            world.check_lasting();
        }
        let mut board = Board::default();
        board.add(world.board, &world.struck);
        board
    }));
    let mut board = played.unwrap_or_else(|_| {
        let mut board = Board { runs: 1, ..Board::default() };
        board.break_promise(Zero::Agreement, "it panicked".to_owned());
        board
    });
    for (_, what) in &mut board.broken {
        *what = format!(
            "seed {seed}: {what}; again: cargo test -p pavane-tests --test simulation -- --seed {seed}"
        );
    }
    board
}
