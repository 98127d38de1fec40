//! One notification to one receiver: tried until it is taken, by this replica or by another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pavane_alerts::Notification;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::alert::call::{Answer, failed};
use crate::alert::fault::Fault;
use crate::alert::schedule::{self, GIVE_UP, Pace};
use crate::alert::target::Post;
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
    /// How long to wait after the so-many-th failure; see [`schedule::wait`].
    wait: fn(usize, Pace, f64) -> Duration,
}

/// How many attempts run at a time for one receiver.
const SLOTS: usize = 2;

/// Set when another replica has brought it.
pub(crate) type Elsewhere = Arc<AtomicBool>;

impl<P: Post> Route<P> {
    pub(crate) fn new(name: String, post: P) -> Self {
        Self { name, post, slots: Semaphore::new(SLOTS), wait: schedule::wait }
    }

    /// The same, a thousand times as soon after each failure.
    #[cfg(test)]
    pub(crate) fn in_haste(self) -> Self {
        Self { wait: |failed, pace, chance| schedule::wait(failed, pace, chance) / 1_000, ..self }
    }

    /// Makes one attempt, when there is room for it.
    pub(crate) async fn attempt(&self, news: &Notification) -> Answer {
        let _slot = self.slots.acquire().await.expect("the semaphore is never closed");
        match self.post.compose(news) {
            Ok(message) => self.post.post(&message).await,
            Err(error) => failed(Fault::Template, format!("failed to {error}"), Pace::Slowly),
        }
    }

    /// Tries until the receiver takes the notification, or another replica has brought it; says how many attempts have
    /// failed each time that one does.
    pub(crate) async fn deliver(&self, news: &Notification, elsewhere: Elsewhere, says: impl Fn(u32)) -> End {
        let (began, mut failures) = (Instant::now(), 0_u32);
        loop {
            if elsewhere.load(Ordering::Relaxed) {
                return End::Elsewhere;
            }
            let (reason, why, pace) = match self.attempt(news).await {
                Answer::Delivered => {
                    let (attempts, what) = (failures + 1, news.kind());
                    Delivered { receiver: &self.name, id: &news.id, attempts, what }.emit();
                    return End::Delivered;
                }
                Answer::Failed { reason, why, pace } => (reason, why, pace),
            };
            failures += 1;
            let wait = (self.wait)(failures as usize, pace, schedule::chance());
            if began.elapsed() + wait > GIVE_UP {
                GivenUp { receiver: &self.name, id: &news.id, attempts: failures, why: &why }.emit();
                return End::GivenUp;
            }
            AttemptFailed { receiver: &self.name, id: &news.id, reason, why: &why, attempt: failures, wait }
                .emit();
            says(failures);
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Mutex;

    use pavane_alerts::body::template::TemplateError;
    use pavane_alerts::body::webhook;

    use super::*;
    use crate::alert::dispatcher::tests::news;
    use crate::alert::target::Message;

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
        fn compose(&self, news: &Notification) -> Result<Message, TemplateError> {
            let body = webhook::body(news, "");
            Ok(Message { id: news.id.clone(), body, ..Message::default() })
        }

        async fn post(&self, message: &Message) -> Answer {
            let at = self.began.elapsed().as_secs();
            self.seen.lock().expect("no panic").push((at, message.clone()));
            let mut failures = self.failures.lock().expect("no panic");
            if *failures == 0 {
                return Answer::Delivered;
            }
            *failures -= 1;
            failed(Fault::Server, "busy".to_owned(), Pace::Soon(None))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_attempt_carries_the_same_id_and_the_same_bytes() {
        let (route, said) = (Route::new("a".to_owned(), Flaky::new(3)), Mutex::new(Vec::new()));
        let says = |times| said.lock().expect("no panic").push(times);
        assert_eq!(route.deliver(&news("d1"), Elsewhere::default(), says).await, End::Delivered);
        let seen = route.post.seen.lock().expect("no panic");
        assert_eq!((seen.len(), said.into_inner().expect("no panic")), (4, vec![1, 2, 3]));
        assert!(seen.iter().all(|(_, message)| *message == seen[0].1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_takes_for_three_days_is_given_up() {
        let route = Route::new("a".to_owned(), Flaky::new(usize::MAX));
        assert_eq!(route.deliver(&news("d1"), Elsewhere::default(), |_| ()).await, End::GivenUp);
        let seen = route.post.seen.lock().expect("no panic");
        let hours = seen.last().expect("tried").0 / 3600;
        assert!((69..=72).contains(&hours), "{hours}");
    }

    #[tokio::test(start_paused = true)]
    async fn another_replica_that_has_brought_it_ends_the_trying() {
        let route = Route::new("a".to_owned(), Flaky::new(usize::MAX));
        let elsewhere = Elsewhere::default();
        let mark = elsewhere.clone();
        let says = move |times| mark.store(times == 2, Ordering::Relaxed);
        assert_eq!(route.deliver(&news("d1"), elsewhere, says).await, End::Elsewhere);
        assert_eq!(route.post.seen.lock().expect("no panic").len(), 2);
    }
}
