//! What the shell brings to a rollout with phases: the numbers that they are watched by, the plans that events
//! start, the words of people.

use axum::extract::Query;
use axum::routing::get;
use pavane_choreography::{Approval, Bound, Method, OnStall, Phase, Published, Trigger, Watch};
use pavane_events::command::GateApproved;
use pavane_events::service::Ready;
use pavane_events::{EvidenceKind, PhaseId};
use serde_json::{Number, json};

use super::*;

const QUERY: &str = r#"sum(rate(errors{job="users"}[1m]))"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phase_begins_when_the_metric_of_the_one_before_has_kept_to_its_bound_and_someone_approves() {
    let stage = Stage::set().await;
    let metric = Metric::new(0.001).await;
    let sentinel = stage.enter_with(&metric.config()).await;
    let plan = watched(OnStall::Alert);
    stage.say("r-1", "start-1", None, begin(&plan)).await;
    until("the canary begins", async || stage.begun().await == ["canary"]).await;
    stage.say("r-1", "done-1", Some(("canary", "canary-0")), DeploymentComplete::default()).await;
    until("the gate is open", async || {
        sentinel.get("/api/v1/rollouts/r-1").await.1["phases"][1]["state"] == "awaiting_approval"
    })
    .await;
    until("people are reminded", async || stage.alerts().contains(&"ApprovalAwaited".to_owned())).await;
    let (gate, plan_digest) = ("rest".to_owned(), plan.digest());
    let approval = GateApproved { gate, plan_digest, attempt: 1, ..GateApproved::default() };
    stage.say("r-1", "approve-1", None, approval).await;
    until("the rest begins", async || stage.begun().await == ["canary", "rest"]).await;
    let begun = stage.on_the_log(EventType::PhaseBegun).await.pop().expect("the rest");
    let Body::PhaseBegun(begun) = begun.body else { panic!("it says that a phase begins") };
    let [seen] = &begun.evidence[..] else { panic!("the value is quoted: {:?}", begun.evidence) };
    assert_eq!((seen.kind, seen.value.as_str()), (EvidenceKind::Metric, "0.001"));
    stage.say("r-1", "done-2", Some(("rest", "rest-0")), DeploymentComplete::default()).await;
    until("the end", async || sentinel.get("/api/v1/rollouts/r-1").await.1["status"] == "completed").await;
    let text = sentinel.get("/metrics").await.1.to_string();
    assert!(text.contains("pavane_sentinel_measurements_total{outcome=\\\"value\\\"}"), "{text}");
    assert!(text.contains("kind=\\\"PhaseBegun\\\",result=\\\"accepted\\\""), "{text}");
    sentinel.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_metric_that_breaks_its_bound_is_a_stall_that_tells_the_value() {
    let stage = Stage::set().await;
    let metric = Metric::new(0.5).await;
    let sentinel = stage.enter_with(&metric.config()).await;
    stage.say("r-1", "start-1", None, begin(&watched(OnStall::Alert))).await;
    stage.say("r-1", "done-1", Some(("canary", "canary-0")), DeploymentComplete::default()).await;
    until("the alert arrives", async || stage.alerts().contains(&"RolloutStalled".to_owned())).await;
    let stalled = |alert: &Value| alert["labels"]["alertname"] == "RolloutStalled";
    let alert = stage.told().into_iter().find(stalled).expect("a stall");
    assert_eq!((&alert["labels"]["step"], &alert["labels"]["cause"]), (&"canary".into(), &"failed".into()));
    assert!(
        alert["annotations"].to_string().contains("at most 0.01 in phase canary (it is 0.5)"),
        "{alert:#}"
    );
    assert_eq!(stage.begun().await, ["canary"]);
    sentinel.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_starts_the_plan_that_was_published_for_it_whatever_else_stands_there() {
    let stage = Stage::set().await;
    let sentinel = stage.enter("a", Share::OfGroup).await;
    let mut plan = watched(OnStall::Alert);
    let on = Expect { service: Service::new("user-db").expect("a name"), event: EventType::Ready };
    plan.trigger = Some(Trigger { on, version: None });
    let row = Published::new(plan.clone(), String::new(), "ada".to_owned(), String::new()).to_json();
    for (key, value) in [("shop/garbage", "{}"), ("elsewhere/gated", "{}"), ("shop/gated", row.as_str())] {
        let value = Some(value.as_bytes().to_vec());
        stage.writer.put(Topic::Choreographies, key, value).await.expect("put");
    }
    stage.say("r-7", "ready-1", Some(("user-db", "user-db-0")), Ready::default()).await;
    until("the sentinel starts it", async || {
        let started = stage.on_the_log(EventType::RolloutStarted).await;
        let of = |event: &Event| event.envelope.rollout.as_ref().map(RolloutId::as_str) == Some("r-7");
        started.iter().any(|event| of(event) && digest(&event.body) == Some(plan.digest()))
    })
    .await;
    until("its first phase begins", async || stage.begun().await == ["canary"]).await;
    let text = sentinel.get("/metrics").await.1.to_string();
    assert!(text.contains("pavane_sentinel_choreographies_unreadable_total{domain=\\\"shop\\\"}"), "{text}");
    sentinel.leave().await;
}

impl Stage {
    /// A sentinel whose file says this besides.
    async fn enter_with(&self, more: &str) -> Player {
        let text = format!(
            "domains: [shop]\nhttp: 127.0.0.1:0\nreplica: a\nreceivers:\n- name: platform\n  webhook:\n    url: {}\n    \
             secret_file: {}\n    allow_loopback: true\n{more}",
            self.webhook,
            self.secret.path().display()
        );
        self.enter_as(Config::from_yaml(&text, "sentinel.yaml").expect("a good file"), Share::OfGroup).await
    }

    /// The phases that have begun, in order.
    async fn begun(&self) -> Vec<String> {
        let begun = self.on_the_log(EventType::PhaseBegun).await;
        let phase = |event: Event| {
            let Body::PhaseBegun(begun) = event.body else { panic!("it says that a phase begins") };
            begun.phase.to_string()
        };
        begun.into_iter().map(phase).collect()
    }

    /// What people were told, by name.
    fn alerts(&self) -> Vec<String> {
        let name = |alert: &Value| alert["labels"]["alertname"].as_str().map(str::to_owned);
        self.told().iter().filter_map(name).collect()
    }

    /// Every alert of every notification so far.
    fn told(&self) -> Vec<Value> {
        let alerts = |(_, body): (String, Value)| body["alerts"].as_array().cloned().unwrap_or_default();
        self.inbox().into_iter().flat_map(alerts).collect()
    }
}

/// A Prometheus that knows one query.
struct Metric {
    address: SocketAddr,
}

impl Metric {
    async fn new(value: f64) -> Self {
        let answer = move |Query(asked): Query<BTreeMap<String, String>>| async move {
            assert_eq!(asked["query"], QUERY);
            let one = json!({ "metric": { "job": "users" }, "value": [1, value.to_string()] });
            json!({ "status": "success", "data": { "resultType": "vector", "result": [one] } }).to_string()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = axum::Router::new().route("/api/v1/query", get(answer));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address }
    }

    fn config(&self) -> String {
        format!("prometheus: {{ url: \"http://{}\" }}\n", self.address)
    }
}

/// A canary that is watched for half a second, and the rest, which someone must approve.
fn watched(on_breach: OnStall) -> Plan {
    let step = |name: &str| {
        let service = Service::new(name).expect("a name");
        let expect = Expect { service, event: EventType::DeploymentComplete };
        Step::new(StepId::new(name).expect("a name"), expect, 60_000, "identity")
    };
    let phase = |name: &str| Phase {
        id: PhaseId::new(name).expect("a name"),
        steps: vec![StepId::new(name).expect("a name")],
        approval: None,
        cohort: None,
        soak: 0,
        watch: None,
    };
    let bound = Bound::AtMost(Number::from_f64(0.01).expect("a number"));
    let watch = Watch { query: QUERY.to_owned(), bound, hold: 500, every: 100, on_breach };
    let mut plan = Plan::new("gated", "identity", vec![step("canary"), step("rest")]);
    plan.method = Method::Hybrid;
    let canary = Phase { watch: Some(watch), ..phase("canary") };
    let rest = Phase { approval: Some(Approval { by: "sre".to_owned() }), ..phase("rest") };
    plan.phases = vec![canary, rest];
    plan
}

fn digest(body: &Body) -> Option<String> {
    if let Body::RolloutStarted(started) = body { Some(started.plan_digest.clone()) } else { None }
}
