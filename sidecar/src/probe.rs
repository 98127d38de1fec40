//! Whether the service is well: its checks are asked on and on, from the start of the sidecar, log or no log.
//!
//! Here is only asked and measured. What is due, what an answer means and what follows from all of them is decided by
//! [`Health`](pavane_sidecar_engine::Health).

mod grpc;
mod page;
mod postgres;
mod prometheus;
mod queue;
mod redis;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use native_tls::TlsConnector;
use pavane_bus::{Lag, Settings};
use pavane_sidecar_engine::health::{Amount, Answer};
use postgres_native_tls::MakeTlsConnector;
use reqwest::Client;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::config::{Check, Config, Probe, Queue};
use crate::error::Error;
use crate::process::Process;
use crate::question;

pub(crate) use page::router;
pub(crate) use watch::{Watched, start};

/// Who asks the service and what it stands on.
struct Asker {
    client: Client,
    /// Speaks HTTP/2 from the first byte, as gRPC without TLS does.
    grpc: Client,
    /// How a database is reached that wants TLS. Made once, when it is needed: the system's certificates are read for it.
    tls: OnceCell<MakeTlsConnector>,
    /// By group and topic.
    lags: BTreeMap<(String, String), Lag>,
    process: Option<Process>,
}

impl Asker {
    /// An asker for these checks; nothing is asked yet.
    fn new(
        config: &Config,
        client: &Client,
        kafka: &Settings,
        process: Option<Process>,
    ) -> Result<Self, Error> {
        let grpc = pavane_bus::http::client(false).http2_prior_knowledge().no_proxy().build()?;
        let mut lags = BTreeMap::new();
        for check in config.ready.iter().flat_map(|ready| &ready.checks) {
            if let Probe::KafkaLag { group, topic } = &check.probe {
                let lag = Lag::new(kafka, "pavane-sidecar-lag", group, topic)?;
                lags.insert((group.clone(), topic.clone()), lag);
            }
        }
        Ok(Self { client: client.clone(), grpc, tls: OnceCell::new(), lags, process })
    }

    /// Asks once. There is an answer in any case, within about the time that it may take.
    async fn ask(&self, check: &Check) -> Answer {
        let (limit, begun) = (check.timeout, Instant::now());
        let measuring = self.measure(&check.probe, limit);
        // A program is ended with all its children when its time is over, which takes a moment more.
        let program = matches!(check.probe, Probe::Exec(_) | Probe::Queue(Queue::Exec(_)));
        let answered = if program {
            measuring.await
        } else {
            let late = |_| Err(format!("no answer within {} ms", limit.as_millis()));
            timeout(limit, measuring).await.unwrap_or_else(late)
        };
        let timed = check.probe != Probe::Process;
        answered.map(|value| value.or_else(|| elapsed(begun.elapsed()).filter(|_| timed)))
    }

    /// Asks; the value is none where the time of the answer is what is measured.
    async fn measure(&self, probe: &Probe, limit: Duration) -> Answer {
        match probe {
            Probe::Http(url) => question::get(&self.client, url).await.map(|_| None),
            Probe::Tcp(address) => connect(address).await.map(|_| None),
            Probe::Exec(command) => question::written(command, limit).await.map(|_| None),
            Probe::Grpc { address, service } => {
                grpc::check(&self.grpc, address, service).await.map(|()| None)
            }
            Probe::Sql { url, password_file } => {
                postgres::ping(self.tls().await?, url, password_file.as_deref()).await.map(|()| None)
            }
            Probe::Redis { address, password_file } => {
                redis::ping(address, password_file.as_deref()).await.map(|()| None)
            }
            Probe::Queue(told) => queue::depth(&self.client, told, limit).await.map(Some),
            Probe::KafkaLag { group, topic } => self.lag(group, topic, limit).await.map(Some),
            Probe::Prometheus { url, query } => prometheus::value(&self.client, url, query).await.map(Some),
            Probe::Process => self.process.as_ref().map_or(Ok(()), Process::runs).map(|()| None),
        }
    }

    async fn tls(&self) -> Result<&MakeTlsConnector, String> {
        let made = self.tls.get_or_try_init(async || TlsConnector::new().map(MakeTlsConnector::new)).await;
        made.map_err(|error| format!("set up TLS: {error}"))
    }

    async fn lag(&self, group: &str, topic: &str, limit: Duration) -> Result<Amount, String> {
        let lag = self.lags.get(&(group.to_owned(), topic.to_owned()));
        let lag = lag.ok_or_else(|| "nobody asks Kafka for it".to_owned())?;
        let records = lag.read(limit).await.map_err(|error| format!("failed to {error}"))?;
        #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 records nobody counts the last one")]
        let records = records as f64;
        Amount::new(records).ok_or_else(|| "the lag is no number".to_owned())
    }
}

/// A time in milliseconds, to the microsecond.
fn elapsed(time: Duration) -> Option<Amount> {
    let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    Amount::new(f64::from(micros) / 1000.0)
}

async fn connect(address: &str) -> Result<TcpStream, String> {
    TcpStream::connect(address).await.map_err(|error| format!("connect to {address}: {error}"))
}

/// A number that somebody wrote down.
fn number(text: &str) -> Result<Amount, String> {
    let parsed = text.trim().parse().ok().and_then(Amount::new);
    parsed.ok_or_else(|| format!("{:?} is not a number", text.trim().chars().take(80).collect::<String>()))
}

/// The password in a file, read anew each time: it may have been changed.
async fn password(file: Option<&Path>) -> Result<Option<String>, String> {
    let Some(file) = file else { return Ok(None) };
    let read = tokio::fs::read_to_string(file).await;
    let text = read.map_err(|error| format!("read {}: {error}", file.display()))?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}
