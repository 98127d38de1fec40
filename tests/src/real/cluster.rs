//! Three brokers that are one cluster: what has a leader can lose it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::cache;
use super::jdk::Jdk;
use super::kafka::{self, CLUSTER, START};
use crate::process::Process;
use crate::{place, wait};

/// How many brokers there are.
const SIZE: usize = 3;

/// A running cluster, each of whose brokers is a controller too. It stops when dropped.
#[derive(Debug)]
pub struct Cluster {
    members: Vec<Member>,
    _folder: TempDir,
}

/// One broker.
#[derive(Debug)]
struct Member {
    port: u16,
    folder: PathBuf,
    process: Process,
    java: PathBuf,
    class_path: String,
}

impl Cluster {
    /// Starts all brokers; each knows of all others before this returns.
    pub async fn start(jdk: &Jdk, jars: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("pavane-cluster-").tempdir()?;
        let (ports, controllers) = (place::free_ports::<SIZE>(), place::free_ports::<SIZE>());
        let voters: Vec<_> =
            (1..).zip(controllers).map(|(id, port)| format!("{id}@127.0.0.1:{port}")).collect();
        let class_path = format!("{}/*", jars.display());
        let mut members = Vec::new();
        for ((id, port), controller) in (1..).zip(ports).zip(controllers) {
            let own = folder.path().join(format!("broker-{id}"));
            std::fs::create_dir(&own).with_context(|| format!("failed to make {}", own.display()))?;
            let properties = own.join("server.properties");
            std::fs::write(&properties, settings(&own, id, port, controller, &voters.join(",")))
                .with_context(|| format!("failed to write {}", properties.display()))?;
            let format = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c"];
            cache::run(kafka::command(&jdk.java, &class_path, &own).args(format).arg(&properties))?;
            let mut command = server(&jdk.java, &class_path, &own);
            let process =
                Process::start(&format!("broker-{id}"), &mut command, &own.join("output.log"), None)?;
            let (java, class_path) = (jdk.java.clone(), class_path.clone());
            members.push(Member { port, folder: own, process, java, class_path });
        }
        let mut cluster = Self { members, _folder: folder };
        cluster.complete().await?;
        Ok(cluster)
    }

    /// Where the brokers listen, as clients are told.
    pub fn addresses(&self) -> String {
        let all: Vec<_> = self.members.iter().map(|member| format!("127.0.0.1:{}", member.port)).collect();
        all.join(",")
    }

    /// The process of a broker, by its id from 1 on.
    pub fn process(&mut self, id: usize) -> &mut Process {
        &mut self.members[id - 1].process
    }

    /// Starts a broker again that was killed, with what it had written.
    pub fn start_again(&mut self, id: usize) -> Result<()> {
        let member = &mut self.members[id - 1];
        let mut command = server(&member.java, &member.class_path, &member.folder);
        member.process.replace(&mut command)
    }

    /// Waits until every broker knows of all.
    pub async fn complete(&mut self) -> Result<()> {
        let members = &mut self.members;
        let up = wait::until("a cluster of three", START, async || {
            let ended = members.iter_mut().find_map(|member| member.process.must_run().err());
            let knows_all = |member: &Member| {
                let address = SocketAddr::from(([127, 0, 0, 1], member.port));
                kafka::brokers(address).is_ok_and(|count| usize::try_from(count) == Ok(SIZE))
            };
            ended.map(Err).or_else(|| members.iter().all(knows_all).then_some(Ok(())))
        });
        up.await?.context("failed to start a cluster")
    }
}

fn server(java: &Path, class_path: &str, folder: &Path) -> std::process::Command {
    let mut command = kafka::command(java, class_path, folder);
    command.arg("kafka.Kafka").arg(folder.join("server.properties"));
    command
}

fn settings(folder: &Path, id: usize, port: u16, controller: u16, voters: &str) -> String {
    let folder = folder.display();
    format!(
        "process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor=3
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
min.insync.replicas=2
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=5000
"
    )
}
