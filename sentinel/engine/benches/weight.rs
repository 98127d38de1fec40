//! What an open rollout weighs: the bytes that the engine has asked for, counted by the allocator, by each.
//!
//! The job is the one that the engine is measured by, all rollouts open at once. They are weighed twice: when all have begun,
//! and when all wait for their last step. All of the engine is weighed, the newest identities and the room that tables have
//! to spare included; records and what they are made of are let go before.
//!
//! `cargo bench -p pavane-sentinel-engine --bench weight`, or with `-- 10000` for so many rollouts.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a bench reads the clock and prints"
)]
#![allow(unreachable_pub, dead_code, reason = "the job is shared with the command that measures it")]

#[path = "../../../cli/src/bench/mod.rs"]
mod bench;

use std::alloc::System;

use bench::job::{self, Job, Move, Shape};
use bench::play::Play;
use cap::Cap;

/// Counts what is asked for and not yet given back; it limits nothing.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// The place of the last step but one.
const LAST_BUT_ONE: usize = 2;

fn main() {
    let asked: Vec<u64> = std::env::args().filter_map(|arg| arg.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![10_000, 200_000, 1_000_000] } else { asked };
    println!("    open  bytes each, begun  bytes each, before the last step");
    for rollouts in sizes {
        let [begun, late] = weigh(rollouts);
        println!("{rollouts:>8} {begun:>18} {late:>29}");
    }
}

/// What each of so many open rollouts weighs, when all have begun and when all wait for their last step.
fn weigh(rollouts: u64) -> [u64; 2] {
    let mut moves = job::made(Shape::AllOpen, rollouts, 42).moves;
    moves.retain(|step| step.step == 0);
    let job = Job::new(&["A", "B", "C", "D"], 1_000_000).expect("names");
    let before = MEMORY.allocated();
    let mut play = Play::new(&job);
    let mut weights = Vec::new();
    for step in 0..=LAST_BUT_ONE {
        for (number, begun) in moves.iter().enumerate() {
            let later = i64::try_from(step).expect("small") * 100_000;
            let next = Move { at: begun.at + later, rollout: begun.rollout.clone(), step };
            play.hear(&mut job.entry(&next, moves.len() * step + number));
        }
        assert_eq!(play.open() as u64, rollouts, "all are open");
        let more = (MEMORY.allocated() - before) as u64;
        weights.push(more / rollouts);
    }
    [weights[0], weights[LAST_BUT_ONE]]
}
