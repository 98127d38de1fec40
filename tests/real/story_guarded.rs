//! A broker that asks for certificates and keeps lists of who may do what: a certificate that is about to expire is told
//! before, one that has expired and a right that was taken away as blindness with its cause; nothing is judged meanwhile, and
//! all that was due is, when the sentinel sees again.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pavane_bus::Topic;
use pavane_events::service::Ready;
use pavane_events::{Body, Entry, RolloutId};
use pavane_tests::place;
use pavane_tests::process::Signal;
use pavane_tests::real::jdk::Jdk;
use pavane_tests::real::kafka::Kafka;
use pavane_tests::real::python::{self, Python};
use pavane_tests::real::{Services, cache};
use pavane_tests::stage::sentinel::Sentinel;
use pavane_tests::stage::{SOON, Stage};
use pavane_tests::webhook::Delivery;
use tokio::time::interval;

use crate::storm_load::{append, event};

const PLAN: &str = "apiVersion: pavane/v1
kind: Choreography
metadata: { name: schema-alone, owner: data }
steps:
  - { id: schema, expect: user-db.Ready, within: 2s, on_stall: alert }
";

/// Who the sentinel is by its certificate.
const PRINCIPAL: &str = "User:CN=sentinel";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_taken_away_and_a_certificate_that_expires_are_told_and_judged_by_nobody() {
    let test = "a_right_that_is_taken_away_and_a_certificate_that_expires_are_told_and_judged_by_nobody";
    let Some(services) = Services::get(test).await else { return };
    if !python::is_there(test) {
        return;
    }
    let python = tokio::task::spawn_blocking(Python::get).await.unwrap().unwrap();
    let [port] = place::free_ports();
    let jdk = Jdk::find().unwrap();
    let guarded = |place: &pavane_tests::real::kafka::Place| {
        let folder = place.folder.display().to_string();
        said(python.run("tests/real/certificates.py", &[&folder])?)?;
        std::fs::copy(place.folder.join("broker.pem"), place.folder.join("shown.pem"))?;
        Ok(settings(&folder, place.port, place.controller, port))
    };
    let kafka = Kafka::start_with(&jdk, &cache::kafka().unwrap(), guarded).await.unwrap();
    let services = Services { kafka: kafka.address(), ..services };
    let stage = Stage::set("guarded", "shop", &services).await.unwrap();
    let mut broker = Guarded { kafka, python, port };
    play(&stage, &mut broker).await.unwrap();
}

/// A broker that lets everybody in by its first port and asks for a certificate at the other.
struct Guarded {
    kafka: Kafka,
    python: Python,
    port: u16,
}

async fn play(stage: &Stage, broker: &mut Guarded) -> Result<()> {
    let mut sentinel = broker.sentinel(stage).await?;
    sentinel.ready().await?;
    told_before(&sentinel).await?;

    let reading = Topic::Lifecycle.name(&stage.settings().prefix);
    broker.right("take", &reading)?;
    blindness(stage, "denied", "firing").await.context("with a right taken away")?;
    ensure!(!sentinel.is_ready().await, "it says that it sees");
    let log = sentinel.process.output();
    let named = log.lines().any(|line| line.contains(&reading) && line.contains("does not allow it"));
    ensure!(named, "nothing names what is not allowed:\n{}", sentinel.process.tail());
    let rollout = overdue(stage).await?;
    broker.right("give", &reading)?;
    blindness(stage, "denied", "resolved").await.context("with the right given back")?;
    let judged = |view: &serde_json::Value| view["steps"][0]["state"] == "stalled";
    sentinel.wait_for(&rollout, "a stall that was due", judged).await?;

    broker.show("expired.pem").await?;
    blindness(stage, "broker", "firing").await.context("with a certificate that has expired")?;
    broker.show("broker.pem").await?;
    sentinel.ready().await.context("with a new certificate")?;
    sentinel.process.must_run()?;
    stage.all_signatures_held()
}

/// Its own certificate expires in four days and a half.
async fn told_before(sentinel: &Sentinel) -> Result<()> {
    let metrics = sentinel.metrics().await?;
    let lines = metrics.lines().filter(|line| line.starts_with("pavane_certificate_expires_seconds{"));
    let own = lines.clone().find(|line| line.contains("ssl.certificate.location"));
    let own = own.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs_f64();
    let days = own.map(|at| (at - now) / 86_400.0);
    ensure!(days.is_some_and(|days| (4.0..5.0).contains(&days)), "it expires in {days:?} days:\n{metrics}");
    ensure!(lines.count() == 2, "the authority's is told, too:\n{metrics}");
    let warned = sentinel.process.output().contains("expires in 4 days: renew it, and restart");
    ensure!(warned, "it does not warn:\n{}", sentinel.process.tail());
    Ok(())
}

/// A rollout that the sentinel cannot see passes its window, on a log that goes on; nothing is judged.
async fn overdue(stage: &Stage) -> Result<String> {
    let (log, writer) = (stage.log().await?, stage.bus().await?.writer().await?);
    let plan = stage.write("plan.yaml", PLAN)?;
    let rollout = stage.start(&plan).await?;
    let mut ticks = interval(Duration::from_millis(200));
    let from = log.entries().last().map(Entry::at).context("something stands on the log")?;
    for n in 0.. {
        ticks.tick().await;
        let stranger = RolloutId::new("somebody-elses")?;
        append(&writer, &event(stage.domain(), &stranger, "x/x-0", format!("word-{n}"), Ready::default())?)
            .await;
        if log.entries().last().is_some_and(|entry| entry.at().since(from) > 4_000) {
            break;
        }
    }
    let proposes = |entry: &Entry| match entry {
        Entry::Event(record) => matches!(record.event.body, Body::Proposed(_)),
        Entry::Unreadable(_) => false,
    };
    ensure!(!log.entries().iter().any(proposes), "it judged although it is blind:\n{}", log.text());
    Ok(rollout)
}

/// Waits until somebody is told that the sentinel cannot see by this cause, or can again.
async fn blindness(stage: &Stage, cause: &str, status: &str) -> Result<()> {
    let tells = |call: &Delivery| {
        let labels = &call.body["alerts"][0]["labels"];
        call.body["status"] == status && labels["alertname"] == "Blind" && labels["cause"] == cause
    };
    stage.on_call().wait_for(&format!("blindness by {cause}, {status}"), SOON, tells).await.map(drop)
}

impl Guarded {
    async fn sentinel(&self, stage: &Stage) -> Result<Sentinel> {
        let folder = self.kafka.folder().display();
        let client = format!(
            "security.protocol=ssl\nssl.ca.location={folder}/authority.pem\n\
             ssl.certificate.location={folder}/sentinel.pem\nssl.key.location={folder}/sentinel.key\n"
        );
        let client = stage.write("client.properties", &client)?;
        let address = format!("127.0.0.1:{}", self.port);
        let way = [("PAVANE_KAFKA", address.as_str()), ("PAVANE_CLIENT_CONFIG", &client)];
        Sentinel::start_through(stage, "sentinel-a", &way).await
    }

    /// Takes the sentinel's right to read a topic away, or gives it back.
    fn right(&self, act: &str, topic: &str) -> Result<()> {
        said(self.python.run("tests/real/rights.py", &[&self.kafka.address(), act, PRINCIPAL, topic])?)
    }

    /// The broker comes back with another certificate.
    async fn show(&mut self, file: &str) -> Result<()> {
        let folder = self.kafka.folder();
        std::fs::copy(folder.join(file), folder.join("shown.pem"))?;
        self.kafka.process().signal(Signal::Kill)?;
        self.kafka.start_again().await
    }
}

fn said(output: std::process::Output) -> Result<()> {
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "a script failed ({}):\n{text}", output.status);
    Ok(())
}

fn settings(folder: &str, open: u16, controller: u16, guarded: u16) -> String {
    format!(
        "listeners=PLAINTEXT://127.0.0.1:{open},SSL://127.0.0.1:{guarded},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL
ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={folder}/shown.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/authority.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=true
"
    )
}
