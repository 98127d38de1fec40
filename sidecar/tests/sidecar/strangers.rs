//! Two services that strangers wrote by the docs alone, each wrapped by its sidecar: one in Python with Flask, one in Node.

use std::path::{Path, PathBuf};
use std::process::Command;

use pavane_events::{Body, EventType};
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::process::Program;
use crate::shop::{PATIENCE, PAUSE, Shop, free_port, plan};

const FLASK: &str = "flask==3.1.2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_services_of_other_languages_roll_out_with_what_the_docs_say() {
    let Some((python, node)) = python().zip(node()) else {
        let required = std::env::var_os("PAVANE_REQUIRE_REAL").is_some_and(|value| value == "1");
        assert!(!required, "PAVANE_REQUIRE_REAL=1, and there is no Python with {FLASK}, or no Node");
        eprintln!(
            "*** SKIPPED: there is no Python with {FLASK}, or no Node (PAVANE_REQUIRE_REAL=1 makes this a failure) ***"
        );
        return;
    };
    let mut shop = Shop::open().await;
    let script = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/strangers").join(name);
    let reactions = "drain: { http: { post: \"URL/drain\" }, timeout: 10s }\nready:\n  all:\n    \
                     - { name: web, http: \"URL/readyz\" }\nreactions:\n  - on: user-db.Ready\n    \
                     run: { http: { post: \"URL/upgrade\" }, timeout: 30s }\n";
    let mut users = wrap(&shop, "user-service", reactions, &[&python, &script("service.py")]).await;
    let mut database = wrap(&shop, "user-db", "", &[&node, &script("service.mjs")]).await;
    let rollout = shop.start(&plan()).await;

    let url = format!("{}/migrated/{rollout}", database.url);
    let answers: Vec<Value> = reqwest::Client::new().post(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&answers[0]["status"], &answers[1]),
        (&201.into(), &answers[0]),
        "said twice, it stands once"
    );

    let ready = shop.until("user-db", EventType::Ready).await;
    assert_eq!(ready.event.envelope.rollout, Some(rollout.clone()));
    let Body::Ready(body) = &ready.event.body else { panic!("{ready:?}") };
    assert_eq!((body.prerequisite.as_str(), body.detail.as_str()), ("schema-v2", "42 migrations"));
    let progress = shop.until("user-service", EventType::Progress).await;
    assert_eq!(progress.event.envelope.rollout, Some(rollout));
    let complete = shop.until("user-service", EventType::DeploymentComplete).await;
    assert_eq!(complete.event.envelope.version.as_ref().unwrap().as_str(), "2.0.0");

    users.program.signal(Signal::TERM);
    shop.until("user-service", EventType::Drained).await;
    assert_eq!(users.program.ended().await.code(), Some(0), "{}", users.program.output());
    database.program.signal(Signal::TERM);
    assert_eq!(database.program.ended().await.code(), Some(0), "{}", database.program.output());
}

/// A service with its sidecar around it.
struct Wrapped {
    url: String,
    program: Program,
    _dir: tempfile::TempDir,
}

/// Starts a service by its sidecar, and waits until both can be asked. `URL` in `more` is where the service listens.
async fn wrap(shop: &Shop, service: &str, more: &str, command: &[&Path]) -> Wrapped {
    let dir = tempfile::tempdir().unwrap();
    let (port, door) = (free_port(), free_port());
    let url = format!("http://127.0.0.1:{port}");
    let file = format!(
        "service: {service}\ndomain: shop\ninstance: {service}-0\nhttp: 127.0.0.1:{door}\nready_needs_kafka: true\n\
         journal: {}\nversion: {{ http: \"{url}/version\" }}\n{}",
        dir.path().join("journal").display(),
        more.replace("URL", &url),
    );
    std::fs::write(dir.path().join("sidecar.yaml"), file).unwrap();
    let port = format!("PORT={port}");
    let command: Vec<_> = command.iter().map(|part| part.to_str().unwrap()).collect();
    let own =
        ["--kafka", shop.embedded.kafka(), "--registry", shop.embedded.registry_url(), "--", "env", &port];
    let program = Program::start(dir.path(), &[&own[..], &command].concat());
    for asked in [format!("{url}/version"), format!("http://127.0.0.1:{door}/readyz")] {
        let asking = async {
            while !reqwest::get(&asked).await.is_ok_and(|answer| answer.status().is_success()) {
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{asked}: {}", program.output()));
    }
    Wrapped { url, program, _dir: dir }
}

/// A Python that has the framework; made once, and kept with what is built.
fn python() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(FLASK.replace("==", "-"));
    let python = folder.join("bin/python");
    let has = |python: &Path| runs(Command::new(python).args(["-c", "import flask"]));
    if !has(&python) {
        let made = runs(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
            && runs(Command::new(&python).args(["-m", "pip", "install", "--quiet", FLASK]));
        if !made {
            return None;
        }
    }
    has(&python).then_some(python)
}

fn node() -> Option<PathBuf> {
    runs(Command::new("node").arg("--version")).then(|| PathBuf::from("node"))
}

fn runs(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
