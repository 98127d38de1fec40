//! One notification to one receiver: tried until it is taken, by this replica or by another.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::alert::body::Message;
use crate::alert::schedule::{self, GIVE_UP};
use crate::alert::webhook::{Answer, Post};
use crate::telemetry::{AttemptFailed, Delivered, GivenUp};

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The receiver has it from us.
    Delivered,
    /// Another replica has brought it meanwhile.
    Elsewhere,
    /// It was tried for three days.
    GivenUp,
}

/// A receiver's name and how it is told. One that hangs delays its own notifications only, and those by one
/// attempt of a few at a time.
pub(crate) struct Route<P> {
    pub(crate) name: String,
    pub(crate) post: P,
    slots: Semaphore,
}

/// How many attempts run at a time for one receiver.
const SLOTS: usize = 2;

impl<P: Post> Route<P> {
    pub(crate) fn new(name: String, post: P) -> Self {
        Self { name, post, slots: Semaphore::new(SLOTS) }
    }

    /// Tries until the receiver takes the notification, or `elsewhere` says that another replica has brought it.
    pub(crate) async fn deliver(&self, message: &Message, elsewhere: impl Fn() -> bool) -> End {
        let began = Instant::now();
        let mut failed = 0;
        loop {
            if elsewhere() {
                return End::Elsewhere;
            }
            let answer = {
                let _slot = self.slots.acquire().await.expect("the semaphore is never closed");
                self.post.post(message).await
            };
            let (reason, why, pace) = match answer {
                Answer::Delivered => {
                    Delivered { receiver: &self.name, id: &message.id, attempts: failed + 1 }.emit();
                    return End::Delivered;
                }
                Answer::Failed { reason, why, pace } => (reason, why, pace),
            };
            failed += 1;
            let wait = schedule::wait(failed, pace, schedule::chance());
            let spent = began.elapsed();
            if spent + wait > GIVE_UP {
                GivenUp { receiver: &self.name, id: &message.id, attempts: failed, why: &why }.emit();
                return End::GivenUp;
            }
            AttemptFailed { receiver: &self.name, id: &message.id, reason, why: &why, attempt: failed, wait }
                .emit();
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::alert::schedule::Pace;

    /// A receiver that fails so many times, and keeps when it was tried with what.
    pub(crate) struct Flaky {
        began: Instant,
        failures: Mutex<usize>,
        pub(crate) seen: Mutex<Vec<(u64, Message)>>,
    }

    impl Flaky {
        pub(crate) fn new(failures: usize) -> Self {
            Self { began: Instant::now(), failures: Mutex::new(failures), seen: Mutex::default() }
        }
    }

    impl Post for Flaky {
        async fn post(&self, message: &Message) -> Answer {
            let at = self.began.elapsed().as_secs();
            self.seen.lock().expect("no panic").push((at, message.clone()));
            let mut failures = self.failures.lock().expect("no panic");
            if *failures == 0 {
                return Answer::Delivered;
            }
            *failures -= 1;
            Answer::Failed { reason: "server", why: "busy".to_owned(), pace: Pace::Soon(None) }
        }
    }

    fn message() -> Message {
        Message { id: "d1.firing".to_owned(), body: b"{}".to_vec() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_comes_back_gets_the_same_bytes_under_the_same_id() {
        let route = Route::new("a".to_owned(), Flaky::new(5));
        assert_eq!(route.deliver(&message(), || false).await, End::Delivered);
        let seen = route.post.seen.lock().expect("no panic");
        assert!(seen.iter().all(|(_, sent)| *sent == message()));
        let waits: Vec<_> = seen.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        for (wait, nominal) in waits.iter().zip([5, 30, 120, 300, 900]) {
            let spread = nominal / 5 + 1;
            assert!((nominal - spread..=nominal + spread).contains(wait), "{waits:?}");
        }
        assert_eq!((seen[0].0, seen.len()), (0, 6));
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_stays_away_is_given_up_after_three_days() {
        let route = Route::new("a".to_owned(), Flaky::new(usize::MAX));
        let began = Instant::now();
        assert_eq!(route.deliver(&message(), || false).await, End::GivenUp);
        let hours = began.elapsed().as_secs() / 3600;
        assert!((70..=72).contains(&hours), "{hours}");
        assert!(route.post.seen.lock().expect("no panic").len() > 60);
    }

    #[tokio::test(start_paused = true)]
    async fn a_delivery_ends_when_another_replica_has_brought_it() {
        let route = Route::new("a".to_owned(), Flaky::new(3));
        let tries = Mutex::new(0);
        let elsewhere = || {
            *tries.lock().expect("no panic") += 1;
            *tries.lock().expect("no panic") > 2
        };
        assert_eq!(route.deliver(&message(), elsewhere).await, End::Elsewhere);
        assert_eq!(route.post.seen.lock().expect("no panic").len(), 2);
    }
}
