//! How many events a second the engine judges, beside the least that any engine must do for the same job.
//!
//! The job is the one that stream engines are measured by, fed as `pavane bench engine` feeds it. The floor is
//! a hash table of steps and a queue of deadlines: no rules, no alerts. Both run in this process, one after the other;
//! the ratio is what to quote. Records are decoded before the clock runs, a few at a time, as a consumer hands them over.
//!
//! `cargo bench -p pavane-sentinel-engine --bench events`, or with `-- 200000 10000` for so many rollouts of which so
//! many are open at once (0: all of them).

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "a bench reads the clock and prints"
)]
#![expect(clippy::disallowed_types, reason = "the floor is a hash table")]
#![allow(unreachable_pub, dead_code, reason = "the job is shared with the command that measures it")]

#[path = "../../../cli/src/bench/mod.rs"]
mod bench;

use std::collections::{HashMap, VecDeque};

use bench::job::{self, Job, Move, Shape};
use bench::meter::Meter;

/// As in what is shipped.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WINDOW: i64 = 250_000;

fn main() {
    let asked: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let sizes = match asked[..] {
        [rollouts] => vec![(rollouts, 0)],
        [rollouts, open, ..] => vec![(rollouts, open)],
        [] => vec![(200_000, 10_000), (200_000, 0)],
    };
    println!(
        "rollouts       open     events    engine ev/s  ev per CPU-s   floor per CPU-s   floor/engine   stalls"
    );
    for (rollouts, open) in sizes {
        run(rollouts, usize::try_from(open).expect("a count"));
    }
}

fn run(rollouts: u64, open: usize) {
    let made = job::made(if open == 0 { Shape::AllOpen } else { Shape::Rolling(open) }, rollouts, 42);
    let job = Job::new(&["A", "B", "C", "D"], WINDOW).expect("names");
    let bench::Outcome { spent: engine, stalls: told } = bench::run(&job, &made.moves);
    let (floor, expired) = floor(&made.moves);
    assert_eq!(told, made.stalls, "every stall is told, exactly once");
    assert_eq!(expired, made.stalls.len(), "the floor does the same job");
    let events = f64::from(u32::try_from(made.moves.len()).expect("a bench of a few million"));
    let on_wall = events / engine.wall.as_secs_f64();
    let rate = |spent: &Meter| events / spent.cpu.unwrap_or(spent.wall).as_secs_f64();
    println!(
        "{rollouts:>8} {open:>10} {events:>10} {on_wall:>14.0} {:>13.0} {:>17.0} {:>14.1} {:>8}",
        rate(&engine),
        rate(&floor),
        rate(&floor) / rate(&engine),
        told.len()
    );
}

/// The least that any engine must do: remember the step, queue the deadline, notice what expired.
fn floor(moves: &[Move]) -> (Meter, usize) {
    let mut spent = Meter::new();
    let expired = spent.over(|| walk(moves));
    (spent, expired)
}

fn walk(moves: &[Move]) -> usize {
    let mut open: HashMap<String, usize> = HashMap::new();
    let mut deadlines: VecDeque<(i64, String, usize)> = VecDeque::new();
    let mut expired = 0;
    for now in moves.iter().map(Some).chain([None]) {
        let at = now.map_or(i64::MAX, |step| step.at);
        while deadlines.front().is_some_and(|(due, ..)| *due <= at) {
            let Some((_, id, step)) = deadlines.pop_front() else { break };
            if open.get(&id) == Some(&step) {
                open.remove(&id);
                expired += 1;
            }
        }
        let Some(step) = now else { break };
        let id = step.rollout.as_str().to_owned();
        if step.step == 0 || open.get(&id) == Some(&step.step) {
            if step.step == 3 {
                open.remove(&id);
            } else {
                open.insert(id.clone(), step.step + 1);
                deadlines.push_back((at + WINDOW, id, step.step + 1));
            }
        }
    }
    expired
}
