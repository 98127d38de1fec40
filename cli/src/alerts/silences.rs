//! Silences as rows of `pavane.notifications`: every replica knows them, and they survive all of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pavane_alerts::body::rfc3339;
use pavane_alerts::{Matcher, Silence, SilenceState};
use pavane_bus::{Bus, TableItem, Topic};
use pavane_events::Timestamp;
use pavane_sentinel::alert::{silence_key, silence_of, silence_row};
use serde_json::json;

use crate::commands::Context;
use crate::commands::alerts::Add;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::outage;

/// Reads a duration of the command line, e.g. `2h`, in milliseconds.
pub fn duration(text: &str) -> Result<i64, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|_| "write e.g. 30m, 2h or 1h30m".to_owned())?;
    let millis = i64::try_from(span.as_millis()).map_err(|_| "that is too long".to_owned())?;
    if millis >= 1_000 { Ok(millis) } else { Err("a silence lasts a second at least".to_owned()) }
}

/// Writes a silence.
pub async fn add(add: Add, context: Context<'_>) -> Result<(), Failure> {
    let matchers = add.matchers.iter().map(|text| Matcher::parse(text)).collect::<Result<Vec<_>, _>>();
    let matchers = matchers.map_err(|error| Failure::usage(format!("cannot {error}")))?;
    let now = now();
    let silence = Silence {
        id: uuid::Uuid::now_v7().to_string(),
        matchers,
        starts_at: now,
        ends_at: now.plus(add.lasts),
        created_by: add.voice.by,
        comment: add.comment,
    };
    let silence = silence.checked(now).map_err(|error| Failure::usage(format!("cannot {error}")))?;
    let bus = context.connection.bus().await?;
    let (key, value) = silence_row(&silence);
    let writer = bus.writer().await.map_err(outage::of)?;
    writer.put(Topic::Notifications, &key, Some(value)).await.map_err(outage::of)?;
    let human =
        format!("{} is silenced until {}\n  id {}\n", about(&silence), rfc3339(silence.ends_at), silence.id);
    context.console.data(&human, &json!({ "silenceID": silence.id, "silence": silence.shown(now) }))
}

/// Lists the silences.
pub async fn list(context: Context<'_>) -> Result<(), Failure> {
    let (bus, now) = (context.connection.bus().await?, now());
    let mut silences: Vec<Silence> = read(&bus).await?.into_values().collect();
    silences.retain(|silence| silence.state(now) != SilenceState::Expired);
    silences.sort_by(|a, b| (a.ends_at, &a.id).cmp(&(b.ends_at, &b.id)));
    let mut text = if silences.is_empty() { "nothing is silenced\n".to_owned() } else { String::new() };
    for silence in &silences {
        let (until, by) = (rfc3339(silence.ends_at), &silence.created_by);
        let _ = writeln!(
            text,
            "{}  until {until}\n  {}\n  {by}: {}",
            silence.id,
            about(silence),
            silence.comment
        );
    }
    let shown: Vec<_> = silences.iter().map(|silence| silence.shown(now)).collect();
    context.console.data(&text, &json!({ "silences": shown }))
}

/// Takes a silence back.
pub async fn expire(id: &str, context: Context<'_>) -> Result<(), Failure> {
    let bus = context.connection.bus().await?;
    let Some(silence) = read(&bus).await?.remove(id) else {
        let what = format!("no silence has the id {id}");
        return Err(Failure::new(Exit::Findings, what).help("see `pavane alerts silence list`"));
    };
    let writer = bus.writer().await.map_err(outage::of)?;
    writer.put(Topic::Notifications, &silence_key(id), None).await.map_err(outage::of)?;
    let human = format!("{} is told again\n", about(&silence));
    context.console.data(&human, &json!({ "silenceID": id }))
}

async fn read(bus: &Bus) -> Result<BTreeMap<String, Silence>, Failure> {
    let mut table = bus.table(Topic::Notifications).await.map_err(outage::of)?;
    let mut silences = BTreeMap::new();
    loop {
        match table.next().await.map_err(outage::of)? {
            TableItem::CaughtUp => return Ok(silences),
            TableItem::Row(row) => match row.value.as_deref() {
                Some(value) => {
                    silences.extend(silence_of(value).map(|silence| (silence.id.clone(), silence)));
                }
                None => silences.retain(|id, _| silence_key(id) != row.key),
            },
        }
    }
}

fn about(silence: &Silence) -> String {
    let matchers: Vec<_> = silence.matchers.iter().map(ToString::to_string).collect();
    matchers.join(" ")
}

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}
