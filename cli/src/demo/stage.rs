//! The stage: a broker, a registry, five services with their sidecars, a sentinel and a receiver, in one process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pavane_bus::embedded::{self, Embedded};
use pavane_bus::registry::PushRequest;
use pavane_bus::{Bus, Writer};
use pavane_choreography::Plan;
use pavane_events::command::RULES;
use pavane_events::{Domain, RolloutId};
use pavane_sentinel::Sentinel;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::acts;
use super::cast::{self, SERVICES};
use super::log::{self, Chronicle};
use super::narrator::Narrator;
use super::receiver::{Arrival, Receiver};
use super::scratch::Scratch;
use super::service::Service;
use crate::commands::schemas;
use crate::commands::start::{begin, fresh_rollout};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::fold::Fold;
use crate::{outage, shell};

/// The version that all services run when the curtain rises.
pub const OLD: &str = "1.0.0";
/// How long anything in the story may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How often an answer is asked for that does not come by itself.
const POLL: Duration = Duration::from_millis(25);

/// The stage, with everybody on it.
pub struct Stage {
    /// Tells what happens.
    pub narrator: Arc<Narrator>,
    bus: Bus,
    /// Appends for the people of the story.
    pub writer: Writer,
    /// The domain.
    pub domain: Domain,
    http: reqwest::Client,
    services: BTreeMap<&'static str, Service>,
    doors: BTreeMap<&'static str, String>,
    pub(super) receiver: Receiver,
    pub(super) chronicle: watch::Receiver<Chronicle>,
    pub(super) arrivals: watch::Receiver<Vec<Arrival>>,
    pub(super) shells: JoinSet<Result<(), Failure>>,
    stop: CancellationToken,
    scratch: Scratch,
    embedded: Arc<Embedded>,
}

impl Stage {
    /// Sets the stage and waits until everybody is ready; meanwhile the narrator says who is there.
    pub async fn set(narrator: Arc<Narrator>) -> Result<Self, Failure> {
        let embedded = Arc::new(embedded::start().await.map_err(outage::of)?);
        let curtain = acts::curtain(&narrator, embedded.kafka(), embedded.registry_url());
        let set = async {
            let mut stage = Self::furnish(Arc::clone(&embedded), Arc::clone(&narrator)).await?;
            stage.enter().await?;
            Ok(stage)
        };
        tokio::join!(set, curtain).0
    }

    /// The bus with its schemas, the phone on call, and who reads along.
    async fn furnish(embedded: Arc<Embedded>, narrator: Arc<Narrator>) -> Result<Self, Failure> {
        let bus = Bus::connect(embedded.settings(), "demo").await.map_err(outage::of)?;
        let domain = Domain::new(cast::DOMAIN).expect("a name");
        let scratch = Scratch::new()?;
        scratch.write("services/matchmaking/Ready.avsc", cast::READY)?;
        let request = PushRequest { services: Some(scratch.0.join("services")), dry_run: false, by: None };
        let (_, writer) = schemas::publish(&bus, &request).await?;
        let fold = Fold::open(&bus, &domain).await?;
        let (sender, chronicle) = log::open(&fold);
        let receiver = Receiver::start(Arc::clone(&narrator)).await?;
        let mut shells = JoinSet::new();
        shells.spawn(log::follow(fold, sender, Arc::clone(&narrator)));
        Ok(Self {
            narrator,
            bus,
            writer,
            domain,
            http: reqwest::Client::new(),
            services: BTreeMap::new(),
            doors: BTreeMap::new(),
            arrivals: receiver.arrivals(),
            receiver,
            chronicle,
            shells,
            stop: CancellationToken::new(),
            scratch,
            embedded,
        })
    }

    /// Everybody enters: the sentinel, then each service with its sidecar.
    async fn enter(&mut self) -> Result<(), Failure> {
        let watchtower = self.sentinel().await?;
        for name in SERVICES {
            let service = Service::start(OLD).await?;
            let door = self.sidecar(name, service.url()).await?;
            self.services.insert(name, service);
            self.doors.insert(name, door);
        }
        let doors: Vec<String> = self.doors.values().cloned().chain([watchtower]).collect();
        for door in doors {
            self.ready(&door).await?;
        }
        Ok(())
    }

    async fn sentinel(&mut self) -> Result<String, Failure> {
        let http = free_address().await?;
        let secret = self.scratch.write("webhook-secret", self.receiver.secret())?;
        let text = cast::sentinel(&http, "demo", self.receiver.url(), &secret.display().to_string());
        let config = pavane_sentinel::Config::from_yaml(&text, "sentinel.yaml")
            .map_err(|diagnostics| Failure::invalid("sentinel.yaml", diagnostics))?;
        let sentinel =
            Sentinel::bind(config).await.map_err(|error| shell::unusable("sentinel.yaml", error))?;
        let (bus, stop) = (self.bus.clone(), self.stop.clone());
        self.shells.spawn(async move {
            sentinel.run(bus, stop).await.map_err(|error| shell::ended("the sentinel", error))
        });
        Ok(format!("http://{http}"))
    }

    async fn sidecar(&mut self, service: &'static str, url: &str) -> Result<String, Failure> {
        let (http, file) = (free_address().await?, format!("{service}.yaml"));
        let journal = self.scratch.0.join(format!("{service}.journal")).display().to_string();
        let text = cast::sidecar(service, url, &http, &journal).expect("every service has a sidecar's file");
        let config = pavane_sidecar::Config::from_yaml(&text, &file)
            .map_err(|diagnostics| Failure::invalid(&file, diagnostics))?;
        let (bus, stop) = (self.bus.clone(), self.stop.clone());
        self.shells.spawn(async move {
            let ended = pavane_sidecar::run(config, bus, stop).await;
            ended.map_err(|error| shell::ended(&format!("the sidecar of {service}"), error))
        });
        Ok(format!("http://{http}"))
    }

    async fn ready(&mut self, door: &str) -> Result<(), Failure> {
        let (http, url) = (self.http.clone(), format!("{door}/readyz"));
        let ready = async {
            while !http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::select! {
            answer = tokio::time::timeout(PATIENCE, ready) => {
                answer.map_err(|_| stuck(&format!("{url} to answer 200")))
            }
            Some(shell) = self.shells.join_next() => Err(fallen(shell)),
        }
    }

    /// A service.
    pub fn service(&self, name: &str) -> &Service {
        &self.services[name]
    }

    /// The versions that all services run.
    pub fn versions(&self) -> BTreeMap<&'static str, String> {
        self.services.iter().map(|(name, service)| (*name, service.version())).collect()
    }

    /// Asks the registry something, as anyone with a terminal could; returns the status and the answer.
    pub async fn ask_registry(&self, put: bool, path: &str, body: &Value) -> Result<(u16, Value), Failure> {
        let url = format!("{}{path}", self.embedded.registry_url());
        let request = if put { self.http.put(&url) } else { self.http.post(&url) };
        let cannot = |error| Failure::new(Exit::Unreachable, format!("cannot ask {url}")).because(error);
        let answer = request.json(body).send().await.map_err(cannot)?;
        let status = answer.status().as_u16();
        Ok((status, answer.json().await.map_err(cannot)?))
    }

    /// Starts a rollout, as `pavane start` does.
    pub async fn start(&self, plan: &Plan) -> Result<RolloutId, Failure> {
        let started = begin(&self.writer, &self.domain, plan, fresh_rollout(), RULES, "you", "").await?;
        Ok(started.rollout)
    }

    /// Lets a service say an event through its sidecar's door; a door that has not reached Kafka yet is asked again.
    pub async fn say(
        &self,
        service: &str,
        event: &str,
        rollout: &RolloutId,
        data: Value,
    ) -> Result<(), Failure> {
        let url = format!("{}/v1/events", self.doors[service]);
        let body = json!({ "event": event, "rollout": rollout, "data": data });
        let cannot = |error| Failure::new(Exit::Internal, format!("cannot ask {url}")).because(error);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let answer = self.http.post(&url).json(&body).send().await.map_err(cannot)?;
            let status = answer.status().as_u16();
            if status == 201 {
                return Ok(());
            }
            if status != 503 || tokio::time::Instant::now() > deadline {
                let text = answer.text().await.unwrap_or_default();
                return Err(Failure::new(Exit::Findings, format!("{url} answered {status}: {text}")));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// What was read of the log so far.
    pub fn chronicle(&self) -> Chronicle {
        self.chronicle.borrow().clone()
    }

    /// Everybody leaves.
    pub async fn clear(mut self) -> Result<(), Failure> {
        self.stop.cancel();
        let leaving = async {
            while self.shells.len() > 1 {
                if let Some(Ok(ended)) = self.shells.join_next().await {
                    ended?;
                }
            }
            Ok(())
        };
        tokio::time::timeout(PATIENCE, leaving).await.map_err(|_| stuck("everybody to leave"))?
    }
}

async fn free_address() -> Result<String, Failure> {
    let cannot = |error| Failure::new(Exit::Internal, "cannot find a free port").because(error);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.map_err(cannot)?;
    Ok(listener.local_addr().map_err(cannot)?.to_string())
}

/// Why the story cannot go on when a part of the stage has ended.
pub(super) fn fallen(shell: Result<Result<(), Failure>, tokio::task::JoinError>) -> Failure {
    match shell {
        Ok(Ok(())) => Failure::new(Exit::Internal, "somebody left the stage before the end"),
        Ok(Err(failure)) => failure,
        Err(error) => Failure::new(Exit::Internal, "somebody fell off the stage").because(error),
    }
}

/// Why the story cannot go on when something does not come.
pub(super) fn stuck(what: &str) -> Failure {
    Failure::new(Exit::TimedOut, format!("waited {} s for {what}", PATIENCE.as_secs()))
        .help("run it again with -v to see what each part logs")
}
