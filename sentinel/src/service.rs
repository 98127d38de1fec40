//! Puts the sentinel together: one set of tasks for the process, one for each domain.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use pavane_alerts::Notifier;
use pavane_bus::{Bus, Settings};
use pavane_events::{Domain, ServiceRow};
use pavane_sentinel_engine::Engine;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::alert::delivery::Route;
use crate::alert::dispatcher::{Dispatcher, Inbox, Question, Raised};
use crate::alert::ledger;
use crate::alert::marks::Marks;
use crate::alert::open::Open;
use crate::alert::target::Target;
use crate::clock::Clock;
use crate::config::{Config, Ping, Receiver};
use crate::connection::Connection;
use crate::dead_letters::Letter;
use crate::dead_man::line::Wire;
use crate::dead_man::{DeadMan, Frontier, Signs, Tellers};
use crate::happening::{self, Happening};
use crate::http::alerts::Desk;
use crate::http::{self, Doors};
use crate::measure::{self, Metrics, Wanted};
use crate::partition::{Partition, Sight};
use crate::pen::Order;
use crate::perform::{Hands, Ways};
use crate::snapshot::archive::Archive;
use crate::snapshot::due::Due;
use crate::snapshot::keeper;
use crate::snapshot::rack::{self, Rack};
use crate::supervise::Tasks;
use crate::watchdog::Watchdog;
use crate::{dead_letters, eye, hearing, known_good, pen, repertoire, share, telemetry};

/// How long the last appends may take when the sentinel stops.
const FLUSH: Duration = Duration::from_secs(5);

/// A sentinel that answers at its address and watches nothing yet.
pub struct Sentinel {
    config: Config,
    routes: Routes,
    wires: Wires,
    metrics: Option<Metrics>,
    listener: TcpListener,
}

type Routes = Vec<Route<Target>>;
/// The ways to those who would miss the sentinel.
type Wires = BTreeMap<Domain, Wire>;

impl Sentinel {
    /// Takes the address that the configuration names, and reads every secret once, so that a missing one is found
    /// before the first alert and the first watch.
    pub async fn bind(config: Config) -> anyhow::Result<Self> {
        let receivers = config.receivers.iter();
        let routes =
            receivers.map(|receiver| route(receiver, &config.external_url)).collect::<Result<_, _>>()?;
        let wires = config.dead_man.pings.iter().map(wire).collect::<Result<_, _>>()?;
        let metrics = config.prometheus.clone().map(Metrics::new).transpose();
        let metrics = metrics.context("`prometheus` in the sentinel's file cannot be used")?;
        if config.receivers.is_empty() {
            tracing::warn!("no receiver is configured: verdicts stand on the log, and nobody is told");
        }
        let listener = TcpListener::bind(config.http).await.with_context(|| {
            format!("failed to listen at {} (`http` in the sentinel's file)", config.http)
        })?;
        Ok(Self { config, routes, wires, metrics, listener })
    }

    /// Where it answers.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Watches its domains until it is told to stop.
    pub async fn run(self, bus: Bus, stop: CancellationToken) -> anyhow::Result<()> {
        let share = Share::OfGroup;
        self.watch(Connection::ready(bus), share, stop).await
    }

    /// Watches its domains until it is told to stop; makes the connection itself and tries for as long as it
    /// takes, loudly.
    pub async fn run_on(self, settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
        let client_id = format!("pavane-sentinel-{}", self.config.replica);
        self.watch(Connection::to(settings, client_id), Share::OfGroup, stop).await
    }

    pub(crate) async fn watch(
        self,
        connection: Connection,
        share: Share,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        pavane_telemetry::meter();
        let Self { config, routes, wires, metrics, listener } = self;
        telemetry::begin(&config);
        tracing::info!(http = %listener.local_addr()?, replica = %config.replica, "the sentinel answers");
        let mut tasks = Tasks::new(stop.clone());
        tasks.spawn("connection", connection.clone().make());
        let telling = tell(&config, routes, &connection, &mut tasks);
        let rack = Arc::new(Rack::new(config.domains.iter().cloned()));
        tasks.spawn("snapshots", rack::follow(connection.clone(), rack.clone()));
        let watchdog = Watchdog::new();
        let (measure, wanted) = mpsc::unbounded_channel();
        let (known, rows) = mpsc::unbounded_channel();
        tasks.spawn("services", known_good::write(connection.clone(), rows));
        let mut house = House {
            config: &config,
            connection: &connection,
            telling: telling.clone(),
            measure,
            known,
            rack,
            watchdog,
            tasks: &mut tasks,
        };
        let domains: BTreeMap<Domain, Watched> =
            config.domains.iter().map(|domain| (domain.clone(), house.domain(domain, &stop))).collect();
        house.watchdog.watch()?;
        drop(house);

        let loops: BTreeMap<_, _> =
            domains.iter().map(|(domain, watched)| (domain.clone(), watched.door.clone())).collect();
        tasks.spawn("metrics", measure::answer(metrics, loops.clone(), wanted));
        tasks.spawn("choreographies", repertoire::follow(connection.clone(), loops.clone()));
        tasks.spawn("heartbeats", hearing::listen(connection.clone(), loops));
        let doors = domains.iter().map(|(domain, it)| (domain.clone(), (it.door.clone(), it.sight.clone())));
        tasks.spawn("dead man", dead_man(&config, wires, &telling, &domains).run());
        let desk = Desk { questions: telling.questions, marks: telling.marks };
        let router = http::router(Doors::new(doors.collect()), desk);
        let router = router.into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        tasks.spawn_draining("http", async move { Ok(served.await?) });
        let speaks = domains.into_iter().map(|(domain, watched)| (domain, watched.speaks)).collect();
        tasks.spawn("ownership", own(connection.clone(), share, speaks));

        tasks.watch().await?;
        if let Err(error) = connection.flush(FLUSH).await {
            // What was decided and is not on the log is said by the next owner.
            tracing::warn!("failed to {error}");
        }
        Ok(())
    }
}

/// Watches the configured domains on a bus until it is told to stop.
pub async fn run(config: Config, bus: Bus, stop: CancellationToken) -> anyhow::Result<()> {
    Sentinel::bind(config).await?.run(bus, stop).await
}

/// Which part of the domains a replica speaks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Share {
    /// What the consumer group gives it.
    OfGroup,
    /// None: it stands by.
    #[cfg(test)]
    OfNobody,
}

async fn own(
    connection: Connection,
    share: Share,
    speaks: BTreeMap<Domain, watch::Sender<bool>>,
) -> anyhow::Result<()> {
    match share {
        Share::OfGroup => share::follow(connection, speaks).await,
        #[cfg(test)]
        Share::OfNobody => std::future::pending().await,
    }
}

fn route(receiver: &Receiver, external_url: &str) -> anyhow::Result<Route<Target>> {
    let target = Target::new(receiver, external_url);
    let target = target.with_context(|| format!("receiver {} cannot be used", receiver.name))?;
    Ok(Route::new(receiver.name.clone(), target))
}

fn wire(ping: &Ping) -> anyhow::Result<(Domain, Wire)> {
    let wire =
        Wire::new(ping).with_context(|| format!("the ping of domain {} cannot be used", ping.domain))?;
    Ok((ping.domain.clone(), wire))
}

/// Who tells those who would miss the sentinel.
fn dead_man(
    config: &Config,
    mut wires: Wires,
    telling: &Telling,
    domains: &BTreeMap<Domain, Watched>,
) -> DeadMan<Wire> {
    let signs = domains.iter().map(|(domain, it)| {
        let (sight, speaks, frontier) = (it.sight.clone(), it.speaks.subscribe(), it.frontier.clone());
        (domain.clone(), (Signs { sight, speaks, frontier }, wires.remove(domain)))
    });
    let Telling { marks, raise, questions, .. } = telling.clone();
    let tellers = Tellers { marks, raise, questions };
    let (every, watchdog) = (config.dead_man.every, !config.dead_man.watchdog.is_empty());
    DeadMan::new(config.replica.to_string(), every, watchdog, tellers, signs.collect())
}

/// The way to those who are told.
#[derive(Clone)]
struct Telling {
    marks: Arc<Marks>,
    open: Arc<Open>,
    raise: mpsc::UnboundedSender<Raised>,
    questions: mpsc::Sender<Question>,
}

/// Starts what brings alerts to receivers.
fn tell(config: &Config, routes: Routes, connection: &Connection, tasks: &mut Tasks) -> Telling {
    let (marks, rows, news) = Marks::new();
    let (marks, open) = (Arc::new(marks), Arc::new(Open::default()));
    let receivers = config.receivers.iter().map(|receiver| receiver.name.clone()).collect();
    tasks.spawn("notifications read", ledger::read(connection.clone(), marks.clone(), receivers));
    tasks.spawn("notifications write", ledger::write(connection.clone(), rows));
    let notifier = Notifier::new(config.routes.clone(), config.inhibitions.clone());
    let replica = config.replica.to_string();
    let dispatcher = Dispatcher::new(routes, notifier, marks.clone(), open.clone(), replica);
    let (raise, raised) = mpsc::unbounded_channel();
    let (questions, asked) = mpsc::channel(64);
    tasks.spawn("alerts", dispatcher.run(Inbox { raised, news, questions: asked }));
    Telling { marks, open, raise, questions }
}

/// What the rest of the house needs of a domain.
struct Watched {
    door: mpsc::Sender<Happening>,
    sight: watch::Receiver<Sight>,
    speaks: watch::Sender<bool>,
    frontier: Frontier,
}

struct House<'a> {
    config: &'a Config,
    connection: &'a Connection,
    telling: Telling,
    measure: mpsc::UnboundedSender<Wanted>,
    known: mpsc::UnboundedSender<ServiceRow>,
    rack: Arc<Rack>,
    watchdog: Watchdog,
    tasks: &'a mut Tasks,
}

impl House<'_> {
    /// Starts the tasks of one domain.
    fn domain(&mut self, domain: &Domain, stop: &CancellationToken) -> Watched {
        let (door, happenings) = mpsc::channel(happening::QUEUE);
        let (orders, ordered) = mpsc::channel(pen::QUEUE);
        let (letters, lettered) = mpsc::unbounded_channel();
        let (speaks, sight) = (watch::Sender::new(false), watch::Sender::new(Sight::CatchingUp));
        let replica: Arc<str> = self.config.replica.as_str().into();
        let connection = || self.connection.clone();
        let name = |what: &str| format!("{domain}: {what}");

        let reading =
            eye::watch(connection(), domain.clone(), replica.to_string(), self.rack.clone(), door.clone());
        self.tasks.spawn(name("read"), reading);
        let pen = pen::write(connection(), domain.clone(), ordered, door.downgrade(), stop.clone());
        self.tasks.spawn_draining(name("append"), pen);
        let marks = self.telling.marks.clone();
        let aside = dead_letters::write(connection(), domain.clone(), marks, speaks.subscribe(), lettered);
        self.tasks.spawn(name("dead letters"), aside);

        let frontier = Frontier::default();
        let watched = Watched { door, sight: sight.subscribe(), speaks, frontier: frontier.clone() };
        let speaks = watched.speaks.subscribe();
        let hands = Hands::new(domain.clone(), replica.clone(), self.ways(orders, letters), speaks.clone());
        let archive = self.archive(domain, replica.clone());
        let turns = self.watchdog.turns(domain);
        let engine = Engine::new(domain.clone(), replica.to_string());
        let tells_changes = self.config.routes.tells_changes();
        let (domain, clock) = (domain.clone(), Clock::start());
        let partition = Partition {
            domain,
            engine,
            clock,
            happenings,
            speaks,
            sight,
            hands,
            archive,
            tells_changes,
            turns,
            frontier,
        };
        self.tasks.spawn_draining(name("watch"), partition.run(stop.clone()));
        watched
    }

    fn ways(&self, orders: mpsc::Sender<Order>, letters: mpsc::UnboundedSender<Letter>) -> Ways {
        let Telling { raise, open, .. } = self.telling.clone();
        Ways { orders, raise, letters, measure: self.measure.clone(), known: self.known.clone(), open }
    }

    /// Starts what writes a domain's snapshots.
    fn archive(&mut self, domain: &Domain, replica: Arc<str>) -> Archive {
        // one may wait while another is written
        let (to, taken) = mpsc::channel(1);
        let writing = keeper::write(self.connection.clone(), self.rack.clone(), taken);
        self.tasks.spawn_draining(format!("{domain}: snapshots"), writing);
        Archive::new(to, replica, Due::new(self.config.snapshot_every))
    }
}

#[cfg(test)]
mod tests;
