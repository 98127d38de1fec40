//! The crash matrix: for each kind of trouble the program is ended by SIGKILL at places named in it, hundreds of times, while
//! services are rolled out and speak. In the end every event that was answered for is on the log, and no hook ran twice.
//!
//! A run is one life of the program that ends at its place: which place, and at which passing, follows from the number of the
//! run. What a life leaves behind is taken up by the next one of its row of lives, a [`Chain`]. `PAVANE_KILLS` says how many runs
//! a kind of trouble gets, `PAVANE_RUN` makes one of them alone.

mod chain;
mod house;
mod ledger;
mod registry;
mod service;
mod trouble;
mod turns;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::shop::Shop;
use chain::Chain;
use trouble::Trouble;

/// How many runs each kind of trouble gets.
const RUNS: u32 = 300;
/// From how many runs on all that a kind of trouble may meet must have been met.
const MANY: u32 = 100;
/// How many lives a row has: each reads all that was said in it before.
const LIVES: u32 = 20;
/// How many rows of lives go on at the same time.
const AT_A_TIME: usize = 8;

/// What was met.
#[derive(Debug, Default)]
pub(crate) struct Met {
    pub(crate) kills: BTreeMap<&'static str, u32>,
    /// Events that were answered for, and records that stood twice.
    pub(crate) answered: usize,
    pub(crate) twice: usize,
    /// Hooks that ran, and how rollouts ended.
    pub(crate) hooks: usize,
    pub(crate) ends: BTreeMap<String, u32>,
    /// What the trouble itself did.
    pub(crate) noted: BTreeMap<&'static str, u32>,
}

impl Met {
    pub(crate) fn note(&mut self, what: &'static str) {
        *self.noted.entry(what).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        for (place, kills) in other.kills {
            *self.kills.entry(place).or_default() += kills;
        }
        for (end, times) in other.ends {
            *self.ends.entry(end).or_default() += times;
        }
        for (what, times) in other.noted {
            *self.noted.entry(what).or_default() += times;
        }
        self.answered += other.answered;
        self.twice += other.twice;
        self.hooks += other.hooks;
    }
}

/// Makes the runs of a kind of trouble.
async fn endure(trouble: Trouble) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    let runs = number("PAVANE_KILLS").unwrap_or(RUNS);
    let alone = number("PAVANE_RUN");
    let shop = Arc::new(Shop::open().await);
    let (mut chains, turns) = (JoinSet::new(), Arc::new(Semaphore::new(AT_A_TIME)));
    let count = alone.map_or(runs.div_ceil(LIVES), |_| 1);
    for number in 0..count {
        let lives: Vec<u32> =
            alone.map_or_else(|| (0..runs).filter(|run| run % count == number).collect(), |run| vec![run]);
        let (turns, shop) = (turns.clone(), shop.clone());
        chains.spawn(async move {
            let _turn = turns.acquire_owned().await.unwrap();
            Chain::new(trouble, number, &shop).await.live(lives).await
        });
    }
    let mut met = Met::default();
    while let Some(found) = chains.join_next().await {
        met.add(found.unwrap());
    }
    let kills: u32 = met.kills.values().sum();
    // By another way than tests say things: it stands in every run, also of tests that hold.
    let said = writeln!(
        std::io::stderr(),
        "{}: {kills} kills {:?}; {} events answered for, 0 lost, {} records stood twice; {} hooks ran, 0 twice; {:?}; {:?}",
        trouble.name(),
        met.kills,
        met.answered,
        met.twice,
        met.hooks,
        met.ends,
        met.noted
    );
    said.unwrap();
    assert_eq!(kills, if alone.is_some() { 1 } else { runs });
    if alone.is_none() && runs >= MANY {
        assert!(met.hooks > 0 && met.answered > 0, "too little was tried: {met:?}");
        for place in trouble.places() {
            assert!(met.kills.contains_key(place), "nobody was killed at {place}: {met:?}");
        }
        for what in trouble.must_meet() {
            assert!(met.noted.contains_key(what), "{what} was never met: {met:?}");
        }
    }
}

macro_rules! rows {
    ($($name:ident => $trouble:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                endure(Trouble::$trouble).await;
            }
        )*
    };
}

rows! {
    a_disk_that_is_full => FullDisk,
    writes_that_are_torn_and_bits_that_flip => TornWrite,
    a_sync_that_fails => FailedSync,
    a_kill_on_the_way_back => WayBack,
    a_hook_that_hangs_or_forks_away => HangingHook,
    a_hook_that_works_on_after_its_steps => WorksOn,
    two_sidecars_of_one_name => Twins,
    sentinels_that_are_replaced => ReplacedSentinel,
    no_sentinel => NoSentinel,
    a_registry_that_is_away => RegistryAway,
    a_registry_that_lies => RegistryLies,
}
