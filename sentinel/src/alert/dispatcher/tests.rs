//! Which replica tells what, and when.

use std::time::Duration;

use pavane_alerts::{Reason, Tree};
use pavane_events::EventId;
use pavane_sentinel_engine::AlertStatus;

use super::*;
use crate::alert::delivery::tests::Flaky;
use crate::alert::marks::ToWrite;

impl Remind for Flaky {
    async fn remind(&self, _: &[Alert]) -> Option<Answer> {
        None
    }
}

mod crashes;
mod sockets;
mod street;

struct House {
    raise: mpsc::UnboundedSender<Raised>,
    flaky: Arc<Route<Flaky>>,
    marks: Arc<Marks>,
    open: Arc<Open>,
    rows: mpsc::UnboundedReceiver<ToWrite>,
    speaks: watch::Sender<bool>,
    _questions: mpsc::Sender<Question>,
}

fn house(failures: usize, speaks: bool) -> House {
    let notifier = Notifier::new(Tree::of_all(&["platform".to_owned()]), Vec::new());
    let (marks, rows, news) = Marks::new();
    let (marks, open) = (Arc::new(marks), Arc::new(Open::default()));
    let route = Route::new("platform".to_owned(), Flaky::new(failures));
    let dispatcher = Dispatcher::new(vec![route], notifier, marks.clone(), open.clone(), "a".to_owned());
    let flaky = dispatcher.routes["platform"].clone();
    let (raise, raised) = mpsc::unbounded_channel();
    let (questions, asked) = mpsc::channel(1);
    tokio::spawn(dispatcher.run(Inbox { raised, news, questions: asked }));
    House { raise, flaky, marks, open, rows, speaks: watch::Sender::new(speaks), _questions: questions }
}

impl House {
    fn raise(&self, alert: Alert) {
        self.open.put(&alert);
        let way = Way::Log { speaks: self.speaks.subscribe() };
        self.raise.send(Raised { alert, way }).expect("the dispatcher runs");
    }

    /// What was told, once so much was.
    async fn told(&mut self, count: usize) -> Vec<(Reason, usize, usize)> {
        let mut told = Vec::new();
        while told.len() < count {
            let (_, row) = self.rows.recv().await.expect("a row");
            if let Some(Row::Told(row)) = row {
                told.push((row.reason, row.firing.len(), row.resolved.len()));
            }
        }
        told
    }

    fn attempts(&self) -> usize {
        self.flaky.post.seen.lock().expect("no panic").len()
    }
}

pub(crate) fn stall(id: &str) -> Alert {
    let labels = [("alertname", "RolloutStalled"), ("domain", "shop"), ("rollout", id), ("severity", "page")];
    Alert {
        id: EventId::new(id).expect("a name"),
        status: AlertStatus::Firing,
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        annotations: BTreeMap::new(),
        since: None,
        deadline: None,
        starts_at: wall(),
        ends_at: None,
    }
}

fn over(mut alert: Alert) -> Alert {
    alert.status = AlertStatus::Resolved;
    alert.ends_at = Some(wall());
    alert
}

/// What a receiver is told of one stall.
pub(crate) fn news(id: &str) -> Notification {
    let mut notifier = Notifier::new(Tree::of_all(&["a".to_owned()]), Vec::new());
    let _none = notifier.handle(wall(), Input::Live);
    notifier.handle(wall(), Input::Alert(stall(id))).remove(0)
}

#[tokio::test(start_paused = true)]
async fn the_owner_tells_at_once_and_notes_it() {
    let mut house = house(0, true);
    house.marks.load(&[], wall());
    let began = Instant::now();
    house.raise(stall("d1"));
    assert_eq!(house.told(1).await, [(Reason::First, 1, 0)]);
    assert!(began.elapsed() < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_before_it_is_known_what_was() {
    let mut house = house(0, true);
    house.raise(stall("d1"));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(house.attempts(), 0);
    let row = Row::Told(news_row("d1"));
    house.marks.read("told/n/platform", Some(&serde_json::to_vec(&row).expect("JSON")));
    house.marks.load(&[], wall());
    house.raise(stall("d2"));
    house.told(1).await;
    assert_eq!(house.attempts(), 1, "d1 was told already");
}

fn news_row(id: &str) -> pavane_alerts::Row {
    let mut row = news(id).row(wall(), "b");
    row.receiver = "platform".to_owned();
    row
}

#[tokio::test(start_paused = true)]
async fn a_standby_tells_only_when_the_owner_has_not_after_two_pulses() {
    let mut house = house(0, false);
    house.marks.load(&[], wall());
    let began = Instant::now();
    house.raise(stall("d1"));
    house.raise(stall("d2"));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(house.attempts(), 0);
    let row = Row::Told(news_row("d1"));
    house.marks.read("told/n/platform", Some(&serde_json::to_vec(&row).expect("JSON")));
    assert_eq!(house.told(1).await, [(Reason::First, 1, 0)]);
    assert_eq!((began.elapsed().as_secs(), house.attempts()), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_takes_over_tells_at_once() {
    let mut house = house(0, false);
    house.marks.load(&[], wall());
    house.raise(stall("d1"));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    house.speaks.send_replace(true);
    house.told(1).await;
    assert!(began.elapsed() < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn blindness_is_told_although_the_notifications_cannot_be_read() {
    let house = house(0, false);
    let mut alert = stall("blind-1");
    alert.labels.insert("alertname".to_owned(), "Blind".to_owned());
    house.raise.send(Raised { alert, way: Way::Straight }).expect("the dispatcher runs");
    tokio::time::timeout(Duration::from_secs(1), async {
        while house.attempts() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("told at once");
}

#[tokio::test(start_paused = true)]
async fn an_alert_is_not_done_with_until_its_end_is_told() {
    let mut house = house(2, true);
    house.marks.load(&[], wall());
    let domain = pavane_events::Domain::new("shop").expect("a name");
    house.raise(stall("d1"));
    house.told(1).await;
    assert_eq!(house.open.of(&domain).len(), 1, "it burns");
    house.raise(over(stall("d1")));
    assert_eq!(house.told(1).await, [(Reason::AllResolved, 0, 1)]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(house.open.of(&domain).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_new_receiver_is_spared_what_burnt_long_ago() {
    let mut house = house(0, true);
    house.marks.load(&["platform".to_owned()], wall());
    let mut old = stall("d1");
    old.starts_at = wall().plus(-3_600_000);
    house.raise(old.clone());
    house.raise(over(old));
    house.raise(stall("d2"));
    house.told(1).await;
    assert_eq!(house.attempts(), 1);
}
