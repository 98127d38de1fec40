//! Who is told what, and by which replica: the owner of the partition at once, a standby only when nobody has
//! after two pulses.

use std::sync::Arc;
use std::time::Duration;

use pavane_sentinel_engine::{Alert, AlertStatus, PULSE};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::alert::body::Message;
use crate::alert::delivery::{End, Route};
use crate::alert::marks::{Marks, Row, Told, delivery_key};
use crate::alert::schedule::is_given_up;
use crate::alert::webhook::Post;
use crate::clock::wall;
use crate::span;
use crate::telemetry::{Pending, Skipped};

/// How long a standby leaves the word to the owner.
const HOLD: Duration = Duration::from_millis(2 * PULSE.unsigned_abs());

/// An alert on its way to every receiver.
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

/// Brings alerts to receivers.
pub(crate) struct Dispatcher<P> {
    pub(crate) routes: Vec<Arc<Route<P>>>,
    pub(crate) marks: Arc<Marks>,
    pub(crate) replica: String,
    pub(crate) external_url: String,
}

impl<P: Post> Dispatcher<P> {
    /// Takes alerts until nobody raises any more. An attempt is never cut short by a newer alert.
    pub(crate) async fn run(self, mut raised: mpsc::UnboundedReceiver<Raised>) -> anyhow::Result<()> {
        let this = Arc::new(self);
        let mut errands = JoinSet::new();
        loop {
            tokio::select! {
                next = raised.recv() => match next {
                    Some(raised) => this.send_out(&raised, &mut errands),
                    None => return Ok(()),
                },
                Some(errand) = errands.join_next() => errand?,
            }
        }
    }

    fn send_out(self: &Arc<Self>, raised: &Raised, errands: &mut JoinSet<()>) {
        for route in &self.routes {
            let (this, route, raised) = (self.clone(), route.clone(), raised.clone());
            errands.spawn(async move { this.errand(&route, raised).await });
        }
    }

    /// Brings one alert to one receiver, when it is our turn.
    async fn errand(&self, route: &Route<P>, raised: Raised) {
        let (alert, told) = (&raised.alert, Told::from(raised.alert.status));
        if let Way::Log { .. } = raised.way {
            self.marks.loaded().await;
        }
        if self.marks.told(&alert.id, &route.name, told) || self.is_old(route, alert) {
            return;
        }
        let _pending = Pending::begin(&route.name);
        if told == Told::Resolved {
            // That it is over never comes before that it burns.
            self.marks.until_told(&alert.id, &route.name, Told::Firing).await;
        }
        if let Way::Log { speaks } = &raised.way {
            self.turn(speaks.clone(), route, alert, told).await;
        }
        let message = Message::new(alert, &route.name, &self.external_url);
        let elsewhere = || self.marks.told(&alert.id, &route.name, told);
        let deliver = route.deliver(&message, elsewhere).instrument(span::deliver(alert, &route.name));
        match (deliver.await, &raised.way) {
            (End::Delivered, Way::Log { .. }) => {
                let row = Row::Delivered { status: told, at: wall(), replica: self.replica.clone() };
                self.marks.note(delivery_key(&alert.id, &route.name), row);
            }
            (End::Delivered | End::GivenUp, _) => self.marks.remember(&alert.id, &route.name, told),
            (End::Elsewhere, _) => {}
        }
    }

    /// Waits until this replica owns the partition, or has given the owner its time.
    async fn turn(&self, mut speaks: watch::Receiver<bool>, route: &Route<P>, alert: &Alert, told: Told) {
        tokio::select! {
            // The sender goes when the process ends; until then the hold decides.
            Ok(_) = speaks.wait_for(|speaks| *speaks) => {}
            () = tokio::time::sleep(HOLD) => {}
            () = self.marks.until_told(&alert.id, &route.name, told) => {}
        }
    }

    /// Whether the receiver is spared the alert: it was given up long ago, or burnt before it was known.
    fn is_old(&self, route: &Route<P>, alert: &Alert) -> bool {
        let began = alert.starts_at;
        let old = alert.status == AlertStatus::Firing
            && (is_given_up(began, wall()) || self.marks.precedes(began, &route.name));
        if old {
            self.marks.remember(&alert.id, &route.name, Told::Resolved);
            Skipped { receiver: &route.name, id: alert.id.as_str() }.emit();
        }
        old
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pavane_events::EventId;
    use tokio::time::Instant;

    use super::*;
    use crate::alert::body::tests::{over, stall};
    use crate::alert::delivery::tests::Flaky;

    struct House {
        raise: mpsc::UnboundedSender<Raised>,
        route: Arc<Route<Flaky>>,
        marks: Arc<Marks>,
        rows: mpsc::UnboundedReceiver<(String, Row)>,
        speaks: watch::Sender<bool>,
    }

    fn house(failures: usize, speaks: bool) -> House {
        let route = Arc::new(Route::new("platform".to_owned(), Flaky::new(failures)));
        let (marks, rows) = Marks::new();
        let marks = Arc::new(marks);
        let dispatcher = Dispatcher {
            routes: vec![route.clone()],
            marks: marks.clone(),
            replica: "a".to_owned(),
            external_url: String::new(),
        };
        let (raise, raised) = mpsc::unbounded_channel();
        tokio::spawn(dispatcher.run(raised));
        House { raise, route, marks, rows, speaks: watch::Sender::new(speaks) }
    }

    impl House {
        fn raise(&self, alert: Alert) {
            let way = Way::Log { speaks: self.speaks.subscribe() };
            self.raise.send(Raised { alert, way }).expect("the dispatcher runs");
        }

        fn sent(&self) -> Vec<String> {
            let seen = self.route.post.seen.lock().expect("no panic");
            seen.iter().map(|(_, message)| message.id.clone()).collect()
        }
    }

    fn fresh(id: &str) -> Alert {
        let mut alert = stall(id);
        alert.starts_at = wall();
        alert
    }

    fn brought(status: Told) -> Vec<u8> {
        let row = Row::Delivered { status, at: wall(), replica: "b".to_owned() };
        serde_json::to_vec(&row).expect("JSON")
    }

    #[tokio::test(start_paused = true)]
    async fn the_owner_delivers_at_once_and_notes_it() {
        let mut house = house(0, true);
        house.marks.load(&[], wall());
        let began = Instant::now();
        house.raise(fresh("d1"));
        let (key, row) = house.rows.recv().await.expect("a row");
        assert_eq!(key, "d1/platform");
        assert!(matches!(row, Row::Delivered { status: Told::Firing, .. }));
        assert!(began.elapsed() < Duration::from_millis(10));
        assert_eq!(house.sent(), ["d1.firing"]);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_delivered_before_it_is_known_what_was() {
        let house = house(0, true);
        house.raise(fresh("d1"));
        tokio::time::advance(Duration::from_mins(1)).await;
        tokio::task::yield_now().await;
        assert!(house.sent().is_empty());
        house.marks.read("d1/platform", Some(&brought(Told::Firing)));
        house.marks.load(&[], wall());
        house.raise(fresh("d2"));
        house.marks.until_told(&EventId::new("d2").expect("a name"), "platform", Told::Firing).await;
        assert_eq!(house.sent(), ["d2.firing"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_delivers_only_when_the_owner_has_not_after_two_pulses() {
        let house = house(0, false);
        house.marks.load(&[], wall());
        let began = Instant::now();
        house.raise(fresh("d1"));
        house.raise(fresh("d2"));
        tokio::time::sleep(Duration::from_secs(3)).await;
        house.marks.read("d1/platform", Some(&brought(Told::Firing)));
        house.marks.until_told(&EventId::new("d2").expect("a name"), "platform", Told::Firing).await;
        assert_eq!(began.elapsed().as_secs(), 4);
        assert_eq!(house.sent(), ["d2.firing"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_standby_that_takes_over_delivers_at_once() {
        let house = house(0, false);
        house.marks.load(&[], wall());
        house.raise(fresh("d1"));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(house.sent().is_empty());
        house.speaks.send_replace(true);
        let began = Instant::now();
        house.marks.until_told(&EventId::new("d1").expect("a name"), "platform", Told::Firing).await;
        assert!(began.elapsed() < Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn that_it_is_over_never_comes_before_that_it_burns() {
        let house = house(2, true);
        house.marks.load(&[], wall());
        house.raise(fresh("d1"));
        house.raise(over(fresh("d1")));
        house.marks.until_told(&EventId::new("d1").expect("a name"), "platform", Told::Resolved).await;
        assert_eq!(house.sent(), ["d1.firing", "d1.firing", "d1.firing", "d1.resolved"]);
    }

    #[tokio::test(start_paused = true)]
    async fn blindness_is_told_although_the_notifications_cannot_be_read() {
        let house = house(0, false);
        let raised = Raised { alert: fresh("blind-1"), way: Way::Straight };
        house.raise.send(raised).expect("the dispatcher runs");
        house.marks.until_told(&EventId::new("blind-1").expect("a name"), "platform", Told::Firing).await;
        assert_eq!(house.sent(), ["blind-1.firing"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_receiver_is_spared_what_burnt_long_ago() {
        let house = house(0, true);
        house.marks.load(&["platform".to_owned()], wall());
        let mut old = fresh("d1");
        old.starts_at = wall().plus(-3_600_000);
        house.raise(old.clone());
        house.raise(over(old));
        house.raise(fresh("d2"));
        house.marks.until_told(&EventId::new("d2").expect("a name"), "platform", Told::Firing).await;
        assert_eq!(house.sent(), ["d2.firing"]);
    }
}
