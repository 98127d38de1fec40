//! `pavane demo`: the story, told in a terminal or handed out as JSON.

use clap::Args;

use crate::commands::Context;
use crate::demo::narrator::Narrator;
use crate::demo::report::{Act, Report};
use crate::exit::Exit;
use crate::failure::Failure;

/// Shows three rollouts in a minute: one completes, one breaks a contract, one hangs and goes back.
///
/// Everything is real but the broker, which librdkafka carries, and the registry, which is our own: both run
/// inside this process, so nothing needs to be installed. Exit code 0 only if the story came out as told.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane demo                              watch it
  pavane demo --headless --output json     one JSON object: acts, verdicts, alerts, times")]
pub struct Demo {
    /// Tell no story and lose no time; print what came of it.
    #[arg(long)]
    headless: bool,
}

impl Demo {
    /// Plays it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let silent = self.headless || context.console.is_json();
        let console = context.console.clone();
        let narrator = if silent { Narrator::silent(console) } else { Narrator::aloud(console) };
        let report = crate::demo::play(narrator).await?;
        if silent {
            context.console.data(&text(&report), &report)?;
        }
        let surprises = report.surprises();
        if surprises.is_empty() {
            return Ok(());
        }
        Err(Failure::new(Exit::Findings, "the story came out otherwise than told")
            .because(surprises.join("; ")))
    }
}

fn text(report: &Report) -> String {
    let acts: String = report.acts.iter().map(act_text).collect();
    format!("{acts}{:.1} s\n", report.seconds)
}

fn act_text(act: &Act) -> String {
    let alert = act.fault_to_alert_ms.map_or_else(String::new, |ms| format!(" · fault to alert {ms} ms"));
    let head = format!("{}: {}{alert}\n", act.name, act.outcome.replace('_', " "));
    let verdicts = act.verdict_lines().into_iter().flat_map(|line| ["  ".to_owned(), line, "\n".to_owned()]);
    std::iter::once(head).chain(verdicts).collect()
}
