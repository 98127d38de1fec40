//! Two services, three steps, two sentinels, and every order in which what they do can come to the log, as far as there is
//! time: each state is held against what must always be true, the nearest first, so that what fails is shown by one of the
//! shortest logs on which it does.
//!
//! A sentinel may come to believe something at every state, with a clock that is right or one that is ahead; what it
//! writes then may come to the log at any time after, in any order, twice, or never. That holds all that a sentinel can do
//! which lags, is frozen, or dies. Two logs are one state when they hold the same but for where on the log it stands.
//!
//! It ends at a depth of twelve records, or when its time is over: 10 seconds, or `PAVANE_SCOPE_SECONDS`.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "how far it comes is a matter of time"
)]

#[path = "small_scope/acts.rs"]
mod acts;
#[path = "small_scope/checks.rs"]
mod checks;
mod floor;
#[path = "small_scope/key.rs"]
mod key;
#[path = "small_scope/tree.rs"]
mod tree;

use std::io::Write;
use std::time::{Duration, Instant};

use tree::Tree;

/// How many records come one after another at most, beyond a beginning.
const DEPTH: usize = 12;
/// For how long is looked where nobody asks for more.
const SECONDS: u64 = 10;
/// Every so manieth state, and each of the first levels, is led to its end.
const LED: usize = 64;

#[test]
fn whatever_order_things_come_in_what_must_be_true_is() {
    let begun = Instant::now();
    let limit = Duration::from_secs(asked_for("PAVANE_SCOPE_SECONDS").unwrap_or(SECONDS));
    let mut tree = Tree::new();
    let mut level = tree.beginnings();
    let (mut depth, mut ended, mut sizes) = (0, 0, vec![level.len()]);
    let is_over = loop {
        let mut next = Vec::new();
        let mut left = level.iter();
        let in_time = left.by_ref().all(|node| {
            let known = next.len();
            tree.look_beyond(*node, &mut next);
            for (n, new) in next.iter().enumerate().skip(known) {
                if depth < 2 || n.is_multiple_of(LED) {
                    tree.lead_to_its_end(*new);
                    ended += 1;
                }
            }
            begun.elapsed() < limit
        });
        depth += usize::from(left.next().is_none());
        sizes.push(next.len());
        tree.forget(&level);
        level = next;
        if !in_time || depth == DEPTH || level.is_empty() {
            break !in_time;
        }
    };
    let (states, records) = (sizes.iter().sum::<usize>(), tree.appended);
    let why = if is_over { "its time was over" } else { "there is no more" };
    let told = format!(
        "small scope: {states} states, every one up to {depth} records deep ({sizes:?}); {records} records were appended, {ended} \
         states led to their end; {why}; {:?}\n",
        tree.reached
    );
    // past what a test runner keeps to itself: how much was looked at is part of what is promised
    std::io::stderr().write_all(told.as_bytes()).expect("somebody takes lines");
    for must in ["Open", "Completed", "RollingBack", "RolledBack", "stalled", "paused", "void", "leap"] {
        assert!(tree.reached.contains_key(must), "nothing reached {must}: {:?}", tree.reached);
    }
}

fn asked_for(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}
