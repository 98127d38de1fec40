//! What a sidecar says of itself while it cannot read the log.

use std::time::Duration;

use pavane_bus::Settings;
use pavane_events::EventType;
use pavane_events::service::Ready;
use pavane_sidecar::Config;
use serde_json::Value;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::shop::{PATIENCE, PAUSE, Running, Shop, Workload, plan};

const DB: Option<(&str, &str, &str)> = Some(("user-db", "user-db-0", "2.0.0"));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_lies_is_named_and_nothing_follows_from_what_it_says() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let (id, _) = registered(&shop, "Ready").await;
    let (_, other) = registered(&shop, "Drained").await;
    shop.embedded.registry().lie(id, Some(&other));
    let mut config = shop.config(&service);
    // However long a registry lies, no record is given up for it.
    config.outage.hold = Duration::from_millis(1);
    let sidecar = run(config, shop.embedded.settings());
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    let (status, page) = until_page(&sidecar, "(RegistryTamper)").await;
    assert!(status == 200 && page.contains("\nblind: failed to trust the registry at "), "{status} {page}");
    assert_eq!(service.with(|state| state.upgrades.len()), 0);
    shop.embedded.registry().lie(id, None);
    shop.until("user-service", EventType::DeploymentComplete).await;
    assert_eq!(shop.count("user-service.EventRejected"), 0);
    assert_eq!(sidecar.until_answers("/readyz").await, "ready\nrollback authority: off\n");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_the_file_asks_for_it_readiness_fails_for_kafka_and_says_why() {
    let (shop, service) = (Shop::open().await, Workload::start().await);
    let config = Config { ready_needs_kafka: true, ..shop.config(&service) };
    shop.embedded.broker().set_reachable(false).unwrap();
    let sidecar = run(config, shop.embedded.settings());
    let (status, page) = until_page(&sidecar, "failed to reach Kafka").await;
    assert!(status == 503 && page.contains(shop.embedded.kafka()), "{status} {page}");
    shop.embedded.broker().set_reachable(true).unwrap();
    sidecar.until_answers("/readyz").await;
    sidecar.stop().await;
}

/// Runs a sidecar that makes its own connections.
fn run(config: Config, settings: Settings) -> Running {
    let (stop, url) = (CancellationToken::new(), format!("http://{}", config.http));
    let work = tokio::spawn(pavane_sidecar::run_with(config, settings, stop.clone()));
    Running { stop, url, work }
}

/// Waits until its own page says this; the status and the page.
async fn until_page(sidecar: &Running, words: &str) -> (u16, String) {
    let looking = async {
        loop {
            if let Ok(answer) = reqwest::get(format!("{}/readyz", sidecar.url)).await {
                let (status, page) = (answer.status().as_u16(), answer.text().await.unwrap());
                if page.contains(words) {
                    return (status, page);
                }
            }
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("the page never says {words}"))
}

/// The id and the text of one of our schemas, as the registry holds them.
async fn registered(shop: &Shop, event: &str) -> (u32, String) {
    let subject = format!("io.pavane.lifecycle.v1.{event}");
    let url = format!("{}/subjects/{subject}/versions/latest", shop.embedded.registry_url());
    let answer: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    (u32::try_from(answer["id"].as_u64().unwrap()).unwrap(), answer["schema"].as_str().unwrap().to_owned())
}
