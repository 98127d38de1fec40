//! `pavane replay`: what a log decides when it is read again, and what another plan would have decided.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use clap::Args;
use pavane_bus::Raw;
use pavane_events::{Domain, Entry, RolloutId};
use pavane_sentinel_engine::View;
use serde_json::json;

use crate::commands::Context;
use crate::commands::simulate::progress::Progress;
use crate::console::Console;
use crate::document;
use crate::exit::Exit;
use crate::failure::{Failure, counted};
use crate::replay::asked::{self, Asked};
use crate::replay::comparison::Comparison;
use crate::replay::court::{Court, Told};
use crate::replay::line;
use crate::replay::range::Range;
use crate::replay::source::Records;

/// Reads a log again, and prints its verdicts with their offsets.
///
/// Every record is judged by the engine that the sentinel judges with: proposals accepted and void, decisions, refusals,
/// endings, and the alerts that follow. No clock is asked, so the same log prints the same bytes. The log is read from
/// its beginning whatever the range: the range says what is printed. Where its beginning is gone, what was folded of it is
/// taken from the newest snapshot before the range, and what that leaves out is said.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane replay                                                 all that the domain's log holds
  pavane replay --from 2026-01-05 --to 2026-01-06T12:00:00Z     what was decided in between
  pavane replay --rollout r-42 --output json                    one rollout, a JSON object a line
  pavane replay --export shop.jsonl                             and write the records into a file
  pavane replay --file shop.jsonl                               the same verdicts, without Kafka
  pavane replay --plan users-v2.yaml --from 2026-01-01          what a changed plan would have decided

With --plan the facts of services and people are replayed and judged by the other plan; what rests \
on a decision that was taken in one of the two alone is marked as unknown. How, is in docs/operations.md.

Exit codes: 0 done, 1 something was said as a verdict that the log did not accept, another plan would \
have decided otherwise, or nothing is of a rollout that --rollout names, 2 usage, 3 a file or a topic is \
not as it must be, 4 Kafka or the registry cannot be reached.")]
pub struct Replay {
    #[command(flatten)]
    range: Range,
    /// Write each record that is read into this file, a JSON object a line; nothing of a record is lost.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    export: Option<PathBuf>,
    /// Print what concerns this rollout alone; may be given several times.
    #[arg(long, value_name = "ROLLOUT")]
    rollout: Vec<RolloutId>,
    /// Tell what this choreography would have decided on the rollouts of its name, or on those that --rollout names.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
}

impl Replay {
    /// Reads and prints.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        // another plan is held against what was folded by none
        let (mut records, mut court) = if self.plan.is_some() {
            self.range.from_the_first(context).await?
        } else {
            self.range.judged(context).await?
        };
        let (console, domain) = (context.console, records.head().domain.clone());
        let mut comparison = self.comparison(&domain)?;
        let mut export = self.export(&records)?;
        let (mut progress, mut asked) = (Progress::default(), Asked::new(&self.rollout));
        while let Some((entry, raw)) = records.next().await? {
            if self.range.is_over(&entry) {
                break;
            }
            if let Some(export) = &mut export {
                export.put(&entry, raw.as_ref())?;
            }
            asked.read(&entry);
            if entry.offset() <= court.position() {
                continue;
            }
            let told = court.read(&entry)?;
            let is_asked_for = !self.range.is_before(&entry);
            match &mut comparison {
                Some(comparison) => comparison.read(entry, told, is_asked_for),
                None if is_asked_for => self.print(console, &told)?,
                None => {}
            }
            let (done, total) = records.progress();
            progress.tell(done.min(total.saturating_sub(1)), total);
        }
        progress.tell(1, 1);
        export.map_or(Ok(()), Export::end)?;
        asked.all_found(&court.view())?;
        match comparison {
            Some(comparison) => Self::compare(console, comparison, &court.view()),
            None => Self::conclude(console, &court),
        }
    }

    fn comparison(&self, domain: &Domain) -> Result<Option<Comparison>, Failure> {
        let Some(file) = &self.plan else { return Ok(None) };
        let plan = document::read(file)?.plan;
        Ok(Some(Comparison::new(domain.clone(), plan, self.rollout.iter().cloned().collect())))
    }

    fn compare(console: &Console, comparison: Comparison, then: &View) -> Result<(), Failure> {
        let compared = comparison.conclude(then)?;
        console.data(&compared.to_text(), &compared)?;
        if let Some(nobody) = asked::nobody(&compared, then) {
            console.warn(&nobody);
        }
        if compared.rollouts.iter().all(|one| one.changes.is_empty()) {
            Ok(())
        } else {
            Err(Failure::found())
        }
    }

    fn export(&self, records: &Records) -> Result<Option<Export>, Failure> {
        self.export.as_ref().map(|path| Export::begin(path, records)).transpose()
    }

    fn print(&self, console: &Console, told: &[Told]) -> Result<(), Failure> {
        let wanted = |told: &&Told| {
            self.rollout.is_empty() || told.rollout.as_ref().is_some_and(|id| self.rollout.contains(id))
        };
        for told in told.iter().filter(wanted) {
            console.data(&format!("{}\n", told.to_text()), told)?;
        }
        Ok(())
    }

    fn conclude(console: &Console, court: &Court) -> Result<(), Failure> {
        let sum = court.summary();
        let open = court.view().rollouts.iter().filter(|rollout| rollout.status.is_open()).count();
        let text = format!(
            "{} · {} accepted, {} void · {} ended, {open} open · {} unreadable, {} read before\n",
            counted(usize::try_from(sum.records).unwrap_or(usize::MAX), "record"),
            sum.accepted,
            sum.void,
            counted(usize::try_from(sum.ended).unwrap_or(usize::MAX), "rollout"),
            sum.unreadable,
            sum.duplicates
        );
        console.data(&text, &json!({ "summary": sum, "open": open }))?;
        if sum.unfounded > 0 {
            let n = counted(usize::try_from(sum.unfounded).unwrap_or(usize::MAX), "verdict");
            return Err(Failure::new(Exit::Findings, format!("{n} said that the log did not accept"))
                .help("look at who wrote them: the lines that say `unfounded`"));
        }
        Ok(())
    }
}

/// A file that the records are written into.
struct Export {
    name: String,
    out: BufWriter<File>,
}

impl Export {
    fn begin(path: &std::path::Path, records: &Records) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let file = File::create(path)
            .map_err(|error| Failure::new(Exit::Invalid, format!("cannot write {name}")).because(error))?;
        let mut export = Self { name, out: BufWriter::new(file) };
        let head = serde_json::to_string(records.head()).map_err(|error| export.failed(error))?;
        export.write(&head)?;
        Ok(export)
    }

    fn put(&mut self, entry: &Entry, raw: Option<&Raw>) -> Result<(), Failure> {
        let text = line::write(entry, raw).map_err(|error| self.failed(error))?;
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.out, "{text}").map_err(|error| self.failed(error))
    }

    fn end(mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
        Failure::new(Exit::Invalid, format!("cannot write {}", self.name)).because(error)
    }
}
