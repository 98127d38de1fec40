//! A sidecar that is drained, tells of progress, meets a second of its name, or hears no sentinel.

use std::time::Duration;

use axum::Json;
use axum::routing::post;
use pavane_events::control::Pulse;
use pavane_events::service::Ready;
use pavane_events::{Body, EventType, Instance};
use pavane_sidecar::config::{Drain, Hook};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::shop::{PATIENCE, PAUSE, Running, Shop, Workload, domain, free_port, plan};

const DB: Option<(&str, &str, &str)> = Some(("user-db", "user-db-0", "2.0.0"));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_is_drained_once_and_that_is_said_when_nothing_is_in_flight() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let mut config = shop.config(&service);
    let hook = Hook::post(format!("{}/upgrade", service.url));
    config.drain = Some(Drain { hook, timeout: Duration::from_secs(20) });
    service.with(|state| {
        state.answers = vec![(202, r#"{"status":"IN_PROGRESS","callbackDelaySeconds":0.1}"#.to_owned())];
    });
    let sidecar = shop.sidecar(config).await;
    until_open(&sidecar).await;
    let (status, answer) = ask(&sidecar, "/v1/service/drain", "").await;
    assert_eq!(status, 201, "{answer}");
    let drained = shop.until("user-service", EventType::Drained).await;
    assert_eq!(answer["id"], drained.event.envelope.id.as_str());
    assert_eq!(service.with(|state| state.upgrades.len()), 2, "asked again while work was in flight");
    let (status, answer) = ask(&sidecar, "/v1/service/drain", "").await;
    assert_eq!((status, &answer["again"]), (200, &json!(true)));
    sidecar.stop().await;
    assert_eq!(service.with(|state| state.upgrades.len()), 2, "not drained again at the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_that_is_stopped_drains_its_service_first() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let mut config = shop.config(&service);
    let hook = Hook::post(format!("{}/revert", service.url));
    config.drain = Some(Drain { hook, timeout: Duration::from_secs(20) });
    let sidecar = shop.sidecar(config).await;
    until_open(&sidecar).await;
    sidecar.stop().await;
    shop.until("user-service", EventType::Drained).await;
    assert_eq!(service.with(|state| state.reverts), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_and_a_new_version_of_one_service_live_on_the_same_events_until_the_old_one_is_drained() {
    let (mut shop, old, new) = (Shop::open().await, Workload::start().await, Workload::start().await);
    old.with(|state| state.hangs.send_replace(true));
    new.with(|state| "2.0.0".clone_into(&mut state.version));
    let mut config = shop.config(&old);
    let hook = Hook::post(format!("{}/drain", old.url));
    config.drain = Some(Drain { hook, timeout: Duration::from_secs(20) });
    let before = shop.sidecar(config).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    old.until("the hook of the old one", |state| state.upgrades.len() == 1).await;

    let mut config = shop.config(&new);
    config.instance = Instance::new("user-service-1").unwrap();
    config.journal = shop.dir.path().join("journal-1");
    let beside = shop.sidecar(config).await;
    let complete = shop.until("user-service", EventType::DeploymentComplete).await.event.envelope;
    let instance = complete.instance.as_ref().map(Instance::as_str);
    assert_eq!((instance, complete.rollout.as_ref()), (Some("user-service-1"), Some(&rollout)));
    assert_eq!(new.with(|state| state.upgrades.len()), 0, "it runs what is wanted already");

    assert_eq!(ask(&before, "/v1/service/drain", "").await.0, 201);
    let drained = shop.until("user-service", EventType::Drained).await.event.envelope;
    let (instance, version) = (drained.instance.as_ref(), drained.version.as_ref());
    assert_eq!(instance.map(Instance::as_str), Some("user-service-0"));
    assert_eq!(version.map(pavane_events::Version::as_str), Some("1.0.0"));
    assert_eq!(drained.rollout.as_ref(), Some(&rollout));
    old.with(|state| state.hangs.send_replace(false));
    before.stop().await;
    beside.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_said_under_the_open_rollout_and_a_flood_of_it_is_cut() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    until_open(&sidecar).await;
    let told = r#"{"part":"pull","detail":"3 of 7 layers"}"#;
    assert_eq!(ask(&sidecar, "/v1/progress", told).await.0, 409, "no rollout is open");
    let rollout = shop.start(&plan()).await;
    let answer = async {
        loop {
            let answer = ask(&sidecar, "/v1/progress", told).await;
            if answer.0 != 409 {
                return answer;
            }
            sleep(PAUSE).await;
        }
    };
    let (status, answer) = timeout(PATIENCE, answer).await.unwrap();
    assert_eq!(status, 201, "{answer}");
    let said = shop.until("user-service", EventType::Progress).await;
    assert_eq!(said.event.envelope.rollout, Some(rollout));
    let Body::Progress(body) = &said.event.body else { panic!("{said:?}") };
    assert_eq!((body.part.as_str(), body.detail.as_str()), ("pull", "3 of 7 layers"));
    assert_eq!(ask(&sidecar, "/v1/progress", r#"{"part":"dance"}"#).await.0, 422);
    let (client, url) = (reqwest::Client::new(), format!("{}/v1/progress", sidecar.url));
    let flood =
        (0..30).map(|_| client.post(&url).header("content-type", "application/json").body(told).send());
    let flood = futures::future::join_all(flood).await;
    let refused = flood.iter().filter(|answer| answer.as_ref().unwrap().status() == 429).count();
    assert!(refused > 5, "{refused}");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sidecars_of_one_name_are_both_barred_until_one_is_gone() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let first = shop.sidecar(shop.config(&service)).await;
    let mut copy = shop.config(&service);
    copy.journal = shop.dir.path().join("another");
    copy.http.tcp = Some(([127, 0, 0, 1], free_port()).into());
    let second = shop.sidecar(copy).await;
    for sidecar in [&first, &second] {
        until_status(sidecar, "/readyz", 503).await;
        let (status, answer) = ask(sidecar, "/v1/events", r#"{"event":"Ready"}"#).await;
        assert_eq!(status, 409, "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains("neither acts"), "{answer}");
    }
    first.until_shows("pavane_sidecar_identity_conflict 1").await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    // By then both would have announced it, read that back, and run the hook.
    let instance = Instance::new("user-service-0").unwrap();
    let mut beats = shop.bus.heartbeats_of(&domain(), &instance).await.unwrap();
    for _ in 0..8 {
        timeout(PATIENCE, beats.next()).await.expect("both beat").unwrap();
    }
    until_status(&first, "/readyz", 503).await;
    assert_eq!(
        service.with(|state| state.upgrades.len()),
        0,
        "no hook runs while it is not known whose it is"
    );
    second.stop().await;
    shop.until("user-service", EventType::DeploymentComplete).await;
    assert_eq!(service.with(|state| state.upgrades.len()), 1);
    until_status(&first, "/readyz", 200).await;
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_no_sentinel_is_heard_while_a_rollout_is_open_somebody_else_is_told() {
    let (shop, service) = (Shop::open().await, Workload::start().await);
    let (heard, mut told) = mpsc::unbounded_channel();
    let app = axum::Router::new().route(
        "/alarm",
        post(async move |Json(body): Json<Value>| {
            heard.send(body).unwrap();
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = shop.config(&service);
    config.outage.sentinel = Duration::from_secs(2);
    config.outage.webhook = Some(format!("http://{}/alarm", listener.local_addr().unwrap()));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let sidecar = shop.sidecar(config).await;
    let rollout = shop.start(&plan()).await;
    let told = timeout(PATIENCE, told.recv()).await.expect("told").unwrap();
    assert_eq!((&told["event"], &told["rollout"]), (&json!("SentinelMissing"), &json!(rollout.as_str())));
    sidecar.until_shows("pavane_sidecar_sentinel_missing 1").await;
    shop.sentinel(&rollout, Pulse::default()).await;
    sidecar.until_shows("pavane_sidecar_sentinel_missing 0").await;
    sidecar.stop().await;
}

async fn until_status(sidecar: &Running, path: &str, status: u16) {
    let url = format!("{}{path}", sidecar.url);
    let asking = async {
        while !reqwest::get(&url).await.is_ok_and(|answer| answer.status() == status) {
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{path} never answers {status}"));
}

async fn until_open(sidecar: &Running) {
    let asking = async {
        while ask(sidecar, "/v1/events", r#"{"event":"Ready","data":{"no such field":1}}"#).await.0 == 503 {
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, asking).await.expect("the door opens");
}

async fn ask(sidecar: &Running, path: &str, body: &str) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{}{path}", sidecar.url));
    let request = request.header("content-type", "application/json").body(body.to_owned());
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}
