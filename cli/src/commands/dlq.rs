//! `pavane dlq`: the records that nobody could read, looked at, said anew or laid to rest.

mod letters;
mod picture;

use clap::{Args, Subcommand};
use pavane_bus::{Bus, DeadLetter, Settlement, Topic, wire};
use serde::Serialize;
use serde_json::Value;

use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::outage;
use crate::speaker::{self, Said, Voice};
use letters::Letters;
use picture::{Line, Shown, picture, table};

/// What one can do with dead letters.
#[derive(Debug, Subcommand)]
pub enum Dlq {
    /// Lists the dead letters that are still open, oldest first.
    List(List),
    /// Shows one: why it is dead, its headers, and its body as far as it can be read.
    Show(One),
    /// Says the event of one anew, under a new id that names the old one as its cause.
    #[command(after_help = "Refused while the record still cannot be read: publish its schema first.")]
    Replay(Replay),
    /// Lays one to rest; it is listed no more.
    Drop(Lay),
}

/// Which letters are listed.
#[derive(Args, Debug)]
pub struct List {
    /// Those too that were replayed or dropped.
    #[arg(long)]
    all: bool,
    /// How many at most, the newest of them.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

/// Which letter is meant.
#[derive(Args, Debug)]
pub struct One {
    /// The letter's id, as it is listed: TOPIC-PARTITION-OFFSET.
    id: String,
}

/// Which letter is said anew.
#[derive(Args, Debug)]
pub struct Replay {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    voice: Voice,
    /// Says whether it could be, and appends nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Which letter is laid to rest.
#[derive(Args, Debug)]
pub struct Lay {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    voice: Voice,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Serialize)]
struct Listed {
    letters: Vec<Line>,
    /// How many are open, beyond those that are listed too.
    open: usize,
}

#[derive(Serialize)]
struct Replayed {
    id: String,
    would_be_said: Option<String>,
    said: Option<Said>,
}

#[derive(Serialize)]
struct Laid {
    id: String,
    settled: &'static str,
}

impl Dlq {
    /// Does it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let bus = context.connection.bus().await?;
        match self {
            Self::List(list) => list.run(&bus, context).await,
            Self::Show(one) => show(&bus, &one.id, context).await,
            Self::Replay(replay) => replay.run(&bus, context).await,
            Self::Drop(lay) => lay.run(&bus, context).await,
        }
    }
}

impl List {
    async fn run(self, bus: &Bus, context: Context<'_>) -> Result<(), Failure> {
        let letters = Letters::read(bus, false).await?;
        let open = letters.held.values().filter(|(_, settled)| settled.is_none()).count();
        let lines = letters.order.iter().filter_map(|id| letters.held.get(id));
        let lines = lines.filter(|(_, settled)| self.all || settled.is_none());
        let mut lines: Vec<Line> =
            lines.map(|(letter, settled)| Line::of(letter, settled.as_ref())).collect();
        lines.drain(..lines.len().saturating_sub(self.limit));
        let human = table(&lines, open);
        context.console.data(&human, &Listed { letters: lines, open })
    }
}

async fn show(bus: &Bus, id: &str, context: Context<'_>) -> Result<(), Failure> {
    let (letter, settled) = Letters::read(bus, true).await?.take(id)?;
    let value = letter.raw.value.clone().unwrap_or_default();
    let headers = letter.raw.headers.iter().map(|(name, value)| {
        (name.clone(), value.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned())
    });
    let shown = Shown {
        by: settled.as_ref().map(|settled| settled.by.clone()),
        detail: settled.as_ref().map(|settled| settled.detail.clone()),
        headers: headers.collect(),
        bytes: value.len(),
        body: body(bus, &value).await,
        line: Line::of(&letter, settled.as_ref()),
    };
    context.console.data(&picture(&shown, &value), &shown)
}

impl Replay {
    async fn run(self, bus: &Bus, context: Context<'_>) -> Result<(), Failure> {
        let (letter, settled) = Letters::read(bus, true).await?.take(&self.one.id)?;
        refuse_settled(&letter, settled.as_ref())?;
        let log = Topic::Lifecycle.name(&bus.settings().prefix);
        if letter.raw.topic != log {
            let what = format!(
                "{} stood on {}, and only what stood on {log} can be said anew",
                letter.id, letter.raw.topic
            );
            return Err(Failure::new(Exit::Findings, what));
        }
        let (event, encoded) = match letter.read_again(bus).await.map_err(outage::of)? {
            Ok(read) => read,
            Err(defect) => {
                let what = format!("{} still cannot be read: {}", letter.id, defect.detail);
                return Err(Failure::new(Exit::Findings, what).help(
                    "publish its schema with `pavane schemas push`, or lay it to rest with `pavane dlq drop`",
                ));
            }
        };
        let event_type = event.body.event_type();
        if self.dry_run {
            let human = format!("{}: {event_type} could be said anew\n", letter.id);
            let would_be_said = Some(event_type.to_string());
            return context.console.data(&human, &Replayed { id: letter.id, would_be_said, said: None });
        }
        let old = event.envelope;
        let mut envelope = speaker::envelope(&old.domain, old.rollout.as_ref());
        envelope.causation = Some(old.id);
        (envelope.service, envelope.instance, envelope.zone) = (old.service, old.instance, old.zone);
        envelope.version = old.version;
        let id = envelope.id.clone();
        let writer = bus.writer().await.map_err(outage::of)?;
        let appended = writer.append_encoded(&envelope, event_type, encoded.value, &encoded.dataschema).await;
        let said = Said::new(id.clone(), appended.map_err(outage::of)?);
        let settlement = Settlement { how: "replayed".to_owned(), by: self.voice.by, detail: id.to_string() };
        writer.settle(&letter.id, &settlement).await.map_err(outage::of)?;
        let human = format!("{}: {event_type} said anew as {id} at offset {}\n", letter.id, said.offset);
        context.console.data(&human, &Replayed { id: letter.id, would_be_said: None, said: Some(said) })
    }
}

impl Lay {
    async fn run(self, bus: &Bus, context: Context<'_>) -> Result<(), Failure> {
        let (letter, settled) = Letters::read(bus, false).await?.take(&self.one.id)?;
        refuse_settled(&letter, settled.as_ref())?;
        let settlement = Settlement { how: "dropped".to_owned(), by: self.voice.by, detail: self.reason };
        let writer = bus.writer().await.map_err(outage::of)?;
        writer.settle(&letter.id, &settlement).await.map_err(outage::of)?;
        let human = format!("{}: laid to rest\n", letter.id);
        context.console.data(&human, &Laid { id: letter.id, settled: "dropped" })
    }
}

fn refuse_settled(letter: &DeadLetter, settled: Option<&Settlement>) -> Result<(), Failure> {
    settled.map_or(Ok(()), |settled| {
        let what = format!("{} was {} by {}: {}", letter.id, settled.how, settled.by, settled.detail);
        Err(Failure::new(Exit::Findings, what))
    })
}

/// The body by the schema that it was written with, where the registry has it and the bytes fit it.
async fn body(bus: &Bus, value: &[u8]) -> Option<Value> {
    let id = value.get(1..5).filter(|_| value[0] == 0)?;
    let id = u32::from_be_bytes(id.try_into().ok()?);
    let contract = bus.registry().contract(id).await.ok()?.ok()?;
    wire::to_json(&contract, value).ok()
}
