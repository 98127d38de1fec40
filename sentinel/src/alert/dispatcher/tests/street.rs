//! Receivers that are away, hang, are busy or forget: nothing is lost, and nobody else waits.

use std::collections::BTreeSet;
use std::sync::Mutex;

use pavane_alerts::body::template::TemplateError;
use pavane_alerts::body::webhook;
use serde_json::Value;

use super::*;
use crate::alert::call::{TOTAL, failed};
use crate::alert::fault::Fault;
use crate::alert::schedule::Pace;
use crate::alert::target::Message;

/// What a receiver does with what it gets.
#[derive(Clone, Copy)]
pub(super) enum Manner {
    /// Takes it.
    Takes,
    /// Answers like this until so much time has gone by.
    Answers(Duration, Fault, Pace),
    /// Lets every attempt run into its limit until so much time has gone by.
    Hangs(Duration),
    /// Takes it so many times without its answer being heard.
    Mumbles(usize),
}

/// A receiver with a manner.
pub(super) struct House {
    manner: Manner,
    began: Instant,
    pub(super) attempts: Mutex<Vec<Message>>,
    /// What it took, and when.
    pub(super) taken: Mutex<Vec<(Duration, Message)>>,
}

impl House {
    fn new(manner: Manner) -> Self {
        Self { manner, began: Instant::now(), attempts: Mutex::default(), taken: Mutex::default() }
    }

    fn take(&self, message: &Message) -> usize {
        let mut taken = self.taken.lock().expect("no panic");
        taken.push((self.began.elapsed(), message.clone()));
        taken.len()
    }
}

impl Post for Arc<House> {
    fn compose(&self, news: &Notification) -> Result<Message, TemplateError> {
        Ok(Message { id: news.id.clone(), body: webhook::body(news, ""), ..Message::default() })
    }

    async fn post(&self, message: &Message) -> Answer {
        self.attempts.lock().expect("no panic").push(message.clone());
        match self.manner {
            Manner::Answers(until, reason, pace) if self.began.elapsed() < until => {
                failed(reason, "not now".to_owned(), pace)
            }
            Manner::Hangs(until) if self.began.elapsed() < until => {
                tokio::time::sleep(TOTAL).await;
                failed(Fault::Timeout, "no answer".to_owned(), Pace::Soon(None))
            }
            Manner::Mumbles(times) if self.take(message) <= times => {
                failed(Fault::Transport, "the answer is lost".to_owned(), Pace::Soon(None))
            }
            Manner::Mumbles(_) => Answer::Delivered,
            Manner::Takes | Manner::Answers(..) | Manner::Hangs(_) => {
                self.take(message);
                Answer::Delivered
            }
        }
    }
}

impl Remind for Arc<House> {
    async fn remind(&self, _: &[Alert]) -> Option<Answer> {
        None
    }
}

/// Many receivers of one sentinel, each told everything.
struct Street {
    houses: Vec<Arc<House>>,
    raise: mpsc::UnboundedSender<Raised>,
    speaks: watch::Sender<bool>,
    _rows: mpsc::UnboundedReceiver<ToWrite>,
    _questions: mpsc::Sender<Question>,
}

fn street(manners: &[Manner]) -> Street {
    let names: Vec<String> = (0..manners.len()).map(|n| format!("r{n}")).collect();
    let houses: Vec<_> = manners.iter().map(|manner| Arc::new(House::new(*manner))).collect();
    let routes = names.iter().zip(&houses).map(|(name, house)| Route::new(name.clone(), house.clone()));
    let (marks, rows, news) = Marks::new();
    marks.load(&[], wall());
    let notifier = Notifier::new(Tree::of_all(&names), Vec::new());
    let dispatcher =
        Dispatcher::new(routes.collect(), notifier, Arc::new(marks), Arc::default(), "a".to_owned());
    let (raise, raised) = mpsc::unbounded_channel();
    let (questions, asked) = mpsc::channel(1);
    tokio::spawn(dispatcher.run(Inbox { raised, news, questions: asked }));
    Street { houses, raise, speaks: watch::Sender::new(true), _rows: rows, _questions: questions }
}

impl Street {
    fn raise(&self, alert: Alert) {
        let way = Way::Log { speaks: self.speaks.subscribe() };
        self.raise.send(Raised { alert, way }).expect("the dispatcher runs");
    }
}

/// A stall in a domain of its own, so that no storm is gathered.
pub(super) fn apart(n: usize) -> Alert {
    let mut alert = stall(&format!("d{n}"));
    alert.labels.insert("domain".to_owned(), format!("shop-{n}"));
    alert
}

/// The rollouts that a message tells of, and whether they burn.
pub(super) fn told(message: &Message) -> Vec<(String, bool)> {
    let body: Value = serde_json::from_slice(&message.body).expect("JSON");
    let alerts = body["alerts"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    alerts.map(|alert| (text(&alert["labels"]["rollout"]), alert["status"] == "firing")).collect()
}

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test(start_paused = true)]
async fn whatever_a_receiver_does_it_has_everything_in_the_end_under_one_id_each() {
    let minutes = Duration::from_mins;
    let manners = [
        Manner::Answers(minutes(10), Fault::Transport, Pace::Soon(None)),
        Manner::Answers(5 * HOUR, Fault::Transport, Pace::Soon(None)),
        Manner::Answers(HOUR, Fault::Gone, Pace::Slowly),
        Manner::Answers(HOUR, Fault::Redirect, Pace::Slowly),
        Manner::Answers(minutes(5), Fault::Throttled, Pace::Soon(Some(minutes(1)))),
        Manner::Answers(HOUR, Fault::Server, Pace::Soon(None)),
        Manner::Hangs(minutes(10)),
        Manner::Mumbles(7),
        Manner::Takes,
    ];
    let street = street(&manners);
    for n in 0..20 {
        street.raise(apart(n));
        tokio::time::sleep(Duration::from_secs(10)).await;
        if n % 2 == 1 {
            street.raise(over(apart(n - 1)));
        }
    }
    tokio::time::sleep(7 * HOUR).await;
    for (which, (house, manner)) in street.houses.iter().zip(manners).enumerate() {
        let taken = house.taken.lock().expect("no panic").clone();
        // whoever has it, and is not heard to say so, may hear of the beginning once more before it hears of the end again
        let is_heard = !matches!(manner, Manner::Mumbles(_));
        let (mut words, mut ended, mut last) = (BTreeMap::new(), BTreeSet::new(), Duration::ZERO);
        for (at, message) in &taken {
            for (rollout, burns) in told(message) {
                let began_again = burns && ended.contains(&rollout);
                assert!(!(is_heard && began_again), "receiver {which}: {rollout} begins after its end");
                if !burns {
                    ended.insert(rollout.clone());
                }
                if words.insert(rollout, burns) != Some(burns) {
                    last = *at;
                }
            }
        }
        let over = words.values().filter(|burns| !**burns).count();
        assert_eq!(
            (words.len(), ended.len(), over),
            (20, 10, 10),
            "receiver {which}: the end is the last word"
        );
        let mut bodies = BTreeMap::new();
        for message in house.attempts.lock().expect("no panic").iter() {
            let first = bodies.entry(message.id.clone()).or_insert_with(|| message.body.clone());
            assert!(*first == message.body, "receiver {which}: {} changed between attempts", message.id);
        }
        let doubled =
            taken.len() - taken.iter().map(|(_, message)| &message.id).collect::<BTreeSet<_>>().len();
        let mumbled = if let Manner::Mumbles(times) = manner { times } else { 0 };
        assert!((mumbled.min(1)..=mumbled).contains(&doubled), "receiver {which}: {doubled} came twice");
        if let Manner::Answers(until, ..) | Manner::Hangs(until) = manner {
            assert!(
                last < until.max(minutes(7)) + HOUR + HOUR / 4,
                "receiver {which}: the last came at {last:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_receiver_that_hangs_delays_none_of_nine_others() {
    let mut manners = [Manner::Takes; 10];
    manners[3] = Manner::Hangs(Duration::MAX);
    let street = street(&manners);
    let began = Instant::now();
    for n in 0..200 {
        street.raise(apart(n));
    }
    let all = || {
        let mut others = street.houses.iter().enumerate().filter(|(which, _)| *which != 3);
        others.all(|(_, house)| house.taken.lock().expect("no panic").len() == 200)
    };
    while !all() {
        tokio::task::yield_now().await;
    }
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    assert_eq!(street.houses[3].attempts.lock().expect("no panic").len(), 2, "few attempts at a time");
}
