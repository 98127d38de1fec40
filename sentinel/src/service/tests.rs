//! The sentinel on the embedded broker and registry: everything real but the durability.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use pavane_bus::{Bus, Item, Policy, TableItem, Topic, Writer, embedded};
use pavane_choreography::Plan;
use pavane_choreography::plan::{Expect, Step};
use pavane_events::command::RolloutStarted;
use pavane_events::service::DeploymentComplete;
use pavane_events::{
    Body, Cause, Entry, Envelope, Event, EventId, EventType, Instance, RolloutId, Service, Source, StepId,
};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::*;
use crate::alert::signature::Secrets;

mod changes;
mod counts;
mod phases;
mod tamper;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const LIMIT: Duration = Duration::from_secs(90);

/// What a receiver got: headers and body.
type Inbox = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

struct Stage {
    embedded: embedded::Embedded,
    bus: Bus,
    writer: Writer,
    inbox: Inbox,
    open: Arc<AtomicBool>,
    webhook: String,
    secret: tempfile::NamedTempFile,
}

struct Player {
    http: SocketAddr,
    stop: CancellationToken,
    ended: JoinHandle<anyhow::Result<()>>,
}

impl Stage {
    async fn set() -> Self {
        let embedded = embedded::start().await.expect("the embedded broker starts");
        let bus = Bus::connect(embedded.settings(), "test").await.expect("connected");
        let writer = bus.writer().await.expect("a writer");
        let inbox = Inbox::default();
        let open = Arc::new(AtomicBool::new(true));
        let webhook = receiver(inbox.clone(), open.clone()).await;
        let mut secret = tempfile::NamedTempFile::new().expect("a file");
        writeln!(secret, "{SECRET}").expect("written");
        Self { embedded, bus, writer, inbox, open, webhook, secret }
    }

    fn config(&self, replica: &str) -> Config {
        let text = format!(
            "domains: [shop]\nhttp: 127.0.0.1:0\nreplica: {replica}\nexternal_url: https://pavane.example\nreceivers:\n\
             - name: platform\n  webhook:\n    url: {}\n    secret_file: {}\n    allow_loopback: true\n",
            self.webhook,
            self.secret.path().display()
        );
        Config::from_yaml(&text, "sentinel.yaml").expect("a good file")
    }

    async fn enter(&self, replica: &str, share: Share) -> Player {
        self.enter_as(self.config(replica), share).await
    }

    async fn enter_as(&self, config: Config, share: Share) -> Player {
        let bus = Bus::connect(self.embedded.settings(), config.replica.as_str()).await.expect("connected");
        let sentinel = Sentinel::bind(config).await.expect("bound");
        let (http, stop) = (sentinel.address().expect("an address"), CancellationToken::new());
        let ended = tokio::spawn(sentinel.watch(Connection::ready(bus), share, stop.clone()));
        let player = Player { http, stop, ended };
        until("the sentinel sees", async || player.get("/readyz").await.0 == 200).await;
        player
    }

    async fn say(&self, rollout: &str, id: &str, service: Option<(&str, &str)>, body: impl Into<Body>) {
        self.say_in("shop", rollout, id, service, body).await;
    }

    async fn say_in(
        &self,
        domain: &str,
        rollout: &str,
        id: &str,
        service: Option<(&str, &str)>,
        body: impl Into<Body>,
    ) {
        let domain = Domain::new(domain).expect("a name");
        let who = service.map_or("ci".to_owned(), |(service, instance)| format!("{service}/{instance}"));
        let source = Source::new(format!("/pavane/{domain}/{who}")).expect("a source");
        let mut envelope = Envelope::new(domain, source, EventId::new(id).expect("a name"));
        envelope.rollout = Some(RolloutId::new(rollout).expect("a name"));
        if let Some((service, instance)) = service {
            envelope.service = Some(Service::new(service).expect("a name"));
            envelope.instance = Some(Instance::new(instance).expect("a name"));
        }
        let event = Event { envelope, body: body.into() };
        self.writer.append(&event).await.expect("appended");
    }

    /// Notifications that arrived, as (webhook-id, body).
    fn inbox(&self) -> Vec<(String, Value)> {
        let inbox = self.inbox.lock().expect("no panic");
        let read = |(headers, body): &(HeaderMap, Bytes)| {
            let id = headers["webhook-id"].to_str().expect("text").to_owned();
            (id, serde_json::from_slice(body).expect("JSON"))
        };
        inbox.iter().map(read).collect()
    }

    /// The log's events of one type, from its beginning to its end.
    async fn on_the_log(&self, event_type: EventType) -> Vec<Event> {
        let mut reader = self.bus.reader(&domain(), Policy::Structural).await.expect("a reader");
        let mut found = Vec::new();
        loop {
            match reader.next().await.expect("readable") {
                Item::Entry { entry: Entry::Event(record), .. } => {
                    if record.event.body.event_type() == event_type {
                        found.push(record.event);
                    }
                }
                Item::Entry { .. } => {}
                Item::CaughtUp { .. } => return found,
            }
        }
    }

    /// The keys that stand on a topic of rows.
    async fn keys(&self, topic: Topic) -> Vec<String> {
        let mut table = self.bus.table(topic).await.expect("a table");
        let mut keys = Vec::new();
        loop {
            match table.next().await.expect("readable") {
                TableItem::Row(row) => keys.push(row.key),
                TableItem::CaughtUp => return keys,
            }
        }
    }
}

impl Player {
    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = reqwest::get(format!("http://{}{path}", self.http)).await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("text");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn leave(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(LIMIT, self.ended).await.expect("it ends in time");
        ended.expect("no panic").expect("a good end");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_nobody_answers_is_named_told_and_lifted_by_a_late_answer() {
    let stage = Stage::set().await;
    let sentinel = stage.enter("a", Share::OfGroup).await;
    stage.say("r-1", "start-1", None, start(500)).await;
    until("the alert arrives", async || !stage.inbox().is_empty()).await;

    let (id, body) = stage.inbox().remove(0);
    let alert = &body["alerts"][0];
    assert_eq!((&body["status"], &body["receiver"]), (&"firing".into(), &"platform".into()));
    for (label, value) in [
        ("alertname", "RolloutStalled"),
        ("domain", "shop"),
        ("rollout", "r-1"),
        ("step", "users"),
        ("service", "user-service"),
        ("cause", "unreachable"),
        ("owner", "identity"),
    ] {
        assert_eq!(alert["labels"][label], value, "{alert:#}");
    }
    assert_eq!(alert["annotations"]["missing"], "user-service.DeploymentComplete");
    assert_eq!(alert["annotations"]["runbook_url"], "https://runbooks.example/users");
    assert_eq!(alert["generatorURL"], "https://pavane.example/rollouts/r-1#users");
    signed(&stage);

    let stalls = stage.on_the_log(EventType::RolloutStalled).await;
    let [Event { envelope, body: Body::RolloutStalled(said) }] = &stalls[..] else { panic!("one stall") };
    assert_eq!(
        (&said.cause, envelope.rollout.as_ref().map(RolloutId::as_str)),
        (&Cause::Unreachable, Some("r-1"))
    );
    let (status, shown) = sentinel.get("/api/v1/rollouts/r-1").await;
    assert_eq!((status, &shown["domain"], &shown["status"]), (200, &"shop".into(), &"open".into()));
    assert_eq!(shown["steps"][0]["state"], "stalled");

    let late = DeploymentComplete::default();
    stage.say("r-1", "done-1", Some(("user-service", "user-service-0")), late).await;
    until("the alert is over", async || stage.inbox().len() == 2).await;
    let (end, body) = stage.inbox().remove(1);
    assert_eq!((end == id, &body["status"]), (false, &"resolved".into()));
    until("the rollout ends", async || {
        sentinel.get("/api/v1/rollouts").await.1["rollouts"][0]["status"] == "completed"
    })
    .await;
    let text = sentinel.get("/metrics").await.1.to_string();
    assert!(text.contains("pavane_sentinel_verdicts_total"), "{text}");
    assert!(!text.contains("r-1\\\""), "no rollout stands in a label: {text}");
    sentinel.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_does_not_double_what_the_owner_told_and_a_restart_tells_nothing_again() {
    let stage = Stage::set().await;
    let (owner, standby) = (stage.enter("a", Share::OfGroup).await, stage.enter("b", Share::OfNobody).await);
    stage.say("r-1", "start-1", None, start(300)).await;
    until("the alert arrives", async || !stage.inbox().is_empty()).await;
    let id = stage.inbox().remove(0).0;
    let key = format!("told/{id}/platform");
    until("it is noted", async || stage.keys(Topic::Notifications).await.contains(&key)).await;
    owner.leave().await;

    // The third reads the whole story anew. It tells that an alert is over only after that it burns: what comes
    // next proves that it has had its chance to double the first.
    let third = stage.enter("c", Share::OfGroup).await;
    let told = |rollout: &str| {
        let of = |(_, body): &(String, Value)| body["groupLabels"]["rollout"] == rollout;
        stage.inbox().iter().filter(|told| of(told)).count()
    };
    stage.say("r-1", "abort-1", None, pavane_events::command::RolloutAborted::default()).await;
    until("the end of the first is told", async || told("r-1") >= 2).await;
    let ids: Vec<_> = stage.inbox().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids.iter().filter(|other| **other == id).count(), 1, "{ids:?}");
    third.leave().await;
    standby.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_takes_over_when_the_owner_is_gone() {
    let stage = Stage::set().await;
    let standby = stage.enter("b", Share::OfNobody).await;
    stage.say("r-1", "start-1", None, start(300)).await;
    until("the alert arrives", async || !stage.inbox().is_empty()).await;
    assert_eq!(stage.on_the_log(EventType::RolloutStalled).await.len(), 1);
    standby.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_raised_and_not_taken_is_told_after_a_restart_under_the_same_id_with_the_same_bytes() {
    let stage = Stage::set().await;
    stage.open.store(false, Ordering::SeqCst);
    let first = stage.enter("a", Share::OfGroup).await;
    stage.say("r-1", "start-1", None, start(300)).await;
    until("it is tried", async || !stage.inbox().is_empty()).await;
    first.leave().await;
    let tried = stage.inbox().len();
    stage.open.store(true, Ordering::SeqCst);
    let second = stage.enter("b", Share::OfGroup).await;
    until("it is taken", async || stage.inbox().len() > tried).await;
    let inbox = stage.inbox.lock().expect("no panic").clone();
    let told: Vec<_> = inbox.iter().map(|(headers, body)| (&headers["webhook-id"], body)).collect();
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
    second.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_nobody_can_read_costs_one_dead_letter_and_stops_nothing() {
    let stage = Stage::set().await;
    let (owner, standby) = (stage.enter("a", Share::OfGroup).await, stage.enter("b", Share::OfNobody).await);
    stage.say("r-1", "start-1", None, start(3_000)).await;
    let source = Source::new("/pavane/shop/user-service/user-service-0").expect("a source");
    let mut envelope = Envelope::new(domain(), source, EventId::new("poison").expect("a name"));
    envelope.rollout = Some(RolloutId::new("r-1").expect("a name"));
    envelope.service = Some(Service::new("user-service").expect("a name"));
    let garbage = b"not the wire format".to_vec();
    let poison = stage.writer.append_encoded(&envelope, EventType::DeploymentComplete, garbage, "urn:none");
    let poison = poison.await.expect("appended");
    let key = format!("pavane.lifecycle-{}-{}", poison.partition, poison.offset);
    until("it is set aside", async || stage.keys(Topic::DeadLetters).await.contains(&key)).await;

    // It could have been the awaited event: that is why the step stands still.
    until("the alert arrives", async || !stage.inbox().is_empty()).await;
    assert_eq!(stage.inbox()[0].1["alerts"][0]["labels"]["cause"], "contract_broken");
    let late = DeploymentComplete::default();
    stage.say("r-1", "done-1", Some(("user-service", "user-service-0")), late).await;
    until("the rollout ends", async || owner.get("/api/v1/rollouts/r-1").await.1["status"] == "completed")
        .await;
    let mark = format!("dead-letter/{key}");
    until("it is noted", async || stage.keys(Topic::Notifications).await.contains(&mark)).await;
    owner.leave().await;

    // One that reads all of it anew sets nothing aside a second time: the next dead letter is that of the next
    // record.
    let third = stage.enter("c", Share::OfGroup).await;
    let next =
        stage.writer.append_encoded(&envelope, EventType::DeploymentComplete, vec![1], "urn:none").await;
    let next = format!("pavane.lifecycle-{}-{}", poison.partition, next.expect("appended").offset);
    until("the next is set aside", async || stage.keys(Topic::DeadLetters).await.contains(&next)).await;
    assert_eq!(stage.keys(Topic::DeadLetters).await, [key, next]);
    third.leave().await;
    standby.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_exist_is_a_problem_and_health_never_depends_on_kafka() {
    let stage = Stage::set().await;
    let sentinel = Sentinel::bind(stage.config("a")).await.expect("bound");
    let (http, stop) = (sentinel.address().expect("an address"), CancellationToken::new());
    let nowhere = Settings::new("127.0.0.1:1", "http://127.0.0.1:1");
    let ended = tokio::spawn(sentinel.run_on(nowhere, stop.clone()));
    let player = Player { http, stop, ended };
    assert_eq!(player.get("/healthz").await.0, 200);
    let (status, problem) = player.get("/readyz").await;
    assert_eq!((status, &problem["status"]), (503, &503.into()));
    for path in ["/api/v1/rollouts/r-9", "/api/v1/rollouts/not%20a%20name", "/api/v2"] {
        let (status, problem) = player.get(path).await;
        assert_eq!((status, &problem["title"]), (404, &"Not Found".into()), "{path}");
    }
    until("it says that it cannot see", async || !stage.inbox().is_empty()).await;
    let (_, body) = stage.inbox().remove(0);
    assert_eq!(body["alerts"][0]["labels"]["alertname"], "Blind");
    assert_eq!(body["alerts"][0]["labels"]["cause"], "broker");
    player.leave().await;
}

/// Holds the signature of the newest notification against the published algorithm, from outside.
fn signed(stage: &Stage) {
    let inbox = stage.inbox.lock().expect("no panic");
    let (headers, body) = inbox.last().expect("a notification");
    let header = |name: &str| headers[name].to_str().expect("text");
    let timestamp = header("webhook-timestamp").parse().expect("seconds");
    let secrets = Secrets::read(stage.secret.path()).expect("a secret");
    assert_eq!(header("webhook-signature"), secrets.sign(header("webhook-id"), timestamp, body));
}

fn domain() -> Domain {
    Domain::new("shop").expect("a name")
}

/// A rollout of one step that waits so many milliseconds for one instance.
fn start(within: i64) -> RolloutStarted {
    let service = Service::new("user-service").expect("a name");
    let expect = Expect { service, event: EventType::DeploymentComplete };
    let mut step = Step::new(StepId::new("users").expect("a name"), expect, within, "identity");
    step.compensate.within = 60_000;
    step.runbook = Some("https://runbooks.example/users".to_owned());
    let plan = Plan::new("users-v2", "identity", vec![step]);
    begin(&plan)
}

/// The start of a rollout that dances this plan.
fn begin(plan: &Plan) -> RolloutStarted {
    RolloutStarted {
        choreography: plan.name.clone(),
        plan_digest: plan.digest(),
        plan: plan.to_json(),
        rules: 1,
        by: "test".to_owned(),
        reason: String::new(),
    }
}

/// A receiver that keeps what it is sent, and takes it only while it is open.
async fn receiver(inbox: Inbox, open: Arc<AtomicBool>) -> String {
    receiver_at("/in", inbox, open).await
}

/// The same at this path; the address that is given back ends with `/in`.
async fn receiver_at(path: &str, inbox: Inbox, open: Arc<AtomicBool>) -> String {
    let take = move |headers: HeaderMap, body: Bytes| async move {
        inbox.lock().expect("no panic").push((headers, body));
        if open.load(Ordering::SeqCst) { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (address, path) = (listener.local_addr().expect("an address"), path.to_owned());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route(&path, post(take))).await });
    format!("http://{address}/in")
}

/// Waits for a condition.
async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let holds = async {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        while !condition().await {
            look.tick().await;
        }
    };
    tokio::time::timeout(LIMIT, holds).await.unwrap_or_else(|_| panic!("{what}: not within {LIMIT:?}"));
}
