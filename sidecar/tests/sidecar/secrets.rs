//! What lets somebody in is told to nobody: not in the log, on the pages, in events or by the command line.

use pavane_bus::{TableItem, Topic};
use pavane_events::service::Ready;
use pavane_events::{Body, Envelope, EventId, EventType, Service, Source};
use tokio::time::{sleep, timeout};

use crate::process::Program;
use crate::shop::{PATIENCE, PAUSE, Shop, Workload, domain, free_port, plan};

const DB: Option<(&str, &str, &str)> = Some(("user-db", "user-db-0", "2.0.0"));
/// What each secret begins with.
const CANARY: &str = "c4nary";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_told_to_anybody() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let (folder, port) = (shop.dir.path().to_owned(), free_port());
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    };
    let password = write("password", "c4nary-password\n");
    let key = write("key", "whsec_YzRuYXJ5YzRuYXJ5YzRuYXJ5YzRuYXJ5\n");
    let client = write(
        "client",
        "sasl.username=ada\nsasl.password=c4nary-sasl\nregistry.user=ada\nregistry.password=c4nary-registry\n",
    );
    let closed = format!("ada:c4nary-user@127.0.0.1:{}", free_port());
    let file = format!(
        "service: user-service\ndomain: shop\ninstance: user-service-0\nhttp: 127.0.0.1:{port}\njournal: {journal}\n\
         version: {{ http: \"{url}/version?token=c4nary-version\" }}\n\
         outage: {{ sentinel: 1s, webhook: \"http://{closed}/c4nary-path?token=c4nary-hook\" }}\n\
         ready:\n  all:\n    - {{ name: web, http: \"http://{closed}/well?token=c4nary-web\", failures: 1 }}\n    \
         - {{ name: cache, redis: {{ address: \"{address}\", password_file: {password} }}, failures: 1 }}\n    \
         - {{ name: base, sql: {{ url: \"postgres://ada@{address}/a\", password_file: {password} }}, failures: 1 }}\n    \
         - {{ name: jobs, queue: {{ http: \"{url}/version?token=c4nary-jobs\" }}, at_most: 1, failures: 1 }}\n    \
         - {{ name: rate, prometheus: {{ url: \"http://{closed}\", query: up }}, at_most: 1, failures: 1 }}\n\
         reactions:\n  - on: user-db.Ready\n    retry: {{ attempts: 1 }}\n    \
         run: {{ http: {{ post: \"http://{closed}/upgrade?token=c4nary-post\", secret_file: {key} }} }}\n",
        journal = shop.journal().display(),
        url = service.url,
        address = service.url.trim_start_matches("http://"),
    );
    write("sidecar.yaml", &file);
    let known = [("PAVANE_LOG", "debug"), ("SECRET", "c4nary-variable")];
    let (kafka, registry) = (shop.embedded.kafka(), shop.embedded.registry_url());
    let arguments = ["--kafka", kafka, "--registry", registry, "--client-config", &client];
    let sidecar = Program::start_in(&folder, &arguments, &known);
    sidecar.until_says("caught up").await;
    let line = std::fs::read_to_string(format!("/proc/{}/cmdline", sidecar.id())).unwrap();

    let rollout = shop.start(&plan()).await;
    let id = EventId::new("garbage-1").unwrap();
    let mut garbage = Envelope::new(domain(), Source::new("/db").unwrap(), id);
    (garbage.rollout, garbage.service) = (Some(rollout.clone()), Some(Service::new("user-db").unwrap()));
    shop.writer.append_encoded(&garbage, EventType::Ready, b"garbage".to_vec(), "urn:none").await.unwrap();
    shop.until("user-service", EventType::EventRejected).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    let failed = shop.until("user-service", EventType::DeploymentFailed).await;
    let Body::DeploymentFailed(body) = &failed.event.body else { panic!("{failed:?}") };
    assert!(body.reason.contains("POST http://127.0.0.1:") && body.reason.contains("/upgrade: "), "{body:?}");
    sidecar.until_says("SentinelMissing").await;
    sidecar.until_says("failed to tell that no sentinel is heard").await;
    let mut told = vec![line, format!("{:?}", shop.seen)];
    let sick = ["web: ", "cache: ", "base: ", "jobs: ", "rate: "];
    told.push(page(port, "/v1/service/readyz", &sick).await);
    told.push(page(port, "/readyz", &[""]).await);
    told.push(page(port, "/metrics", &["pavane_sidecar_"]).await);
    told.push(dead_letter(&shop).await);
    told.push(sidecar.output());
    for told in told {
        let found = told.lines().find(|line| line.contains(CANARY) || line.contains("YzRuYXJ5"));
        assert_eq!(found, None);
    }
}

/// What a page says, once it says all of this.
async fn page(port: u16, path: &str, words: &[&str]) -> String {
    let asking = async {
        loop {
            if let Ok(answer) = reqwest::get(format!("http://127.0.0.1:{port}{path}")).await {
                let page = answer.text().await.unwrap();
                if words.iter().all(|word| page.contains(word)) {
                    return page;
                }
            }
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{path} never says {words:?}"))
}

/// The one dead letter, with its headers.
async fn dead_letter(shop: &Shop) -> String {
    let mut rows = shop.bus.table(Topic::DeadLetters).await.unwrap();
    let first = async {
        loop {
            if let TableItem::Row(row) = rows.next().await.unwrap() {
                return format!("{row:?}");
            }
        }
    };
    timeout(PATIENCE, first).await.expect("a dead letter")
}
