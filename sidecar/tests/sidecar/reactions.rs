//! A sidecar beside a real service, on the embedded broker: what it does when events come.

use crate::shop::{PATIENCE, Shop, Workload, plan};
use pavane_events::command::{RollbackRequested, RolloutPaused, RolloutResumed};
use pavane_events::service::Ready;
use pavane_events::{Body, EventType, Service, StepId, Version};

const DB: Option<(&str, &str, &str)> = Some(("user-db", "user-db-0", "2.0.0"));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_leads_through_the_services_own_hook_to_its_completion() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready { prerequisite: "schema-v2".into(), detail: String::new() }).await;

    let started = shop.until("user-service", EventType::DeploymentStarted).await;
    let Body::DeploymentStarted(body) = &started.event.body else { panic!("{started:?}") };
    assert_eq!(body.from, Some(Version::new("1.0.0").unwrap()));
    let complete = shop.until("user-service", EventType::DeploymentComplete).await;
    let envelope = &complete.event.envelope;
    assert_eq!(envelope.version, Some(Version::new("2.0.0").unwrap()), "as observed");
    assert_eq!(envelope.rollout.as_ref(), Some(&rollout));
    assert_eq!((started.event.envelope.sequence, envelope.sequence), (Some(1), Some(2)));

    let told = service.with(|state| state.upgrades.clone());
    let [(headers, event)] = &told[..] else { panic!("the hook ran {} times", told.len()) };
    assert!(headers["content-type"].to_str().unwrap().starts_with("application/cloudevents+json"));
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "io.pavane.lifecycle.v1.Ready");
    assert_eq!(event["correlationid"], rollout.as_str());
    assert_eq!((&event["pavanestep"], &event["pavanefrom"]), (&"users".into(), &"1.0.0".into()));
    assert_eq!(event["data"]["prerequisite"], "schema-v2");
    let trace = pavane_events::identity::hex(&pavane_events::identity::trace_id(&rollout));
    let traceparent = headers["traceparent"].to_str().unwrap();
    assert_eq!(traceparent.split('-').nth(1), Some(trace.as_str()), "the rollout's own trace");

    let metrics = sidecar.until_answers("/metrics").await;
    assert!(
        metrics.contains("pavane_sidecar_reactions_total{ending=\"succeeded\",reaction=\"user-db.Ready\"}"),
        "{metrics}"
    );
    assert!(!metrics.contains(rollout.as_str()), "no series may depend on a rollout: {metrics}");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_asks_for_time_and_one_that_asks_for_another_try_get_them() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    service.with(|state| {
        state.answers = vec![
            (202, r#"{"status":"IN_PROGRESS","callbackDelaySeconds":0.1}"#.to_owned()),
            (503, "warming up".to_owned()),
        ];
    });
    let sidecar = shop.sidecar(shop.config(&service)).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    shop.until("user-service", EventType::DeploymentComplete).await;
    let attempts: Vec<_> = service.with(|state| {
        let attempt = |(headers, _): &(axum::http::HeaderMap, _)| {
            headers["pavane-attempt"].to_str().unwrap().to_owned()
        };
        state.upgrades.iter().map(attempt).collect()
    });
    assert_eq!(attempts, ["1", "1", "2"]);
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_fails_is_told_with_what_it_answered() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    service.with(|state| state.answers = vec![(400, "no such migration".to_owned())]);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    let failed = shop.until("user-service", EventType::DeploymentFailed).await;
    let Body::DeploymentFailed(body) = &failed.event.body else { panic!("{failed:?}") };
    assert_eq!((body.stage.as_str(), body.output.as_str()), ("hook", "no such migration"));
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_runs_once_across_a_restart_with_the_same_journal() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let config = shop.config(&service);
    let sidecar = shop.sidecar(config.clone()).await;
    let rollout = shop.start(&plan()).await;
    let ready = Ready::default();
    shop.say("/db", &rollout, DB, ready.clone()).await;
    shop.until("user-service", EventType::DeploymentComplete).await;
    sidecar.stop().await;

    let again = shop.sidecar(config).await;
    shop.say("/db", &rollout, DB, ready).await;
    let other = shop.start(&plan_of("messaging")).await;
    shop.say(
        "/m",
        &other,
        Some(("messaging", "m-0", "1.0.0")),
        pavane_events::service::DeploymentComplete::default(),
    )
    .await;
    shop.until("messaging", EventType::DeploymentComplete).await;
    all_is_read(&shop).await;
    assert_eq!(service.with(|state| state.upgrades.len()), 1);
    assert_eq!(shop.count("user-service.DeploymentComplete"), 1);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_was_cut_short_by_a_crash_is_not_run_again() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    service.with(|state| state.hangs.send_replace(true));
    let config = shop.config(&service);
    let sidecar = shop.sidecar(config.clone()).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    service.until("the hook", |state| !state.upgrades.is_empty()).await;
    sidecar.kill().await;

    let again = shop.sidecar(config).await;
    let uncertain = shop.until("user-service", EventType::HookUncertain).await;
    let Body::HookUncertain(body) = &uncertain.event.body else { panic!("{uncertain:?}") };
    assert_eq!(body.observed, Some(Version::new("1.0.0").unwrap()));
    assert_eq!(service.with(|state| state.upgrades.len()), 1);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_goes_back_when_the_sentinel_asks_it_by_name() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    shop.until("user-service", EventType::DeploymentComplete).await;
    let decision = shop.say("/ci", &rollout, None, decision()).await;
    shop.sentinel(&rollout, addressed(decision, Some("2.0.0"))).await;
    shop.until("user-service", EventType::RollbackComplete).await;
    assert_eq!(shop.count("user-service.RollbackInitiated"), 1);
    assert_eq!(service.with(|state| (state.version.clone(), state.reverts)), ("1.0.0".to_owned(), 1));
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_hangs_does_not_keep_the_service_from_going_back() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    service.with(|state| state.hangs.send_replace(true));
    let sidecar = shop.sidecar(shop.config(&service)).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    service.until("the hook", |state| !state.upgrades.is_empty()).await;
    let decision = shop.say("/ci", &rollout, None, decision()).await;
    shop.sentinel(&rollout, addressed(decision, None)).await;
    shop.until("user-service", EventType::RollbackComplete).await;
    let failed = shop.until("user-service", EventType::DeploymentFailed).await;
    let Body::DeploymentFailed(body) = &failed.event.body else { panic!("{failed:?}") };
    assert!(body.reason.contains("cut off"), "{}", body.reason);
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_keeps_the_hook_waiting_until_it_is_lifted() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/ci", &rollout, None, RolloutPaused::default()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    all_is_read(&shop).await;
    assert_eq!(service.with(|state| state.upgrades.len()), 0);
    shop.say("/ci", &rollout, None, RolloutResumed::default()).await;
    shop.until("user-service", EventType::DeploymentComplete).await;
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_is_a_hook_like_any_other() {
    let mut shop = Shop::open().await;
    let dir = shop.dir.path().to_owned();
    std::fs::write(dir.join("version"), "1.0.0").unwrap();
    let script = "cat > told; env | grep ^PAVANE_ > env; printf 2.0.0 > version; echo moved";
    let text = format!(
        "service: user-service\ndomain: shop\ninstance: user-service-0\nhttp: [\"127.0.0.1:0\", \"unix:{dir}/door\"]\n\
         journal: {dir}/journal\nversion: {{ file: {dir}/version }}\nreactions:\n  - on: user-db.Ready\n    \
         run: {{ exec: [\"/bin/sh\", \"-c\", \"cd {dir}; {script}\"], timeout: 20s }}\n",
        dir = dir.display(),
    );
    let config = pavane_sidecar::Config::from_yaml(&text, "sidecar.yaml").unwrap();
    let token = tokio_util::sync::CancellationToken::new();
    let work = tokio::spawn(pavane_sidecar::run(config, shop.bus.clone(), token.clone()));
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    let complete = shop.until("user-service", EventType::DeploymentComplete).await;
    assert_eq!(complete.event.envelope.version, Some(Version::new("2.0.0").unwrap()));
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let told: serde_json::Value = serde_json::from_str(&read("told")).unwrap();
    assert_eq!(told["type"], "io.pavane.lifecycle.v1.Ready");
    let door = format!("PAVANE_SOCKET={}/door", dir.display());
    let lines =
        ["PAVANE_SERVICE=user-service", "PAVANE_STEP=users", "PAVANE_FROM=1.0.0", "PAVANE_ATTEMPT=1", &door];
    for line in lines {
        assert!(read("env").lines().any(|found| found == line), "{line} is not in {}", read("env"));
    }
    assert!(read("env").contains("PAVANE_URL=http://127.0.0.1:"), "{}", read("env"));
    token.cancel();
    work.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_the_hook_that_runs_come_to_its_end() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    service.with(|state| state.hangs.send_replace(true));
    let config = shop.config(&service);
    let sidecar = shop.sidecar(config.clone()).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    service.until("the hook", |state| !state.upgrades.is_empty()).await;
    sidecar.stop.cancel();
    service.with(|state| state.hangs.send_replace(false));
    sidecar.stop().await;

    let again = shop.sidecar(config).await;
    shop.until("user-service", EventType::DeploymentComplete).await;
    assert_eq!(service.with(|state| state.upgrades.len()), 1, "what it did was written down");
    again.stop().await;
}

fn plan_of(service: &str) -> pavane_choreography::Plan {
    let mut plan = plan();
    plan.steps.remove(1);
    plan.steps[0].expect.service = Service::new(service).unwrap();
    plan.steps[0].expect.event = EventType::DeploymentComplete;
    plan
}

fn decision() -> RollbackRequested {
    RollbackRequested { epoch: 1, by: "ada".into(), ..RollbackRequested::default() }
}

fn addressed(decision: i64, expected: Option<&str>) -> RollbackRequested {
    RollbackRequested {
        epoch: 1,
        step: Some(StepId::new("users").unwrap()),
        service: Some(Service::new("user-service").unwrap()),
        expected: expected.map(|version| Version::new(version).unwrap()),
        target: Some(Version::new("1.0.0").unwrap()),
        decision: Some(decision),
        ..RollbackRequested::default()
    }
}

/// Waits until the sidecar has read all that stands on the log, as its heartbeat says.
pub(crate) async fn all_is_read(shop: &Shop) {
    let reader = shop.bus.reader(&crate::shop::domain(), pavane_bus::Policy::Structural).await.unwrap();
    let (_, end) = reader.bounds().await.unwrap();
    let mut beats = shop.bus.heartbeats().await.unwrap();
    let reading = async { while beats.next().await.unwrap().heartbeat.position < end - 1 {} };
    tokio::time::timeout(PATIENCE, reading).await.expect("it reads to the end");
}
