//! Ends a process whose loop is stuck. A task that never yields keeps everything else of its thread from running, its
//! supervisor too, while the Kafka client goes on saying that all is well. So this is a thread of its own, which shares
//! nothing with the loops but a number that each of them counts up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use pavane_events::Domain;

/// How often it is looked whether the loops turn. Each of them turns once a second at least.
const LOOK: Duration = Duration::from_secs(1);
/// After how many looks without a turn a loop is stuck. Looks are counted, not time: while the whole process stands
/// still, nobody looks.
const LOOKS: u32 = 10;
/// How long the process may take to end in order.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// What the process ends with, as after any other failure of its own.
const EXIT: i32 = 70;

/// How often a domain's loop has turned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns(Arc<AtomicU64>);

impl Turns {
    /// The loop begins anew.
    pub(crate) fn turn(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Watches the loops of a process.
#[derive(Debug, Default)]
pub(crate) struct Watchdog {
    loops: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    domain: Domain,
    turns: Turns,
    seen: u64,
    /// For how many looks it has not turned.
    still: u32,
}

impl Watchdog {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// What the loop of a domain counts its turns with.
    pub(crate) fn turns(&mut self, domain: &Domain) -> Turns {
        let turns = Turns::default();
        let watched = Watched { domain: domain.clone(), turns: turns.clone(), seen: 0, still: 0 };
        self.loops.push(watched);
        turns
    }

    /// Watches on a thread of its own until the loops are gone.
    pub(crate) fn watch(&mut self) -> anyhow::Result<()> {
        let mut loops = std::mem::take(&mut self.loops);
        let watch = move || {
            while !loops.is_empty() {
                std::thread::sleep(LOOK);
                loops.retain(|watched| Arc::strong_count(&watched.turns.0) > 1);
                if let Some(stuck) = loops.iter_mut().find_map(Watched::look) {
                    end(&stuck);
                }
            }
        };
        let thread = std::thread::Builder::new().name("pavane-watchdog".to_owned()).spawn(watch);
        thread.context("failed to start the watchdog's thread").map(drop)
    }
}

impl Watched {
    /// Looks whether it has turned; gives its domain when it is stuck.
    fn look(&mut self) -> Option<Domain> {
        let turned = self.turns.0.load(Ordering::Relaxed);
        self.still = if turned == self.seen { self.still + 1 } else { 0 };
        self.seen = turned;
        (self.still >= LOOKS).then(|| self.domain.clone())
    }
}

/// Says why, and ends the process: in order if that is still possible, else at once.
fn end(domain: &Domain) {
    let begun = Instant::now();
    let last_words = std::thread::Builder::new().spawn({
        let domain = domain.clone();
        move || {
            tracing::error!(%domain, looks = LOOKS, exit = EXIT, "the domain's loop is stuck; the process ends");
            std::process::exit(EXIT);
        }
    });
    while last_words.is_ok() && begun.elapsed() < LAST_WORDS {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Set in the process that is to be ended.
    const STUCK: &str = "PAVANE_TEST_STUCK";

    fn domain() -> Domain {
        Domain::new("shop").expect("a name")
    }

    #[test]
    fn a_loop_that_turns_is_never_stuck_and_one_that_does_not_is_named() {
        let mut watchdog = Watchdog::new();
        let turns = watchdog.turns(&domain());
        let watched = &mut watchdog.loops[0];
        for _ in 0..3 * LOOKS {
            turns.turn();
            assert_eq!(watched.look(), None);
        }
        assert!((1..LOOKS).all(|_| watched.look().is_none()));
        assert_eq!(watched.look(), Some(domain()));
    }

    #[test]
    fn a_stuck_process_ends_with_a_reason() {
        if std::env::var_os(STUCK).is_some() {
            return be_stuck();
        }
        let name = "watchdog::tests::a_stuck_process_ends_with_a_reason";
        let program = std::env::current_exe().expect("this test");
        let child = Command::new(program).args(["--exact", name, "--nocapture"]).env(STUCK, "1").output();
        let child = child.expect("it ran");
        let said = String::from_utf8_lossy(&child.stdout);
        assert_eq!(child.status.code(), Some(EXIT), "{said}");
        assert!(said.contains("the domain's loop is stuck"), "{said}");
    }

    /// A loop on a runtime of one thread that never yields: nothing else in the process can notice.
    fn be_stuck() {
        tracing_subscriber::fmt().with_ansi(false).init();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut watchdog = Watchdog::new();
        let turns = watchdog.turns(&domain());
        watchdog.watch().expect("a thread");
        runtime.block_on(async move {
            turns.turn();
            loop {
                std::hint::spin_loop();
            }
        });
    }
}
