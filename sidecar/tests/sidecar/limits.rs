//! What a sidecar takes on at a time, and what it says where that is too much.

use crate::shop::{PATIENCE, PAUSE, Running, Shop, Workload};
use pavane_events::EventType;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_too_many_is_told_so_and_comes_in_once_another_has_gone() {
    let (shop, service) = (Shop::open().await, Workload::start().await);
    let mut config = shop.config(&service);
    config.limits.connections = 2;
    let sidecar = shop.sidecar(config).await;
    let mut held = Vec::new();
    let filling = async {
        loop {
            match ask(&sidecar).await {
                (200, stream, _) => held.push(stream),
                (503, _, answer) if held.len() == 2 => return answer,
                // The connection that asked whether it lives may be there still.
                _ => sleep(PAUSE).await,
            }
            assert!(held.len() <= 2, "there is room for two");
        }
    };
    let answer = timeout(PATIENCE, filling).await.expect("the door fills");
    assert!(answer.contains("retry-after: 2\r\n") && answer.contains("limits.connections"), "{answer}");
    held.pop();
    sidecar.until_shows("pavane_sidecar_door_turned_away_total{why=\"connections\"}").await;
    let open = sidecar.until_answers("/metrics").await;
    assert!(open.contains("\npavane_sidecar_door_connections "), "{open}");
    let coming = async {
        while ask(&sidecar).await.0 != 200 {
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, coming).await.expect("there is room again");
    drop(held);
    sidecar.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_holds_too_much_it_takes_in_nothing_and_drops_nothing() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let mut config = shop.config(&service);
    config.limits.memory = Some(1);
    let sidecar = shop.sidecar(config).await;
    let kept = r#"{"event":"Ready","version":"1.0.0","id":"kept-1"}"#;
    until(&sidecar, kept, 202, "?ack=local").await;
    shop.until("user-service", EventType::Ready).await;
    shop.embedded.broker().set_reachable(false).unwrap();
    let waits = r#"{"event":"Drained","version":"1.0.0","id":"kept-2"}"#;
    // It may still weigh what waited before.
    until(&sidecar, waits, 202, "?ack=local").await;
    let more = r#"{"event":"Ready","version":"1.0.0","id":"more-1"}"#;
    let (answer, again) = until(&sidecar, more, 503, "?ack=local").await;
    assert!(answer.contains("limits.memory"), "{answer}");
    assert_eq!(again.as_deref(), Some("2"), "it says when to come again");
    let page = sidecar.until_answers("/readyz").await;
    assert!(page.contains("paused: "), "{page}");
    sidecar.until_shows("pavane_sidecar_door_turned_away_total{why=\"memory\"}").await;
    sidecar.until_shows("pavane_sidecar_memory_bytes").await;
    shop.embedded.broker().set_reachable(true).unwrap();
    shop.until("user-service", EventType::Drained).await;
    until(&sidecar, r#"{"event":"Ready","version":"1.0.0","id":"more-2"}"#, 201, "").await;
    sidecar.stop().await;
}

/// Asks over a connection that stays open; the status, the connection and the whole answer.
async fn ask(sidecar: &Running) -> (u16, TcpStream, String) {
    let address = sidecar.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap_or(0);
    let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, stream, answer)
}

/// Says an event again and again until it is answered so; the answer, and when to come again.
async fn until(sidecar: &Running, event: &str, status: u16, query: &str) -> (String, Option<String>) {
    let asking = async {
        loop {
            let (found, answer, again) = post(sidecar, event, query).await;
            if found == status {
                return (answer, again);
            }
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{event} is never answered with {status}"))
}

async fn post(sidecar: &Running, event: &str, query: &str) -> (u16, String, Option<String>) {
    let url = format!("{}/v1/events{query}", sidecar.url);
    let request = reqwest::Client::new().post(url).header("content-type", "application/json");
    let answer = request.body(event.to_owned()).send().await.unwrap();
    let again = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), answer.text().await.unwrap(), again)
}
