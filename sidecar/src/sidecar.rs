//! The sidecar's loop: facts in from the log, the hooks and the door; the engine's orders out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pavane_bus::{Error as BusError, Item, Raw, Reader, Writer};
use pavane_events::{Body, Entry, Heartbeat, Millis, Source};
use pavane_sidecar_engine::{Call, Engine, Input};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::Error;
use crate::failpoint::pass;
use crate::heartbeat;
use crate::hook::Caller;
use crate::journal::Batch;
use crate::outbox::{Closer, Outbox, Receipt};
use crate::question;
use crate::service::Desk;
use crate::shared::Shared;
use crate::span::Spans;
use crate::telemetry;
use crate::twin;
use crate::vigil::{self, Change, Vigil};

/// How long to wait before the log is read again after an error.
const READ_AGAIN: Duration = Duration::from_secs(1);
/// How long after the end of its process the sidecar may take to say so.
const TOLD: Duration = Duration::from_secs(5);
/// How many records are kept at hand until it has caught up.
const AT_HAND: usize = 1_000;

/// A sidecar at work.
pub(crate) struct Sidecar {
    pub(crate) config: Arc<Config>,
    pub(crate) boot: String,
    pub(crate) source: Source,
    pub(crate) partition: i32,
    pub(crate) engine: Engine,
    pub(crate) outbox: Arc<Outbox>,
    /// Ends the outbox with the sidecar.
    pub(crate) closer: Closer,
    pub(crate) spans: Spans,
    pub(crate) caller: Caller,
    pub(crate) writer: Writer,
    pub(crate) shared: Arc<Shared>,
    pub(crate) facts: UnboundedSender<Input>,
    pub(crate) beats: watch::Sender<Option<Heartbeat>>,
    /// What runs as long as the sidecar does; whatever of it ends, ends the sidecar.
    pub(crate) parts: JoinSet<(&'static str, Result<(), Error>)>,
    /// Hooks, questions, dead letters.
    pub(crate) errands: JoinSet<()>,
    /// What cuts a running hook off, by its ticket.
    pub(crate) hooks: BTreeMap<u64, CancellationToken>,
    /// Hooks that are not called while another sidecar says that it is this one.
    pub(crate) held: Vec<Call>,
    /// Records that the engine may want set aside.
    pub(crate) at_hand: BTreeMap<i64, Raw>,
    pub(crate) desk: Desk,
    pub(crate) vigil: Vigil,
    /// Since when the record at the reader's position cannot be judged because the registry is away.
    pub(crate) unjudged: Option<(i64, Instant)>,
    pub(crate) begun: Instant,
    /// Where the journal says that the log is to be read on from.
    pub(crate) position: Option<i64>,
    /// Where it was to be read on from at the last heartbeat: all that lies below was answered for long ago.
    pub(crate) settled: Option<i64>,
    pub(crate) stopping: bool,
    /// Whether the hooks that run are being ended.
    pub(crate) cutting: bool,
}

/// Where facts come from.
pub(crate) struct Sources {
    pub(crate) reader: Reader,
    pub(crate) facts: UnboundedReceiver<Input>,
}

impl Sidecar {
    /// Works until it is stopped, and then ends what it began.
    pub(crate) async fn run(mut self, mut sources: Sources, stop: &CancellationToken) -> Result<(), Error> {
        let mut beat = interval(heartbeat::EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut read_again, mut parting): (Option<Instant>, Option<Instant>) = (None, None);
        self.observe_version();
        loop {
            let deadline = self.deadline();
            if parting.is_some() && !self.has_to_tell() {
                break;
            }
            // In this order: a stop before the parts that it ends, and the log last, so that a long way to its end
            // keeps nobody else waiting.
            tokio::select! {
                biased;
                () = stop.cancelled(), if parting.is_none() => {
                    if !self.has_to_tell() {
                        break;
                    }
                    parting = Some(Instant::now() + TOLD);
                }
                () = at(parting) => break,
                Some(part) = self.parts.join_next() => {
                    // The door closes when it is told to stop.
                    if parting.is_none() || !matches!(&part, Ok((_, Ok(())))) {
                        return Err(ended(part));
                    }
                }
                Some(Err(error)) = self.errands.join_next() => {
                    tracing::error!(%error, "a hook, a question or a dead letter has ended by itself");
                    return Err(Error::Ended("one of its errands"));
                }
                _ = beat.tick() => self.beat()?,
                Some(fact) = sources.facts.recv() => self.tell(fact)?,
                () = at(deadline) => self.tell(Input::Tick)?,
                () = at(read_again) => read_again = None,
                item = sources.reader.next(), if read_again.is_none() && self.may_read() => {
                    read_again = self.read(item, &mut sources.reader).await?;
                }
            }
        }
        self.finish(&mut sources).await
    }

    /// Whether the log is read on: not beside another sidecar of its name, nor while it holds too much.
    fn may_read(&self) -> bool {
        self.shared.twin().is_none() && !self.shared.is_strained()
    }

    /// Whether its service has died in a rollout and that is not yet said. It takes the own last word, as it stands on the
    /// log, so the log is read on for that.
    fn has_to_tell(&self) -> bool {
        self.shared.is_bereft() && self.engine.rollout().is_some() && self.engine.phase().word != "failed"
    }

    /// Tells the engine a fact and carries out its orders.
    pub(crate) fn tell(&mut self, fact: Input) -> Result<(), Error> {
        if let Input::HookEnded { ticket, .. } = &fact {
            self.hooks.remove(ticket);
        }
        let effects = self.engine.handle(self.now(), fact);
        self.shared.set_version(self.engine.phase().version);
        self.shared.set_rollout(self.engine.rollout().cloned());
        self.carry_out(effects)
    }

    fn now(&self) -> Millis {
        Millis::try_from(self.begun.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    fn deadline(&self) -> Option<Instant> {
        let at = self.engine.next_deadline()?;
        self.begun.checked_add(Duration::from_millis(at.max(0).unsigned_abs()))
    }

    /// Takes what the reader yields; after an error, says when to read again.
    async fn read(
        &mut self,
        item: Result<Item, BusError>,
        reader: &mut Reader,
    ) -> Result<Option<Instant>, Error> {
        let error = match item {
            Ok(Item::Entry { entry, raw }) => {
                self.follow(entry, raw)?;
                return Ok(None);
            }
            Ok(Item::CaughtUp { end }) => {
                tracing::info!(end, "caught up");
                telemetry::caught_up(true);
                self.shared.set_sighted(true);
                self.shared.caught_up.cancel();
                pass("caught up");
                self.tell(Input::CaughtUp { end })?;
                self.caller.callbacks.deliver();
                self.at_hand.clear();
                return Ok(None);
            }
            Err(error) => error,
        };
        self.shared.set_blind(&error);
        let lost = matches!(error, BusError::HistoryLost { .. });
        let held = matches!(error, BusError::TopicConfig { .. } | BusError::Registry(_));
        if !(lost || held || error.is_transient()) {
            return Err(error.into());
        }
        telemetry::trouble("read", &error, READ_AGAIN);
        // a registry that lies is waited for however long: nothing may come of what it says
        let is_away = matches!(error, BusError::Registry(_)) && !error.is_tamper();
        if is_away && self.has_held_long(reader.position()) {
            let detail = format!("the schema is not known here, and the registry was away: {error}");
            if let Some(Item::Entry { entry, raw }) = reader.give_up(detail) {
                telemetry::given_up(raw.offset, self.config.outage.hold);
                self.follow(entry, raw)?;
                return Ok(None);
            }
        }
        if lost {
            let (low, _) = reader.bounds().await?;
            reader.seek(low)?;
        }
        Ok(Some(Instant::now() + READ_AGAIN))
    }

    /// Takes an entry of the log.
    fn follow(&mut self, entry: Entry, raw: Raw) -> Result<(), Error> {
        if let Entry::Event(record) = &entry
            && matches!(record.event.body, Body::Pulse(_))
        {
            self.vigil.heard(Instant::now());
        }
        pass("record read");
        self.spans.follow(&entry);
        self.learn(&entry);
        self.hold(&entry, raw);
        self.tell(Input::Observed(entry))?;
        // what made it blind in between is over
        self.shared.set_sighted(self.engine.is_caught_up());
        self.unjudged = None;
        Ok(())
    }

    /// Whether the record at a position has been held for as long as the file allows.
    fn has_held_long(&mut self, position: i64) -> bool {
        let (at, since) =
            self.unjudged.filter(|(at, _)| *at == position).unwrap_or((position, Instant::now()));
        self.unjudged = Some((at, since));
        since.elapsed() >= self.config.outage.hold
    }

    /// What this instance said before it began anew is remembered, so that a request that is repeated makes no
    /// second event.
    fn learn(&self, entry: &Entry) {
        let Entry::Event(record) = entry else { return };
        let envelope = &record.event.envelope;
        if self.engine.is_caught_up() || envelope.source != self.source {
            return;
        }
        self.outbox.learn(Receipt {
            id: envelope.id.clone(),
            digest: None,
            sequence: envelope.sequence.unwrap_or(0),
            partition: self.partition,
            offset: record.offset,
        });
    }

    /// Keeps a record at hand that the engine may want set aside: it cannot be read, or a condition may fail to judge it.
    fn hold(&mut self, entry: &Entry, raw: Raw) {
        if self.engine.is_caught_up() {
            self.at_hand.clear();
        }
        let sifts = || self.config.reactions.iter().any(|reaction| reaction.terms.sieve.when.is_some());
        let wanted = match entry {
            Entry::Unreadable(_) => true,
            Entry::Event(record) => !matches!(record.event.body, Body::Pulse(_)) && sifts(),
        };
        if wanted && self.at_hand.len() < AT_HAND {
            self.at_hand.insert(raw.offset, raw);
        }
    }

    /// Says what the sidecar does, and notes how far it has read.
    pub(crate) fn beat(&mut self) -> Result<(), Error> {
        self.watch();
        self.call_held();
        self.settle()?;
        let phase = self.engine.phase();
        self.beats.send_replace(Some(Heartbeat {
            domain: self.config.domain.clone(),
            service: self.config.service.clone(),
            instance: self.config.instance.clone(),
            zone: self.config.zone.clone(),
            boot: self.boot.clone(),
            version: phase.version.or_else(|| self.shared.version()),
            phase: if self.stopping { twin::STOPPING } else { phase.word }.to_owned(),
            rollout: phase.rollout,
            acknowledged: self.outbox.acknowledged(),
            outbox: i64::try_from(self.outbox.depth()).unwrap_or(i64::MAX),
            position: phase.position,
        }));
        Ok(())
    }

    /// Notes how far the log was read at the last heartbeat. A disk that is full keeps nobody from going on: the log
    /// is then read again from further back.
    fn settle(&mut self) -> Result<(), Error> {
        let settled = self.settled.filter(|settled| self.position != Some(*settled));
        if self.engine.is_caught_up() {
            self.settled = Some(self.engine.resume_from());
        }
        let Some(position) = settled else { return Ok(()) };
        match self.outbox.write(Batch { position: Some(position), ..Batch::default() }, Vec::new()) {
            Ok(()) => self.position = Some(position),
            Err(error @ Error::JournalFull { .. }) => telemetry::trouble("write", &error, heartbeat::EVERY),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Looks whether a sentinel is heard while a rollout is open, and tells when none is.
    fn watch(&mut self) {
        let wanted = self.shared.is_sighted() && self.engine.rollout().is_some();
        match self.vigil.look(Instant::now(), wanted) {
            Some(Change::Missing(silence)) => {
                telemetry::sentinel_missing(Some(silence));
                if let Some(url) = self.config.outage.webhook.clone() {
                    let body = vigil::message(&self.config, self.engine.rollout(), silence);
                    self.errands.spawn(vigil::tell(self.caller.client.clone(), url, body));
                }
            }
            Some(Change::Back) => telemetry::sentinel_missing(None),
            None => {}
        }
    }

    /// Asks once for the version, so that heartbeats and the door know it before any rollout does.
    fn observe_version(&mut self) {
        let (client, config, shared) = (self.caller.client.clone(), self.config.clone(), self.shared.clone());
        self.errands.spawn(async move {
            match question::version(&client, &config.version).await {
                Ok(version) => shared.set_version(Some(version)),
                Err(error) => tracing::warn!("failed to observe the version: {error}"),
            }
        });
    }
}

/// Waits until a moment; for ever when there is none.
pub(crate) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Why a part that has ended ends the sidecar.
pub(crate) fn ended(part: Result<(&'static str, Result<(), Error>), tokio::task::JoinError>) -> Error {
    match part {
        Ok((_, Err(error))) => error,
        Ok((name, Ok(()))) => Error::Ended(name),
        Err(error) => {
            tracing::error!(%error, "a part has ended by itself");
            Error::Ended("one of its parts")
        }
    }
}
