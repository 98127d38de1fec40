//! How many rehearsals of a plan are played in a second: `cargo bench -p pavane-rehearsal`; with `-- 20`, for a plan
//! of twenty steps alone.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a bench measures time")]
#![expect(
    clippy::print_stdout,
    clippy::disallowed_macros,
    clippy::cast_precision_loss,
    reason = "it tells its figures"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pavane_rehearsal::{Piece, Script, Sidecars, Stage};

/// So many steps in a row, each with a window of five minutes and one instance.
fn chain(steps: usize) -> String {
    let mut text = String::from(
        "apiVersion: pavane/v1\nkind: Choreography\nmetadata: { name: chain, owner: identity }\nsteps:\n",
    );
    for i in 0..steps {
        let after = if i == 0 { String::new() } else { format!("    after: [s{}]\n", i - 1) };
        text = format!("{text}  - id: s{i}\n{after}    expect: svc{i}.DeploymentComplete\n    within: 5m\n");
    }
    text
}

fn main() {
    let wanted: Option<usize> = std::env::args().find_map(|word| word.parse().ok());
    for (steps, runs) in [(5, 3_000_u64), (20, 300), (60, 60)] {
        if wanted.is_none_or(|wanted| wanted == steps) {
            play(steps, runs);
        }
    }
}

/// Plays a plan with many seeds, and beside it copies each log once, as a yardstick for the machine.
fn play(steps: usize, runs: u64) {
    let plan = pavane_choreography::read(&chain(steps), "chain.yaml").expect("a good plan");
    let stage = Stage::new(Script::plain(Arc::new(Piece::new(plan))), &Sidecars::new());
    let (mut playing, mut copying, mut records) = (Duration::ZERO, Duration::ZERO, 0);
    for seed in 0..runs {
        let began = Instant::now();
        let performance = stage.play(seed);
        playing += began.elapsed();
        assert_eq!(performance.endings.len(), 1, "seed {seed} has its end");
        records += performance.log.len();
        let began = Instant::now();
        black_box(performance.log.clone());
        copying += began.elapsed();
    }
    let (rate, each) = (runs as f64 / playing.as_secs_f64(), records as f64 / runs as f64);
    let times = playing.as_secs_f64() / copying.as_secs_f64();
    println!(
        "{steps:>3} steps: {rate:>7.0} rehearsals a second, {each:.0} records each; \
         {times:.1} times as long as a copy of the log"
    );
}
