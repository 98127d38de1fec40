//! `pavane apply`: checks choreographies and publishes them under their names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use pavane_bus::{Bus, Topic};
use pavane_choreography::Published;
use pavane_events::{Domain, RolloutId};
use pavane_review::difference::{Difference, between};
use serde::Serialize;

use crate::commands::Context;
use crate::document::{self, Document};
use crate::exit::Exit;
use crate::failure::{Failure, Findings, counted};
use crate::fold::Fold;
use crate::outage;
use crate::speaker::Voice;

/// Checks choreographies and publishes them.
///
/// They can then be started by name, or by the event that their `trigger` names. All defects of all files are
/// reported in one go, each with file, line and column; nothing is published unless all files are sound. What was
/// published before under the name is compared, and what changed in meaning is told. A running rollout keeps the plan
/// that it started with.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane apply users-v2.yaml
  pavane apply --dry-run choreographies/*.yaml

Each choreography is created, changed, reworded (the same plan from another text) or unchanged. \
With --dry-run nothing is written; where Kafka is known, what would happen is told, else the \
files alone are checked.

Exit codes: 0 published, or with --dry-run sound; 2 usage, 3 a file cannot be read or is not sound, \
4 Kafka or the registry cannot be reached.")]
pub struct Apply {
    /// The choreographies.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Who.
    #[command(flatten)]
    voice: Voice,
}

#[derive(Serialize)]
struct Applied {
    dry_run: bool,
    choreographies: Vec<One>,
}

/// What became of one choreography.
#[derive(Serialize)]
struct One {
    name: String,
    outcome: Word,
    digest: String,
    steps: usize,
    /// Where it stands on the topic of choreographies; none when nothing was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    /// What changed in meaning; none unless it was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
    /// The open rollouts that go on by the plan that they started with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    running: Vec<RolloutId>,
}

/// What became of a choreography, in a word.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// Its file is sound; nobody looked at what is published.
    Sound,
    /// There was none of this name.
    Created,
    /// It means something else than before.
    Changed,
    /// The row that stood there cannot be read by this version.
    Replaced,
    /// It means the same and was written in another way.
    Reworded,
    /// It stands there already, letter by letter.
    Unchanged,
}

impl Apply {
    /// Checks all, then publishes all.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let documents = self.check()?;
        let choreographies = if self.dry_run && context.connection.kafka.is_none() {
            documents.iter().map(|document| One::new(document, Word::Sound)).collect()
        } else {
            self.publish(&documents, context).await?
        };
        let human: String = choreographies.iter().map(|one| one.to_text(self.dry_run)).collect();
        context.console.data(&human, &Applied { dry_run: self.dry_run, choreographies })
    }

    /// Reads every file before it says what is wrong with any.
    fn check(&self) -> Result<Vec<Document>, Failure> {
        let mut documents = Vec::new();
        let mut diagnostics = Vec::new();
        let mut names = BTreeMap::new();
        for file in &self.files {
            match document::read(file) {
                Ok(document) => {
                    if let Some(first) = names.insert(document.plan.name.clone(), file) {
                        return Err(twice(&document.plan.name, first, file));
                    }
                    documents.push(document);
                }
                Err(failure) => diagnostics.extend(failure.into_diagnostics()?),
            }
        }
        if diagnostics.is_empty() {
            return Ok(documents);
        }
        let (defects, files) = (counted(diagnostics.len(), "defect"), counted(self.files.len(), "file"));
        Err(Failure::new(Exit::Invalid, format!("{defects} in {files}; nothing was published"))
            .findings(Findings::Diagnostics(diagnostics)))
    }

    async fn publish(&self, documents: &[Document], context: Context<'_>) -> Result<Vec<One>, Failure> {
        let domain = context.connection.domain()?;
        let bus = context.connection.bus().await?;
        let mut outcomes = compare(&bus, &domain, documents).await?;
        if self.dry_run {
            return Ok(outcomes);
        }
        let writer = bus.writer().await.map_err(outage::of)?;
        for (document, outcome) in documents.iter().zip(&mut outcomes) {
            if outcome.outcome == Word::Unchanged {
                continue;
            }
            let at = jiff::Timestamp::now().to_string();
            let Document { plan, source } = document;
            let row = Published::new(plan.clone(), source.clone(), self.voice.by.clone(), at);
            let (key, value) = (Published::key(&domain, &plan.name), row.to_json().into_bytes());
            let appended = writer.put(Topic::Choreographies, &key, Some(value)).await.map_err(outage::of)?;
            outcome.offset = Some(appended.offset);
        }
        Ok(outcomes)
    }
}

/// Two files of one name: the later would be published over the earlier without a word.
fn twice(name: &str, first: &std::path::Path, second: &std::path::Path) -> Failure {
    let (first, second) = (first.display(), second.display());
    Failure::new(Exit::Invalid, format!("{first} and {second} are both named {name}; nothing was published"))
        .help("give each choreography a name of its own under `metadata`")
}

/// Holds each document against what is published under its name, and looks who still runs by the old plan.
async fn compare(bus: &Bus, domain: &Domain, documents: &[Document]) -> Result<Vec<One>, Failure> {
    let shelf = document::shelf(bus, domain).await?;
    let mut outcomes: Vec<One> = documents
        .iter()
        .map(|document| {
            let outcome = |word| One::new(document, word);
            match shelf.get(&document.plan.name) {
                None => outcome(Word::Created),
                Some(Err(_)) => outcome(Word::Replaced),
                Some(Ok(row)) if row.digest != document.plan.digest() => {
                    let difference = Some(between(&row.plan, &document.plan));
                    One { difference, ..outcome(Word::Changed) }
                }
                Some(Ok(row)) if row.source != document.source => outcome(Word::Reworded),
                Some(Ok(_)) => outcome(Word::Unchanged),
            }
        })
        .collect();
    let changes = |one: &One| matches!(one.outcome, Word::Changed | Word::Replaced);
    if outcomes.iter().any(changes) {
        let view = Fold::of(bus, domain).await?.view();
        for one in outcomes.iter_mut().filter(|one| changes(one)) {
            let open = view
                .rollouts
                .iter()
                .filter(|rollout| rollout.status.is_open() && rollout.choreography == one.name);
            one.running = open.map(|rollout| rollout.id.clone()).collect();
        }
    }
    Ok(outcomes)
}

impl One {
    fn new(document: &Document, outcome: Word) -> Self {
        let plan = &document.plan;
        Self {
            name: plan.name.clone(),
            outcome,
            digest: plan.digest(),
            steps: plan.steps.len(),
            offset: None,
            difference: None,
            running: Vec::new(),
        }
    }

    fn to_text(&self, dry_run: bool) -> String {
        let steps = counted(self.steps, "step");
        let mut text = format!(
            "{} {}: {steps}, digest {}\n",
            self.name,
            self.outcome.to_text(dry_run),
            &self.digest[..12]
        );
        if let Some(difference) = &self.difference {
            text.push_str(&indented(&difference.to_text()));
        }
        let keeps = |rollout: &RolloutId| {
            format!("  {rollout} keeps the plan that it started with: pavane diff --rollout {rollout}\n")
        };
        text.extend(self.running.iter().map(keeps));
        text
    }
}

impl Word {
    const fn to_text(self, dry_run: bool) -> &'static str {
        match (self, dry_run) {
            (Self::Sound, _) => "sound",
            (Self::Created, false) => "created",
            (Self::Created, true) => "would be created",
            (Self::Changed, false) => "changed",
            (Self::Changed, true) => "would be changed",
            (Self::Replaced, false) => "replaced what another version of pavane published",
            (Self::Replaced, true) => "would replace what another version of pavane published",
            (Self::Reworded, false) => "reworded, with no change in meaning",
            (Self::Reworded, true) => "would be reworded, with no change in meaning",
            (Self::Unchanged, _) => "unchanged",
        }
    }
}

fn indented(text: &str) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") };
    text.lines().map(line).collect()
}
