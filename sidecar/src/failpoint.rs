//! Places at which a test ends the process, or lets its disk fail: in builds with the feature `failpoints` alone.
//!
//! `PAVANE_FAILPOINT` says what happens where, and at which passing of the place: `outbox written=kill@3`,
//! `journal write=full@5-20`, several of them apart by `;`. In every other build a place is nothing at all.

/// Passes a place; the process may end here as if by SIGKILL.
#[cfg(not(any(test, feature = "failpoints")))]
#[inline]
pub(crate) const fn pass(_place: &'static str) {}

#[cfg(any(test, feature = "failpoints"))]
pub(crate) use armed::pass;
#[cfg(any(test, feature = "failpoints"))]
pub use armed::{Fault, PLACES, fault};

#[cfg(any(test, feature = "failpoints"))]
mod armed {
    use std::collections::BTreeMap;
    use std::ops::RangeInclusive;
    use std::sync::{LazyLock, Mutex, PoisonError};

    use rustix::process::{Signal, getpid, kill_process};

    /// What is set for this process.
    const VARIABLE: &str = "PAVANE_FAILPOINT";

    /// All places at which the process may be ended, in about the order in which it passes them.
    pub const PLACES: [&str; 23] = [
        "journal open",
        "journal write",
        "journal sync",
        "journal synced",
        "orphans ended",
        "connected",
        "caught up",
        "record read",
        "outbox sealed",
        "outbox written",
        "handed over",
        "answered for",
        "settled",
        "ordered",
        "intended",
        "listed",
        "started",
        "noted",
        "hook ended",
        "hook told",
        "step begun",
        "step done",
        "callback taken",
    ];

    /// What goes wrong with the disk at a place.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Fault {
        /// The process ends in the midst of a write: a part of it is in the file.
        Torn,
        /// There is no room.
        Full,
        /// The disk fails.
        Broken,
    }

    struct Armed {
        place: String,
        /// None ends the process.
        fault: Option<Fault>,
        passes: RangeInclusive<u32>,
    }

    static ARMED: LazyLock<Vec<Armed>> = LazyLock::new(|| {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        text.split(';').filter(|text| !text.is_empty()).map(Armed::read).collect()
    });
    static PASSED: Mutex<BTreeMap<&'static str, u32>> = Mutex::new(BTreeMap::new());

    impl Armed {
        fn read(text: &str) -> Self {
            let parts = text.split_once('=').and_then(|(place, rest)| Some((place, rest.split_once('@')?)));
            let (place, (word, passes)) = parts.expect("a place is armed as PLACE=FAULT@PASS");
            let fault = match word {
                "kill" => None,
                "torn" => Some(Fault::Torn),
                "full" => Some(Fault::Full),
                "broken" => Some(Fault::Broken),
                other => panic!("{other:?} is no fault; kill, torn, full and broken are"),
            };
            let (first, last) = passes.split_once('-').unwrap_or((passes, passes));
            let number = |text: &str| text.parse().expect("a pass is a number");
            Self { place: place.to_owned(), fault, passes: number(first)..=number(last) }
        }
    }

    /// Passes a place; the process may end here as if by SIGKILL.
    pub(crate) fn pass(place: &'static str) {
        let _none = fault(place);
    }

    /// Passes a place; the process may end here, or else this says what goes wrong.
    pub fn fault(place: &'static str) -> Option<Fault> {
        if ARMED.is_empty() {
            return None;
        }
        assert!(PLACES.contains(&place), "{place:?} has no row among the places");
        let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        let times = passed.entry(place).or_default();
        *times += 1;
        let armed = ARMED.iter().find(|armed| armed.place == place && armed.passes.contains(times))?;
        let Some(fault) = armed.fault else { end() };
        Some(fault)
    }

    /// Ends the process as if from outside, at once.
    pub(crate) fn end() -> ! {
        kill_process(getpid(), Signal::KILL).expect("a process may end itself");
        loop {
            std::thread::park();
        }
    }
}

#[cfg(any(test, feature = "failpoints"))]
pub(crate) use armed::end;
