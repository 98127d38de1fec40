//! Many small rollouts under way on a broker of their own, while sentinels are killed, frozen, doubled and upgraded, their
//! group shares out again and again, and the broker stands still and dies. An oracle reads the log afterwards.
//!
//! `PAVANE_STORM=N` lets the storm pass N times over the same log (once by default).

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use pavane_bus::Bus;
use pavane_events::control::DomainConfigured;
use pavane_events::{Entry, Record, RolloutId, Timestamp};
use pavane_sentinel_engine::BlindCause;
use pavane_tests::process::Signal;
use pavane_tests::real::jdk::Jdk;
use pavane_tests::real::kafka::Kafka;
use pavane_tests::real::{Services, cache};
use pavane_tests::stage::log::Log;
use pavane_tests::stage::sentinel::Sentinel;
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::wait;
use pavane_tests::webhook::Delivery;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::broker;
use crate::storm_couple::Couple;
use crate::storm_former::{self, Former};
use crate::storm_load::{Era, Load, append, event};
use crate::storm_newer::{self, Newer, Schemas};
use crate::storm_oracle::{record_of, settle};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_sentinels_and_broker_nobody_is_wronged_and_nothing_is_missed() {
    let test = "whatever_befalls_sentinels_and_broker_nobody_is_wronged_and_nothing_is_missed";
    let Some(services) = Services::get(test).await else { return };
    // one that may be killed: the shared broker serves other tests
    let jdk = Jdk::find().unwrap();
    let mut kafka = Kafka::start(&jdk, &cache::kafka().unwrap()).await.unwrap();
    let services = Services { kafka: kafka.address(), ..services };
    let stage = Stage::set("storm", "shop", &services).await.unwrap();
    play(&stage, &mut kafka).await.unwrap();
}

async fn play(stage: &Stage, kafka: &mut Kafka) -> Result<()> {
    let times = std::env::var("PAVANE_STORM").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let (bus, log, stop) = (stage.bus().await?, stage.log().await?, CancellationToken::new());
    let schemas = storm_newer::push(&bus, &bus.writer().await?).await?;
    broker::skip_to_the_end(stage, &bus)?;
    release_the_brakes(stage, &bus).await?;
    let era = Arc::new(Era::default());
    let mut couples = [Couple::enter(stage, "one", &era).await?, Couple::enter(stage, "two", &era).await?];
    for couple in &mut couples {
        couple.ready().await?;
    }
    let load = Load::begin(&bus, stage.domain(), &era).await?;
    let mut sentinels = Sentinels::enter(stage).await?;
    let [one, two] = couples.map(|couple| couple.dance(bus.clone(), &log, &stop));
    let storm = async {
        for _ in 0..times {
            sentinels.storm(&log, &load).await?;
            if !era.has_moved_on() {
                sentinels.move_on(&bus, &log, &era).await?;
            }
            sentinels.upgrade(&bus, &log, &schemas).await?;
            broker(stage, kafka, &mut sentinels).await?;
        }
        stop.cancel();
        anyhow::Ok(())
    };
    let (one, two, storm) = tokio::join!(one, two, storm);
    storm.context("in the storm")?;
    let danced = [one.context("couple one")?, two.context("couple two")?];

    let ledger = load.end().await?;
    let found = settle(stage, &log, &ledger).await;
    let (rollouts, back, hooks) =
        danced.iter().fold((0, 0, 0), |sum, one| (sum.0 + one.rollouts, sum.1 + one.back, sum.2 + one.hooks));
    let more = format!(
        "  0 rollbacks executed twice: {hooks} hooks in {rollouts} rollouts of couples, {back} of which went back\n"
    );
    found.tell("the storm", &more)?;
    ensure!(found.at_once > 0 && back > 0, "nothing was at stake: {}{more}", found.text());
    storm_former::kept_silent(&log.entries())?;
    accounted_for(stage, &log.entries()).await?;
    stage.all_signatures_held()
}

/// Of what was delivered, each record was read, had been read before, or can be read by nobody: the accounts of the engine and
/// those of whoever knows nothing but ids agree, and add up.
async fn accounted_for(stage: &Stage, entries: &[Entry]) -> Result<()> {
    let end = entries.last().context("there is a log")?.offset() + 1;
    let (from, to) = (end.to_string(), end.to_string());
    let replayed = stage.pavane(&["replay", "--from", &from, "--to", &to]).await?;
    let identity = |record: &Record| {
        let envelope = &record.event.envelope;
        (envelope.source.clone(), envelope.id.clone())
    };
    let readable = || entries.iter().filter_map(record_of);
    let first: BTreeSet<_> = readable().map(identity).collect();
    let doubles = readable().count() - first.len();
    let sum = &replayed["summary"];
    let accounts = json!([entries.len(), doubles, entries.len() - readable().count()]);
    ensure!(json!([sum["records"], sum["duplicates"], sum["unreadable"]]) == accounts, "{accounts}: {sum:#}");
    ensure!(doubles > 0, "nothing was said twice: {accounts}");
    Ok(())
}

/// The couples go back far more often than a domain lets its sentinel ask for by itself.
async fn release_the_brakes(stage: &Stage, bus: &Bus) -> Result<()> {
    let body = DomainConfigured { rollback_budget: 1_000, cool_down_ms: 0, ..DomainConfigured::default() };
    let nobody = RolloutId::new("none")?;
    let mut configured = event(stage.domain(), &nobody, "cli/ann", "configured".to_owned(), body)?;
    configured.envelope.rollout = None;
    // twice, as by whoever does not know whether it was heard
    for _ in 0..2 {
        append(&bus.writer().await?, &configured).await;
    }
    Ok(())
}

/// The sentinels of this version.
struct Sentinels<'a> {
    stage: &'a Stage,
    a: Sentinel,
    b: Sentinel,
    lives: usize,
}

impl<'a> Sentinels<'a> {
    async fn enter(stage: &'a Stage) -> Result<Self> {
        let a = Sentinel::start(stage, "sentinel-a").await?;
        let b = Sentinel::start(stage, "sentinel-b").await?;
        let mut both = Self { stage, a, b, lives: 1 };
        both.ready().await?;
        Ok(both)
    }

    async fn ready(&mut self) -> Result<()> {
        self.a.ready().await?;
        self.b.ready().await
    }

    /// A further life of a replica, with files of its own.
    async fn again(&mut self, replica: &str) -> Result<Sentinel> {
        self.lives += 1;
        Sentinel::start_as(self.stage, replica, &format!("{replica}-life-{}", self.lives)).await
    }

    async fn storm(&mut self, log: &Log, load: &Load) -> Result<()> {
        pass(log, load, 2_000).await.context("before the first fault")?;
        self.a.process.signal(Signal::Kill)?;
        pass(log, load, 2_000).await.context("with a sentinel killed")?;
        self.a = self.again("sentinel-a").await?;
        self.a.ready().await?;
        self.b.process.signal(Signal::Stop)?;
        pass(log, load, 5_000).await.context("with a sentinel frozen")?;
        self.b.process.signal(Signal::Continue)?;
        pass(log, load, 1_000).await?;
        self.a.process.signal(Signal::Stop)?;
        self.b.process.signal(Signal::Stop)?;
        pass(log, load, 5_000).await.context("with both frozen")?;
        self.a.process.signal(Signal::Continue)?;
        self.b.process.signal(Signal::Continue)?;
        self.ready().await?;
        // one that goes by the name of another, and members that come and go
        for _ in 0..2 {
            let mut twin = self.again("sentinel-b").await?;
            twin.ready().await?;
            pass(log, load, 1_000).await.context("with two of one name")?;
            twin.process.signal(Signal::Kill)?;
        }
        self.ready().await
    }

    /// From the former version of the rules to this one, back, and on, one at a time: until rollouts begin by newer rules both
    /// judge, and each goes on where the other stopped; from then on the former one is blind.
    async fn move_on(&mut self, bus: &Bus, log: &Log, era: &Era) -> Result<()> {
        let mut former = Former::start(bus, self.stage.domain());
        let of = storm_former::REPLICA;
        wait_for_a_stall(log, of).await.context("with the former and this version")?;
        self.a.stop().await?;
        self.b.stop().await?;
        wait_for_a_stall(log, of).await.context("with the former version alone")?;
        self.a = self.again("sentinel-a").await?;
        self.b = self.again("sentinel-b").await?;
        self.ready().await?;
        era.move_on();
        let cause = former.blindness(SOON).await?;
        ensure!(cause == BlindCause::NewerRules, "it is blind by {cause:?}");
        former.end().await
    }

    /// From this version to the next and back, one at a time.
    async fn upgrade(&mut self, bus: &Bus, log: &Log, schemas: &Schemas) -> Result<()> {
        let newer = Newer::start(bus, self.stage.domain(), schemas);
        wait_for_a_stall(log, storm_newer::REPLICA).await.context("with both versions")?;
        self.a.stop().await?;
        self.b.stop().await?;
        wait_for_a_stall(log, storm_newer::REPLICA).await.context("with the next version alone")?;
        self.a = self.again("sentinel-a").await?;
        self.b = self.again("sentinel-b").await?;
        self.ready().await?;
        let written = newer.end().await?;
        ensure!(written > 10, "the next version said {written} things");
        Ok(())
    }
}

/// Waits until a stall that this replica proposed is said by whoever runs.
async fn wait_for_a_stall(log: &Log, replica: &str) -> Result<()> {
    use pavane_events::{Body, Entry};
    let from = log.entries().len();
    log.wait_for(&format!("a stall that {replica} proposed"), SOON, |entries| {
        let proposed = |accepted: i64| {
            entries.iter().any(|entry| match entry {
                Entry::Event(record) => {
                    record.offset == accepted && record.event.envelope.replica.as_deref() == Some(replica)
                }
                Entry::Unreadable(_) => false,
            })
        };
        let told = |entry: &Entry| match entry {
            Entry::Event(record) => {
                matches!(&record.event.body, Body::RolloutStalled(stall) if proposed(stall.accepted))
            }
            Entry::Unreadable(_) => false,
        };
        entries[from.min(entries.len())..].iter().any(told).then_some(())
    })
    .await
}

/// The broker stands still and goes on; is killed and comes back.
async fn broker(stage: &Stage, kafka: &mut Kafka, sentinels: &mut Sentinels<'_>) -> Result<()> {
    for signal in [Signal::Stop, Signal::Kill] {
        let told = blind(stage).len();
        kafka.process().signal(signal)?;
        let what = format!("{signal:?} of the broker to be told as blindness");
        wait::until(&what, SOON, async || (blind(stage).len() > told).then_some(())).await?;
        match signal {
            Signal::Stop => kafka.process().signal(Signal::Continue)?,
            Signal::Kill | Signal::Terminate | Signal::Continue => kafka.start_again().await?,
        }
        sentinels.ready().await?;
    }
    Ok(())
}

/// Each time that somebody was told of blindness.
pub(crate) fn blind(stage: &Stage) -> Vec<Delivery> {
    let tells = |call: &Delivery| {
        call.body["status"] == "firing" && call.body["alerts"][0]["labels"]["alertname"] == "Blind"
    };
    stage.on_call().deliveries().into_iter().filter(tells).collect()
}

/// Waits until so much time has passed on the log, and the load with it.
pub(crate) async fn pass(log: &Log, load: &Load, milliseconds: i64) -> Result<()> {
    let newest =
        |entries: &[pavane_events::Entry]| entries.last().map_or(Timestamp(0), pavane_events::Entry::at);
    let (from, begun) = (newest(&log.entries()), load.count());
    let goes_by = |entries: &[pavane_events::Entry]| {
        let passed = newest(entries).since(from) >= milliseconds;
        (passed && load.count() > begun).then_some(())
    };
    log.wait_for("time to go by on the log", SOON, goes_by).await
}
