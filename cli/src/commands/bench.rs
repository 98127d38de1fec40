//! `pavane bench`: how fast the sentinel's engine judges.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::bench::{self, job::Job, meter};
use crate::commands::{Context, start};
use crate::exit::Exit;
use crate::failure::Failure;

/// Measures the sentinel.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Feeds a file of events through the sentinel's engine and says what it cost.
    Engine(Engine),
}

/// Feeds a file of events through the sentinel's engine and says what it cost.
///
/// The file holds a line per event, `ts_ms,id,step`, in the order of time. Each id is a rollout with services of its own;
/// the first step starts it, and every other one must come within the window of the one before. The engine is the one that
/// sentinels run: whatever it says goes over a log in memory and is read back, and at the end every window passes.
/// Needs neither Kafka nor a registry. Reading the file is not measured.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane bench engine --events max200k.csv --sequence A,B,C,D --window 250s --alerts told.csv

Exit codes: 0 measured, 2 usage, 3 the file cannot be read.")]
pub struct Engine {
    /// The events.
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// The steps in their order; the first one starts a rollout.
    #[arg(long, value_name = "STEP,…", value_delimiter = ',', required = true)]
    sequence: Vec<String>,
    /// How long after the step before a step must come, e.g. `250s`.
    #[arg(long, value_name = "TIME", value_parser = start::length)]
    window: Duration,
    /// Write the stalls here, each as `id,missing_step,deadline_ms`.
    #[arg(long, value_name = "FILE")]
    alerts: PathBuf,
}

impl Bench {
    /// Measures what is asked for.
    pub fn run(self, context: Context<'_>) -> Result<(), Failure> {
        match self {
            Self::Engine(engine) => engine.run(context),
        }
    }
}

impl Engine {
    fn run(self, context: Context<'_>) -> Result<(), Failure> {
        if self.sequence.len() < 2 {
            return Err(Failure::usage("a sequence has two steps at least").help("e.g. --sequence A,B,C,D"));
        }
        let steps: Vec<&str> = self.sequence.iter().map(String::as_str).collect();
        let window = i64::try_from(self.window.as_millis()).unwrap_or(i64::MAX);
        let job = Job::new(&steps, window).map_err(|error| Failure::usage(error.to_string()))?;
        let file = self.events.display();
        let unread = || Failure::new(Exit::Invalid, format!("cannot read {file}"));
        let text = std::fs::read_to_string(&self.events).map_err(|error| unread().because(error))?;
        let moves =
            job.read(&text).map_err(|defect| Failure::new(Exit::Invalid, format!("{file}: {defect}")))?;
        drop(text);
        let outcome = bench::run(&job, &moves);
        write(&self.alerts, &outcome.stalls)?;
        let spent = outcome.spent;
        let (wall, cpu) = (spent.wall.as_secs_f64(), spent.cpu.map(|cpu| cpu.as_secs_f64()));
        let told = json!({
            "events": moves.len(),
            "wall_seconds": wall,
            "cpu_seconds": cpu,
            "peak_rss_bytes": meter::peak_memory(),
        });
        context.console.print(&format!("{told}"))
    }
}

fn write(path: &Path, stalls: &[bench::job::Stall]) -> Result<(), Failure> {
    let mut text = String::new();
    for stall in stalls {
        writeln!(text, "{},{},{}", stall.rollout, stall.missing, stall.deadline).expect("a text takes all");
    }
    let unwritten = || Failure::new(Exit::Invalid, format!("cannot write {}", path.display()));
    std::fs::write(path, text).map_err(|error| unwritten().because(error))
}
