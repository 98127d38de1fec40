//! The service's door, health and metrics; and what is done with records that cannot be read.

use crate::shop::{PATIENCE, PAUSE, Running, Shop, Workload, plan};
use pavane_bus::{Policy, TableItem, Topic};
use pavane_events::service::Ready;
use pavane_events::{Body, Envelope, EventId, EventType, RolloutId, Service, Source, Version};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_service_says_is_on_the_log_when_it_is_answered() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    let rollout = shop.start(&plan()).await;
    until_open(&sidecar).await;
    let body = json!({ "event": "Ready", "rollout": rollout.as_str(), "data": { "prerequisite": "cache" } });
    let (status, answer) = post(&sidecar, "", &body.to_string()).await;
    assert_eq!(status, 201, "{answer}");
    let said = shop.until("user-service", EventType::Ready).await;
    assert_eq!(answer["id"], said.event.envelope.id.as_str());
    assert_eq!(answer["offset"], said.offset);
    assert!(answer["partition"].is_number());
    let envelope = &said.event.envelope;
    assert_eq!(envelope.version, Some(Version::new("1.0.0").unwrap()), "observed, as none was given");
    assert_eq!((envelope.sequence, envelope.rollout.as_ref()), (Some(1), Some(&rollout)));
    let ready = Ready { prerequisite: "cache".into(), detail: String::new() };
    assert_eq!(said.event.body, Body::from(ready));

    let query = format!("?event=Drained&rollout={rollout}&version=2.0.0&id=mine-1");
    let (status, answer) = post(&sidecar, &query, "{}").await;
    assert_eq!((status, &answer["id"]), (201, &json!("mine-1")));
    let drained = shop.until("user-service", EventType::Drained).await;
    assert_eq!(drained.event.envelope.version, Some(Version::new("2.0.0").unwrap()));
    assert_eq!(drained.event.envelope.sequence, Some(2));
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_the_contract_is_refused_with_every_pointer() {
    let (shop, service) = (Shop::open().await, Workload::start().await);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    until_open(&sidecar).await;
    let body = r#"{"event":"Ready","rollout":"r-1","data":{"prerequisit":"x","detail":7}}"#;
    let (status, answer) = post(&sidecar, "", body).await;
    assert_eq!(status, 422, "{answer}");
    let pointers: Vec<_> =
        answer["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/prerequisit", "/detail"], "{answer}");

    let (status, answer) = post(&sidecar, "", r#"{"event":"RolloutAborted"}"#).await;
    assert_eq!((status, &answer["errors"][0]["pointer"]), (422, &json!("/event")), "a service is no person");
    let media = [("content-type", "application/cloudevents+json")];
    let whole = r#"{"specversion":"1.0","id":"w-1","source":"/ci","type":"Readyy","data":{}}"#;
    let (status, answer) = send(&sidecar, "", &media, whole).await;
    assert_eq!((status, &answer["errors"][0]["pointer"]), (422, &json!("/type")), "as it is called there");
    let (status, answer) = send(&sidecar, "/Ready", &[("content-type", "application/json")], "{}").await;
    let detail = answer["detail"].as_str().unwrap();
    assert!(
        status == 404 && detail.contains("POST /v1/events/Ready; it answers POST /v1/events,"),
        "{answer}"
    );
    let long = format!(r#"{{"event":"Ready","data":{{"detail":"{}"}}}}"#, "x".repeat(70_000));
    assert_eq!(post(&sidecar, "", &long).await.0, 413);
    let (low, high) =
        shop.bus.reader(&crate::shop::domain(), Policy::Structural).await.unwrap().bounds().await.unwrap();
    assert_eq!(low, high, "nothing of it reached the log");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_door_is_shut_to_web_pages_and_to_names_that_lead_here_by_a_trick() {
    let (shop, service) = (Shop::open().await, Workload::start().await);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    until_open(&sidecar).await;
    for (header, value, status) in [
        ("host", "evil.example", 403),
        ("origin", "http://evil.example", 403),
        ("content-type", "text/plain", 415),
        ("host", "localhost:3650", 201),
    ] {
        let request = reqwest::Client::new()
            .post(format!("{}/v1/events", sidecar.url))
            .header("content-type", "application/json")
            .body(r#"{"event":"Ready"}"#);
        let mut request = request.build().unwrap();
        request.headers_mut().insert(header, value.parse().unwrap());
        let answer = reqwest::Client::new().execute(request).await.unwrap();
        assert_eq!(answer.status(), status, "{header}: {value}");
    }
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_kafka_the_door_says_when_to_ask_again_and_the_sidecar_stays_ready() {
    let (shop, service) = (Shop::open().await, Workload::start().await);
    let config = shop.config(&service);
    let nowhere = pavane_bus::Settings::new("127.0.0.1:1", shop.embedded.registry_url());
    let (token, url) = (CancellationToken::new(), format!("http://{}", config.http));
    let work = tokio::spawn(pavane_sidecar::run_with(config, nowhere, token.clone()));
    let sidecar = Running { stop: token, url, work };
    sidecar.until_answers("/healthz").await;
    let answer = ask(&sidecar, "", r#"{"event":"Ready"}"#).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "2");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let page = sidecar.until_answers("/readyz").await;
    assert!(page.starts_with("ready\nrollback authority: off\nblind: "), "{page}");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_of_which_the_door_says_that_it_is_kept_comes_although_the_sidecar_is_killed() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    until_open(&sidecar).await;
    assert_eq!(post(&sidecar, "", r#"{"event":"Ready","version":"1.0.0"}"#).await.0, 201);
    shop.embedded.broker().set_reachable(false).unwrap();
    let (status, answer) = post(&sidecar, "", r#"{"event":"Drained","version":"1.0.0","id":"mine-1"}"#).await;
    assert_eq!((status, &answer["id"]), (503, &json!("mine-1")), "{answer}");
    assert!(answer["detail"].as_str().unwrap().contains("the event is kept"), "{answer}");
    sidecar.kill().await;
    shop.embedded.broker().set_reachable(true).unwrap();
    let sidecar = shop.sidecar(shop.config(&service)).await;
    assert_eq!(shop.until("user-service", EventType::Drained).await.event.envelope.id.as_str(), "mine-1");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_means_the_same_in_each_of_its_forms() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    until_open(&sidecar).await;
    let whole = r#"{"specversion":"1.0","id":"whole-1","source":"/ci","type":"io.pavane.lifecycle.v1.Ready",
        "pavaneversion":"2.0.0","time":"2026-01-31T12:00:00Z","data":{"prerequisite":"cache"}}"#;
    let (status, answer) =
        send(&sidecar, "", &[("content-type", "application/cloudevents+json")], whole).await;
    assert_eq!((status, &answer["id"]), (201, &json!("whole-1")), "{answer}");
    let apart = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "apart-1"),
        ("ce-source", "/ci"),
        ("ce-type", "Ready"),
        ("ce-pavaneversion", "2.0.0"),
        ("ce-time", "2026-01-31T12:00:00Z"),
    ];
    assert_eq!(send(&sidecar, "", &apart, r#"{"prerequisite":"cache"}"#).await.0, 201);
    let first = next(&mut shop, EventType::Ready).await;
    let second = next(&mut shop, EventType::Ready).await;
    assert_eq!((first.envelope.id.as_str(), second.envelope.id.as_str()), ("whole-1", "apart-1"));
    assert_eq!((&first.body, &first.envelope.time), (&second.body, &second.envelope.time));
    assert_eq!(first.envelope.source, Source::new("/pavane/shop/user-service/user-service-0").unwrap());

    let batch = format!(
        "[{},{},{}]",
        whole.replace("whole-1", "b-1"),
        r#"{"type":"Ready"}"#,
        whole.replace("whole-1", "b-2")
    );
    let media = [("content-type", "application/cloudevents-batch+json")];
    let (status, answer) = send(&sidecar, "?ack=local", &media, &batch).await;
    let told: Vec<_> =
        answer.as_array().unwrap().iter().map(|item| item["status"].as_u64().unwrap()).collect();
    assert_eq!((status, &told[..]), (207, &[202, 422, 202][..]), "{answer}");
    assert_eq!(answer[1]["errors"].as_array().unwrap().len(), 3, "{answer}");
    for id in ["b-1", "b-2"] {
        let said = next(&mut shop, EventType::Ready).await;
        assert_eq!(said.envelope.id.as_str(), id, "in the order of the batch");
    }
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_repeated_gets_the_same_answer_and_makes_no_second_event_also_after_a_crash() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    until_open(&sidecar).await;
    let body = r#"{"event":"Ready","version":"1.0.0","data":{"prerequisite":"cache"}}"#;
    let keyed = [("content-type", "application/json"), ("idempotency-key", "\"key-1\"")];
    let first = send(&sidecar, "", &keyed, body).await;
    assert_eq!(first.0, 201, "{first:?}");
    assert_eq!(send(&sidecar, "", &keyed, body).await, first);
    let other = send(&sidecar, "", &keyed, &body.replace("cache", "schema")).await;
    assert_eq!(other.0, 409, "{other:?}");
    sidecar.kill().await;
    let sidecar = shop.sidecar(shop.config(&service)).await;
    until_open(&sidecar).await;
    assert_eq!(send(&sidecar, "", &keyed, body).await, first, "the log remembers");
    assert_eq!(post(&sidecar, "", r#"{"event":"Drained","version":"1.0.0"}"#).await.0, 201);
    shop.until("user-service", EventType::Drained).await;
    assert_eq!(shop.count("user-service.Ready"), 1);
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_while_kafka_is_away_comes_in_its_order_although_the_sidecar_is_killed() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    until_open(&sidecar).await;
    assert_eq!(post(&sidecar, "", r#"{"event":"Ready","version":"1.0.0"}"#).await.0, 201);
    shop.until("user-service", EventType::Ready).await;
    shop.embedded.broker().set_reachable(false).unwrap();
    for number in 0..20 {
        let body = format!(r#"{{"event":"Drained","version":"1.0.0","id":"kept-{number}"}}"#);
        let (status, answer) = post(&sidecar, "?ack=local", &body).await;
        assert_eq!((status, &answer["ack"]), (202, &json!("local")), "{answer}");
    }
    sidecar.kill().await;
    shop.embedded.broker().set_reachable(true).unwrap();
    let sidecar = shop.sidecar(shop.config(&service)).await;
    // What the first one had handed over may come too: an id that comes again is dropped by whoever reads.
    let mut came: Vec<String> = Vec::new();
    while came.len() < 20 {
        let id = next(&mut shop, EventType::Drained).await.envelope.id.to_string();
        if !came.contains(&id) {
            came.push(id);
        }
    }
    let order: Vec<_> = (0..20).map(|number| format!("kept-{number}")).collect();
    assert_eq!(came, order);
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_its_limits_the_line_takes_no_more_and_says_when_to_come_again() {
    let (shop, service) = (Shop::open().await, Workload::start().await);
    let mut config = shop.config(&service);
    config.outbox.events = 3;
    let sidecar = shop.sidecar(config).await;
    until_open(&sidecar).await;
    assert_eq!(post(&sidecar, "", r#"{"event":"Ready","version":"1.0.0"}"#).await.0, 201);
    shop.embedded.broker().set_reachable(false).unwrap();
    let body = r#"{"event":"Drained","version":"1.0.0"}"#;
    for _ in 0..3 {
        assert_eq!(post(&sidecar, "?ack=local", body).await.0, 202);
    }
    let refused = ask(&sidecar, "?ack=local", body).await;
    assert!([429, 503].contains(&refused.status().as_u16()), "{refused:?}");
    assert_eq!(refused.headers()["retry-after"], "2");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    shop.embedded.broker().set_reachable(true).unwrap();
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_door_may_be_a_socket_beside_an_address() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (shop, service) = (Shop::open().await, Workload::start().await);
    let (mut config, socket) = (shop.config(&service), shop.journal().with_extension("sock"));
    config.http.unix = Some(socket.clone());
    let (url, work) = (format!("http://{}", config.http.tcp.unwrap()), CancellationToken::new());
    let running = tokio::spawn(pavane_sidecar::run(config, shop.bus.clone(), work.clone()));
    let sidecar = Running { stop: work, url, work: running };
    sidecar.until_answers("/healthz").await;
    until_open(&sidecar).await;
    let mut stream = tokio::net::UnixStream::connect(&socket).await.unwrap();
    let body = r#"{"event":"Ready","version":"1.0.0"}"#;
    let request = format!(
        "POST /v1/events HTTP/1.1\r\nhost: any.name\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    sidecar.stop().await;
    assert!(!socket.exists(), "it takes the socket away with it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_sidecar_on_the_same_journal_is_refused() {
    let (shop, service) = (Shop::open().await, Workload::start().await);
    let config = shop.config(&service);
    let sidecar = shop.sidecar(config.clone()).await;
    let second = pavane_sidecar::run(config, shop.bus.clone(), CancellationToken::new()).await;
    let error = second.unwrap_err().to_string();
    assert!(error.contains("another process has it open"), "{error}");
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_record_costs_one_dead_letter_and_stops_nothing() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let sidecar = shop.sidecar(shop.config(&service)).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, Some(("messaging", "m-0", "1.0.0")), Ready::default()).await;
    let good = shop.until("messaging", EventType::Ready).await;
    poison(&shop, &rollout).await;
    let rejected = shop.until("user-service", EventType::EventRejected).await;
    let Body::EventRejected(body) = &rejected.event.body else { panic!("{rejected:?}") };
    assert_eq!((body.event.as_str(), body.offset), ("Ready", good.offset + 1));
    assert_eq!(rejected.event.envelope.rollout.as_ref(), Some(&rollout));

    shop.say("/db", &rollout, Some(("user-db", "user-db-0", "2.0.0")), Ready::default()).await;
    shop.until("user-service", EventType::DeploymentComplete).await;
    // it is set aside beside the work, so it may come a moment later
    let mut rows = shop.bus.table(Topic::DeadLetters).await.unwrap();
    let first = async {
        loop {
            if let TableItem::Row(row) = rows.next().await.unwrap() {
                return row.key;
            }
        }
    };
    let key = timeout(PATIENCE, first).await.expect("a dead letter");
    assert!(key.ends_with(&format!("-{}", body.offset)), "{key}");
    let (mut rows, mut count) = (shop.bus.table(Topic::DeadLetters).await.unwrap(), 0);
    while let TableItem::Row(_) = rows.next().await.unwrap() {
        count += 1;
    }
    assert_eq!(count, 1);
    sidecar.stop().await;
}

/// Appends a record whose headers are those of `user-db.Ready` and whose value is nothing of the kind.
async fn poison(shop: &Shop, rollout: &RolloutId) {
    let (id, source) = (EventId::new("poison-1").unwrap(), Source::new("/db").unwrap());
    let mut envelope = Envelope::new(crate::shop::domain(), source, id);
    envelope.rollout = Some(rollout.clone());
    envelope.service = Some(Service::new("user-db").unwrap());
    let sent = shop.writer.append_encoded(&envelope, EventType::Ready, b"garbage".to_vec(), "urn:none").await;
    sent.unwrap();
}

async fn ask(sidecar: &Running, query: &str, body: &str) -> reqwest::Response {
    let url = format!("{}/v1/events{query}", sidecar.url);
    let request = reqwest::Client::new().post(url).header("content-type", "application/json");
    request.body(body.to_owned()).send().await.unwrap()
}

/// Waits until this sidecar has reached the broker: metrics are one for all sidecars of the process, and the door
/// says that it cannot judge a request before.
async fn until_open(sidecar: &Running) {
    let asking = async {
        while post(sidecar, "", r#"{"event":"Ready","data":{"no such field":1}}"#).await.0 == 503 {
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, asking).await.expect("the door opens");
}

/// The next event of a type on the log.
async fn next(shop: &mut Shop, event: EventType) -> pavane_events::Event {
    loop {
        let record = shop.next().await;
        if record.event.body.event_type() == event {
            return record.event;
        }
    }
}

/// Sends a request with just these headers.
async fn send(sidecar: &Running, query: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let mut request =
        reqwest::Client::new().post(format!("{}/v1/events{query}", sidecar.url)).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn post(sidecar: &Running, query: &str, body: &str) -> (u16, Value) {
    let answer = ask(sidecar, query, body).await;
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}
