//! Carries out what the [`Notifier`] decides: the owner of a partition at once, a standby only when nobody has told after
//! two pulses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pavane_alerts::{CHANGE, Explanation, Fate, Input, Notification, Notifier, Silence};
use pavane_events::Timestamp;
use pavane_sentinel_engine::{Alert, PULSE};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::Instrument;

use crate::alert::call::Answer;
use crate::alert::delivery::{Elsewhere, End, Route};
use crate::alert::marks::{Marks, News, Row, told_key};
use crate::alert::open::Open;
use crate::alert::target::alertmanager::AGAIN;
use crate::alert::target::{Post, Target};
use crate::clock::wall;
use crate::span;
use crate::telemetry::{Pending, ReminderFailed};

/// How long a standby leaves the word to the owner.
const HOLD: Duration = Duration::from_millis(2 * PULSE.unsigned_abs());
/// The longest time without a look.
const LOOK: Duration = Duration::from_secs(1);
/// How often rows that are of no use any more are taken away.
const PRUNE: Duration = Duration::from_hours(1);

/// An alert on its way to those who are told.
#[derive(Clone, Debug)]
pub(crate) struct Raised {
    pub(crate) alert: Alert,
    pub(crate) way: Way,
}

/// How it is known what was delivered.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// By the log's notifications; `speaks` says whether this replica owns the partition.
    Log { speaks: watch::Receiver<bool> },
    /// By this replica alone: the log is what cannot be seen.
    Straight,
}

/// An alert, and what became of it at each receiver.
pub(crate) type Followed = (Alert, Vec<(String, Fate)>);

/// Somebody asks about alerts.
pub(crate) enum Question {
    /// What burns, and what became of it.
    Alerts(oneshot::Sender<Vec<Followed>>),
    /// The silences.
    Silences(oneshot::Sender<Vec<Silence>>),
    /// For how long the oldest notification on its way has been there; none where nothing is.
    Oldest(oneshot::Sender<Option<Duration>>),
    /// The way of labels through the routes.
    Way(BTreeMap<String, String>, oneshot::Sender<Explanation>),
}

/// What its own errands tell the dispatcher.
enum Word {
    /// A standby has given the owner its time.
    Due(Notification),
    /// An attempt failed, the so-many-th.
    Failed(String, u32),
    /// A delivery has ended.
    Ended(Notification, End),
}

/// What comes to the dispatcher.
pub(crate) struct Inbox {
    pub(crate) raised: mpsc::UnboundedReceiver<Raised>,
    pub(crate) news: mpsc::UnboundedReceiver<News>,
    pub(crate) questions: mpsc::Receiver<Question>,
}

/// A notification on its way.
struct UnderWay {
    news: Notification,
    since: Instant,
    elsewhere: Elsewhere,
}

impl UnderWay {
    fn new(news: Notification, elsewhere: Elsewhere) -> Self {
        Self { news, since: Instant::now(), elsewhere }
    }
}

/// Brings notifications to receivers.
pub(crate) struct Dispatcher<P> {
    routes: BTreeMap<String, Arc<Route<P>>>,
    notifier: Notifier,
    marks: Arc<Marks>,
    open: Arc<Open>,
    replica: String,
    /// Whether this replica speaks, by domain.
    speaks: BTreeMap<String, watch::Receiver<bool>>,
    under_way: BTreeMap<(String, String), UnderWay>,
    errands: JoinSet<()>,
    words: mpsc::UnboundedSender<Word>,
    spoken: Option<mpsc::UnboundedReceiver<Word>>,
    start: (Timestamp, Instant),
}

/// A receiver that wants to be told again and again what burns.
pub(crate) trait Remind: Post {
    /// Tells it again; none where it does not want that.
    fn remind(&self, alerts: &[Alert]) -> impl Future<Output = Option<Answer>> + Send;
}

impl Remind for Target {
    async fn remind(&self, alerts: &[Alert]) -> Option<Answer> {
        match self.alertmanager() {
            Some(target) if !alerts.is_empty() => Some(target.remind(alerts).await),
            Some(_) | None => None,
        }
    }
}

impl<P: Remind> Dispatcher<P> {
    pub(crate) fn new(
        routes: Vec<Route<P>>,
        notifier: Notifier,
        marks: Arc<Marks>,
        open: Arc<Open>,
        replica: String,
    ) -> Self {
        let (words, spoken) = mpsc::unbounded_channel();
        Self {
            routes: routes.into_iter().map(|route| (route.name.clone(), Arc::new(route))).collect(),
            notifier,
            marks,
            open,
            replica,
            speaks: BTreeMap::new(),
            under_way: BTreeMap::new(),
            errands: JoinSet::new(),
            words,
            spoken: Some(spoken),
            start: (wall(), Instant::now()),
        }
    }

    /// Tells until nobody raises any more. An attempt is never cut short by a newer alert.
    pub(crate) async fn run(mut self, mut inbox: Inbox) -> anyhow::Result<()> {
        let mut spoken = self.spoken.take().expect("it runs once");
        let (mut again, mut prune) = (interval(AGAIN), interval(PRUNE));
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        prune.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wait = self.wait();
            tokio::select! {
                biased;
                Some(news) = inbox.news.recv() => self.hear(news),
                next = inbox.raised.recv() => match next {
                    Some(raised) => self.raise(raised),
                    None => return Ok(()),
                },
                Some(word) = spoken.recv() => self.take(word),
                Some(question) = inbox.questions.recv() => self.answer(question),
                Some(errand) = self.errands.join_next() => errand?,
                _ = again.tick() => self.remind(),
                _ = prune.tick() => self.marks.prune(self.now()),
                () = tokio::time::sleep(wait) => self.handle(Input::Tick),
            }
        }
    }

    /// The wall clock as it was at the start, and the time gone by since: it never leaps.
    fn now(&self) -> Timestamp {
        let (wall, start) = self.start;
        wall.plus(i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    fn wait(&self) -> Duration {
        let next = self.notifier.next_deadline().map(|at| at.since(self.now()).max(1));
        let next = next.and_then(|wait| u64::try_from(wait).ok()).map(Duration::from_millis);
        next.unwrap_or(LOOK).min(LOOK)
    }

    fn raise(&mut self, Raised { alert, way }: Raised) {
        if let (Way::Log { speaks }, Some(domain)) = (way, alert.labels.get("domain")) {
            self.speaks.entry(domain.clone()).or_insert(speaks);
        }
        // what is done with is forgotten a moment later: there may be ten thousand of them at once
        self.tell(Input::Alert(alert.clone()));
        self.open.take(&alert);
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Told(row) => self.handle(Input::Told(row)),
            News::Known(receiver, since) => self.handle(Input::Known { receiver, since }),
            News::Silenced(silence) => self.handle(Input::Silenced(silence)),
            News::Unsilenced(id) => self.handle(Input::Unsilenced(id)),
            News::Loaded => self.handle(Input::Live),
        }
        for UnderWay { news, elsewhere, .. } in self.under_way.values() {
            if !self.notifier.is_needed(news) {
                elsewhere.store(true, Ordering::Relaxed);
            }
        }
    }

    fn take(&mut self, word: Word) {
        match word {
            Word::Due(news) if self.notifier.is_needed(&news) => self.deliver(news),
            Word::Due(news) => drop(self.under_way.remove(&key(&news))),
            Word::Failed(id, times) => self.handle(Input::Failed { id, times }),
            Word::Ended(news, end) => self.end(&news, end),
        }
    }

    fn end(&mut self, news: &Notification, end: End) {
        self.under_way.remove(&key(news));
        match end {
            End::Delivered => {
                let row = news.row(self.now(), &self.replica);
                if is_straight(news) {
                    // The log is what cannot be seen, and no other replica tells of this one.
                    self.handle(Input::Told(row));
                } else {
                    self.marks.note(told_key(&news.id, &news.receiver), Row::Told(row));
                }
            }
            End::GivenUp => self.handle(Input::GivenUp { id: news.id.clone() }),
            End::Elsewhere => {}
        }
    }

    fn answer(&self, question: Question) {
        // Whoever asked may have gone meanwhile.
        match question {
            Question::Alerts(to) => {
                let is_change =
                    |alert: &Alert| alert.labels.get("alertname").is_some_and(|name| name == CHANGE);
                let alerts = self.notifier.alerts().filter(|alert| !is_change(alert));
                let told = alerts.map(|alert| (alert.clone(), self.notifier.fates(alert))).collect();
                drop(to.send(told));
            }
            Question::Silences(to) => drop(to.send(self.notifier.silences().cloned().collect())),
            Question::Oldest(to) => {
                let missing = |way: &&UnderWay| !way.elsewhere.load(Ordering::Relaxed);
                let oldest = self.under_way.values().filter(missing).map(|way| way.since.elapsed()).max();
                let _gone = to.send(oldest);
            }
            Question::Way(labels, to) => drop(to.send(self.notifier.tree().explain(&labels))),
        }
    }

    fn tell(&mut self, input: Input) {
        for news in self.notifier.handle(self.now(), input) {
            self.send(news);
        }
    }

    fn handle(&mut self, input: Input) {
        self.tell(input);
        let Self { notifier, under_way, open, .. } = self;
        open.forget(|id| notifier.holds(id) || under_way.values().any(|way| way.news.is_about(id)));
    }

    /// Tells at once what is ours to tell, and gives the owner its time where it is not.
    fn send(&mut self, news: Notification) {
        let speaks = news.alerts.first().and_then(|alert| alert.labels.get("domain"));
        let speaks = speaks.and_then(|domain| self.speaks.get(domain)).cloned();
        let Some(mut speaks) = speaks.filter(|speaks| !is_straight(&news) && !*speaks.borrow()) else {
            return self.deliver(news);
        };
        self.under_way.insert(key(&news), UnderWay::new(news.clone(), Elsewhere::default()));
        let words = self.words.clone();
        self.errands.spawn(async move {
            tokio::select! {
                // The sender goes when the process ends; until then the hold decides.
                Ok(_) = speaks.wait_for(|speaks| *speaks) => {}
                () = tokio::time::sleep(HOLD) => {}
            }
            let _ended = words.send(Word::Due(news));
        });
    }

    fn deliver(&mut self, news: Notification) {
        let Some(route) = self.routes.get(&news.receiver).cloned() else { return };
        let elsewhere = Elsewhere::default();
        self.under_way.insert(key(&news), UnderWay::new(news.clone(), elsewhere.clone()));
        let words = self.words.clone();
        let span =
            news.alerts.first().map_or_else(tracing::Span::none, |alert| span::deliver(alert, &route.name));
        let errand = async move {
            let _pending = Pending::begin(&route.name);
            let says = |times| drop(words.send(Word::Failed(news.id.clone(), times)));
            let end = route.deliver(&news, elsewhere, says).await;
            let _ended = words.send(Word::Ended(news, end));
        };
        self.errands.spawn(errand.instrument(span));
    }

    /// Tells those again who forget what they are not told.
    fn remind(&mut self) {
        for route in self.routes.values().cloned() {
            let speaks = |alert: &&Alert| {
                let domain = alert.labels.get("domain").and_then(|domain| self.speaks.get(domain));
                domain.is_none_or(|speaks| *speaks.borrow())
            };
            let alerts: Vec<Alert> = self.notifier.burning(&route.name).filter(speaks).cloned().collect();
            self.errands.spawn(async move {
                if let Some(Answer::Failed { reason, why, .. }) = route.post.remind(&alerts).await {
                    ReminderFailed { receiver: &route.name, reason, why: &why }.emit();
                }
            });
        }
    }
}

fn key(news: &Notification) -> (String, String) {
    (news.id.clone(), news.receiver.clone())
}

/// Whether a notification is of what this replica alone knows.
fn is_straight(news: &Notification) -> bool {
    news.alerts.iter().all(|alert| pavane_alerts::is_straight(&alert.labels))
}

#[cfg(test)]
pub(crate) mod tests;
