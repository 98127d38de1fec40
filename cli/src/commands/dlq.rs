//! `pavane dlq`: the records that nobody could read, looked at, said anew or laid to rest.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{Args, Subcommand};
use pavane_bus::{Bus, DeadLetter, LetterRow, Settlement, Topic, wire};
use pavane_events::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::outage;
use crate::speaker::{self, Said, Voice};

/// How many letters are held at a time; the oldest go first.
const HELD: usize = 10_000;
/// How much of a value is shown as bytes.
const SHOWN: usize = 1024;

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
struct Line {
    id: String,
    reason: String,
    event: String,
    service: String,
    domain: String,
    rollout: String,
    set_aside: String,
    error: String,
    settled: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    line: Line,
    by: Option<String>,
    detail: Option<String>,
    headers: Vec<(String, String)>,
    bytes: usize,
    body: Option<Value>,
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

/// The letters that the topic holds, the newest of them, and what became of each.
#[derive(Default)]
struct Letters {
    held: BTreeMap<String, (DeadLetter, Option<Settlement>)>,
    order: std::collections::VecDeque<String>,
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
        let mut lines: Vec<Line> = lines.map(|(letter, settled)| line(letter, settled.as_ref())).collect();
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
        line: line(&letter, settled.as_ref()),
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

impl Letters {
    /// Reads the topic to its end; the records' own bytes are kept only where they are wanted.
    async fn read(bus: &Bus, values: bool) -> Result<Self, Failure> {
        let mut reader = bus.dead_letters().await.map_err(outage::of)?;
        let mut letters = Self::default();
        while let Some(row) = reader.next().await.map_err(outage::of)? {
            letters.take_in(row, values);
        }
        Ok(letters)
    }

    fn take_in(&mut self, row: LetterRow, values: bool) {
        match row {
            LetterRow::Letter(mut letter) => {
                if !values {
                    letter.raw.value = None;
                }
                // The same record may be set aside by several; what became of it stands.
                let id = letter.id.clone();
                let settled = self.held.remove(&id).map(|(_, settled)| settled);
                if settled.is_none() {
                    self.order.push_back(id.clone());
                }
                self.held.insert(id, (*letter, settled.flatten()));
                if self.order.len() > HELD
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.held.remove(&oldest);
                }
            }
            LetterRow::Settled { id, settlement } => {
                if let Some((_, settled)) = self.held.get_mut(&id) {
                    *settled = Some(settlement);
                }
            }
        }
    }

    fn take(mut self, id: &str) -> Result<(DeadLetter, Option<Settlement>), Failure> {
        self.held.remove(id).ok_or_else(|| {
            Failure::new(Exit::Findings, format!("there is no dead letter {id}"))
                .help("`pavane dlq list --all` names those that the topic still holds")
        })
    }
}

fn refuse_settled(letter: &DeadLetter, settled: Option<&Settlement>) -> Result<(), Failure> {
    settled.map_or(Ok(()), |settled| {
        let what = format!("{} was {} by {}: {}", letter.id, settled.how, settled.by, settled.detail);
        Err(Failure::new(Exit::Findings, what))
    })
}

fn line(letter: &DeadLetter, settled: Option<&Settlement>) -> Line {
    let text = |name: &str| letter.raw.header(name).unwrap_or_default().to_owned();
    let event = text("ce_type");
    Line {
        id: letter.id.clone(),
        reason: letter.reason.clone(),
        event: event.rsplit('.').next().unwrap_or_default().to_owned(),
        service: text("ce_pavaneservice"),
        domain: text("ce_partitionkey"),
        rollout: text("ce_correlationid"),
        set_aside: moment(letter.aside_at),
        error: letter.error.clone(),
        settled: settled.map(|settled| settled.how.clone()),
    }
}

fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

fn table(lines: &[Line], open: usize) -> String {
    let mut text = String::new();
    for line in lines {
        let what = format!("{}.{}", line.service, line.event);
        let settled = line.settled.as_deref().map(|how| format!(" ({how})")).unwrap_or_default();
        let (id, reason, at, error) = (&line.id, &line.reason, &line.set_aside, one_line(&line.error));
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{id}  {at}  {reason}  {what}{settled}\n    {error}");
    }
    let _ = writeln!(text, "{open} open, {} listed", lines.len());
    text
}

fn picture(shown: &Shown, value: &[u8]) -> String {
    let line = &shown.line;
    let mut text = format!("{}\n  set aside   {}\n  reason      {}\n", line.id, line.set_aside, line.reason);
    let _ = writeln!(text, "  error       {}", one_line(&line.error));
    if let (Some(how), Some(by), Some(detail)) = (&line.settled, &shown.by, &shown.detail) {
        let _ = writeln!(text, "  {how} by {by}: {}", one_line(detail));
    }
    text.push_str("  headers\n");
    for (name, value) in &shown.headers {
        let _ = writeln!(text, "    {}: {}", one_line(name), one_line(value));
    }
    match &shown.body {
        Some(body) => {
            let _ = writeln!(text, "  body\n{body:#}");
        }
        None => {
            let _ = write!(text, "  value, {} bytes\n{}", shown.bytes, dump(value));
        }
    }
    text
}

/// The body by the schema that it was written with, where the registry has it and the bytes fit it.
async fn body(bus: &Bus, value: &[u8]) -> Option<Value> {
    let id = value.get(1..5).filter(|_| value[0] == 0)?;
    let id = u32::from_be_bytes(id.try_into().ok()?);
    let contract = bus.registry().contract(id).await.ok()?.ok()?;
    wire::to_json(&contract, value).ok()
}

/// Bytes as people read them: sixteen a line, beside what of them can be printed.
fn dump(value: &[u8]) -> String {
    let mut text = String::new();
    for (row, bytes) in value[..value.len().min(SHOWN)].chunks(16).enumerate() {
        let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let print = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' };
        let printed: String = bytes.iter().map(print).collect();
        let _ = writeln!(text, "    {:08x}  {:<47}  {printed}", row * 16, hex.join(" "));
    }
    if value.len() > SHOWN {
        let _ = writeln!(text, "    … {} bytes more", value.len() - SHOWN);
    }
    text
}

/// What anybody may have written, without what moves a terminal's cursor.
fn one_line(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_beside_what_can_be_printed() {
        let shown = dump(b"garbage\x00\x1b[31mred");
        let line = "    00000000  67 61 72 62 61 67 65 00 1b 5b 33 31 6d 72 65 64  garbage..[31mred\n";
        assert_eq!(shown, line);
        assert!(dump(&[b'x'; 5_000]).ends_with("… 3976 bytes more\n"));
    }

    #[test]
    fn a_letter_that_was_set_aside_again_stays_settled_and_the_oldest_go_first() {
        let mut letters = Letters::default();
        let settlement = Settlement { how: "dropped".into(), by: "ada".into(), detail: "a test".into() };
        letters.take_in(letter(1), true);
        letters.take_in(LetterRow::Settled { id: "log-0-1".into(), settlement }, true);
        letters.take_in(letter(1), true);
        assert_eq!(letters.order.len(), 1);
        assert!(letters.held["log-0-1"].1.is_some());
        for offset in 2..=10_001 {
            letters.take_in(letter(offset), false);
        }
        assert_eq!(letters.held.len(), HELD);
        assert!(!letters.held.contains_key("log-0-1") && letters.held["log-0-2"].0.raw.value.is_none());
    }

    fn letter(offset: i64) -> LetterRow {
        let raw = pavane_bus::Raw {
            topic: "log".into(),
            partition: 0,
            offset,
            at: Timestamp(0),
            key: None,
            value: Some(b"x".to_vec()),
            headers: Vec::new(),
        };
        let (reason, error) = ("bad_magic".to_owned(), String::new());
        let letter = DeadLetter { id: format!("log-0-{offset}"), reason, error, aside_at: Timestamp(0), raw };
        LetterRow::Letter(Box::new(letter))
    }
}
