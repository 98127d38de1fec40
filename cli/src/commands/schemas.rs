//! `pavane schemas`: the wire contract, brought to the registry and to the readers' allow-list.

pub mod check;
pub mod diff;
pub mod docs;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use pavane_bus::registry::{PushOutcome, PushRequest, Pushed, push};
use pavane_bus::{Bus, Registry, Topic, Writer};
use serde::Serialize;
use serde_json::Value;

use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::{Failure, counted};
use crate::outage;

/// Where the services' own schemas are when nobody says.
const DEFAULT: &str = "schemas";

/// What one can do with schemas.
#[derive(Debug, Subcommand)]
pub enum Schemas {
    /// Says what a change of schemas breaks, which services of which teams, and in what order to roll it out.
    Check(check::Check),
    /// Shows what one schema changes against another, field by field, and who can read whom.
    Diff(diff::Diff),
    /// Writes a page of the services' own events: who says each, who reads it, and what is in it.
    Docs(docs::Docs),
    /// Registers the lifecycle's schemas and the services' own extensions of them.
    Push(Push),
    /// Lists the schemas that readers allow beside the built-in ones.
    List,
}

/// Registers the lifecycle's schemas and the services' own extensions of them.
///
/// Each subject is set to `FULL_TRANSITIVE` before anything is registered under it: old and new programs read
/// each other in any order. The fingerprints go to the allow-list that sidecars read by. A schema that does not
/// fit its earlier versions is refused (exit code 1), and keeps no other from being pushed.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane schemas push                  the built-in schemas and schemas/services/<service>/<Event>.avsc
  pavane schemas push --dry-run        ask the registry, change nothing")]
pub struct Push {
    /// A folder with services/<service>/<Event>.avsc; `schemas` when it is there.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Say what would be done, and change nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Outcome {
    schemas: Vec<OutcomeOne>,
}

#[derive(Serialize)]
struct OutcomeOne {
    subject: String,
    event: String,
    service: Option<String>,
    source: String,
    fingerprint: String,
    id: Option<u32>,
    /// `registered`, `present`, `would_register` or `refused`.
    outcome: &'static str,
    reasons: Vec<String>,
}

#[derive(Serialize)]
struct Allowed {
    schemas: Vec<Value>,
}

impl Schemas {
    /// Pushes or lists.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        match self {
            Self::Check(check) => check.run(context).await,
            Self::Diff(diff) => diff.run(context),
            Self::Docs(docs) => docs.run(context),
            Self::Push(push) => push.run(context).await,
            Self::List => list(context).await,
        }
    }
}

impl Push {
    async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let request = PushRequest { services: services(self.folder.as_deref())?, dry_run: self.dry_run };
        let pushed = if self.dry_run {
            let registry =
                Registry::new(&context.connection.registry_settings()?).map_err(outage::of_registry)?;
            push(&registry, &request).await.map_err(outage::of_registry)?
        } else {
            publish(&context.connection.bus().await?, &request).await?.0
        };
        let schemas: Vec<OutcomeOne> = pushed.into_iter().map(OutcomeOne::from).collect();
        let refused = schemas.iter().filter(|one| one.outcome == "refused").count();
        let human: String = schemas.iter().map(OutcomeOne::text).collect();
        context.console.data(&human, &Outcome { schemas })?;
        if refused == 0 {
            return Ok(());
        }
        Err(Failure::new(Exit::Findings, format!("refused: {}", counted(refused, "schema")))
            .help("add fields with defaults alone, and take away only fields that have one"))
    }
}

/// Registers all, then tells the readers; returns a writer too, since whoever pushes wants to write.
pub async fn publish(bus: &Bus, request: &PushRequest) -> Result<(Vec<Pushed>, Writer), Failure> {
    let pushed = push(bus.registry(), request).await.map_err(outage::of_registry)?;
    let writer = bus.writer().await.map_err(outage::of)?;
    for (key, row) in pushed.iter().filter(|one| one.service.is_some()).filter_map(Pushed::row) {
        writer.put(Topic::Schemas, &key, Some(row)).await.map_err(outage::of)?;
    }
    Ok((pushed, writer))
}

async fn list(context: Context<'_>) -> Result<(), Failure> {
    let bus = context.connection.bus().await?;
    let mut table = bus.table(Topic::Schemas).await.map_err(outage::of)?;
    let rows = table.load().await.map_err(outage::of)?;
    let read = |(key, row): (&String, &Vec<u8>)| {
        serde_json::from_slice::<Value>(row).map_err(|error| {
            Failure::new(Exit::Invalid, format!("cannot read the row {key} of the allow-list"))
                .because(error)
                .help("push the schemas again with `pavane schemas push`")
        })
    };
    let schemas = rows.iter().map(read).collect::<Result<Vec<Value>, Failure>>()?;
    let word = |row: &Value, field: &str| row[field].as_str().unwrap_or("-").to_owned();
    let line = |row: &Value| {
        let fingerprint: String = word(row, "fingerprint").chars().take(12).collect();
        format!(
            "{}.{}  {}  id {}  {fingerprint}\n",
            word(row, "service"),
            word(row, "event"),
            word(row, "subject"),
            row["id"]
        )
    };
    let human: String = schemas.iter().map(line).collect();
    context.console.data(&human, &Allowed { schemas })
}

/// The folder with the services' own schemas, if there is one. One that was named must be there.
fn services(folder: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let named = folder.unwrap_or(Path::new(DEFAULT));
    let inner = named.join("services");
    if inner.is_dir() {
        return Ok(Some(inner));
    }
    match folder {
        None => Ok(None),
        Some(folder) => Err(Failure::usage(format!("{} is no folder", inner.display()))
            .help(format!("put the schemas into {}/services/<service>/<Event>.avsc", folder.display()))),
    }
}

impl From<Pushed> for OutcomeOne {
    fn from(pushed: Pushed) -> Self {
        let (outcome, reasons) = match pushed.outcome {
            PushOutcome::Registered => ("registered", Vec::new()),
            PushOutcome::Present => ("present", Vec::new()),
            PushOutcome::WouldRegister => ("would_register", Vec::new()),
            PushOutcome::Refused(reasons) => ("refused", reasons),
        };
        let Pushed { source, subject, service, event, fingerprint, id, .. } = pushed;
        Self { subject, event, service, source, fingerprint, id, outcome, reasons }
    }
}

impl OutcomeOne {
    fn text(&self) -> String {
        let subject = if self.subject.is_empty() { &self.source } else { &self.subject };
        let id = self.id.map_or_else(String::new, |id| format!("  id {id}"));
        let head = format!("{:<14} {subject}{id}\n", self.outcome.replace('_', " "));
        let reasons = self.reasons.iter().flat_map(|reason| ["    ", reason, "\n"]);
        std::iter::once(head.as_str()).chain(reasons).collect()
    }
}
