//! How a hook is asked: what comes before it, its own word, its signature, and when it is left alone.

use std::path::Path;
use std::time::Duration;

use pavane_events::service::Ready;
use pavane_events::{Body, EventType};
use pavane_sidecar::config::{Breaker, Command, Fallback, Hook, Post, Rate, Step, Timed};
use reqwest::StatusCode;
use serde_json::json;

use crate::shop::{Shop, Workload, plan};

const DB: Option<(&str, &str, &str)> = Some(("user-db", "user-db-0", "2.0.0"));
const LONG: &str = r#"{"status":"IN_PROGRESS","callbackDelaySeconds":3600}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_works_on_tells_its_result_at_the_door_with_the_token_of_its_run() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    service.with(|state| state.answers = vec![(202, LONG.to_owned())]);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    service.until("a call", |state| state.upgrades.len() == 1).await;
    let header = |name: &str| {
        service.with(|state| state.upgrades[0].0.get(name).map(|value| value.to_str().unwrap().to_owned()))
    };
    let (url, token) = (header("pavane-callback").unwrap(), header("pavane-callback-token").unwrap());
    assert!(header("pavane-deadline").unwrap().parse::<jiff::Timestamp>().is_ok());
    let tell = async |token: &str| {
        let request = reqwest::Client::new().post(&url).bearer_auth(token);
        request.json(&json!({ "status": "SUCCESS" })).send().await.unwrap().status()
    };
    assert_eq!(tell("guessed").await, StatusCode::UNAUTHORIZED);
    service.with(|state| "2.0.0".clone_into(&mut state.version));
    assert_eq!(tell(&token).await, StatusCode::ACCEPTED);
    shop.until("user-service", EventType::DeploymentComplete).await;
    assert_eq!(service.with(|state| state.upgrades.len()), 1, "it is not called again");
    assert_eq!(tell(&token).await, StatusCode::NOT_FOUND, "a second time");
    let told = format!("{:?} {}", shop.seen, sidecar.until_answers("/metrics").await);
    assert!(!told.contains(&token), "whoever has it may speak for the hook");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_before_the_hook_goes_the_other_way_where_the_first_fails_and_is_done_once() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    service.with(|state| state.answers = vec![(503, String::new())]);
    let mut config = shop.config(&service);
    let folder = shop.dir.path().to_owned();
    config.reactions[0].run.as_mut().unwrap().before = vec![
        step(&folder, "echo hydrate >> said; exit 1", Some("echo rebuild >> said")),
        step(&folder, "echo warm >> said", None),
    ];
    let sidecar = shop.sidecar(config).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    shop.until("user-service", EventType::DeploymentComplete).await;
    assert_eq!(service.with(|state| state.upgrades.len()), 2, "tried again");
    let said = std::fs::read_to_string(folder.join("said")).unwrap();
    assert_eq!(said, "hydrate\nrebuild\nwarm\n");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_fails_on_both_ways_fails_the_hook_and_says_what_both_said() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let mut config = shop.config(&service);
    let folder = shop.dir.path().to_owned();
    config.reactions[0].run.as_mut().unwrap().before = vec![step(&folder, "exit 3", Some("exit 4"))];
    let sidecar = shop.sidecar(config).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    let failed = shop.until("user-service", EventType::DeploymentFailed).await;
    let Body::DeploymentFailed(body) = &failed.event.body else { panic!("{failed:?}") };
    assert_eq!(body.reason, "step 1 before the hook: the hook exited with 4, after the hook exited with 3");
    assert_eq!(service.with(|state| state.upgrades.len()), 0, "the hook itself is not called");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_was_tried_often_enough_makes_way_for_its_fallback() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let mut config = shop.config(&service);
    let folder = shop.dir.path().to_owned();
    config.reactions[0].terms.retry.attempts = 3;
    let run = config.reactions[0].run.as_mut().unwrap();
    let cheap = program(&folder, "echo cheap >> said; exit 75");
    run.fallback = Some(Fallback { after: 2, run: std::mem::replace(&mut run.main, cheap) });
    let sidecar = shop.sidecar(config).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    shop.until("user-service", EventType::DeploymentComplete).await;
    assert_eq!(std::fs::read_to_string(folder.join("said")).unwrap(), "cheap\ncheap\n");
    let attempts = service.with(|state| {
        let told = state.upgrades.iter().map(|(headers, _)| headers["pavane-attempt"].clone());
        told.collect::<Vec<_>>()
    });
    assert_eq!(attempts, ["3"], "the fallback is an attempt like the others");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_fails_again_and_again_is_left_alone_and_the_metric_says_so() {
    let (shop, service) = (Shop::open().await, Workload::start().await);
    service.with(|state| state.answers = vec![(503, String::new()); 50]);
    let mut config = shop.config(&service);
    let reaction = &mut config.reactions[0];
    reaction.run.as_mut().unwrap().breaker = Some(Breaker { failures: 3, pause: Duration::from_mins(10) });
    reaction.terms.retry.attempts = 50;
    let sidecar = shop.sidecar(config).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    sidecar.until_shows(r#"pavane_sidecar_hook_shut_total{reaction="user-db.Ready",why="breaker"} 1"#).await;
    assert_eq!(service.with(|state| state.upgrades.len()), 3);
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_is_called_no_more_often_than_its_rate_allows() {
    let (shop, service) = (Shop::open().await, Workload::start().await);
    let soon = r#"{"status":"IN_PROGRESS","callbackDelaySeconds":0.1}"#;
    service.with(|state| state.answers = vec![(202, soon.to_owned()); 50]);
    let mut config = shop.config(&service);
    let rate = Rate { calls: 2, every: Duration::from_mins(10) };
    config.reactions[0].run.as_mut().unwrap().rate = Some(rate);
    let sidecar = shop.sidecar(config).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    sidecar.until_shows(r#"pavane_sidecar_hook_shut_total{reaction="user-db.Ready",why="rate"} 1"#).await;
    assert_eq!(service.with(|state| state.upgrades.len()), 2);
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_signed_where_the_file_names_a_secret() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let mut config = shop.config(&service);
    let secret = shop.dir.path().join("secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let url = format!("{}/upgrade", service.url);
    config.reactions[0].run.as_mut().unwrap().main.hook = Hook::Http(Post { url, secret_file: Some(secret) });
    let sidecar = shop.sidecar(config).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    shop.until("user-service", EventType::DeploymentComplete).await;
    service.with(|state| {
        let header = |name: &str| state.upgrades[0].0[name].to_str().unwrap();
        assert!(header("webhook-signature").starts_with("v1,"));
        assert!(header("webhook-timestamp").parse::<i64>().is_ok());
        assert!(header("webhook-id").starts_with(header("pavane-run")));
    });
    sidecar.stop().await;
}

fn step(folder: &Path, first: &str, other: Option<&str>) -> Step {
    let other = other.map(|script| program(folder, script));
    Step { first: program(folder, first), other, idempotent: false }
}

fn program(folder: &Path, script: &str) -> Timed {
    let script = format!("cd {}; {script}", folder.display());
    let argv = ["sh", "-c", &script].map(str::to_owned).to_vec();
    Timed { hook: Hook::Exec(Command { argv, env: [].into() }), timeout: Duration::from_secs(20) }
}
