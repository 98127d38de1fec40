//! Readiness that is true: the page tells it, a deployment waits for it, and a sickness later is said.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pavane_events::service::{DeploymentFailed, Ready};
use pavane_events::{Body, EventType, RolloutId};
use pavane_sidecar::Config;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::peers::Peers;
use crate::shop::{PATIENCE, PAUSE, Running, Shop, Workload, plan};

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_check_asks_its_peer_and_says_what_it_answered() {
    let (shop, service, peers) = (Shop::open().await, Workload::start().await, Peers::start().await);
    let sidecar = shop.sidecar(with(&shop, &service, &every_kind(&peers))).await;
    let page = until(&sidecar, "ready").await;
    assert_eq!(page["checks"].as_array().unwrap().len(), 10);
    assert!(checked(&page, "cache")["value"].as_f64().unwrap() > 0.0, "the time of the answer: {page}");
    assert_eq!(
        (&checked(&page, "jobs")["value"], &checked(&page, "lag")["value"]),
        (&7.0.into(), &0.0.into())
    );

    peers.ill.store(true, Ordering::SeqCst);
    std::fs::remove_file(&peers.file).unwrap();
    for _ in 0..3 {
        shop.start(&plan()).await;
    }
    let page = until_all_but_the_port_are_sick(&sidecar).await;
    for (check, reason) in [
        ("web", "answered 503: warming up"),
        ("program", "test exited with 1"),
        ("grpc", "NOT_SERVING"),
        ("database", "sorry, too many clients already (53300)"),
        ("cache", "LOADING Redis is loading the dataset in memory"),
        ("jobs", "140, where at most 100 is"),
        ("files", "cat exited with 1"),
        ("lag", "3, where at most 2 is"),
        ("errors", "0.5, where at most 0.01 is"),
    ] {
        let said = checked(&page, check)["reason"].as_str().unwrap();
        assert!(said.contains(reason), "{check}: {said}");
        assert!(page["reason"].as_str().unwrap().contains(&format!("{check}: ")), "{page}");
    }
    assert_eq!(checked(&page, "jobs")["off_by"], 40.0);
    assert!(!page.to_string().contains("canary"), "no password is repeated");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_damped_and_comes_back_at_the_stricter_bound() {
    let (shop, service, peers) = (Shop::open().await, Workload::start().await, Peers::start().await);
    let ready = format!(
        "ready:\n  all:\n    - {{ name: jobs, queue: {{ http: \"{}/queue\", field: /depth }}, at_most: 100, \
         back_at: 50, every: 10ms, timeout: 40s, failures: 3 }}\n",
        peers.page
    );
    let sidecar = shop.sidecar(with(&shop, &service, &ready)).await;
    until(&sidecar, "ready").await;
    // Two bad answers between good ones, again and again: never three in a row.
    let watched = async {
        for _ in 0..10 {
            peers.queue.lock().unwrap().extend([140, 140, 7]);
            while !peers.queue.lock().unwrap().is_empty() {
                assert_eq!(page(&sidecar).await["status"], "ready");
                sleep(Duration::from_millis(3)).await;
            }
        }
    };
    timeout(PATIENCE, watched).await.expect("the answers are asked for");
    peers.depth.store(140, Ordering::SeqCst);
    let sick = until(&sidecar, "sick").await;
    let jobs = checked(&sick, "jobs");
    assert_eq!(
        (&jobs["value"], &jobs["at_most"], &jobs["off_by"]),
        (&140.0.into(), &50.0.into(), &90.0.into())
    );
    peers.depth.store(80, Ordering::SeqCst);
    let looking = async {
        while checked(&page(&sidecar).await, "jobs")["value"] != 80.0 {
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, looking).await.expect("80 is told");
    assert_eq!(page(&sidecar).await["status"], "sick", "good enough while it is well, and not to come back");
    peers.depth.store(50, Ordering::SeqCst);
    until(&sidecar, "ready").await;
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_complete_when_the_checks_hold_and_fails_when_they_cease_to() {
    let (mut shop, service, peers) = (Shop::open().await, Workload::start().await, Peers::start().await);
    let ready = format!(
        "ready:\n  within: 5m\n  healthy_for: 300ms\n  all:\n    - {{ name: jobs, queue: {{ http: \"{}/queue\", \
         field: /depth }}, at_most: 100, every: 10ms, timeout: 40s, failures: 3 }}\n",
        peers.page
    );
    peers.depth.store(140, Ordering::SeqCst);
    let sidecar = shop.sidecar(with(&shop, &service, &ready)).await;
    let rollout = shop.start(&plan()).await;
    say_ready(&shop, &rollout).await;
    service.until("the upgrade", |inside| inside.version == "2.0.0").await;
    until(&sidecar, "sick").await;
    assert_eq!(shop.count("user-service.DeploymentComplete"), 0);
    peers.depth.store(7, Ordering::SeqCst);
    let complete = shop.until("user-service", EventType::DeploymentComplete).await;
    assert_eq!(complete.event.envelope.version.unwrap().as_str(), "2.0.0");

    peers.depth.store(140, Ordering::SeqCst);
    let failed = shop.until("user-service", EventType::DeploymentFailed).await;
    let Body::DeploymentFailed(DeploymentFailed { stage, reason, .. }) = failed.event.body else {
        panic!("failed")
    };
    assert_eq!(stage, "readiness");
    assert!(reason.contains("jobs: 140, where at most 100 "), "{reason}");
    peers.depth.store(7, Ordering::SeqCst);
    let again = async {
        while shop.count("user-service.DeploymentComplete") < 2 {
            shop.next().await;
        }
    };
    timeout(PATIENCE, again).await.expect("it says that it is well again");
    assert_eq!(shop.count("user-service.DeploymentFailed"), 1, "once");
    assert_eq!(service.with(|inside| inside.upgrades.len()), 1, "no hook ran for it");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_the_page_is_as_true_and_without_checks_it_says_so() {
    let (shop, service, peers) = (Shop::open().await, Workload::start().await, Peers::start().await);
    let away = pavane_bus::Settings::new("127.0.0.1:1", "http://127.0.0.1:1");
    let ready = format!("ready:\n  all:\n    - {{ name: web, http: \"{}/well\", {FAST} }}\n", peers.page);
    let config = with(&shop, &service, &ready);
    let (url, end) = (format!("http://{}", config.http), tokio_util::sync::CancellationToken::new());
    let work = tokio::spawn(pavane_sidecar::run_with(config, away, end.clone()));
    let sidecar = Running { stop: end, url, work };
    until(&sidecar, "ready").await;
    peers.ill.store(true, Ordering::SeqCst);
    until(&sidecar, "sick").await;
    sidecar.stop().await;

    let bare = shop.sidecar(shop.config(&service)).await;
    let answer = reqwest::get(format!("{}/v1/service/readyz", bare.url)).await.unwrap();
    assert_eq!(answer.status(), 404);
    assert!(answer.text().await.unwrap().contains("no `ready:`"));
    bare.stop().await;
}

/// A check that is asked often and makes up its mind soon.
const FAST: &str = "every: 20ms, timeout: 10s, failures: 2";

/// One check of each kind.
fn every_kind(peers: &Peers) -> String {
    let address = |name| peers.address(name);
    format!(
        "ready:\n  all:\n    - {{ name: web, http: \"{page}/well\", {FAST} }}\n    \
         - {{ name: port, tcp: \"{port}\", {FAST} }}\n    \
         - {{ name: program, exec: [test, -e, \"{file}\"], {FAST} }}\n    \
         - {{ name: grpc, grpc: {{ address: \"{grpc}\", service: users }}, {FAST} }}\n    \
         - {{ name: database, sql: {{ url: \"postgres://shop@{sql}/shop\" }}, {FAST} }}\n    \
         - {{ name: cache, redis: {{ address: \"{redis}\", password_file: \"{secret}\" }}, {FAST} }}\n    \
         - {{ name: jobs, queue: {{ http: \"{page}/queue\", field: /depth }}, at_most: 100, {FAST} }}\n    \
         - {{ name: files, queue: {{ exec: [cat, \"{file}\"] }}, at_most: 100, {FAST} }}\n    \
         - {{ name: lag, kafka_lag: {{ group: users, topic: pavane.lifecycle }}, at_most: 2, every: 20ms, \
         timeout: 10s, failures: 2 }}\n    \
         - {{ name: errors, prometheus: {{ url: \"{page}\", query: \"rate(errors[1m])\" }}, at_most: 0.01, {FAST} }}\n",
        page = peers.page,
        port = address("port"),
        grpc = address("grpc"),
        sql = address("sql"),
        redis = address("redis"),
        file = peers.file.display(),
        secret = peers.secret.display(),
    )
}

/// The sidecar of the shop with checks of the service as a whole.
fn with(shop: &Shop, service: &Workload, ready: &str) -> Config {
    let (plain, text) = (
        shop.config(service),
        format!("service: a\ndomain: a\ninstance: a\njournal: a\nversion: {{ env: V }}\n{ready}"),
    );
    let read =
        |text: &str| Config::from_yaml(text, "sidecar.yaml").unwrap_or_else(|defects| panic!("{defects:#?}"));
    let ready = read(&text).ready;
    let hold = ready.as_ref().map(|ready| ready.hold);
    let mut config = Config { ready, ..plain };
    for reaction in &mut config.reactions {
        reaction.terms.hold = hold;
    }
    config
}

async fn say_ready(shop: &Shop, rollout: &RolloutId) {
    shop.say("/ci", rollout, Some(("user-db", "user-db-0", "2.0.0")), Ready::default()).await;
}

/// Waits until the page says this; returns it.
async fn until(sidecar: &Running, status: &str) -> Value {
    let looking = async {
        loop {
            if let Ok(answer) = reqwest::get(format!("{}/v1/service/readyz", sidecar.url)).await {
                let code = answer.status().as_u16();
                let page: Value = answer.json().await.unwrap();
                assert_eq!(code == 200, page["status"] == "ready", "{code} {page}");
                if page["status"] == status {
                    return page;
                }
            }
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("the page never says {status}"))
}

/// Waits until every check is sick but the one that asks for a connection alone; returns the page.
async fn until_all_but_the_port_are_sick(sidecar: &Running) -> Value {
    let ill = |check: &Value| check["status"] == "sick" || check["name"] == "port";
    let looking = async {
        loop {
            let page = until(sidecar, "sick").await;
            if page["checks"].as_array().unwrap().iter().all(ill) {
                return page;
            }
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, looking).await.expect("every check sickens")
}

async fn page(sidecar: &Running) -> Value {
    reqwest::get(format!("{}/v1/service/readyz", sidecar.url)).await.unwrap().json().await.unwrap()
}

fn checked<'a>(page: &'a Value, name: &str) -> &'a Value {
    let checks = page["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("{name} is not on {page}"))
}
