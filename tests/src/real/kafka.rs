//! One Apache Kafka broker (`KRaft`, a single process).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::cache;
use super::jdk::Jdk;
use crate::process::{Process, Signal};
use crate::{place, wait};

/// How long a broker may take to start on two busy cores.
pub(super) const START: Duration = Duration::from_mins(2);

/// Any 22 characters of base64 that make a UUID.
pub(super) const CLUSTER: &str = "cGF2YW5lLXRlc3RzLTAwMQ";

/// Where a broker's backup lies, beside its data.
const BACKUP: &str = "backup";

/// A running broker.
#[derive(Debug)]
pub struct Kafka {
    port: u16,
    process: Process,
    java: PathBuf,
    class_path: String,
    folder: PathBuf,
}

/// Where a broker is about to start.
#[derive(Debug)]
pub struct Place {
    /// Its folder.
    pub folder: PathBuf,
    /// The port that it lets everybody in by.
    pub port: u16,
    /// The port of its controller.
    pub controller: u16,
}

impl Kafka {
    /// Formats a new log folder and starts a broker that answers before this returns.
    pub async fn start(jdk: &Jdk, jars: &Path) -> Result<Self> {
        Self::start_with(jdk, jars, |_| Ok(String::new())).await
    }

    /// Starts one with further settings, which count more than the ordinary ones.
    pub async fn start_with(
        jdk: &Jdk,
        jars: &Path,
        more: impl FnOnce(&Place) -> Result<String>,
    ) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("pavane-kafka-").tempdir()?.keep();
        let [port, controller] = place::free_ports();
        let more = more(&Place { folder: folder.clone(), port, controller })?;
        let properties = folder.join("server.properties");
        std::fs::write(&properties, settings(&folder, port, controller) + &more)
            .with_context(|| format!("failed to write {}", properties.display()))?;
        let class_path = format!("{}/*", jars.display());
        let format = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c"];
        cache::run(command(&jdk.java, &class_path, &folder).args(format).arg(&properties))?;
        let log = folder.join("output.log");
        let mut command = command(&jdk.java, &class_path, &folder);
        let process =
            Process::start("kafka", command.arg("kafka.Kafka").arg(&properties), &log, Some(&folder))?;
        let mut kafka = Self { port, process, java: jdk.java.clone(), class_path, folder };
        kafka.up().await?;
        Ok(kafka)
    }

    /// Starts it again after it was killed: at the same port, with what it had written.
    pub async fn start_again(&mut self) -> Result<()> {
        let mut command = command(&self.java, &self.class_path, &self.folder);
        self.process.replace(command.arg("kafka.Kafka").arg(self.folder.join("server.properties")))?;
        self.up().await
    }

    /// Copies all that it holds, as a backup of the machine's disk does; it stands still meanwhile.
    pub fn back_up(&self) -> Result<()> {
        self.process.signal(Signal::Stop)?;
        let copied = cache::run(Command::new("cp").args(["-a", "data", BACKUP]).current_dir(&self.folder));
        self.process.signal(Signal::Continue)?;
        copied
    }

    /// Starts it again, when it was killed, with what it held when it was backed up.
    pub async fn restore(&mut self) -> Result<()> {
        let (data, backup) = (self.folder.join("data"), self.folder.join(BACKUP));
        self.process.gone()?;
        let restored = std::fs::remove_dir_all(&data).and_then(|()| std::fs::rename(&backup, &data));
        restored.with_context(|| format!("failed to restore {}", data.display()))?;
        self.start_again().await
    }

    async fn up(&mut self) -> Result<()> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let process = &mut self.process;
        let up = wait::until("Kafka to list a broker", START, async || match process.must_run() {
            Ok(()) => lists_a_broker(address).then_some(Ok(())),
            Err(ended) => Some(Err(ended)),
        });
        let port = self.port;
        up.await.and_then(|up| up).with_context(|| format!("failed to start Kafka on port {port}"))
    }

    /// Where it listens, as `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its folder, which goes with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process, to freeze or kill it in a test of its own broker.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

pub(super) fn command(java: &Path, class_path: &str, folder: &Path) -> Command {
    let mut command = Command::new(java);
    command.args(["-Xmx512m", "-cp", class_path]).current_dir(folder);
    command
}

fn settings(folder: &Path, port: u16, controller: u16) -> String {
    let folder = folder.display();
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"
    )
}

/// Whether a metadata request is answered with at least one broker. The port alone accepts too early.
fn lists_a_broker(address: SocketAddr) -> bool {
    brokers(address).is_ok_and(|count| count > 0)
}

/// How many brokers the one at this address knows of.
pub(super) fn brokers(address: SocketAddr) -> std::io::Result<i32> {
    // size, api key 3 (metadata), version 1, correlation id, no client id, no topics
    const REQUEST: [u8; 18] = [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0, 0, 0, 0];
    let patience = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(&REQUEST)?;
    // size, correlation id, number of brokers
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(i32::from_be_bytes([answer[8], answer[9], answer[10], answer[11]]))
}
