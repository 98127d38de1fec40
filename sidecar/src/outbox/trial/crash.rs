//! The outbox as a process of its own that is killed: at each place where it matters, and at any moment.
//!
//! This test starts itself again as that process. Its broker is a file to which each record is appended in one write,
//! so that it outlives the process as a broker does; what was answered goes to another file in the same way. A folder
//! sees a row of lives, each of which goes on with what the one before left, and then one that comes to its end.
//! `PAVANE_KILLS` says how many kills there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pavane_bus::{Appended, Encoded};
use pavane_events::{Domain, Envelope, EventId, EventType, Source, Timestamp};

use crate::journal::Journal;
use crate::letter::Content;
use crate::line::Limits;
use crate::outbox::{Answer, Outbox, Post};

/// Where a life is lived.
const LIFE: &str = "PAVANE_TRIAL_LIFE";
const PLACES: [&str; 8] = [
    "outbox sealed",
    "journal write",
    "journal sync",
    "journal synced",
    "outbox written",
    "handed over",
    "answered for",
    "settled",
];
/// How many lives a folder sees, and how many events each of them would say.
const LIVES: u32 = 10;
const EVENTS: u32 = 60;

#[test]
fn nothing_that_was_answered_is_lost_wherever_the_process_is_killed() {
    if std::env::var_os(LIFE).is_some() {
        return;
    }
    let wanted: u32 = std::env::var("PAVANE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(300);
    let (mut kills, mut by_place, mut answered, mut twice) = (0, BTreeMap::<String, u32>::new(), 0, 0);
    let mut dice = 0x2545_f491_u32;
    while kills < wanted {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..LIVES {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let place = PLACES.get((dice >> 8) as usize % (PLACES.len() + 2)).copied();
            if live(folder.path(), place.unwrap_or("at any moment"), 1 + (dice >> 16) % most(place)) {
                kills += 1;
                *by_place.entry(place.unwrap_or("at any moment").to_owned()).or_default() += 1;
            }
        }
        assert!(!live(folder.path(), "never", 0), "the last life comes to its end");
        let (promised, records) = judge(folder.path());
        answered += promised;
        twice += records;
    }
    let counts = format!("{answered} events answered, 0 lost; {twice} records stood twice");
    // By another way than tests say things: it stands in every run, also of tests that hold.
    writeln!(std::io::stderr(), "the outbox as a process: {kills} kills {by_place:?}: {counts}").unwrap();
    for place in PLACES.iter().chain(&["at any moment"]) {
        assert!(by_place.contains_key(*place), "nobody was killed at {place:?}: {by_place:?}");
    }
    assert!(answered > wanted && twice > 0, "too little was tried");
}

/// How often a place is passed in a life, or nearly.
fn most(place: Option<&str>) -> u32 {
    match place {
        Some("outbox sealed" | "outbox written") => 5,
        Some("journal write" | "journal sync" | "journal synced") => 20,
        Some(_) | None => 40,
    }
}

/// Lives one life; tells whether it was killed.
fn live(folder: &Path, place: &str, times: u32) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "outbox::trial::crash::a_life", "--nocapture"])
        .env(LIFE, folder)
        .envs(PLACES.contains(&place).then(|| ("PAVANE_FAILPOINT", format!("{place}=kill@{times}"))))
        .stdout(Stdio::null())
        .stderr(File::create(folder.join("said")).unwrap())
        .spawn()
        .unwrap();
    if place == "at any moment" {
        // Not a wait for anything: the moment is the point.
        std::thread::sleep(Duration::from_micros(u64::from(times) * 1_300));
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    let killed = status.signal() == Some(9);
    assert!(
        killed || status.success(),
        "{status}: {}",
        std::fs::read_to_string(folder.join("said")).unwrap()
    );
    killed
}

/// Holds what was answered against the broker's log; tells how much of each there was.
fn judge(folder: &Path) -> (u32, u32) {
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap_or_default();
    let (mut there, mut twice) = (BTreeSet::new(), 0);
    let mut highest = BTreeMap::<String, i64>::new();
    for line in read("log").lines() {
        let [boot, sequence, id] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
        if !there.insert(id.to_owned()) {
            twice += 1;
            continue;
        }
        let sequence = sequence.parse().unwrap();
        let before = highest.insert(boot.to_owned(), sequence).unwrap_or(0);
        assert!(before < sequence, "{boot}: {sequence} stands after {before}");
    }
    let mut promised = 0;
    for id in read("answered").lines() {
        promised += 1;
        assert!(there.contains(id), "{id} was answered for and is lost");
    }
    (promised, twice)
}

/// One life, when this process is one.
#[test]
fn a_life() {
    let Ok(folder) = std::env::var(LIFE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(Path::new(&folder)));
}

async fn run(folder: &Path) {
    let (journal, mut recalled) = Journal::open(&folder.join("journal"), "shop/a/a-0").unwrap();
    let boot = uuid::Uuid::now_v7().to_string();
    let limits = Limits { events: 10_000, bytes: 1 << 24 };
    let outbox = Outbox::new(journal, &boot, limits, &mut recalled);
    let closer = outbox.employ().unwrap();
    let log = append(&folder.join("log"));
    outbox.open(Box::new(move |letter| {
        let envelope = &letter.envelope;
        let (boot, sequence) = (envelope.boot.as_deref().unwrap(), envelope.sequence.unwrap());
        (&*log).write_all(format!("{boot} {sequence} {}\n", envelope.id).as_bytes()).unwrap();
        Ok(Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(Appended { partition: 0, offset: 0, at: Timestamp(0) })
        }))
    }));
    let answered = append(&folder.join("answered"));
    let mut saying = tokio::task::JoinSet::new();
    for number in 0..EVENTS {
        let (answered, id) = (answered.clone(), EventId::new(format!("{boot}-{number}")).unwrap());
        let answer = outbox.post(post(&id, &boot, number)).unwrap();
        saying.spawn(async move {
            match answer.await.unwrap() {
                Answer::Appended(_) | Answer::Kept { .. } => {
                    (&*answered).write_all(format!("{id}\n").as_bytes()).unwrap();
                }
                other @ (Answer::Never(_) | Answer::Full) => panic!("{id}: {other:?}"),
            }
        });
        if number % 7 == 0 {
            saying.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(said) = saying.join_next().await {
        said.unwrap();
    }
    assert_eq!(outbox.drain(Duration::from_mins(1)).await, 0);
    drop(closer);
}

fn post(id: &EventId, boot: &str, number: u32) -> Post {
    let source = Source::new("/pavane/shop/a/a-0").unwrap();
    let mut envelope = Envelope::new(Domain::new("shop").unwrap(), source, id.clone());
    envelope.boot = Some(boot.to_owned());
    let encoded = Encoded { value: vec![7; 100], dataschema: "urn:x".to_owned() };
    let content = Content::Given { event: EventType::Ready, encoded };
    Post { envelope, content, digest: 1, keyed: number.is_multiple_of(2), local: !number.is_multiple_of(3) }
}

fn append(file: &Path) -> Arc<File> {
    Arc::new(OpenOptions::new().create(true).append(true).open(file).unwrap())
}
