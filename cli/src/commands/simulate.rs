//! `pavane simulate`: the tabletop exercise, a plan played against the real engines in virtual time.

pub(crate) mod progress;
pub(crate) mod scripts;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::Sender;
use std::time::Instant;

use clap::Args;
use pavane_events::Service;
use pavane_rehearsal::explore::Ground;
use pavane_rehearsal::transcript::Line;
use pavane_rehearsal::{
    Exploration, Judgement, Performance, Script, Sidecars, Stage, explore, judge, transcript,
};
use serde::Serialize;

use crate::commands::Context;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::{Failure, counted};
use crate::interrupt::interruptible;
use progress::Progress;

/// Plays a choreography in virtual time: its transcript, many seeds of it, or every fault at every step.
///
/// Sentinel and sidecars are the real engines; the log, the services and the people are played. Without a sidecar's
/// file a service gets a hook that takes a tenth of its window. Needs neither Kafka nor a registry.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane simulate users-v2.yaml                            how it goes when all goes well
  pavane simulate users-v2.yaml --scenario bad-day.yaml    what happens on a bad day
  pavane simulate bad-day.yaml --seed 7                    the scenario names its plan
  pavane simulate users-v2.yaml --runs 1000                a thousand seeds, each once
  pavane simulate users-v2.yaml --explore --pairs          every fault at every step, and pairs of them
  pavane simulate users-v2.yaml --explore --save found/    a scenario file for each thing that is found

Exit codes: 0 all is as expected, 1 something is not, 2 usage, 3 a file cannot be read or is not sound. \
The language of scenarios is in docs/plans.md; `pavane test` runs those that stand beside the plans.")]
pub struct Simulate {
    /// A choreography, or a scenario that names one.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A scenario to play instead of a plain start; may be given several times.
    #[arg(long, value_name = "FILE")]
    scenario: Vec<PathBuf>,
    /// A folder with the services' sidecar files; what they lack is made up from the plan.
    #[arg(long, value_name = "FOLDER")]
    sidecars: Option<PathBuf>,
    /// How many instances a service has, e.g. `user-service=20`; may be given several times.
    #[arg(long, value_name = "SERVICE=N", value_parser = fleet)]
    fleet: Vec<(Service, u32)>,
    /// The seed: the same seed is the same rehearsal for ever.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// How many seeds to play, from the seed on; more than one tells a summary and the first that fails.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Play every single fault at every step.
    #[arg(long, conflicts_with_all = ["scenario", "runs"])]
    explore: bool,
    /// Play pairs of faults too.
    #[arg(long, requires = "explore")]
    pairs: bool,
    /// The most pairs that are played, chosen by the seed.
    #[arg(long, default_value_t = 1_000, value_name = "N", requires = "pairs")]
    limit: usize,
    /// Write a scenario file into this folder for each thing that is found.
    #[arg(long, value_name = "FOLDER", requires = "explore")]
    save: Option<PathBuf>,
}

fn fleet(text: &str) -> Result<(Service, u32), String> {
    let (service, count) = text.split_once('=').ok_or("write e.g. `user-service=20`")?;
    let count = count.parse::<u32>().ok().filter(|count| *count <= 1_000);
    let service = Service::new(service).map_err(|error| error.to_string())?;
    Ok((service, count.ok_or("a service has 0 to 1000 instances")?))
}

/// A rehearsal for programs.
#[derive(Serialize)]
struct Played<'a> {
    scenario: &'a str,
    plan: &'a str,
    seed: u64,
    holds: bool,
    lines: Vec<Line>,
    rollouts: BTreeMap<String, &'static str>,
    expectations: &'a [Judgement],
}

impl Simulate {
    /// Plays it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let console = context.console.clone();
        interruptible("the rehearsal broke off", move || self.play(&console)).await
    }

    fn play(&self, console: &Console) -> Result<(), Failure> {
        let sidecars = self.sidecars.as_deref().map(scripts::sidecars).transpose()?.unwrap_or_default();
        if self.explore {
            return self.explore(console, &sidecars);
        }
        let mut failed = 0;
        for mut script in self.scripts()? {
            script.scenario.fleet.extend(self.fleet.iter().cloned());
            let stage = Stage::new(script, &sidecars);
            let holds =
                if self.runs == 1 { self.once(&stage, console)? } else { self.often(&stage, console)? };
            failed += usize::from(!holds);
        }
        if failed == 0 {
            return Ok(());
        }
        Err(Failure::new(Exit::Findings, format!("{} did not go as expected", counted(failed, "scenario"))))
    }

    fn scripts(&self) -> Result<Vec<Script>, Failure> {
        let own = scripts::of_file(&self.file)?;
        if self.scenario.is_empty() {
            return Ok(vec![own]);
        }
        self.scenario.iter().map(|file| scripts::of_scenario(file)).collect()
    }

    fn once(&self, stage: &Stage, console: &Console) -> Result<bool, Failure> {
        let performance = stage.play(self.seed);
        let judgements = judge(stage.script(), &performance);
        let holds = judgements.iter().all(|judgement| judgement.holds);
        let text = transcript::text(stage.script(), &performance, &judgements);
        let played = Played {
            scenario: &stage.script().scenario.name,
            plan: &stage.script().piece.plan().name,
            seed: self.seed,
            holds,
            lines: transcript::lines(stage.script(), &performance),
            rollouts: rollouts(&performance),
            expectations: &judgements,
        };
        console.data(&text, &played)?;
        Ok(holds)
    }

    /// Plays many seeds: how they ended, and the first that did not go as expected.
    fn often(&self, stage: &Stage, console: &Console) -> Result<bool, Failure> {
        let begun = Instant::now();
        let mut ends: BTreeMap<&'static str, u64> = BTreeMap::new();
        let mut failed = Vec::new();
        let mut line = Progress::default();
        self.all(stage, |seed, status, holds| {
            *ends.entry(status).or_default() += 1;
            if !holds {
                failed.push(seed);
            }
            line.tell(ends.values().sum(), self.runs);
        });
        failed.sort_unstable();
        let seconds = begun.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate that a person reads")]
        let rate = self.runs as f64 / seconds.max(f64::EPSILON);
        let name = &stage.script().scenario.name;
        let told: Vec<String> =
            ends.iter().map(|(status, n)| format!("{n} {}", status.replace('_', " "))).collect();
        let mut text = format!(
            "{name}: {} rehearsals: {}\n{rate:.0} rehearsals a second, {seconds:.1} s in all\n",
            self.runs,
            told.join(", ")
        );
        if let Some(first) = failed.first() {
            let performance = stage.play(*first);
            let judgements = judge(stage.script(), &performance);
            writeln!(text, "{} did not go as expected, the first of them:\n", counted(failed.len(), "seed"))
                .expect("a text takes all");
            text.push_str(&transcript::text(stage.script(), &performance, &judgements));
        }
        let json = serde_json::json!({
            "scenario": name, "runs": self.runs, "ends": ends, "failed_seeds": failed,
            "seconds": seconds, "runs_per_second": rate,
        });
        console.data(&text, &json)?;
        Ok(failed.is_empty())
    }

    /// Plays all seeds on all processors, and tells of each how it ended and whether all was as expected.
    fn all(&self, stage: &Stage, mut told: impl FnMut(u64, &'static str, bool)) {
        let (next, end) = (AtomicU64::new(self.seed), self.seed.saturating_add(self.runs));
        let (sender, results) = std::sync::mpsc::channel();
        let play = |sender: Sender<_>| {
            let mut seed = next.fetch_add(1, Relaxed);
            while seed < end {
                let performance = stage.play(seed);
                let status =
                    performance.status(None).map_or("not started", pavane_sentinel_engine::Status::as_str);
                let holds = judge(stage.script(), &performance).iter().all(|judgement| judgement.holds);
                if sender.send((seed, status, holds)).is_err() {
                    return;
                }
                seed = next.fetch_add(1, Relaxed);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get) {
                let (play, sender) = (&play, sender.clone());
                scope.spawn(move || play(sender));
            }
            drop(sender);
            for (seed, status, holds) in results {
                told(seed, status, holds);
            }
        });
    }

    fn explore(&self, console: &Console, sidecars: &Sidecars) -> Result<(), Failure> {
        let script = scripts::of_file(&self.file)?;
        let mut fleet = script.scenario.fleet.clone();
        fleet.extend(self.fleet.iter().cloned());
        let name =
            script.scenario.plan.clone().unwrap_or_else(|| named_from(&self.file, self.save.as_deref()));
        let pairs = if self.pairs { self.limit } else { 0 };
        let ground = Ground { piece: script.piece, name, fleet, seed: self.seed, pairs };
        let mut line = Progress::default();
        let found = explore(&ground, sidecars, &mut |done, total| line.tell(done as u64, total as u64));
        console.data(&found.to_text(), &found)?;
        if let Some(folder) = &self.save {
            save(&found, folder)?;
        }
        if found.is_sound() {
            return Ok(());
        }
        let findings = counted(found.findings.len(), "finding");
        let help = match &self.save {
            Some(folder) => {
                let (file, seed) = (folder.join(file_of(1)), found.findings[0].seed);
                format!("play one again: pavane simulate {} --seed {seed}", file.display())
            }
            None => "write a scenario file for each with --save FOLDER".to_owned(),
        };
        Err(Failure::new(Exit::Findings, findings).help(help))
    }
}

/// The plan's name as a scenario in that folder has to write it: absolute, unless both stand side by side.
fn named_from(file: &Path, folder: Option<&Path>) -> String {
    let beside = folder.is_none_or(|folder| file.parent() == Some(folder));
    let name = file.file_name().filter(|_| beside).map(Path::new);
    let whole = || file.canonicalize().unwrap_or_else(|_| file.to_owned());
    name.map_or_else(whole, Path::to_owned).display().to_string()
}

fn save(found: &Exploration, folder: &Path) -> Result<(), Failure> {
    let unwritable =
        |error| Failure::new(Exit::Invalid, format!("cannot write into {}", folder.display())).because(error);
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    for (finding, number) in found.findings.iter().zip(1..) {
        let file = folder.join(file_of(number));
        std::fs::write(file, &finding.scenario).map_err(unwritable)?;
    }
    Ok(())
}

/// The file of a finding; the names sort as the findings stand.
fn file_of(number: usize) -> String {
    format!("found-{number:03}.yaml")
}

fn rollouts(performance: &Performance) -> BTreeMap<String, &'static str> {
    let views = performance.view.rollouts.iter();
    views.map(|view| (view.id.to_string(), view.status.as_str())).collect()
}
