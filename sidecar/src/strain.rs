//! Takes in nothing more while the process holds too much memory, until what waits has left it.
//!
//! Whatever waits is bounded by itself: the outbox, the requests that are read, the queues of the Kafka client. This is
//! for their sum, and for what nobody has thought of. Nothing is dropped: the log is read on later, and whoever says
//! something is told when to say it again. Where nothing waits, a pause would free nothing and never end, so there is
//! none; the number tells.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::door::AT_A_TIME;
use crate::error::Error;
use crate::outbox::Outbox;
use crate::shared::Shared;
use crate::telemetry;

/// How much a process of its own may hold unless the file says otherwise, in bytes.
pub(crate) const USUAL: u64 = 96 * 1024 * 1024;
/// How often it is weighed.
const EVERY: Duration = Duration::from_millis(500);

/// Weighs the process until it ends.
pub(crate) async fn watch(
    limit: u64,
    shared: Arc<Shared>,
    outbox: Arc<Outbox>,
    intake: Arc<Semaphore>,
) -> Result<(), Error> {
    loop {
        match weight() {
            Ok(weight) => {
                telemetry::memory(weight);
                let waits = outbox.depth() > 0 || intake.available_permits() < AT_A_TIME;
                let was = shared.is_strained();
                let is = strains(was, weight, limit, waits);
                if was != is {
                    shared.set_strained(is);
                    telemetry::strained(is, weight, limit);
                }
            }
            Err(error) => telemetry::trouble("weigh itself", &error, EVERY),
        }
        sleep(EVERY).await;
    }
}

/// Whether nothing more is taken in; once it is so, until a tenth of the limit is free again.
const fn strains(was: bool, weight: u64, limit: u64, waits: bool) -> bool {
    let bound = if was { limit - limit / 10 } else { limit };
    waits && weight > bound
}

/// The resident memory of the process that is its own, in bytes: without its program and libraries, which the system can take
/// back and read again.
fn weight() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"));
    let kib: Option<u64> = line.and_then(|kib| kib.parse().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| io::Error::other("/proc/self/status says nothing of RssAnon"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_pauses_above_the_limit_and_goes_on_a_tenth_below_it() {
        let weights = [(90, false), (101, true), (95, true), (90, false), (100, false), (101, true)];
        let mut strained = false;
        for (weight, expected) in weights {
            strained = strains(strained, weight, 100, true);
            assert_eq!(strained, expected, "{weight}");
        }
    }

    #[test]
    fn it_never_pauses_for_what_no_pause_would_free() {
        assert!(!strains(false, 1_000, 100, false), "nothing waits");
        assert!(!strains(true, 1_000, 100, false), "all that waited has left");
    }

    #[test]
    fn it_weighs_what_it_holds() {
        let before = weight().unwrap();
        let held = vec![7_u8; 32 << 20];
        let after = weight().unwrap();
        assert!(after >= before + (16 << 20), "{before} {after} {}", held[held.len() / 2]);
    }
}
