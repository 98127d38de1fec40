//! How the rollouts of a domain stand: the sentinel's own engine, folding the log without ever speaking.

use std::time::{Duration, Instant};

use pavane_bus::{Bus, Error, Item, Policy, Reader};
use pavane_events::{Body, Domain, Entry, Millis, RolloutId, StepId, Timestamp};
use pavane_sentinel_engine::{Effect, Engine, Input, RolloutView, Status, View};

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::outage;

/// How long to wait before a broker or registry that is away is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a refused start waits for the sentinel to say why.
const REASON: Duration = Duration::from_secs(3);

/// A domain's log, folded as far as it was read.
pub struct Fold {
    engine: Engine,
    reader: Reader,
    begun: Instant,
    read: Instant,
}

/// What was read next.
#[derive(Debug)]
pub enum Next {
    /// An entry, already folded.
    Entry(Box<Entry>),
    /// The end that was seen at the start.
    CaughtUp,
}

impl Fold {
    /// Begins at the beginning of the log. Where that is cut off, what was folded of it is taken from the newest
    /// snapshot that the rest of the log goes on from.
    pub async fn open(bus: &Bus, domain: &Domain) -> Result<Self, Failure> {
        let reader = reader(bus, domain).await.map_err(outage::of)?;
        let (low, _) = reader.bounds().await.map_err(outage::of)?;
        let new = || Engine::new(domain.clone(), "cli".to_owned());
        let engine = match low {
            ..=0 => new(),
            low => {
                pavane_sentinel::kept(bus, domain, "cli", low).await.map_err(outage::of)?.unwrap_or_else(new)
            }
        };
        let begun = Instant::now();
        Ok(Self { engine, reader, begun, read: begun })
    }

    /// The domain as it stands: the log folded to the end that is seen at the start.
    pub async fn of(bus: &Bus, domain: &Domain) -> Result<Self, Failure> {
        let mut fold = Self::open(bus, domain).await?;
        fold.catch_up().await?;
        Ok(fold)
    }

    /// Reads to the end that was seen at the start.
    pub async fn catch_up(&mut self) -> Result<(), Failure> {
        while let Next::Entry(_) = self.next().await? {}
        Ok(())
    }

    /// Reads one entry and folds it. Safe to drop and call again.
    pub async fn next(&mut self) -> Result<Next, Failure> {
        match self.reader.next().await.map_err(outage::of)? {
            Item::CaughtUp { .. } => Ok(Next::CaughtUp),
            Item::Entry { entry, .. } => {
                self.read = Instant::now();
                // what a snapshot has folded already is read for its words alone
                if entry.offset() > self.engine.position() {
                    let effects = self.engine.handle(millis(self.begun), Input::Read(entry.clone()));
                    effects.iter().try_for_each(seeing)?;
                }
                Ok(Next::Entry(Box::new(entry)))
            }
        }
    }

    /// Reads one entry and folds it; a broker or registry that is away is told and waited for.
    pub async fn next_however_long(&mut self, console: &Console) -> Result<Next, Failure> {
        loop {
            match self.next().await {
                Err(failure) if failure.exit == Exit::Unreachable => {
                    console.warn(&format!("{failure}; trying again"));
                    tokio::time::sleep(AGAIN).await;
                }
                ended => return ended,
            }
        }
    }

    /// The domain as it stands.
    pub fn view(&self) -> View {
        self.engine.view()
    }

    /// One rollout as it stands.
    pub fn rollout(&self, id: &RolloutId) -> Option<RolloutView> {
        self.engine.rollout(id)
    }

    /// One rollout as it stands, or that there is none.
    pub fn known(&self, id: &RolloutId) -> Result<RolloutView, Failure> {
        self.rollout(id).ok_or_else(|| {
            let newest = self.view().rollouts;
            let names: Vec<&str> = newest.iter().take(5).map(|rollout| rollout.id.as_str()).collect();
            let known = match names.as_slice() {
                [] => "no rollout has started in this domain".to_owned(),
                names => format!("the newest are {}", names.join(", ")),
            };
            Failure::new(Exit::Findings, format!("there is no rollout {id}; {known}"))
                .help("look for it with `pavane status`, or name its domain with --domain")
        })
    }

    /// The epoch that a rollback asked for at this moment would have.
    pub fn next_epoch(&self, id: &RolloutId) -> Result<i64, Failure> {
        let rollout = self.known(id)?;
        Ok(rollout.epoch + i64::from(rollout.status == Status::Completed))
    }

    /// Whether the rollout has such a step.
    pub fn step(&self, id: &RolloutId, step: &StepId) -> Result<(), Failure> {
        let rollout = self.known(id)?;
        let names: Vec<&str> = rollout.steps.iter().map(|step| step.id.as_str()).collect();
        if names.contains(&step.as_str()) {
            return Ok(());
        }
        let known = names.join(", ");
        Err(Failure::new(Exit::Findings, format!("{id} has no step {step}; its steps are {known}")))
    }

    /// Partition time as it is likely to be: what was read, and what has gone by since.
    pub fn time(&self) -> Timestamp {
        self.engine.time().plus(millis(self.read))
    }
}

/// Reads as a sentinel does. The embedded broker of another process refuses whoever may judge; what is shown of
/// it is read as sidecars read.
pub(crate) async fn reader(bus: &Bus, domain: &Domain) -> Result<Reader, Error> {
    match bus.reader(domain, Policy::Structural).await {
        Err(Error::TopicConfig { .. }) => bus.reader(domain, Policy::AllowList).await,
        reader => reader,
    }
}

/// Why the log refused the record at an offset: as the sentinel says it, if one says it soon.
pub async fn reason(fold: &mut Fold, offset: i64) -> Result<String, Failure> {
    let reason = tokio::time::timeout(REASON, async {
        loop {
            if let Next::Entry(entry) = fold.next().await?
                && let Entry::Event(record) = *entry
                && let Body::CommandRefused(refused) = record.event.body
                && refused.cites == offset
            {
                return Ok(refused.reason);
            }
        }
    });
    reason
        .await
        .unwrap_or_else(|_| Ok("no sentinel has said why; is one running for this domain?".to_owned()))
}

/// What this program is too old to judge, it must not show either.
fn seeing(effect: &Effect) -> Result<(), Failure> {
    match effect {
        Effect::Blind { cause, .. } if cause.lasts() => {
            let what = format!("cannot judge this log: {}", cause.as_str().replace('_', " "));
            Err(Failure::new(Exit::Invalid, what).help("a newer pavane wrote it; use one as new"))
        }
        Effect::Blind { .. }
        | Effect::Append(_)
        | Effect::Raise(_)
        | Effect::DeadLetter { .. }
        | Effect::Sighted { .. }
        | Effect::Measure { .. }
        | Effect::Remember(_)
        | Effect::Ended(_)
        | Effect::Count(_) => Ok(()),
    }
}

fn millis(since: Instant) -> Millis {
    Millis::try_from(since.elapsed().as_millis()).unwrap_or(Millis::MAX)
}
