//! The mock cluster that the Kafka client carries, on a thread of its own, with our topics.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use tokio::sync::oneshot;

use crate::topics::{self, Topic};
use crate::{ApplyOptions, Error};

/// How long the cluster is left alone between two orders.
const PAUSE: Duration = Duration::from_millis(5);
/// How long the cluster may take to carry out an order.
const ANSWER: Duration = Duration::from_secs(5);

/// A broker in memory. Dropping it ends it, and with it all that it holds.
///
/// Each partition keeps the newest 5 MB or 100,000 records; nothing is compacted.
#[derive(Debug)]
pub struct Broker {
    kafka: String,
    orders: Sender<Order>,
}

#[derive(Debug)]
struct Order {
    what: Change,
    done: Sender<KafkaResult<()>>,
}

#[derive(Debug)]
enum Change {
    Reachable(bool),
    Delay(Duration),
}

impl Broker {
    /// Starts a broker with the topics of this prefix.
    pub async fn start(prefix: &str) -> Result<Self, Error> {
        let (orders, inbox) = channel();
        let (ready, started) = oneshot::channel();
        let (prefix, name) = (prefix.to_owned(), "pavane-broker");
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || serve(&prefix, ready, &inbox))
            .map_err(|source| Error::Thread { name: name.to_owned(), source })?;
        let stopped = |why: String| Error::Stopped { what: "the embedded broker".to_owned(), why };
        match started.await {
            Ok(Ok(kafka)) => Ok(Self { kafka, orders }),
            Ok(Err(source)) => Err(Error::Client { purpose: "the embedded broker".to_owned(), source }),
            Err(_) => Err(stopped("it panicked".to_owned())),
        }
    }

    /// The address to connect to.
    pub fn kafka(&self) -> &str {
        &self.kafka
    }

    /// Cuts the broker off from its clients, or lets them in again; returns when it is done, within milliseconds.
    pub fn set_reachable(&self, reachable: bool) -> Result<(), Error> {
        self.order(Change::Reachable(reachable))
    }

    /// Lets the broker take so long for each answer, as one that is far away does; in whole milliseconds.
    pub fn set_delay(&self, delay: Duration) -> Result<(), Error> {
        self.order(Change::Delay(delay))
    }

    fn order(&self, what: Change) -> Result<(), Error> {
        let (done, answer) = channel();
        let stopped = |why: String| Error::Stopped { what: "the embedded broker".to_owned(), why };
        self.orders.send(Order { what, done }).map_err(|_| stopped("its thread is gone".to_owned()))?;
        match answer.recv_timeout(ANSWER) {
            Ok(done) => done.map_err(|error| stopped(error.to_string())),
            Err(error) => Err(stopped(error.to_string())),
        }
    }
}

type Cluster = MockCluster<'static, DefaultProducerContext>;

/// The cluster must not leave this thread, so the thread holds it until nobody can give orders.
fn serve(prefix: &str, ready: oneshot::Sender<KafkaResult<String>>, inbox: &Receiver<Order>) {
    let cluster = match set_up(prefix) {
        Ok(cluster) => cluster,
        Err(error) => return drop(ready.send(Err(error))),
    };
    if ready.send(Ok(cluster.bootstrap_servers())).is_err() {
        return;
    }
    while let Ok(Order { what, done }) = inbox.recv() {
        let told = match what {
            Change::Reachable(true) => cluster.broker_up(-1),
            Change::Reachable(false) => cluster.broker_down(-1),
            Change::Delay(delay) => cluster.broker_round_trip_time(-1, delay),
        };
        // Whoever gave the order may have stopped waiting for the answer.
        drop(done.send(told));
    }
}

fn set_up(prefix: &str) -> Result<Cluster, KafkaError> {
    let cluster = MockCluster::new(1)?;
    let of_ours =
        Topic::ALL.map(|topic| (topic.name(prefix), topic.partitions(ApplyOptions::default().partitions)));
    let marker = (topics::embedded_marker(prefix), 1);
    for (name, partitions) in of_ours.into_iter().chain([marker]) {
        // An order that comes while the cluster still wakes up from the one before waits for its next second.
        std::thread::sleep(PAUSE);
        cluster.create_topic(&name, partitions, 1)?;
    }
    Ok(cluster)
}
