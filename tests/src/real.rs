//! The real services: one Apache Kafka and one Apicurio Registry for all tests of a binary.
//!
//! Both come from the package registry by Maven and start without containers. Where Java or Maven is missing
//! the tests that need them say so on the terminal and pass without having run; with
//! `PAVANE_REQUIRE_REAL=1` that is a failure.

pub mod apicurio;
pub mod cache;
pub mod jdk;
pub mod kafka;
pub mod python;

use std::io::Write;

use anyhow::Result;
use tokio::sync::OnceCell;

use self::apicurio::Apicurio;
use self::jdk::Jdk;
use self::kafka::Kafka;

static SERVICES: OnceCell<Result<Services, String>> = OnceCell::const_new();

/// A running Kafka and a running registry. They are shared: each test uses a topic prefix of its own.
#[derive(Debug)]
pub struct Services {
    kafka: Kafka,
    apicurio: Apicurio,
}

/// Why the real services cannot be had on this machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing(pub String);

impl Services {
    /// The services, started by the first test that asks. `None`: they cannot be had here and nobody insists;
    /// the test returns at once.
    ///
    /// # Panics
    /// When they could be had and do not start, or when `PAVANE_REQUIRE_REAL=1` and they cannot be had.
    pub async fn get(test: &str) -> Option<&'static Self> {
        let jdk = match Jdk::find().and_then(|jdk| cache::maven().map(|()| jdk)) {
            Ok(jdk) => jdk,
            Err(missing) => return skip(test, &missing),
        };
        let started =
            SERVICES.get_or_init(|| async { start(&jdk).await.map_err(|error| format!("{error:#}")) });
        match started.await {
            Ok(services) => Some(services),
            Err(error) => panic!("failed to start the real services: {error}"),
        }
    }

    /// Where Kafka listens, as `host:port`.
    pub fn kafka(&self) -> String {
        self.kafka.address()
    }

    /// The base address of the registry's Confluent-compatible API.
    pub fn registry(&self) -> String {
        self.apicurio.registry()
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

async fn start(jdk: &Jdk) -> Result<Services> {
    let files = tokio::task::spawn_blocking(cache::fetch).await??;
    let (kafka, apicurio) =
        tokio::try_join!(Kafka::start(jdk, &files.kafka), Apicurio::start(jdk, &files.apicurio))?;
    Ok(Services { kafka, apicurio })
}
