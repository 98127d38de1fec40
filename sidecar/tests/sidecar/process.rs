//! The program itself, as a process: how it ends, what it leaves behind when it is killed, and how it bears what is away.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use pavane_events::service::Ready;
use pavane_events::{EventType, RolloutId};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{sleep, timeout};

use crate::reactions::all_is_read;
use crate::shop::{PATIENCE, PAUSE, Shop, free_port, plan};

const DB: Option<(&str, &str, &str)> = Some(("user-db", "user-db-0", "2.0.0"));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sigterm_ends_a_hook_with_its_group_within_the_grace_and_the_next_start_judges_it() {
    let mut shop = Shop::open().await;
    let house = House::new(&shop, "grace: 6s\n", "trap '' TERM; (while :; do sleep 1; done) &");
    let mut sidecar = house.start(&shop);
    moving(&mut shop).await;
    let hook = house.hook().await;
    sidecar.signal(Signal::TERM);
    // Left alone the hook would run for ever, and its time is 5 minutes.
    let status = sidecar.ended().await;
    assert!(status.success(), "{status}: {}", sidecar.output());
    until("the hook has ended with its sidecar", || (!lives(hook)).then_some(())).await;
    assert_eq!(shop.count("user-service.DeploymentFailed"), 0);
    let _next = house.start(&shop);
    shop.until("user-service", EventType::HookUncertain).await;
    assert_eq!(house.runs(), 1, "it is not run twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_it_where_it_stands() {
    let mut shop = Shop::open().await;
    let house = House::new(&shop, "grace: 10m\n", "");
    let mut sidecar = house.start(&shop);
    moving(&mut shop).await;
    house.hook().await;
    sidecar.signal(Signal::TERM);
    sidecar.until_says("stopping").await;
    sidecar.signal(Signal::INT);
    assert_eq!(sidecar.ended().await.code(), Some(130));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_sidecar_left_running_is_ended_before_the_next_decides() {
    let mut shop = Shop::open().await;
    let house = House::new(&shop, "", "trap '' TERM;");
    let mut sidecar = house.start(&shop);
    moving(&mut shop).await;
    let hook = house.hook().await;
    sidecar.signal(Signal::KILL);
    sidecar.ended().await;
    assert!(lives(hook), "nobody has ended it");
    let next = house.start(&shop);
    shop.until("user-service", EventType::HookUncertain).await;
    until("it is ended", || (!lives(hook)).then_some(())).await;
    assert!(next.output().contains("was left running"), "{}", next.output());
    assert_eq!(house.runs(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_and_works_while_the_registry_is_away_by_what_it_fetched_before() {
    let mut shop = Shop::open().await;
    let house = House::new(&shop, "", "echo 2.0.0 > version; exit 0;");
    let mut first = house.start(&shop);
    house.until_answers("/healthz").await;
    first.until_says("caught up").await;
    first.signal(Signal::TERM);
    assert!(first.ended().await.success());
    shop.embedded.registry().set_available(false);
    let second = house.start(&shop);
    second.until_says("caught up").await;
    let rollout = rollout_of(&shop).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    // It reads the event, announces itself and reads that back, all without the registry; whoever looks here needs it.
    house.hook().await;
    shop.embedded.registry().set_available(true);
    shop.until("user-service", EventType::DeploymentComplete).await;
    assert!(second.output().contains("the registry is away"), "{}", second.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_before_kafka_and_says_so() {
    let shop = Shop::open().await;
    shop.embedded.broker().set_reachable(false).unwrap();
    let house = House::new(&shop, "", "");
    let sidecar = house.start(&shop);
    let page = house.until_answers("/readyz").await;
    assert!(page.starts_with("ready\nrollback authority: off\nblind: "), "{page}");
    sidecar.until_says("trying again").await;
    shop.embedded.broker().set_reachable(true).unwrap();
    sidecar.until_says("caught up").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_said_while_the_broker_was_away_survives_a_kill_and_comes_once() {
    let mut shop = Shop::open().await;
    let first = "while [ ! -e go ]; do sleep 0.05; done; echo 2.0.0 > version; exit 0;";
    let house = House::new(&shop, "", first);
    let mut sidecar = house.start(&shop);
    moving(&mut shop).await;
    house.hook().await;
    shop.embedded.broker().set_reachable(false).unwrap();
    std::fs::write(house.folder.join("go"), "").unwrap();
    house.until_shows("pavane_sidecar_outbox_depth 1\n").await;
    sidecar.signal(Signal::KILL);
    sidecar.ended().await;
    shop.embedded.broker().set_reachable(true).unwrap();
    let _next = house.start(&shop);
    let complete = shop.until("user-service", EventType::DeploymentComplete).await;
    all_is_read(&shop).await;
    let id = &complete.event.envelope.id;
    let same =
        |record: &&pavane_events::Record| record.event.body.event_type() == EventType::DeploymentComplete;
    assert!(shop.seen.iter().filter(same).all(|record| record.event.envelope.id == *id), "{:?}", shop.told());
    assert_eq!(house.runs(), 1, "the hook ran once");
}

/// Begins a rollout whose first step is done.
async fn moving(shop: &mut Shop) {
    let rollout = rollout_of(shop).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    shop.until("user-service", EventType::DeploymentStarted).await;
}

async fn rollout_of(shop: &Shop) -> RolloutId {
    shop.start(&plan()).await
}

/// A folder with a sidecar's file, and a hook that says that it runs.
struct House {
    folder: PathBuf,
    port: u16,
}

impl House {
    /// `first` is what the hook does first; then it sleeps.
    fn new(shop: &Shop, more: &str, first: &str) -> Self {
        let folder = shop.dir.path().to_owned();
        let port = free_port();
        std::fs::write(folder.join("version"), "1.0.0\n").unwrap();
        let script = format!("cd {}; echo $$ >> pids; {first} while :; do sleep 1; done", folder.display());
        let file = format!(
            "service: user-service\ndomain: shop\ninstance: user-service-0\nhttp: 127.0.0.1:{port}\n\
             journal: {journal}\n{more}version: {{ file: {version} }}\nreactions:\n  - on: user-db.Ready\n    \
             run: {{ exec: [sh, -c, {script:?}], timeout: 5m }}\n    retry: {{ attempts: 1 }}\n",
            journal = shop.journal().display(),
            version = folder.join("version").display(),
        );
        std::fs::write(folder.join("sidecar.yaml"), file).unwrap();
        Self { folder, port }
    }

    fn start(&self, shop: &Shop) -> Program {
        let (kafka, registry) = (shop.embedded.kafka(), shop.embedded.registry_url());
        Program::start(&self.folder, &["--kafka", kafka, "--registry", registry])
    }

    fn pids(&self) -> Vec<i32> {
        let text = std::fs::read_to_string(self.folder.join("pids")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    fn runs(&self) -> usize {
        self.pids().len()
    }

    /// Waits until the hook runs; its process id.
    async fn hook(&self) -> i32 {
        until("the hook runs", || self.pids().first().copied()).await
    }

    /// Waits until the metrics show this.
    async fn until_shows(&self, line: &str) {
        let looking = async {
            while !self.until_answers("/metrics").await.contains(line) {
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("{line} never shows"));
    }

    async fn until_answers(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let asking = async {
            loop {
                if let Ok(answer) = reqwest::get(&url).await {
                    return answer.text().await.unwrap();
                }
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, asking).await.expect("it answers")
    }
}

/// A sidecar as a process of its own.
pub(crate) struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts the sidecar by the file of a folder.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        Self::start_in(folder, arguments, &[])
    }

    /// Starts it with some variables of its environment besides.
    pub(crate) fn start_in(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let count = std::fs::read_dir(folder).unwrap().count();
        let log = folder.join(format!("log-{count}"));
        let file = std::fs::File::create(&log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_pavane-sidecar"));
        command.arg("--config").arg(folder.join("sidecar.yaml")).args(arguments);
        command.env("NO_COLOR", "1").envs(variables.iter().copied()).stdin(Stdio::null());
        command.stdout(file.try_clone().unwrap()).stderr(file);
        Self { child: command.spawn().unwrap(), log }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        until("it ends", || self.child.try_wait().unwrap()).await
    }

    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) async fn until_says(&self, words: &str) {
        let saying = async {
            while !self.output().contains(words) {
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, saying).await.unwrap_or_else(|_| panic!("never {words:?}, but: {}", self.output()));
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        for pid in self.pids().into_iter().filter(|pid| lives(*pid) && works_in(*pid, &self.folder)) {
            if let Some(group) = Pid::from_raw(pid) {
                // It may have ended since.
                let _ended = rustix::process::kill_process_group(group, Signal::KILL);
            }
        }
    }
}

pub(crate) async fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = found() {
                return found;
            }
            sleep(PAUSE).await;
        }
    };
    timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("never: {what}"))
}

/// Whether a process works in a folder: a number is given to another process soon enough.
pub(crate) fn works_in(pid: i32, folder: &Path) -> bool {
    std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|place| place == folder)
}

pub(crate) fn lives(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
