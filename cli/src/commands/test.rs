//! `pavane test`: the scenarios that stand beside the plans, each played and held against what it expects.

mod report;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pavane_rehearsal::{Judgement, Script, Sidecars, Stage, judge, transcript};
use serde::Serialize;

use crate::commands::Context;
use crate::commands::simulate::scripts;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::{Failure, Findings, counted};
use crate::files::{self, Kind};
use crate::interrupt::interruptible;

/// Runs the scenarios of choreographies: the `tests:` of each, and the files of kind `Scenario`.
///
/// Reads files and folders, folders with all that lies in them. Every scenario is played in virtual time against the
/// real engines, and held against what it expects; nobody may be left in silence, and a way back must lead to one
/// version. Needs neither Kafka nor a registry.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane test                                   all scenarios here and below
  pavane test choreographies/ --runs 100        a hundred seeds of each
  pavane test --format junit > scenarios.xml    for CI

Exit codes: 0 all is as expected, 1 something is not, 2 usage, 3 a file cannot be read or is not sound, \
or there is no scenario.
The language of scenarios is in docs/plans.md.")]
pub struct Test {
    /// Files and folders.
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The form of the results; the default follows --output.
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<Form>,
    /// A folder with the services' sidecar files; what they lack is made up from the plan.
    #[arg(long, value_name = "FOLDER")]
    sidecars: Option<PathBuf>,
    /// The first seed.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// How many seeds of each scenario to play.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
}

/// The form of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Text for people; a scenario that fails with its transcript.
    Human,
    /// One JSON object.
    Json,
    /// `JUnit` XML, one suite a file.
    Junit,
}

/// What came of one scenario.
#[derive(Debug, Serialize)]
struct Outcome {
    file: String,
    scenario: String,
    /// The seed that failed, or the last that was played.
    seed: u64,
    holds: bool,
    expectations: Vec<Judgement>,
    /// How it went, where it failed; empty otherwise.
    #[serde(skip_serializing_if = "String::is_empty")]
    transcript: String,
}

impl Test {
    /// Finds the scenarios, plays them and tells.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let console = context.console.clone();
        interruptible("the rehearsal broke off", move || self.play(&console)).await
    }

    fn play(&self, console: &Console) -> Result<(), Failure> {
        let sidecars = self.sidecars.as_deref().map(scripts::sidecars).transpose()?.unwrap_or_default();
        let results: Vec<Outcome> =
            self.scripts()?.into_iter().map(|(file, script)| self.test(&file, script, &sidecars)).collect();
        if results.is_empty() {
            let help = "write `tests:` into a choreography, or a file of `kind: Scenario`; see docs/plans.md";
            return Err(Failure::new(Exit::Invalid, "there is no scenario").help(help));
        }
        let usual = if console.is_json() { Form::Json } else { Form::Human };
        match self.format.unwrap_or(usual) {
            Form::Human => console.print(&report::human(&results))?,
            Form::Json => console.print(&report::json(&results))?,
            Form::Junit => console.print(&report::junit(&results))?,
        }
        let failed = results.iter().filter(|result| !result.holds).count();
        if failed == 0 {
            return Ok(());
        }
        let message = format!("{failed} of {} did not go as expected", counted(results.len(), "scenario"));
        Err(Failure::new(Exit::Findings, message))
    }

    /// Every scenario of every file; or every defect of all of them.
    fn scripts(&self) -> Result<Vec<(String, Script)>, Failure> {
        let files = files::read(&self.paths, &[])?;
        files.whole()?;
        let (mut all, mut defects) = (Vec::new(), files.garbled);
        for file in &files.read {
            let read = match file.kind {
                Kind::Scenario => scripts::scenario(file).map(|script| vec![script]),
                Kind::Choreography => scripts::of_choreography(file),
                Kind::Sidecar | Kind::Sentinel | Kind::Schema { .. } | Kind::Other if file.named => {
                    let what = format!("{} is neither a choreography nor a scenario", file.name);
                    return Err(Failure::new(Exit::Invalid, what));
                }
                Kind::Sidecar | Kind::Sentinel | Kind::Schema { .. } | Kind::Other => continue,
            };
            match read {
                Ok(scripts) => all.extend(scripts.into_iter().map(|script| (file.name.clone(), script))),
                Err(failure) => defects.extend(failure.into_diagnostics()?),
            }
        }
        if defects.is_empty() {
            return Ok(all);
        }
        let message = format!("{}; no scenario was played", counted(defects.len(), "defect"));
        Err(Failure::new(Exit::Invalid, message).findings(Findings::Diagnostics(defects)))
    }

    fn test(&self, file: &str, script: Script, sidecars: &Sidecars) -> Outcome {
        let stage = Stage::new(script, sidecars);
        let mut result = Outcome {
            file: file.to_owned(),
            scenario: stage.script().scenario.name.clone(),
            seed: self.seed,
            holds: true,
            expectations: Vec::new(),
            transcript: String::new(),
        };
        for seed in self.seed..self.seed.saturating_add(self.runs) {
            let performance = stage.play(seed);
            (result.seed, result.expectations) = (seed, judge(stage.script(), &performance));
            result.holds = result.expectations.iter().all(|judgement| judgement.holds);
            if !result.holds {
                result.transcript = transcript::text(stage.script(), &performance, &result.expectations);
                break;
            }
        }
        result
    }
}
