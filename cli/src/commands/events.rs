//! `pavane events export`: the log in the languages of others.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use pavane_events::{Entry, RolloutId};
use serde_json::Value;

use crate::commands::Context;
use crate::exit::Exit;
use crate::export::{cdevents, cloudevents};
use crate::failure::{Failure, counted};
use crate::replay::range::Range;

/// What one can do with the events of a log.
#[derive(Debug, Subcommand)]
pub enum Events {
    /// Writes the records of a log as `CloudEvents` in JSON or as `CDEvents`, one object a line.
    Export(Export),
}

/// Writes the records of a log as `CloudEvents` in JSON or as `CDEvents`, one object a line.
///
/// As `CloudEvents` each record has the attributes that it has on Kafka, and its data as JSON. As `CDEvents` (0.5.1) records
/// become the standard's own types where it has one, and types `dev.cdeventsx.pavane-…` beside them; the table is in
/// docs/standards.md. Control records and records that nobody can read are left out as `CDEvents`, and counted.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane events export --domain shop > shop.jsonl
  pavane events export --format cdevents --rollout r-42
  pavane events export --format cdevents --wrapped       each in the CloudEvent that carries it
  pavane events export --file shop.log --format cdevents --out shop.cdevents.jsonl

Exit codes: 0 written, 2 usage, 3 a file cannot be read or written, 4 Kafka or the registry cannot be reached.")]
pub struct Export {
    /// The language.
    #[arg(long, value_enum, default_value_t = Language::Cloudevents, value_name = "LANGUAGE")]
    format: Language,
    /// Put each `CDEvent` into a `CloudEvent`, as a broker or webhook wants it.
    #[arg(long)]
    wrapped: bool,
    /// Write what concerns this rollout alone; may be given several times.
    #[arg(long, value_name = "ROLLOUT")]
    rollout: Vec<RolloutId>,
    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Which records of which log.
    #[command(flatten)]
    range: Range,
}

/// A language of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// `CloudEvents` 1.0, structured, in JSON.
    Cloudevents,
    /// `CDEvents` 0.5.1, in JSON.
    Cdevents,
}

impl Events {
    /// Writes.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        match self {
            Self::Export(export) => export.run(context).await,
        }
    }
}

impl Export {
    async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        if self.wrapped && self.format == Language::Cloudevents {
            return Err(Failure::usage("--wrapped is for CDEvents; a CloudEvent needs no other around it"));
        }
        let mut out = self.out.as_ref().map(|path| Sink::new(path)).transpose()?;
        let mut records = self.range.records(context).await?;
        let (mut written, mut left_out) = (0, 0);
        while let Some((entry, raw)) = records.next().await? {
            if self.range.is_over(&entry) {
                break;
            }
            if self.range.is_before(&entry) || !self.concerns(&entry) {
                continue;
            }
            let dataschema = raw.as_ref().and_then(|raw| raw.header("ce_dataschema"));
            let Some(rendered) = self.render(&entry, dataschema) else {
                left_out += 1;
                continue;
            };
            written += 1;
            match &mut out {
                Some(sink) => sink.put(&rendered)?,
                None => context.console.print(&format!("{rendered}\n"))?,
            }
        }
        out.map_or(Ok(()), Sink::end)?;
        let left = counted(left_out, "record");
        context.console.note(&format!("{} written, {left} left out", counted(written, "event")));
        Ok(())
    }

    fn concerns(&self, entry: &Entry) -> bool {
        let rollout = match entry {
            Entry::Event(record) => record.event.envelope.rollout.as_ref(),
            Entry::Unreadable(found) => found.rollout.as_ref(),
        };
        self.rollout.is_empty() || rollout.is_some_and(|id| self.rollout.contains(id))
    }

    fn render(&self, entry: &Entry, dataschema: Option<&str>) -> Option<Value> {
        let Entry::Event(record) = entry else { return None };
        match self.format {
            Language::Cloudevents => Some(cloudevents::render(record, dataschema)),
            Language::Cdevents => {
                let cdevent = cdevents::render(record)?;
                Some(if self.wrapped { cdevents::wrapped(&cdevent) } else { cdevent })
            }
        }
    }
}

/// A file that the events are written into.
struct Sink {
    name: String,
    out: BufWriter<File>,
}

impl Sink {
    fn new(path: &std::path::Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let file = File::create(path).map_err(|error| unwritable(&name, error))?;
        Ok(Self { name, out: BufWriter::new(file) })
    }

    fn put(&mut self, event: &Value) -> Result<(), Failure> {
        writeln!(self.out, "{event}").map_err(|error| unwritable(&self.name, error))
    }

    fn end(mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| unwritable(&self.name, error))
    }
}

fn unwritable(name: &str, error: std::io::Error) -> Failure {
    Failure::new(Exit::Invalid, format!("cannot write {name}")).because(error)
}
