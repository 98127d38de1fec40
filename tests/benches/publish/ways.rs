//! The ways that are measured: the sidecar's door over a connection that stays open, and the library's own client.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pavane_bus::Settings;
use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::Offset;
use serde_json::json;
use tokio::runtime::Runtime;

/// How long a record is; what ours carries is chosen so that its value is as long.
const LENGTH: usize = 124;
const DETAIL: usize = 111;
/// How long the broker may take to show a record, and the header that tells records apart.
const PATIENCE: Duration = Duration::from_secs(10);
const ID: &str = "ce_id";

/// The service's connection to the door.
pub(crate) struct Door {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
    /// How the door answers that all is well.
    wanted: &'static str,
}

impl Door {
    pub(crate) fn connect(address: &str) -> Result<Self> {
        Self::connect_for(address, "r-1")
    }

    /// A connection on which the event is said of this rollout.
    pub(crate) fn connect_for(address: &str, rollout: &str) -> Result<Self> {
        let data = json!({ "prerequisite": "cache", "detail": detail() });
        let body =
            json!({ "event": "Ready", "rollout": rollout, "version": "1.0.0", "data": data }).to_string();
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Self::open(address, [head, body].concat(), " 201 ")
    }

    /// A connection on which it is asked whether the sidecar runs, which it answers by itself.
    pub(crate) fn connect_to_health(address: &str) -> Result<Self> {
        Self::open(address, format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n"), " 200 ")
    }

    fn open(address: &str, request: String, wanted: &'static str) -> Result<Self> {
        let stream = TcpStream::connect(address).context("failed to reach the door")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), request: request.into_bytes(), wanted })
    }

    /// Says the event and waits until it is answered that the broker has it; or asks, and waits for the answer.
    pub(crate) fn say(&mut self) -> Result<()> {
        self.stream.get_mut().write_all(&self.request)?;
        let (mut line, mut status, mut length) = (String::new(), String::new(), 0);
        while line != "\r\n" {
            line.clear();
            ensure!(self.stream.read_line(&mut line)? > 0, "the door closed the connection");
            if status.is_empty() {
                line.trim().clone_into(&mut status);
            } else if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().context("failed to read the length of the answer")?;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        ensure!(
            status.contains(self.wanted),
            "the door answered {status}: {}",
            String::from_utf8_lossy(&answer)
        );
        Ok(())
    }
}

/// The library's own client, set up as ours: idempotent, no linger, answered for by all replicas.
pub(crate) struct Raw {
    producer: ThreadedProducer<Answers>,
    kafka: String,
    topic: String,
}

/// A record that the raw client sends, again and again.
pub(crate) struct Record {
    topic: String,
    partition: i32,
    key: Vec<u8>,
    value: Vec<u8>,
    /// Without [`ID`], which each record has for itself.
    headers: Vec<(String, Vec<u8>)>,
}

/// Where the broker's answers for one sender come.
pub(crate) struct Line {
    asked: Sender<bool>,
    answers: Receiver<bool>,
}

struct Answers;

impl ClientContext for Answers {}

impl ProducerContext for Answers {
    type DeliveryOpaque = Box<Sender<bool>>;

    fn delivery(&self, result: &DeliveryResult<'_>, asked: Box<Sender<bool>>) {
        asked.send(result.is_ok()).expect("whoever sent waits for the answer");
    }
}

impl Raw {
    pub(crate) fn connect(runtime: &Runtime, settings: &Settings) -> Result<Self> {
        let topic = format!("{}.raw", settings.prefix);
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &settings.kafka);
        let admin: AdminClient<DefaultClientContext> = config.create()?;
        let wanted = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
        for made in runtime.block_on(admin.create_topics([&wanted], &AdminOptions::new()))? {
            made.map_err(|(topic, code)| anyhow::anyhow!("failed to make the topic {topic}: {code}"))?;
        }
        config.set("linger.ms", "0").set("acks", "all").set("enable.idempotence", "true");
        let producer = config.create_with_context(Answers)?;
        Ok(Self { producer, kafka: settings.kafka.clone(), topic })
    }

    /// A line of its own for one sender.
    pub(crate) fn line() -> Line {
        let (asked, answers) = channel();
        Line { asked, answers }
    }

    /// Sends a bare record to a topic that nobody reads, and waits for the broker's answer.
    pub(crate) fn send_on(&self, line: &Line) -> Result<()> {
        let record = BaseRecord::with_opaque_to(&self.topic, Box::new(line.asked.clone()));
        self.send(record.payload([b'x'; LENGTH].as_slice()).key(b"arena".as_slice()), line)
    }

    /// Sends the record under an id of its own, and waits for the broker's answer.
    pub(crate) fn say_on(&self, line: &Line, said: &Record, turn: usize) -> Result<()> {
        let id = format!("raw-{turn:032}");
        let headers = said.headers.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        let headers =
            headers.chain([(ID, id.as_bytes())]).fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header { key, value: Some(value) })
            });
        let record = BaseRecord::with_opaque_to(&said.topic, Box::new(line.asked.clone()));
        let record = record.partition(said.partition).headers(headers);
        self.send(record.payload(said.value.as_slice()).key(said.key.as_slice()), line)
    }

    fn send(&self, record: BaseRecord<'_, [u8], [u8], Box<Sender<bool>>>, line: &Line) -> Result<()> {
        self.producer.send(record).map_err(|(error, _)| error)?;
        ensure!(line.answers.recv()?, "the broker has not taken the record");
        Ok(())
    }

    /// The newest record of a partition, to be said in the same words.
    pub(crate) fn newest(&self, topic: &str, partition: i32) -> Result<Record> {
        let consumer = self.consumer()?;
        let (_, end) = consumer.fetch_watermarks(topic, partition, PATIENCE)?;
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(topic, partition, Offset::Offset(end - 1))?;
        consumer.assign(&from)?;
        let found = consumer.poll(PATIENCE).context("failed to see the newest record")??;
        let headers = found.headers().context("failed to find headers")?.iter();
        let headers =
            headers.map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()));
        Ok(Record {
            topic: topic.to_owned(),
            partition,
            key: found.key().unwrap_or_default().to_vec(),
            value: found.payload().unwrap_or_default().to_vec(),
            headers: headers.filter(|(key, _)| key != ID).collect(),
        })
    }

    /// Takes the records from their end on; what comes tells when each was taken.
    pub(crate) fn consume(&self) -> Result<Receiver<Instant>> {
        let consumer = self.consumer()?;
        let mut from = TopicPartitionList::new();
        let (_, end) = consumer.fetch_watermarks(&self.topic, 0, PATIENCE)?;
        from.add_partition_offset(&self.topic, 0, Offset::Offset(end))?;
        consumer.assign(&from)?;
        let (sender, taken) = channel();
        std::thread::spawn(move || {
            loop {
                if let Some(Ok(_)) = consumer.poll(Duration::from_millis(100))
                    && sender.send(Instant::now()).is_err()
                {
                    return;
                }
            }
        });
        Ok(taken)
    }

    fn consumer(&self) -> Result<BaseConsumer> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.kafka)
            .set("group.id", "raw")
            .set("enable.auto.commit", "false");
        Ok(config.create()?)
    }
}

pub(crate) fn detail() -> String {
    "x".repeat(DETAIL)
}
