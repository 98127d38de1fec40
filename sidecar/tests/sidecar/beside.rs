//! A sidecar that wraps its service: what becomes of the service's process, its signals, its end.

use std::path::PathBuf;

use pavane_events::service::Ready;
use pavane_events::{Body, EventType};
use rustix::process::Signal;

use crate::process::{Program, lives, until, works_in};
use crate::shop::{Shop, free_port, plan};

const DB: Option<(&str, &str, &str)> = Some(("user-db", "user-db-0", "2.0.0"));
/// Where nobody listens.
const NOWHERE: [&str; 4] = ["--kafka", "127.0.0.1:1", "--registry", "http://127.0.0.1:1"];

#[tokio::test]
async fn the_process_runs_without_kafka_is_handed_signals_and_its_exit_code_is_the_sidecars() {
    let home = Home::new("", "");
    let script = "trap 'echo hup >> said' HUP; trap 'exit 7' USR1; echo $$ $PAVANE_INSTANCE >> said; \
                  while :; do sleep 0.05; done";
    let mut sidecar = home.wrap(&NOWHERE, script);
    until("the process runs", || home.said().ends_with("user-service-0\n").then_some(())).await;
    sidecar.signal(Signal::HUP);
    until("the signal is handed on", || home.said().ends_with("hup\n").then_some(())).await;
    sidecar.signal(Signal::USR1);
    assert_eq!(sidecar.ended().await.code(), Some(7), "{}", sidecar.output());
}

#[tokio::test]
async fn a_command_that_is_not_there_ends_it_as_a_shell_would() {
    let home = Home::new("", "");
    let mut sidecar = Program::start(&home.folder, &[&NOWHERE[..], &["--", "/nowhere/serve"]].concat());
    assert_eq!(sidecar.ended().await.code(), Some(127));
    assert!(sidecar.output().contains("/nowhere/serve"), "{}", sidecar.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sigterm_drains_the_service_first_and_then_ends_its_process() {
    let shop = Shop::open().await;
    let home = Home::new(
        "drain: { exec: [sh, -c, 'cd FOLDER; kill -0 $(cat pid) && echo drained >> said'], timeout: 5s }\n",
        "",
    );
    let script = "echo $$ > pid; trap 'echo term >> said; exit 0' TERM; while :; do sleep 0.05; done";
    let mut sidecar = home.wrap(&at(&shop), script);
    sidecar.until_says("caught up").await;
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.ended().await.code(), Some(0), "{}", sidecar.output());
    assert_eq!(home.said(), "drained\nterm\n");
}

#[tokio::test]
async fn a_process_that_ignores_sigterm_is_killed_with_its_children_within_the_grace() {
    let home = Home::new("grace: 4s\nprocess: { stop: 1s }\n", "");
    let script = "trap '' TERM; sh -c 'echo $$ > child; trap \"\" TERM; while :; do sleep 0.05; done' & wait";
    let mut sidecar = home.wrap(&NOWHERE, script);
    let child = until("its child runs", || home.read("child").trim().parse().ok()).await;
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.ended().await.code(), Some(137), "{}", sidecar.output());
    until("its child is gone too", || (!lives(child)).then_some(())).await;
}

#[tokio::test]
async fn a_second_signal_ends_both_at_once() {
    let home = Home::new("", "");
    let script = "trap 'echo term >> said' TERM; echo $$ > pid; while :; do sleep 0.05; done";
    let mut sidecar = home.wrap(&NOWHERE, script);
    let process = until("the process runs", || home.read("pid").trim().parse().ok()).await;
    sidecar.signal(Signal::TERM);
    until("it is asked to end", || home.said().contains("term").then_some(())).await;
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.ended().await.code(), Some(130));
    until("the process is gone", || (!lives(process)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_after_its_rollout_is_told_with_its_exit_reason_and_started_again() {
    let mut shop = Shop::open().await;
    let home = Home::new(
        "process: { restart: on-failure, backoff: 100ms..1s }\n",
        "run: { exec: [sh, -c, 'echo 2.0.0 > FOLDER/version'], restart: true }",
    );
    let sidecar = home.wrap(&at(&shop), "echo $$ >> pid; while :; do sleep 0.05; done");
    let first: i32 = until("the process runs", || home.pid(0)).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    shop.until("user-service", EventType::DeploymentComplete).await;
    let second: i32 = until("the new version has a process of its own", || home.pid(1)).await;
    assert!(first != second && !lives(first), "and the old one has none");
    rustix::process::kill_process(rustix::process::Pid::from_raw(second).unwrap(), Signal::KILL).unwrap();
    let failed = shop.until("user-service", EventType::DeploymentFailed).await;
    let Body::DeploymentFailed(body) = &failed.event.body else { panic!("{failed:?}") };
    assert_eq!(body.stage, "readiness");
    assert!(body.reason.contains("process: the process was ended by signal 9 (SIGKILL)"), "{}", body.reason);
    while shop.count("user-service.DeploymentComplete") < 2 {
        shop.next().await;
    }
    until("it was started again", || home.pid(2)).await;
    assert_eq!(home.read("pid").lines().count(), 3, "{}", sidecar.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_not_started_again_is_told_of_before_the_sidecar_ends_with_it() {
    let mut shop = Shop::open().await;
    let home = Home::new("", "run: { exec: [sh, -c, 'echo 2.0.0 > FOLDER/version'] }");
    let script = "while [ ! -e end ]; do sleep 0.05; done; exit 42";
    let mut sidecar = home.wrap(&at(&shop), script);
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, DB, Ready::default()).await;
    shop.until("user-service", EventType::DeploymentComplete).await;
    std::fs::write(home.folder.join("end"), "").unwrap();
    let failed = shop.until("user-service", EventType::DeploymentFailed).await;
    let Body::DeploymentFailed(body) = &failed.event.body else { panic!("{failed:?}") };
    assert!(body.reason.contains("the process exited with 42"), "{}", body.reason);
    assert_eq!(sidecar.ended().await.code(), Some(42), "{}", sidecar.output());
}

#[tokio::test]
async fn a_process_that_dies_again_and_again_is_given_up() {
    let home = Home::new("process: { restart: always, backoff: 10ms..10ms, restarts: 3 }\n", "");
    let mut sidecar = home.wrap(&NOWHERE, "echo once >> said; exit 5");
    assert_eq!(sidecar.ended().await.code(), Some(5), "{}", sidecar.output());
    assert_eq!(home.said().lines().count(), 4);
}

#[tokio::test]
async fn the_first_process_of_a_container_leaves_no_zombies() {
    let home = Home::new("", "");
    let script = "touch stay; for k in 1 2 3; do sh -c 'while [ -e stay ]; do sleep 0.05; done & echo $$ >> orphans'; \
                  done; trap 'exit 0' TERM; while :; do sleep 0.05; done";
    let mut sidecar = home.wrap(&[&["--init"], &NOWHERE[..]].concat(), script);
    until("orphans are made", || (home.read("orphans").lines().count() == 3).then_some(())).await;
    let init = sidecar.id();
    let orphans = || children(init).len().saturating_sub(1);
    until("they are given to it", || (orphans() == 3).then_some(())).await;
    std::fs::remove_file(home.folder.join("stay")).unwrap();
    until("and none is left", || (orphans() == 0).then_some(())).await;
    sidecar.signal(Signal::TERM);
    assert_eq!(sidecar.ended().await.code(), Some(0), "{}", sidecar.output());
}

/// The children of a process, zombies too.
fn children(of: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| parent(*pid) == Some(of)).collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// A folder with a sidecar's file, where the process works too.
struct Home {
    folder: PathBuf,
    _dir: tempfile::TempDir,
}

impl Home {
    /// `FOLDER` in either text is where it is; `run` belongs to the one reaction.
    fn new(more: &str, run: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().to_owned();
        let place = folder.display().to_string();
        std::fs::write(folder.join("version"), "1.0.0\n").unwrap();
        let run = if run.is_empty() { "run: { exec: ['true'] }" } else { run };
        let file = format!(
            "service: user-service\ndomain: shop\ninstance: user-service-0\nhttp: 127.0.0.1:{}\n\
             journal: {place}/journal\n{}version: {{ file: {place}/version }}\nreactions:\n  - on: user-db.Ready\n    {}\n",
            free_port(),
            more.replace("FOLDER", &place),
            run.replace("FOLDER", &place),
        );
        std::fs::write(folder.join("sidecar.yaml"), file).unwrap();
        Self { folder, _dir: dir }
    }

    fn wrap(&self, arguments: &[&str], script: &str) -> Program {
        let script = format!("cd {}; {script}", self.folder.display());
        Program::start(&self.folder, &[arguments, &["--", "sh", "-c", &script]].concat())
    }

    fn said(&self) -> String {
        self.read("said")
    }

    /// Whose number the script has written as so manieth, each on a line of its own.
    fn pid(&self, at: usize) -> Option<i32> {
        self.read("pid").split_inclusive('\n').nth(at)?.strip_suffix('\n')?.parse().ok()
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.join(file)).unwrap_or_default()
    }
}

/// What a sidecar that was killed with its test leaves running does not outlive it.
impl Drop for Home {
    fn drop(&mut self) {
        let text = self.read("pid");
        let pids = text.lines().filter_map(|line| line.parse().ok());
        for pid in pids.filter(|pid| lives(*pid) && works_in(*pid, &self.folder)) {
            if let Some(group) = rustix::process::Pid::from_raw(pid) {
                // It may have ended since.
                let _ended = rustix::process::kill_process_group(group, Signal::KILL);
            }
        }
    }
}

fn at(shop: &Shop) -> [&str; 4] {
    ["--kafka", shop.embedded.kafka(), "--registry", shop.embedded.registry_url()]
}
