//! Asks what is due, hears the answers, and tells what follows from them: to the engine, the page and the metrics.

use std::future::Future;
use std::sync::{Arc, LazyLock};

use pavane_bus::Settings;
use pavane_events::Millis;
use pavane_sidecar_engine::health::{Answer, Condition, Standing};
use pavane_sidecar_engine::{Health, Input, Verdict};
use pavane_telemetry::meter;
use pavane_telemetry::opentelemetry::KeyValue;
use pavane_telemetry::opentelemetry::metrics::Gauge;
use reqwest::Client;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep_until};

use super::Asker;
use crate::config::{Check, Config};
use crate::error::Error;
use crate::shared::Shared;

static WELL: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    let well = meter().u64_gauge("pavane.sidecar.check.well");
    well.with_description("1 while a check of the service is well, by check.").build()
});

/// What a shutdown of the watch is told as.
const NAME: &str = "its checks";

/// The checks of the service, as others see them.
pub(crate) struct Watched {
    orders: UnboundedSender<u64>,
    seen: watch::Receiver<Seen>,
}

/// How the checks stand.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    /// The order to look anew that they stand under; 0 before the first.
    pub(super) ticket: u64,
    pub(super) verdict: Verdict,
    pub(super) standings: Vec<Standing>,
}

/// Begins to watch the service, where its file has checks.
pub(crate) fn start(
    config: &Config,
    client: &Client,
    kafka: &Settings,
    shared: &Shared,
    parts: &mut JoinSet<(&'static str, Result<(), Error>)>,
) -> Result<(), Error> {
    let Some(ready) = &config.ready else { return Ok(()) };
    let asker = Arc::new(Asker::new(config, client, kafka, shared.process.get().cloned())?);
    let health = Health::new(0, ready.checks.iter().map(|check| check.terms.clone()));
    let (orders, ordered) = unbounded_channel();
    let (told, seen) = watch::channel(seen(0, &health));
    if shared.watched.set(Watched { orders, seen }).is_err() {
        return Err(Error::Ended(NAME));
    }
    let checks = ready.checks.iter().cloned().map(Arc::new).collect();
    let watch = Watch { health, checks, asker, begun: Instant::now(), ticket: 0, told };
    let watching = watch.run(ordered);
    parts.spawn(async { (NAME, watching.await) });
    Ok(())
}

impl Watched {
    /// Orders the checks to be looked at anew, under this ticket.
    pub(crate) fn assess(&self, ticket: u64) {
        // The receiver goes only when the sidecar ends.
        self.orders.send(ticket).unwrap_or_default();
    }

    /// Tells the engine what follows from the checks, whenever that changes.
    pub(crate) fn tell(
        &self,
        facts: UnboundedSender<Input>,
    ) -> impl Future<Output = Result<(), Error>> + use<> {
        let mut seen = self.seen.clone();
        async move {
            let mut last = None;
            loop {
                let Seen { ticket, verdict, .. } = seen.borrow_and_update().clone();
                if last.as_ref() != Some(&(ticket, verdict.clone())) {
                    last = Some((ticket, verdict.clone()));
                    drop(facts.send(Input::Assessed { ticket, verdict }));
                }
                if seen.changed().await.is_err() {
                    return Err(Error::Ended(NAME));
                }
            }
        }
    }

    /// How the checks stand.
    pub(super) fn look(&self) -> Seen {
        self.seen.borrow().clone()
    }
}

/// The watch at work.
struct Watch {
    health: Health,
    checks: Vec<Arc<Check>>,
    asker: Arc<Asker>,
    begun: Instant,
    ticket: u64,
    told: watch::Sender<Seen>,
}

impl Watch {
    async fn run(mut self, mut ordered: UnboundedReceiver<u64>) -> Result<(), Error> {
        let mut asking: JoinSet<(u64, Answer)> = JoinSet::new();
        loop {
            for question in self.health.due(self.now()) {
                let Some(check) = self.checks.get(question.check).cloned() else { continue };
                let asker = self.asker.clone();
                asking.spawn(async move { (question.ticket, asker.ask(&check).await) });
            }
            self.tell();
            let next = self.health.next_deadline().map(|at| self.moment(at));
            tokio::select! {
                order = ordered.recv() => {
                    self.ticket = order.ok_or(Error::Ended(NAME))?;
                    self.health.begin_anew(self.now());
                }
                Some(answered) = asking.join_next() => {
                    let (ticket, answer) = answered.map_err(|error| {
                        tracing::error!(%error, "a check has ended by itself");
                        Error::Ended("one of its checks")
                    })?;
                    self.health.answered(self.now(), ticket, answer);
                }
                () = at(next) => {}
            }
        }
    }

    /// Tells how the checks stand, where that has changed.
    fn tell(&self) {
        let now = seen(self.ticket, &self.health);
        self.told.send_if_modified(|before| {
            let changed = *before != now;
            for (standing, before) in now.standings.iter().zip(&before.standings) {
                mark(standing, before.condition);
            }
            *before = now;
            changed
        });
    }

    fn now(&self) -> Millis {
        Millis::try_from(self.begun.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    fn moment(&self, at: Millis) -> Instant {
        self.begun + Duration::from_millis(at.max(0).unsigned_abs())
    }
}

fn seen(ticket: u64, health: &Health) -> Seen {
    Seen { ticket, verdict: health.verdict(), standings: health.standings().cloned().collect() }
}

/// Says how a check stands, as a number always and in a line when it has changed.
fn mark(standing: &Standing, before: Condition) {
    let (check, condition) = (&standing.check.name, standing.condition);
    let well = condition == Condition::Well;
    WELL.record(u64::from(well), &[KeyValue::new("check", check.clone())]);
    if condition != before {
        let reason = standing.reason();
        match condition {
            Condition::Well => tracing::info!(check, "the check is well"),
            Condition::Starting => tracing::info!(check, "the check is looked at anew"),
            Condition::Sick => tracing::warn!(check, reason, "the check is not well"),
        }
    }
}

/// Waits until a moment; for ever when there is none.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
