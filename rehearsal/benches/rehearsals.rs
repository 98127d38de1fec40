//! How many rehearsals of a plan are played in a second: `cargo bench -p pavane-rehearsal`.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a bench measures time")]
#![expect(
    clippy::print_stdout,
    clippy::disallowed_macros,
    clippy::cast_precision_loss,
    reason = "it tells its figures"
)]

use std::sync::Arc;
use std::time::Instant;

use pavane_rehearsal::{Piece, Script, Sidecars, Stage};

/// Five steps in a row, five windows of five minutes, one instance each.
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
    for (steps, runs) in [(5, 3_000_u64), (20, 300), (60, 30)] {
        let plan = pavane_choreography::read(&chain(steps), "chain.yaml").expect("a good plan");
        let stage = Stage::new(Script::plain(Arc::new(Piece::new(plan))), &Sidecars::new());
        let began = Instant::now();
        let mut records = 0;
        for seed in 0..runs {
            let performance = stage.play(seed);
            assert_eq!(performance.endings.len(), 1, "seed {seed} has its end");
            records += performance.log.len();
        }
        let took = began.elapsed().as_secs_f64();
        let (rate, each) = (runs as f64 / took, records as f64 / runs as f64);
        println!("{steps:>3} steps: {rate:>7.0} rehearsals a second, {each:.0} records each");
    }
}
