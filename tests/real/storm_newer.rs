//! A sentinel of the next version: the same engine behind a shell of its own, whose records all carry a field that
//! this version does not know, by schemas that the registry has taken as compatible.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pavane_bus::wire::{self, Contract};
use pavane_bus::{Bus, Item, Policy, Registry, Topic, Writer};
use pavane_events::{Domain, Envelope, Event, EventId, EventType, identity};
use pavane_sentinel_engine::{BlindCause, Draft, Effect, Engine, Input};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// The name under which it speaks.
pub(crate) const REPLICA: &str = "sentinel-next";

/// The field that is new, and what stands in it.
const FIELD: &str = "rationale";
const WORD: &str = "as the next version sees it";

/// The next version of each schema: its id in the registry and its `ce_dataschema`.
pub(crate) type Schemas = BTreeMap<EventType, (u32, String)>;

/// What an upgrade does first: the new schemas go to the registry, which checks them, and into the allow-list.
pub(crate) async fn push(bus: &Bus, writer: &Writer) -> Result<Schemas> {
    let registry = Registry::new(bus.settings())?;
    let mut schemas = Schemas::new();
    for embedded in pavane_schemas::ALL {
        // the heartbeat is no event, and no sentinel's
        let Some(event) = EventType::from_short(embedded.event) else { continue };
        let mut schema: Value = serde_json::from_str(embedded.schema)?;
        let fields = schema["fields"].as_array_mut().context("a record has fields")?;
        fields.push(json!({ "name": FIELD, "type": "string", "doc": "Why.", "default": "" }));
        let text = schema.to_string();
        let id = match registry.id_of(embedded.subject, &text).await? {
            Some(id) => id,
            None => registry.register(embedded.subject, &text).await?,
        };
        let contract = Contract::parse(&text)?;
        ensure!(contract.readable().is_ok(), "this version cannot read {}", embedded.subject);
        let fingerprint = contract.fingerprint().to_owned();
        let row = json!({
            "fingerprint": fingerprint, "subject": embedded.subject, "service": null,
            "event": embedded.event, "schema": text, "id": id,
        });
        writer.put(Topic::Schemas, &fingerprint, Some(row.to_string().into_bytes())).await?;
        schemas.insert(event, (id, contract.dataschema()));
    }
    Ok(schemas)
}

/// A sentinel of the next version that runs.
pub(crate) struct Newer {
    stop: CancellationToken,
    task: JoinHandle<Result<usize>>,
}

impl Newer {
    pub(crate) fn start(bus: &Bus, domain: &Domain, schemas: &Schemas) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(bus.clone(), domain.clone(), schemas.clone(), stop.clone()));
        Self { stop, task }
    }

    /// Asks it to end; returns how many records it has written.
    pub(crate) async fn end(self) -> Result<usize> {
        self.stop.cancel();
        self.task.await?
    }
}

async fn run(bus: Bus, domain: Domain, schemas: Schemas, stop: CancellationToken) -> Result<usize> {
    let mut log = bus.reader(&domain, Policy::Structural).await?;
    let mut heartbeats = bus.heartbeats().await?;
    let (writer, began) = (bus.writer().await?, Instant::now());
    let now = || i64::try_from(began.elapsed().as_millis()).expect("a test is short");
    let mut engine = Engine::new(domain.clone(), REPLICA.to_owned());
    let (mut written, mut ids) = (0, 0);
    let mut effects = engine.handle(now(), Input::Speaks(true));
    loop {
        for effect in effects {
            let Effect::Append(draft) = effect else { continue };
            ids += 1;
            let event = event(&domain, Arc::unwrap_or_clone(draft), REPLICA, ids)?;
            let appended = append(&writer, &schemas, &event).await?;
            written += usize::from(appended);
        }
        let wait = engine.next_deadline().map_or(1_000, |at| (at - now()).clamp(1, 1_000));
        let wait = Duration::from_millis(u64::try_from(wait).expect("clamped"));
        let input = tokio::select! {
            () = stop.cancelled() => return Ok(written),
            read = timeout(wait, log.next()) => match read {
                Err(_) => Input::Tick,
                Ok(Ok(Item::Entry { entry, .. })) => Input::Read(entry),
                Ok(Ok(Item::CaughtUp { .. })) => Input::CaughtUp,
                Ok(Err(_)) => Input::Lost(BlindCause::Broker),
            },
            Ok(beat) = heartbeats.next() => {
                if beat.heartbeat.domain != domain { effects = Vec::new(); continue; }
                Input::Heartbeat { heartbeat: beat.heartbeat, offset: beat.offset, at: beat.at }
            }
        };
        effects = engine.handle(now(), input);
    }
}

/// What a sentinel of this name writes.
pub(crate) fn event(domain: &Domain, draft: Draft, replica: &str, n: usize) -> Result<Event> {
    let fresh = EventId::new(format!("{replica}-{}-{n}", std::process::id()))?;
    let source = identity::sentinel_source(domain);
    let mut envelope = Envelope::new(domain.clone(), source, draft.id.unwrap_or(fresh));
    envelope.rollout = draft.rollout;
    envelope.causation = draft.causation;
    envelope.service = draft.service;
    envelope.replica = Some(replica.to_owned());
    Ok(Event { envelope, body: draft.body })
}

/// Appends by the next version's schema: what this version writes, and the new field behind it.
async fn append(writer: &Writer, schemas: &Schemas, event: &Event) -> Result<bool> {
    let kind = event.body.event_type();
    let (id, dataschema) = schemas.get(&kind).with_context(|| format!("{kind:?} has no next version"))?;
    let mut value = wire::encode(&event.body, *id)?.value;
    value.push(u8::try_from(WORD.len() << 1).context("a short word")?);
    value.extend(WORD.as_bytes());
    // what the broker does not take is said again by the engine
    Ok(writer.append_encoded(&event.envelope, kind, value, dataschema).await.is_ok())
}
