//! A row of lives on one journal, in a domain of its own: each ends at its place and leaves what it left to the next.

mod dance;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pavane_bus::{Item, Policy, Reader, Writer};
use pavane_events::{Domain, Entry, RolloutId};
use tokio::time::timeout;

use super::Met;
use super::house::{House, was_killed};
use super::ledger::Ledger;
use super::registry::{Between, Manner};
use super::service::{Posts, Said, hear};
use super::trouble::{Aim, Trouble};
use super::turns::Turns;
use crate::shop::{PATIENCE, PAUSE, Shop};

/// Where a row of lives leaves its files: in memory where that can be had. A kill takes nothing of what was written, synced or
/// not; what power takes is tried elsewhere.
const MEMORY: &str = "/dev/shm";

/// A row of lives, and what was met in it.
pub(crate) struct Chain {
    trouble: Trouble,
    number: u32,
    domain: Domain,
    writer: Writer,
    reader: Reader,
    between: Between,
    houses: Vec<House>,
    posts: Vec<Posts>,
    ledger: Ledger,
    met: Met,
    rollout: Option<Rollout>,
    rollouts: usize,
    told: Arc<AtomicU32>,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

/// A reader of a domain; a broker that is busy with many may let the question for it run out of time.
async fn reader(shop: &Shop, domain: &Domain) -> Reader {
    let opening = async {
        loop {
            match shop.bus.reader(domain, Policy::Structural).await {
                Err(error) if error.is_transient() => {}
                opened => return opened.unwrap(),
            }
        }
    };
    timeout(PATIENCE, opening).await.expect("it can be read")
}

struct Rollout {
    id: RolloutId,
    /// Where the person's decision to go back stands, once it does.
    decision: Option<i64>,
    mode: &'static str,
}

impl Chain {
    pub(crate) async fn new(trouble: Trouble, number: u32, shop: &Shop) -> Self {
        let name = format!("shop-{number}");
        let domain = Domain::new(name.as_str()).unwrap();
        let folder = tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir()).unwrap();
        let between = Between::start(shop.embedded.registry_url()).await;
        let told = Arc::new(AtomicU32::new(0));
        let webhook = hear(told.clone()).await;
        let house = |own: &Path| {
            House::new(own, folder.path(), &name, trouble, &webhook).at(shop.embedded.kafka(), &between.url)
        };
        let second = (trouble == Trouble::Twins).then(|| house(&folder.path().join("twin")));
        let houses: Vec<House> = [house(folder.path())].into_iter().chain(second).collect();
        let posts = houses.iter().enumerate().map(|(at, house)| Posts::new(house, number, at)).collect();
        Self {
            trouble,
            number,
            writer: shop.writer.clone(),
            reader: reader(shop, &domain).await,
            domain,
            between,
            houses,
            posts,
            ledger: Ledger::default(),
            met: Met::default(),
            rollout: None,
            rollouts: 0,
            told,
            client: reqwest::Client::new(),
            _folder: folder,
        }
    }

    /// Lives these runs one after the other, and then a life that comes to its end.
    pub(crate) async fn live(mut self, runs: Vec<u32>) -> Met {
        self.fetch().await;
        for run in runs {
            let limit = 2 * PATIENCE;
            let aim = self.trouble.aim(run);
            let lived = timeout(limit, self.run(run, &aim)).await;
            lived
                .unwrap_or_else(|_| panic!("{} never came to {aim:?}: {}", self.place(run), self.alone(run)));
        }
        let ended = timeout(2 * PATIENCE, self.end()).await;
        ended.unwrap_or_else(|_| {
            panic!("{}: never on the log: {:?}", self.trouble.name(), self.ledger.missing())
        });
        self.judge();
        self.met
    }

    fn place(&self, run: u32) -> String {
        format!("{}, run {run} in row {}", self.trouble.name(), self.number)
    }

    fn alone(&self, run: u32) -> String {
        format!("PAVANE_RUN={run} cargo test -p pavane-sidecar --test sidecar matrix::  # {:?}", self.trouble)
    }

    /// One run: a life that ends at its place, with what troubles it.
    async fn run(&mut self, run: u32, aim: &Aim) {
        self.prepare(run).await;
        let mut armed = aim.armed(self.trouble == Trouble::TornWrite);
        if self.trouble == Trouble::FullDisk {
            let from = 3 + run.wrapping_mul(7) % 40;
            armed = format!("journal write=full@{from}-{};{armed}", from + 5 + run % 30);
        }
        let mut life = self.houses[0].start(&armed);
        let mut twin = (self.houses.len() > 1).then(|| self.houses[1].start(""));
        let (mut turns, mut healed) = (Turns::of(self.houses.len()), false);
        loop {
            if let Some(status) = life.ended() {
                if was_killed(status) {
                    break;
                }
                self.excuse(run, status, &life.output());
                life = self.houses[0].start(&aim.armed(false));
            }
            if turns.is_over(self.has_ended()) {
                // Both are barred by then, and the place is not come to: each goes on alone.
                life.kill();
                twin = None;
                let armed = if turns.at == 0 { aim.armed(false) } else { String::new() };
                life = self.houses[turns.at].start(&armed);
                self.met.note("both were barred");
            }
            if self.trouble == Trouble::RegistryLies && !healed && self.between.was_asked() {
                self.met.note("the registry lied");
                self.between.set(Manner::Honest);
                healed = true;
            }
            self.watch().await;
            if turns.at == 0 {
                self.dance().await;
            }
        }
        if twin.is_some() {
            self.met.note("a twin was killed too");
        }
        if self.trouble == Trouble::RegistryAway && run % 2 == 1 && self.between.was_asked() {
            self.met.note("the registry was away");
        }
        *self.met.kills.entry(aim.place).or_default() += 1;
        drop(twin);
        if self.trouble == Trouble::TornWrite && run.is_multiple_of(4) {
            self.flip(run).await;
        }
    }

    /// A life that ends by itself says why: it finds no room for its own words.
    fn excuse(&mut self, run: u32, status: std::process::ExitStatus, said: &str) {
        let full = self.trouble == Trouble::FullDisk && said.contains("the disk is full");
        assert!(full, "{}: {status}: {said}\n{}", self.place(run), self.alone(run));
        assert_eq!(status.code(), Some(70), "{said}");
        self.met.note("ended: no room");
    }

    /// What goes wrong before the life of a run, or from its start on.
    async fn prepare(&mut self, run: u32) {
        match self.trouble {
            Trouble::FailedSync => {
                let armed = format!("journal sync=broken@{}", 1 + run % 9);
                let mut life = self.houses[0].start(&armed);
                let status = loop {
                    match life.ended() {
                        Some(status) => break status,
                        None => self.turn().await,
                    }
                };
                let said = life.output();
                assert!(!was_killed(status) && !status.success(), "{}: {status}", self.place(run));
                assert!(said.contains("a sync has failed"), "{}: {said}", self.place(run));
                self.met.note("ended: a sync has failed");
            }
            Trouble::RegistryAway => {
                self.between.set(if run % 2 == 1 { Manner::Away } else { Manner::Honest });
            }
            Trouble::RegistryLies => {
                if run.is_multiple_of(2) {
                    self.houses[0].forget_schemas();
                }
                self.between.set(match run % 8 {
                    0 | 3 => Manner::Page,
                    1 | 4 => Manner::Other,
                    2 | 5 => Manner::Endless,
                    _ => Manner::Stuck,
                });
            }
            Trouble::FullDisk
            | Trouble::TornWrite
            | Trouble::WayBack
            | Trouble::HangingHook
            | Trouble::WorksOn
            | Trouble::Twins
            | Trouble::ReplacedSentinel
            | Trouble::NoSentinel => {}
        }
    }

    /// One look at everything, and what follows from it for the rollout.
    async fn turn(&mut self) {
        self.watch().await;
        self.dance().await;
    }

    /// What stands on the log, and what the service says next.
    async fn watch(&mut self) {
        self.read().await;
        for at in 0..self.posts.len() {
            self.post(at).await;
        }
        if let Some(what) = self.houses[0].tell_result(&self.client).await {
            self.met.note(what);
        }
    }

    async fn read(&mut self) {
        while let Ok(item) = timeout(PAUSE, self.reader.next()).await {
            match item {
                Ok(Item::Entry { entry: Entry::Event(record), .. }) => self.ledger.read(&record),
                Ok(Item::Entry { entry: Entry::Unreadable(unreadable), .. }) => panic!("{unreadable:?}"),
                Ok(Item::CaughtUp { .. }) => {}
                Err(error) => assert!(error.is_transient(), "{error}"),
            }
        }
    }

    async fn post(&mut self, at: usize) {
        match self.posts[at].turn().await {
            Some(Said::Taken(id)) => self.ledger.answer(id),
            Some(Said::NoRoom) => self.met.note("refused: no room"),
            Some(Said::Refused) => self.met.note("refused"),
            None => {}
        }
    }

    /// Whether the rollout under way has come to an end for the service, or there is none.
    fn has_ended(&self) -> bool {
        let open = self.rollout.as_ref();
        open.is_none_or(|open| self.ledger.end(&open.id, open.decision.is_some()).is_some())
    }

    /// A life that fetches what it needs of the registry.
    async fn fetch(&mut self) {
        let life = self.houses[0].start("");
        while !life.output().contains("caught up") {
            self.turn().await;
        }
    }

    /// A bit of the journal flips while nobody is there: it is named, or it did no harm.
    async fn flip(&mut self, run: u32) {
        let path = self.houses[0].journal();
        let Ok(whole) = std::fs::read(&path) else { return };
        let mut at = run.wrapping_mul(2_654_435_761) as usize % whole.len();
        while whole[at] == 0 {
            at = (at + 1) % whole.len();
        }
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (run % 8);
        std::fs::write(&path, flipped).unwrap();
        let mut life = self.houses[0].start("");
        loop {
            if let Some(status) = life.ended() {
                let said = life.output();
                assert!(!was_killed(status) && !status.success(), "byte {at}: {status}");
                assert!(said.contains("the journal /"), "byte {at}: {said}");
                std::fs::write(&path, &whole).unwrap();
                return self.met.note("a flipped bit was named");
            }
            if life.output().contains("caught up") {
                return self.met.note("a flipped bit did no harm");
            }
            self.turn().await;
        }
    }

    /// The last life: until all that was answered for is on the log, and the rollout has come to its end.
    async fn end(&mut self) {
        self.between.set(Manner::Honest);
        let mut turns = Turns::of(self.houses.len());
        let mut life = self.houses[0].start("");
        loop {
            self.read().await;
            let _result = self.houses[0].tell_result(&self.client).await;
            // What a killed life left running is ended by the one that follows, in its own time.
            let is_quiet = self.houses[0].left().is_empty();
            if self.has_ended() && self.ledger.missing().is_empty() && is_quiet {
                break;
            }
            if turns.is_over(false) {
                life.kill();
                life = self.houses[turns.at].start("");
            }
            assert_eq!(life.ended(), None, "{}", life.output());
        }
        if self.trouble == Trouble::NoSentinel {
            let id = RolloutId::new("r-last").unwrap();
            self.start(&id).await;
            while self.told.load(Ordering::SeqCst) == 0 {
                self.read().await;
            }
            self.met.note("somebody was told of it");
        }
    }

    fn judge(&mut self) {
        let runs = self.houses[0].runs();
        let mut once = std::collections::BTreeSet::new();
        let twice: Vec<_> = runs.iter().filter(|run| !once.insert(*run)).collect();
        assert!(twice.is_empty(), "{}: run twice: {twice:?}", self.trouble.name());
        assert_eq!(self.houses[0].left(), [0; 0], "hooks that hang still do");
        self.met.hooks = runs.len();
        (self.met.answered, self.met.twice) = self.ledger.counts();
        self.met.ends = self.ledger.ends();
    }
}
