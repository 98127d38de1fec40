//! The real services: one Apache Kafka and one Apicurio Registry for all tests of a binary.
//!
//! Both come from the package registry by Maven and start without containers, when the first test asks.
//! Alertmanager and Prometheus come from Debian's packages, one for each test that asks.
//! `PAVANE_TEST_KAFKA` and `PAVANE_TEST_REGISTRY` name ones that run already, so that several binaries share
//! them. Where Java or Maven is missing the tests that need them say so on the terminal and pass without
//! having run; with `PAVANE_REQUIRE_REAL=1` that is a failure.

pub mod alertmanager;
pub mod apicurio;
pub mod cache;
pub mod cluster;
mod debian;
pub mod jdk;
pub mod kafka;
pub mod node;
pub mod prometheus;
pub mod python;

use std::io::Write;

use anyhow::Result;
use tokio::sync::OnceCell;

use self::apicurio::Apicurio;
use self::jdk::Jdk;
use self::kafka::Kafka;

/// Names a broker that runs already, as `host:port`.
pub const KAFKA: &str = "PAVANE_TEST_KAFKA";
/// Names a registry that runs already, as the base URL of its Confluent-compatible API.
pub const REGISTRY: &str = "PAVANE_TEST_REGISTRY";

static BROKER: OnceCell<Result<Kafka, String>> = OnceCell::const_new();
static SCHEMAS: OnceCell<Result<Apicurio, String>> = OnceCell::const_new();

/// Where the services are. They are shared: each test uses a topic prefix and subjects of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Services {
    /// The broker, as `host:port`.
    pub kafka: String,
    /// The base URL of the registry's Confluent-compatible API.
    pub registry: String,
}

/// Why the real services cannot be had on this machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing(pub String);

impl Services {
    /// Both services. `None`: they cannot be had here and nobody insists; the test returns at once.
    ///
    /// # Panics
    /// When they could be had and do not start, or when `PAVANE_REQUIRE_REAL=1` and they cannot be had.
    pub async fn get(test: &str) -> Option<Self> {
        let (kafka, registry) = tokio::join!(kafka(test), registry(test));
        Some(Self { kafka: kafka?, registry: registry? })
    }
}

/// The broker alone, as [`Services::get`].
pub async fn kafka(test: &str) -> Option<String> {
    if let Ok(given) = std::env::var(KAFKA) {
        return Some(given);
    }
    let jdk = available(test)?;
    let start = async || Kafka::start(&jdk, &tokio::task::spawn_blocking(cache::kafka).await??).await;
    let started = BROKER.get_or_init(|| async { start().await.map_err(|error| format!("{error:#}")) });
    match started.await {
        Ok(kafka) => Some(kafka.address()),
        Err(error) => panic!("{error}"),
    }
}

/// The registry alone, as [`Services::get`].
pub async fn registry(test: &str) -> Option<String> {
    if let Ok(given) = std::env::var(REGISTRY) {
        return Some(given);
    }
    let jdk = available(test)?;
    let start = async || Apicurio::start(&jdk, &tokio::task::spawn_blocking(cache::apicurio).await??).await;
    let started = SCHEMAS.get_or_init(|| async { start().await.map_err(|error| format!("{error:#}")) });
    match started.await {
        Ok(apicurio) => Some(apicurio.url()),
        Err(error) => panic!("{error}"),
    }
}

/// The Java to start them with, when Maven is there too.
fn available(test: &str) -> Option<Jdk> {
    match Jdk::find().and_then(|jdk| cache::maven().map(|()| jdk)) {
        Ok(jdk) => Some(jdk),
        Err(missing) => skip(test, &missing),
    }
}

/// Says on the terminal that a test did not run; past the test runner's capture, which hides what passes.
fn skip<T>(test: &str, missing: &Missing) -> Option<T> {
    assert!(
        std::env::var_os("PAVANE_REQUIRE_REAL").is_none_or(|value| value != "1"),
        "PAVANE_REQUIRE_REAL=1, and {test} cannot run: {}",
        missing.0
    );
    let line =
        format!("\n*** SKIPPED {test}: {} (PAVANE_REQUIRE_REAL=1 makes this a failure) ***\n", missing.0);
    std::io::stderr().write_all(line.as_bytes()).expect("the terminal takes a line");
    None
}
