//! Measures the engine by the job that stream engines are measured by.

pub mod job;
pub mod meter;
pub mod play;

use job::{Job, Move, Stall};
use meter::Meter;
use play::Play;

/// How many records are decoded and let go at a time, outside of what is measured: as a consumer hands them over.
const BATCH: usize = 64;

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What it cost, from the first record to the last verdict.
    pub spent: Meter,
    /// The stalls that were told, in the order of the files.
    pub stalls: Vec<Stall>,
}

/// Feeds these moves through the engine, and then lets every window pass.
pub fn run(job: &Job, moves: &[Move]) -> Outcome {
    let (mut spent, mut play) = (Meter::new(), Play::new(job));
    for (batch, moves) in moves.chunks(BATCH).enumerate() {
        let decode = |(i, step): (usize, &Move)| job.entry(step, batch * BATCH + i);
        let mut entries: Vec<_> = moves.iter().enumerate().map(decode).collect();
        spent.over(|| {
            play.look_ahead(&entries);
            for entry in &mut entries {
                play.hear(entry);
            }
        });
    }
    spent.over(|| play.end());
    Outcome { spent, stalls: play.told().0 }
}
