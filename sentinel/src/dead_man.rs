//! Tells those who would miss the sentinel that it is there, and sees: when it no longer does, they hear nothing, and that
//! is the alarm.
//!
//! Per domain, and by whoever speaks for it alone: a replica that is well would else hide that nobody looks at a domain.
//! Every link counts: the domain is seen, what was told is known, whoever tells people answers, and nothing waits for too long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pavane_alerts::{UNREACHED, WATCHDOG};
use pavane_events::identity::sha256_hex;
use pavane_events::{Domain, EventId};
use pavane_sentinel_engine::diagnosis::page_of;
use pavane_sentinel_engine::{Alert, AlertStatus};
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::alert::call::Answer;
use crate::alert::dispatcher::{Question, Raised, Way};
use crate::alert::marks::Marks;
use crate::clock::wall;
use crate::partition::Sight;
use crate::telemetry::{PingFailed, pinged};

pub(crate) mod line;

/// How often the links are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long whoever tells people may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a notification may wait before this is a sentinel that tells nobody: ten minutes.
pub(crate) const LATE: Duration = Duration::from_mins(10);
/// After so many pings that nobody took, people are told by the ordinary way.
const MISSED: u32 = 3;

/// How long ago anything was read from a domain, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frontier(Arc<AtomicU64>);

impl Frontier {
    pub(crate) fn set(&self, age: Duration) {
        self.0.store(u64::try_from(age.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn age(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// How a domain stands.
pub(crate) struct Signs {
    pub(crate) sight: watch::Receiver<Sight>,
    pub(crate) speaks: watch::Receiver<bool>,
    pub(crate) frontier: Frontier,
}

/// The ways to whoever tells people.
pub(crate) struct Tellers {
    pub(crate) marks: Arc<Marks>,
    pub(crate) raise: mpsc::UnboundedSender<Raised>,
    pub(crate) questions: mpsc::Sender<Question>,
}

/// The way to an address that hears from the sentinel.
pub(crate) trait Reach: Send + Sync + 'static {
    /// Makes one attempt; never longer than a bound of its own.
    fn ping(&self, body: Vec<u8>) -> impl Future<Output = Answer> + Send;
}

/// Tells those who would miss the sentinel, for as long as the process lives.
pub(crate) struct DeadMan<R> {
    replica: String,
    every: Duration,
    watchdog: bool,
    tellers: Tellers,
    domains: BTreeMap<Domain, Watched<R>>,
}

struct Watched<R> {
    signs: Signs,
    reach: Option<Arc<R>>,
    /// When it is pinged again; none while a ping is on its way.
    due: Option<Instant>,
    missed: u32,
    /// The alert that always burns, while it does.
    burns: Option<Alert>,
    unreached: Option<Alert>,
}

impl<R: Reach> DeadMan<R> {
    pub(crate) fn new(
        replica: String,
        every: Duration,
        watchdog: bool,
        tellers: Tellers,
        domains: BTreeMap<Domain, (Signs, Option<R>)>,
    ) -> Self {
        let watched = |(domain, (signs, reach)): (Domain, (Signs, Option<R>))| {
            let reach = reach.map(Arc::new);
            let watched =
                Watched { signs, reach, due: Some(Instant::now()), missed: 0, burns: None, unreached: None };
            (domain, watched)
        };
        Self { replica, every, watchdog, tellers, domains: domains.into_iter().map(watched).collect() }
    }

    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        if !self.watchdog && self.domains.values().all(|watched| watched.reach.is_none()) {
            return std::future::pending().await;
        }
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pings: JoinSet<(Domain, Answer)> = JoinSet::new();
        loop {
            tokio::select! {
                _ = look.tick() => {
                    let tells = self.tells().await;
                    for domain in self.domains.keys().cloned().collect::<Vec<_>>() {
                        self.look(&domain, tells, &mut pings);
                    }
                }
                Some(pinged) = pings.join_next() => {
                    let (domain, answer) = pinged?;
                    self.take(&domain, answer);
                }
            }
        }
    }

    /// Whether people are told: by one who answers, knows what was told, and has nothing that waits for too long.
    async fn tells(&self) -> bool {
        if !self.tellers.marks.is_loaded() {
            return false;
        }
        let (to, answer) = oneshot::channel();
        let asked = async {
            self.tellers.questions.send(Question::Oldest(to)).await.ok()?;
            answer.await.ok()
        };
        let oldest = timeout(PATIENCE, asked).await.ok().flatten();
        oldest.is_some_and(|oldest| oldest.is_none_or(|age| age < LATE))
    }

    fn look(&mut self, domain: &Domain, tells: bool, pings: &mut JoinSet<(Domain, Answer)>) {
        let Some(watched) = self.domains.get_mut(domain) else { return };
        let Signs { sight, speaks, frontier } = &watched.signs;
        let well = tells && *speaks.borrow() && *sight.borrow() == Sight::Sighted;
        if self.watchdog && well != watched.burns.is_some() {
            let alert = match watched.burns.take() {
                Some(alert) => over(alert),
                None => watched.burns.insert(burning(domain, &self.replica, self.every)).clone(),
            };
            raise(&self.tellers, alert);
        }
        let Some(reach) = watched.reach.clone() else { return };
        if well && watched.due.is_some_and(|due| due <= Instant::now()) {
            watched.due = None;
            let body = json!({
                "domain": domain,
                "replica": self.replica,
                "frontier_age_seconds": frontier.age().as_secs_f64(),
            });
            let (domain, body) = (domain.clone(), body.to_string().into_bytes());
            pings.spawn(async move { (domain, reach.ping(body).await) });
        }
    }

    fn take(&mut self, domain: &Domain, answer: Answer) {
        let Some(watched) = self.domains.get_mut(domain) else { return };
        watched.due = Some(Instant::now() + self.every);
        match answer {
            Answer::Delivered => {
                pinged(domain);
                watched.missed = 0;
                if let Some(alert) = watched.unreached.take() {
                    raise(&self.tellers, over(alert));
                }
            }
            Answer::Failed { reason, why, .. } => {
                PingFailed { domain, reason, why: &why }.emit();
                watched.missed += 1;
                if watched.missed >= MISSED && watched.unreached.is_none() {
                    let alert = watched.unreached.insert(unreached(domain, &self.replica, self.every, &why));
                    raise(&self.tellers, alert.clone());
                }
            }
        }
    }
}

fn raise(tellers: &Tellers, alert: Alert) {
    // The dispatcher ends only with the process.
    let _ended = tellers.raise.send(Raised { alert, way: Way::Straight });
}

/// The alert that burns while the domain is seen.
fn burning(domain: &Domain, replica: &str, every: Duration) -> Alert {
    let labels = [("alertname", WATCHDOG), ("domain", domain.as_str()), ("severity", "none")];
    let annotations = [
        ("summary", format!("the sentinel sees domain {domain}")),
        (
            "description",
            format!(
                "This alert always burns. Whoever hears no more of it knows that nobody watches {domain}."
            ),
        ),
        ("outlook", format!("it says this again every {every:?} while it sees {domain}")),
        ("page", page_of(WATCHDOG, "")),
    ];
    straight(&labels, annotations, replica)
}

/// The alert that nobody would miss the sentinel.
fn unreached(domain: &Domain, replica: &str, every: Duration, why: &str) -> Alert {
    let labels =
        [("alertname", UNREACHED), ("domain", domain.as_str()), ("replica", replica), ("severity", "ticket")];
    let annotations = [
        ("summary", format!("whoever would miss the sentinel of domain {domain} cannot be reached")),
        (
            "description",
            format!(
                "{MISSED} pings in a row were not taken: {why}. It may raise the alarm although the domain is seen."
            ),
        ),
        ("next_step", "mend the way to the address of `dead_man` in the sentinel's file".to_owned()),
        ("outlook", format!("it pings on every {every:?}, and says so when a ping is taken")),
        ("page", page_of(UNREACHED, "")),
    ];
    straight(&labels, annotations, replica)
}

fn straight(
    labels: &[(&str, &str)],
    annotations: impl IntoIterator<Item = (&'static str, String)>,
    replica: &str,
) -> Alert {
    let starts_at = wall();
    let owner = [("owner", "platform")];
    let labels: BTreeMap<String, String> =
        labels.iter().chain(&owner).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let story = sha256_hex(&format!("{labels:?} {replica} {}", starts_at.0));
    Alert {
        id: EventId::new(format!("dead-man-{story}")).expect("73 characters of a name"),
        status: AlertStatus::Firing,
        labels,
        annotations: annotations.into_iter().map(|(name, text)| (name.to_owned(), text)).collect(),
        since: None,
        deadline: None,
        starts_at,
        ends_at: None,
    }
}

fn over(mut alert: Alert) -> Alert {
    alert.status = AlertStatus::Resolved;
    alert.ends_at = Some(wall());
    alert
}

#[cfg(test)]
mod tests;
