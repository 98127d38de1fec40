//! The load of the storm: many small rollouts that begin every quarter of a second. Some are answered in time, some just
//! about when their window ends, some never; and what the broker has acknowledged is kept, to be looked for afterwards.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use pavane_bus::{Bus, Writer};
use pavane_events::command::RolloutStarted;
use pavane_events::service::DeploymentComplete;
use pavane_events::{
    Body, Domain, Envelope, Event, EventId, Instance, Millis, RolloutId, Service, Source, Version,
};
use pavane_sentinel_engine::{GRACE, RULES};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, interval, sleep_until};
use tokio_util::sync::CancellationToken;

/// The window of every rollout, in milliseconds.
pub(crate) const WITHIN: Millis = 2_000;

/// The rules by which rollouts begin: the first ones until everybody has moved on, then those and the newest in turn.
#[derive(Debug, Default)]
pub(crate) struct Era(AtomicBool);

impl Era {
    /// The rules of the rollout of this number.
    pub(crate) fn rules(&self, n: usize) -> i64 {
        if self.has_moved_on() && n.is_multiple_of(2) { RULES } else { 1 }
    }

    pub(crate) fn move_on(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_moved_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How far apart they begin.
const APART: Duration = Duration::from_millis(250);

/// How soon what was not acknowledged is sent again, under the same identity.
const AGAIN: Duration = Duration::from_millis(300);

/// The version that is asked for.
pub(crate) const ASKED: &str = "2.0.0";

/// What was begun, and what of it the broker has acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Every rollout that the broker has taken.
    pub(crate) rollouts: Vec<RolloutId>,
    /// Every event that the broker has acknowledged.
    pub(crate) acknowledged: Vec<EventId>,
}

/// The load, as long as it runs.
pub(crate) struct Load {
    ledger: Arc<Mutex<Ledger>>,
    stop: CancellationToken,
    driver: JoinHandle<Result<()>>,
}

impl Load {
    pub(crate) async fn begin(bus: &Bus, domain: &Domain, era: &Arc<Era>) -> Result<Self> {
        let writer = bus.writer().await.context("failed to open a writer")?;
        let (ledger, stop) = (Arc::new(Mutex::default()), CancellationToken::new());
        let (to, era) = (Arc::clone(&ledger), Arc::clone(era));
        let driver = tokio::spawn(drive(writer, domain.clone(), to, era, stop.clone()));
        Ok(Self { ledger, stop, driver })
    }

    /// How many rollouts the broker has taken so far.
    pub(crate) fn count(&self) -> usize {
        self.ledger.lock().expect("no holder panics").rollouts.len()
    }

    /// Begins no more, waits until what was begun is acknowledged, and gives the ledger.
    pub(crate) async fn end(self) -> Result<Ledger> {
        self.stop.cancel();
        self.driver.await??;
        let ledger = std::mem::take(&mut *self.ledger.lock().expect("no holder panics"));
        Ok(ledger)
    }
}

async fn drive(
    writer: Writer,
    domain: Domain,
    ledger: Arc<Mutex<Ledger>>,
    era: Arc<Era>,
    stop: CancellationToken,
) -> Result<()> {
    let (mut ticks, mut rollouts) = (interval(APART), JoinSet::new());
    for n in 0.. {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let number = (n, era.rules(n));
        rollouts.spawn(one(writer.clone(), domain.clone(), number, Arc::clone(&ledger)));
    }
    while let Some(ended) = rollouts.join_next().await {
        ended??;
    }
    Ok(())
}

/// One rollout: its start, and its answer at its time, if it is answered.
async fn one(
    writer: Writer,
    domain: Domain,
    (n, rules): (usize, i64),
    ledger: Arc<Mutex<Ledger>>,
) -> Result<()> {
    let (rollout, service) = (RolloutId::new(format!("load-{n:05}"))?, format!("load-{n}"));
    let keep = |event: &Event| {
        let mut ledger = ledger.lock().expect("no holder panics");
        ledger.acknowledged.push(event.envelope.id.clone());
    };
    let start = start(&domain, &rollout, rules, &plan(&service))?;
    append(&writer, &start).await;
    keep(&start);
    ledger.lock().expect("no holder panics").rollouts.push(rollout.clone());
    let Some((after, version)) = answer_after(n) else { return Ok(()) };
    sleep_until(Instant::now() + after).await;
    let answer = answer(&domain, &rollout, &service, version)?;
    append(&writer, &answer).await;
    keep(&answer);
    Ok(())
}

/// When a rollout is answered, and by which version: of ten three at once, four about when its window and the grace end, two
/// by a version that does not count, one never.
fn answer_after(n: usize) -> Option<(Duration, &'static str)> {
    let edge = u64::try_from(WITHIN + GRACE).expect("a window is no debt");
    let off = u64::try_from(n * 37 % 120).expect("small");
    match n % 10 {
        0..=2 => Some((Duration::from_millis(400), ASKED)),
        3..=6 => Some((Duration::from_millis(edge - 70 + off), ASKED)),
        7 | 8 => Some((Duration::from_millis(400), "1.0.0")),
        _ => None,
    }
}

/// Sends an event until the broker has acknowledged it.
pub(crate) async fn append(writer: &Writer, event: &Event) {
    let mut again = interval(AGAIN);
    loop {
        again.tick().await;
        if writer.append(event).await.is_ok() {
            return;
        }
    }
}

fn plan(service: &str) -> String {
    format!(
        "apiVersion: pavane/v1\nkind: Choreography\nmetadata: {{ name: load, owner: nobody }}\n\
         steps:\n  - {{ id: load, expect: {service}.DeploymentComplete, version: \">=2\", within: 2s, on_stall: alert }}\n"
    )
}

/// The start of a rollout by the text of its plan and the rules that it is to be judged by.
pub(crate) fn start(domain: &Domain, rollout: &RolloutId, rules: i64, plan: &str) -> Result<Event> {
    let plan = pavane_choreography::read(plan, "plan.yaml");
    let plan = plan.map_err(|defects| anyhow::anyhow!("the choreography is not good: {defects:?}"))?;
    let body = RolloutStarted {
        choreography: plan.name.clone(),
        plan_digest: plan.digest(),
        plan: plan.to_json(),
        rules,
        by: "storm".to_owned(),
        reason: String::new(),
    };
    event(domain, rollout, "ci", format!("start-{rollout}"), body)
}

fn answer(domain: &Domain, rollout: &RolloutId, service: &str, version: &str) -> Result<Event> {
    let path = format!("{service}/{service}-0");
    let mut event =
        event(domain, rollout, &path, format!("answer-{rollout}"), DeploymentComplete::default())?;
    event.envelope.service = Some(Service::new(service)?);
    event.envelope.instance = Some(Instance::new(format!("{service}-0"))?);
    event.envelope.version = Some(Version::new(version)?);
    Ok(event)
}

/// An event about a rollout, from a source below the domain's.
pub(crate) fn event(
    domain: &Domain,
    rollout: &RolloutId,
    path: &str,
    id: String,
    body: impl Into<Body>,
) -> Result<Event> {
    let source = Source::new(format!("/pavane/{domain}/{path}"))?;
    let mut envelope = Envelope::new(domain.clone(), source, EventId::new(id)?);
    envelope.rollout = Some(rollout.clone());
    Ok(Event { envelope, body: body.into() })
}
