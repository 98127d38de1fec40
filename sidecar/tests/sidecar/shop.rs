//! A shop to try a sidecar in: the embedded broker and registry, a service, and a way to speak and to read.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use pavane_bus::embedded::{self, Embedded};
use pavane_bus::{Bus, Item, Policy, Reader, Writer};
use pavane_choreography::Plan;
use pavane_events::command::RolloutStarted;
use pavane_events::{
    Body, Domain, Entry, Envelope, Event, EventId, EventType, Instance, Record, RolloutId, Service, Source,
    Version, identity,
};
use pavane_sidecar::Config;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take before a test says that it never came.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// How long to wait between two looks at a condition.
pub(crate) const PAUSE: Duration = Duration::from_millis(10);

/// A broker, a registry, a connection and a log that is read along.
pub(crate) struct Shop {
    pub(crate) embedded: Embedded,
    pub(crate) bus: Bus,
    pub(crate) writer: Writer,
    pub(crate) seen: Vec<Record>,
    pub(crate) dir: tempfile::TempDir,
    reader: Reader,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let embedded = embedded::start().await.unwrap();
        let bus = Bus::connect(embedded.settings(), "test").await.unwrap();
        let writer = bus.writer().await.unwrap();
        let reader = bus.reader(&domain(), Policy::Structural).await.unwrap();
        Self { embedded, bus, writer, seen: Vec::new(), dir: tempfile::tempdir().unwrap(), reader }
    }

    /// Begins a rollout; returns its id.
    pub(crate) async fn start(&self, plan: &Plan) -> RolloutId {
        let rollout = RolloutId::new(format!("r-{}", Uuid::now_v7().simple())).unwrap();
        let (json, plan_digest) = (plan.to_json(), plan.digest());
        let body = RolloutStarted {
            choreography: plan.name.clone(),
            plan: json,
            plan_digest,
            rules: 1,
            by: "ada".to_owned(),
            reason: String::new(),
        };
        self.say("/ci", &rollout, None, body).await;
        rollout
    }

    /// Somebody says something about a rollout; returns where it stands.
    pub(crate) async fn say(
        &self,
        source: &str,
        rollout: &RolloutId,
        by: Option<(&str, &str, &str)>,
        body: impl Into<Body>,
    ) -> i64 {
        let id = EventId::new(Uuid::now_v7().to_string()).unwrap();
        let mut envelope = Envelope::new(domain(), Source::new(source).unwrap(), id);
        envelope.rollout = Some(rollout.clone());
        if let Some((service, instance, version)) = by {
            envelope.service = Some(Service::new(service).unwrap());
            envelope.instance = Some(Instance::new(instance).unwrap());
            envelope.version = Some(Version::new(version).unwrap());
        }
        self.writer.append(&Event { envelope, body: body.into() }).await.unwrap().offset
    }

    pub(crate) async fn sentinel(&self, rollout: &RolloutId, body: impl Into<Body>) -> i64 {
        let source = identity::sentinel_source(&domain());
        self.say(source.as_str(), rollout, None, body).await
    }

    /// Reads on until the service has said this event; events that were read before count.
    pub(crate) async fn until(&mut self, service: &str, event: EventType) -> Record {
        let fits = |record: &Record| {
            record.event.body.event_type() == event
                && record.event.envelope.service.as_ref().is_some_and(|name| name.as_str() == service)
        };
        if let Some(record) = self.seen.iter().find(|record| fits(record)) {
            return record.clone();
        }
        let reading = async {
            loop {
                let record = self.read().await;
                if fits(&record) {
                    return record;
                }
            }
        };
        let found = timeout(PATIENCE, reading).await;
        found.unwrap_or_else(|_| panic!("{service}.{event} never came; seen: {:?}", self.told()))
    }

    /// The next event that stands on the log.
    pub(crate) async fn next(&mut self) -> Record {
        let found = timeout(PATIENCE, self.read()).await;
        found.unwrap_or_else(|_| panic!("nothing more came; seen: {:?}", self.told()))
    }

    async fn read(&mut self) -> Record {
        loop {
            match self.reader.next().await {
                Ok(Item::Entry { entry: Entry::Event(record), .. }) => {
                    self.seen.push(record.clone());
                    return record;
                }
                Ok(_) => {}
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        }
    }

    /// What was read, in short.
    pub(crate) fn told(&self) -> Vec<String> {
        let short = |record: &Record| {
            let service = record.event.envelope.service.as_ref().map_or("-", Service::as_str);
            format!("{service}.{}", record.event.body.event_type())
        };
        self.seen.iter().map(short).collect()
    }

    /// How often a service has said an event, of what was read.
    pub(crate) fn count(&self, what: &str) -> usize {
        self.told().iter().filter(|told| *told == what).count()
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    /// A sidecar of user-service beside a service.
    pub(crate) fn config(&self, service: &Workload) -> Config {
        let (url, journal) = (&service.url, self.journal());
        let text = format!(
            "service: user-service\ndomain: shop\nteam: identity\ninstance: user-service-0\n\
             http: 127.0.0.1:{port}\njournal: {journal}\nversion: {{ http: \"{url}/version\" }}\nreactions:\n  \
             - on: user-db.Ready\n    run: {{ http: {{ post: \"{url}/upgrade\" }}, timeout: 30s }}\n    \
             retry: {{ attempts: 2, backoff: 50ms..100ms }}\n    \
             ready: {{ http: \"{url}/readyz\", within: 20s, successes: 2, every: 20ms }}\n    \
             emit: DeploymentComplete\n  - on: RollbackRequested\n    \
             run: {{ http: {{ post: \"{url}/revert\" }}, timeout: 30s }}\n",
            port = free_port(),
            journal = journal.display(),
        );
        Config::from_yaml(&text, "sidecar.yaml").unwrap_or_else(|defects| panic!("{defects:#?}"))
    }

    /// Runs a sidecar on this shop's broker. Starts it again while it ends at once, as a supervisor would: of a
    /// sidecar that was killed a thread may hold the journal for a moment still.
    pub(crate) async fn sidecar(&self, config: Config) -> Running {
        let begun = Instant::now();
        loop {
            let mut running = self.run(config.clone());
            let ended = tokio::select! {
                _ = until_answers(&running.url, "/healthz") => None,
                ended = &mut running.work => Some(ended),
            };
            match ended {
                None => return running,
                Some(ended) => assert!(begun.elapsed() < PATIENCE, "it ends again and again: {ended:?}"),
            }
        }
    }

    fn run(&self, config: Config) -> Running {
        let (stop, url) = (CancellationToken::new(), format!("http://{}", config.http));
        let work = tokio::spawn(pavane_sidecar::run(config, self.bus.clone(), stop.clone()));
        Running { stop, url, work }
    }
}

/// A sidecar at work.
pub(crate) struct Running {
    pub(crate) stop: CancellationToken,
    pub(crate) url: String,
    pub(crate) work: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Stops it and waits for its end.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.work).await.expect("it ends").unwrap().unwrap();
    }

    /// Kills it where it stands, as far as a task can be killed.
    pub(crate) async fn kill(self) {
        self.work.abort();
        drop(self.work.await);
    }

    /// Waits until the metrics show a line.
    pub(crate) async fn until_shows(&self, line: &str) {
        let looking = async {
            while !self.until_answers("/metrics").await.contains(line) {
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{line} never shows"));
    }

    /// Waits until a page answers with success; returns it.
    pub(crate) async fn until_answers(&self, path: &str) -> String {
        until_answers(&self.url, path).await
    }
}

async fn until_answers(base: &str, path: &str) -> String {
    let url = format!("{base}{path}");
    let asking = async {
        loop {
            if let Ok(answer) = reqwest::get(&url).await
                && answer.status().is_success()
            {
                return answer.text().await.unwrap();
            }
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{url} never answers"))
}

/// A service that can be rolled out.
#[derive(Clone)]
pub(crate) struct Workload {
    pub(crate) url: String,
    pub(crate) state: Arc<Mutex<Inside>>,
}

/// What the service does and what it was told.
pub(crate) struct Inside {
    pub(crate) version: String,
    pub(crate) upgrades: Vec<(HeaderMap, serde_json::Value)>,
    pub(crate) reverts: u32,
    /// What the next upgrades answer, instead of doing their work.
    pub(crate) answers: Vec<(u16, String)>,
    /// Whether upgrades do not end while this holds.
    pub(crate) hangs: watch::Sender<bool>,
}

impl Workload {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Mutex::new(Inside {
            version: "1.0.0".to_owned(),
            upgrades: Vec::new(),
            reverts: 0,
            answers: Vec::new(),
            hangs: watch::Sender::new(false),
        }));
        let app = Router::new()
            .route("/version", get(async |State(state): State<Shared>| state.lock().unwrap().version.clone()))
            .route("/drain", post(async || ""))
            .route("/readyz", get(async || "ready"))
            .route("/upgrade", post(upgrade))
            .route("/revert", post(revert))
            .with_state(state.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, state }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Inside) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    /// Waits until something holds of the service.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&Inside) -> bool) {
        let waiting = async {
            while !self.with(|state| holds(state)) {
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what} never came"));
    }
}

type Shared = Arc<Mutex<Inside>>;

async fn upgrade(
    State(state): State<Shared>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> (StatusCode, String) {
    let mut hangs = {
        let mut state = state.lock().unwrap();
        state.upgrades.push((headers, serde_json::from_slice(&body).unwrap()));
        if !state.answers.is_empty() {
            let (status, text) = state.answers.remove(0);
            return (StatusCode::from_u16(status).unwrap(), text);
        }
        state.hangs.subscribe()
    };
    hangs.wait_for(|hangs| !hangs).await.unwrap();
    "2.0.0".clone_into(&mut state.lock().unwrap().version);
    (StatusCode::OK, String::new())
}

async fn revert(State(state): State<Shared>) -> &'static str {
    let mut state = state.lock().unwrap();
    state.reverts += 1;
    "1.0.0".clone_into(&mut state.version);
    ""
}

pub(crate) fn domain() -> Domain {
    Domain::new("shop").unwrap()
}

/// A port that nobody else is given: below those that the system gives to whoever asks for any, so that it is still free when
/// the sidecar listens there, and after each restart; and each process of tests takes them from a place of its own.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 100).unwrap() * 120;
    let mut ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed) % 1_000);
    ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// user-db.Ready → user-service.DeploymentComplete (>=2.0.0, <3)
pub(crate) fn plan() -> Plan {
    let text = r#"
apiVersion: pavane/v1
kind: Choreography
metadata: { name: users-v2, owner: identity }
steps:
  - { id: schema, expect: user-db.Ready, within: 10m }
  - { id: users, after: [schema], expect: user-service.DeploymentComplete, version: ">=2.0.0, <3", within: 5m }
"#;
    pavane_choreography::read(text, "plan.yaml").unwrap_or_else(|d| panic!("{d:#?}"))
}
