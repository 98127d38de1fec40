//! Any link that breaks is silence, and only silence.

use std::sync::Mutex;

use super::*;
use crate::alert::call::failed;
use crate::alert::fault::Fault;
use crate::alert::schedule::Pace;

/// Whoever would miss the sentinel: counts what it hears, and may be away.
#[derive(Clone, Default)]
struct Ear {
    heard: Arc<Mutex<Vec<serde_json::Value>>>,
    away: Arc<Mutex<bool>>,
}

impl Reach for Ear {
    async fn ping(&self, body: Vec<u8>) -> Answer {
        if *self.away.lock().expect("no panic") {
            return failed(Fault::Transport, "nobody is at home".to_owned(), Pace::Soon(None));
        }
        self.heard.lock().expect("no panic").push(serde_json::from_slice(&body).expect("JSON"));
        Answer::Delivered
    }
}

struct House {
    ear: Ear,
    speaks: watch::Sender<bool>,
    sight: watch::Sender<Sight>,
    marks: Arc<Marks>,
    raised: mpsc::UnboundedReceiver<Raised>,
    teller: Arc<Mutex<Teller>>,
}

/// Whoever tells people.
enum Teller {
    /// Its oldest notification on its way is so old.
    Answers(Option<Duration>),
    /// It does not answer.
    Hangs,
}

/// What is done to a house.
type Deed = fn(&House);

/// A sentinel that is well.
fn house() -> House {
    let (ear, teller) = (Ear::default(), Arc::new(Mutex::new(Teller::Answers(None))));
    let (marks, ..) = Marks::new();
    let marks = Arc::new(marks);
    marks.load(&[], wall());
    let (raise, raised) = mpsc::unbounded_channel();
    let (questions, mut asked) = mpsc::channel(1);
    let answers = teller.clone();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Some(question) = asked.recv().await {
            let Question::Oldest(to) = question else { panic!("another question") };
            match *answers.lock().expect("no panic") {
                Teller::Answers(age) => to.send(age).expect("somebody asks"),
                Teller::Hangs => kept.push(to),
            }
        }
    });
    let (speaks, sight) = (watch::Sender::new(true), watch::Sender::new(Sight::Sighted));
    let signs = Signs { sight: sight.subscribe(), speaks: speaks.subscribe(), frontier: Frontier::default() };
    let domain = Domain::new("shop").expect("a name");
    let tellers = Tellers { marks: marks.clone(), raise, questions };
    let domains = BTreeMap::from([(domain, (signs, Some(ear.clone())))]);
    tokio::spawn(DeadMan::new("a".to_owned(), Duration::from_mins(1), true, tellers, domains).run());
    House { ear, speaks, sight, marks, raised, teller }
}

impl House {
    /// How many pings are heard within so many minutes.
    async fn heard(&self, minutes: u64) -> usize {
        let before = self.ear.heard.lock().expect("no panic").len();
        tokio::time::sleep(Duration::from_mins(minutes)).await;
        self.ear.heard.lock().expect("no panic").len() - before
    }

    fn told(&mut self) -> Vec<(String, AlertStatus)> {
        let mut told = Vec::new();
        while let Ok(Raised { alert, way }) = self.raised.try_recv() {
            assert!(matches!(way, Way::Straight) && pavane_alerts::is_straight(&alert.labels));
            assert!(alert.annotations["outlook"].contains("every 60s"), "what comes, and when: {alert:?}");
            told.push((alert.labels["alertname"].clone(), alert.status));
        }
        told
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_domain_is_seen_it_is_told_every_minute_and_the_watchdog_burns() {
    let mut house = house();
    let heard = house.heard(10).await;
    assert!((9..=10).contains(&heard), "{heard}");
    let ping = house.ear.heard.lock().expect("no panic")[0].clone();
    assert_eq!((ping["domain"].as_str(), ping["replica"].as_str()), (Some("shop"), Some("a")));
    assert!(ping["frontier_age_seconds"].is_number(), "{ping}");
    assert_eq!(house.told(), [(WATCHDOG.to_owned(), AlertStatus::Firing)]);
}

#[tokio::test(start_paused = true)]
async fn any_link_that_breaks_is_silence_and_the_watchdog_is_over_until_it_is_mended() {
    let mut house = house();
    assert!(house.heard(3).await > 0);
    let broken: [(&str, Deed, Deed); 4] = [
        (
            "blind",
            |house| {
                house.sight.send_replace(Sight::Blind("broker"));
            },
            |house| {
                house.sight.send_replace(Sight::Sighted);
            },
        ),
        (
            "of another replica",
            |house| {
                house.speaks.send_replace(false);
            },
            |house| {
                house.speaks.send_replace(true);
            },
        ),
        (
            "undelivered",
            |house| *house.teller.lock().expect("no panic") = Teller::Answers(Some(LATE)),
            |house| *house.teller.lock().expect("no panic") = Teller::Answers(Some(LATE / 2)),
        ),
        (
            "stuck",
            |house| *house.teller.lock().expect("no panic") = Teller::Hangs,
            |house| *house.teller.lock().expect("no panic") = Teller::Answers(None),
        ),
    ];
    let _begun = house.told();
    for (link, cut, mend) in broken {
        cut(&house);
        // what was on its way arrives
        tokio::time::sleep(PATIENCE + 2 * LOOK).await;
        assert_eq!(house.heard(5).await, 0, "{link}");
        assert_eq!(house.told(), [(WATCHDOG.to_owned(), AlertStatus::Resolved)], "{link}");
        mend(&house);
        assert!(house.heard(5).await >= 4, "{link}");
        assert_eq!(house.told(), [(WATCHDOG.to_owned(), AlertStatus::Firing)], "{link}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_before_it_is_known_what_was_told() {
    let mut house = house();
    let (marks, ..) = Marks::new();
    assert!(house.marks.is_loaded() && !marks.is_loaded());
    assert!(house.heard(2).await > 0 && !house.told().is_empty());
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_be_reached_three_times_is_told_of_by_the_ordinary_way() {
    let mut house = house();
    *house.ear.away.lock().expect("no panic") = true;
    tokio::time::sleep(Duration::from_secs(100)).await;
    let (watchdog, unreached) = (WATCHDOG.to_owned(), UNREACHED.to_owned());
    assert_eq!(house.told(), [(watchdog, AlertStatus::Firing)], "twice is no reason yet");
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(house.told(), [(unreached.clone(), AlertStatus::Firing)], "once");
    *house.ear.away.lock().expect("no panic") = false;
    assert!(house.heard(2).await > 0);
    assert_eq!(house.told(), [(unreached, AlertStatus::Resolved)]);
}
