//! What the harness promises: the demo service behaves as told, and the services end with the run.

#![cfg(test)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use pavane_tests::process::{Process, Signal};
use pavane_tests::{place, program, wait};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(10);

struct DemoService {
    process: Process,
    url: String,
    client: reqwest::Client,
}

impl DemoService {
    async fn start(folder: &Path) -> Self {
        let [port] = place::free_ports();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pavane-demo-service"));
        command.env("PORT", port.to_string()).env("VERSION", "1.4.0").env("NEXT", "2.0.0");
        let mut process = Process::start("demo", &mut command, &folder.join("demo.log"), None).unwrap();
        let url = format!("http://127.0.0.1:{port}");
        program::answers(&mut process, &format!("{url}/readyz")).await.unwrap();
        Self { process, url, client: reqwest::Client::new() }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.client.get(format!("{}{path}", self.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> reqwest::Result<u16> {
        let post = self.client.post(format!("{}{path}", self.url)).json(&body);
        Ok(post.timeout(Duration::from_millis(500)).send().await?.status().as_u16())
    }
}

#[tokio::test]
async fn the_demo_service_goes_forward_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let service = DemoService::start(folder.path()).await;
    assert_eq!(service.get("/version").await, (200, "1.4.0".into()));
    assert_eq!(service.post("/upgrade", json!({})).await.unwrap(), 200);
    assert_eq!(service.get("/version").await.1, "2.0.0");
    assert_eq!(service.post("/upgrade", json!({ "version": "3.0.0" })).await.unwrap(), 200);
    assert_eq!(service.get("/version").await.1, "3.0.0");
    assert_eq!(service.post("/revert", json!({})).await.unwrap(), 200);
    assert_eq!(service.get("/version").await.1, "2.0.0");
    let calls: Value = serde_json::from_str(&service.get("/calls").await.1).unwrap();
    assert_eq!(calls, json!({ "upgrades": 2, "reverts": 1 }));
}

#[tokio::test]
async fn the_demo_service_misbehaves_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let service = DemoService::start(folder.path()).await;
    assert_eq!(service.post("/mode", json!({ "mode": "fail", "ready": false })).await.unwrap(), 204);
    assert_eq!(service.post("/upgrade", json!({})).await.unwrap(), 500);
    assert_eq!(service.get("/readyz").await.0, 503);
    assert_eq!(service.post("/mode", json!({ "mode": "hang" })).await.unwrap(), 204);
    assert!(service.post("/upgrade", json!({})).await.unwrap_err().is_timeout());
    assert_eq!(service.get("/version").await.1, "1.4.0");
}

#[tokio::test]
async fn a_process_can_be_frozen_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = DemoService::start(folder.path()).await;
    service.process.signal(Signal::Stop).unwrap();
    let asleep = service.client.get(format!("{}/version", service.url)).timeout(Duration::from_millis(300));
    assert!(asleep.send().await.unwrap_err().is_timeout());
    service.process.signal(Signal::Continue).unwrap();
    assert_eq!(service.get("/version").await.0, 200);
    service.process.signal(Signal::Terminate).unwrap();
    wait::until("its end", LIMIT, async || service.process.exited().unwrap()).await.unwrap();
}
