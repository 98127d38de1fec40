//! A sentinel that is killed again and again: every alert is told, and what is told twice is told under one id.

use std::collections::BTreeSet;
use std::sync::Mutex;

use pavane_alerts::body::template::TemplateError;

use super::street::{apart, told};
use super::*;
use crate::alert::call::failed;
use crate::alert::fault::Fault;
use crate::alert::schedule::Pace;
use crate::alert::target::Message;

/// A generator of small random numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// What outlives the process: the receiver, the rows of the topic, and the log.
#[derive(Clone)]
struct World {
    dice: Arc<Mutex<Dice>>,
    taken: Arc<Mutex<Vec<Message>>>,
    rows: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl World {
    fn chance(&self, n: u64) -> u64 {
        self.dice.lock().expect("no panic").below(n)
    }
}

impl Post for World {
    fn compose(&self, news: &Notification) -> Result<Message, TemplateError> {
        let body = pavane_alerts::body::webhook::body(news, "");
        Ok(Message { id: news.id.clone(), body, ..Message::default() })
    }

    /// Takes its time, before and after it has taken the message; and fails now and then.
    async fn post(&self, message: &Message) -> Answer {
        tokio::time::sleep(Duration::from_millis(self.chance(100))).await;
        if self.chance(10) == 0 {
            return failed(Fault::Server, "busy".to_owned(), Pace::Soon(None));
        }
        self.taken.lock().expect("no panic").push(message.clone());
        tokio::time::sleep(Duration::from_millis(self.chance(100))).await;
        Answer::Delivered
    }
}

impl Remind for World {
    async fn remind(&self, _: &[Alert]) -> Option<Answer> {
        None
    }
}

/// One life of the process; the sender raises alerts.
struct Life {
    raise: mpsc::UnboundedSender<Raised>,
    speaks: watch::Sender<bool>,
    tasks: JoinSet<()>,
    _questions: mpsc::Sender<Question>,
}

impl Life {
    /// Begins: the rows are read, and the log is read again.
    fn begin(world: &World, log: &[Alert]) -> Self {
        let (marks, mut to_write, news) = Marks::new();
        for (key, value) in world.rows.lock().expect("no panic").iter() {
            marks.read(key, Some(value));
        }
        marks.load(&[], wall());
        let notifier = Notifier::new(Tree::of_all(&["platform".to_owned()]), Vec::new());
        let route = Route::new("platform".to_owned(), world.clone());
        let dispatcher =
            Dispatcher::new(vec![route], notifier, Arc::new(marks), Arc::default(), "a".to_owned());
        let (raise, raised) = mpsc::unbounded_channel();
        let (questions, asked) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            dispatcher.run(Inbox { raised, news, questions: asked }).await.expect("it tells");
        });
        let world = world.clone();
        tasks.spawn(async move {
            while let Some((key, row)) = to_write.recv().await {
                tokio::time::sleep(Duration::from_millis(world.chance(30))).await;
                let mut rows = world.rows.lock().expect("no panic");
                match row {
                    Some(row) => drop(rows.insert(key, serde_json::to_vec(&row).expect("JSON"))),
                    None => drop(rows.remove(&key)),
                }
            }
        });
        let life = Self { raise, speaks: watch::Sender::new(true), tasks, _questions: questions };
        for alert in log {
            life.raise(alert.clone());
        }
        life
    }

    fn raise(&self, alert: Alert) {
        let way = Way::Log { speaks: self.speaks.subscribe() };
        self.raise.send(Raised { alert, way }).expect("the dispatcher runs");
    }

    /// Ends where it stands.
    async fn kill(mut self) {
        self.tasks.shutdown().await;
    }
}

/// A thousand alerts, half of which end, while the process is killed every few seconds. How many kills there were, and how
/// often something was told twice.
async fn thousand(seed: u64) -> (usize, usize) {
    let dice = Arc::new(Mutex::new(Dice(seed)));
    let world = World { dice, taken: Arc::default(), rows: Arc::default() };
    let (mut log, mut kills, mut next_kill) = (Vec::new(), 0, Instant::now());
    let mut life = Life::begin(&world, &log);
    for n in 0..1_000 {
        let alert = apart(n);
        log.push(alert.clone());
        life.raise(alert.clone());
        tokio::time::sleep(Duration::from_millis(world.chance(200))).await;
        if world.chance(2) == 0 {
            log.push(over(alert.clone()));
            life.raise(over(alert));
        }
        if Instant::now() >= next_kill {
            life.kill().await;
            life = Life::begin(&world, &log);
            kills += 1;
            next_kill = Instant::now() + Duration::from_millis(world.chance(4_000));
        }
    }
    tokio::time::sleep(Duration::from_mins(40)).await;
    let taken = world.taken.lock().expect("no panic").clone();
    let (mut words, mut ids) = (BTreeMap::<_, BTreeSet<_>>::new(), BTreeSet::new());
    for message in &taken {
        ids.insert(&message.id);
        for word in told(message) {
            words.entry(word).or_default().insert(&message.id);
        }
    }
    let over: Vec<_> = log.iter().filter(|alert| alert.ends_at.is_some()).collect();
    for alert in &log {
        let rollout = &alert.labels["rollout"];
        let ended = over.iter().any(|over| over.id == alert.id);
        let heard = |burns| words.contains_key(&(rollout.clone(), burns));
        assert!(heard(!ended) || heard(false), "seed {seed}: {rollout} was lost");
    }
    assert!(words.values().all(|ids| ids.len() == 1), "seed {seed}: one word came under two ids");
    (kills, taken.len() - ids.len())
}

#[tokio::test(start_paused = true)]
#[expect(clippy::print_stdout, reason = "the figures are what is asked for")]
async fn no_alert_is_lost_when_the_process_is_killed_and_what_comes_twice_has_one_id() {
    let (kills, doubled) = thousand(7).await;
    println!("1,000 alerts, {kills} kills: none lost, {doubled} delivered twice under one id");
    assert!(kills > 20 && doubled > 0 && doubled < kills * 3, "{kills} kills, {doubled} twice");
}
