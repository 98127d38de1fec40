//! Asks the metrics for the numbers that phases are watched by, beside the loops: a Prometheus that hangs never
//! stops the reading of the log.
//!
//! Every question gets an answer. One that is on its way already is not asked twice, whoever wants to know.

mod answer;
mod query;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pavane_events::Domain;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::happening::Happening;
use crate::measure::answer::{Missing, Reading};
pub(crate) use crate::measure::query::Metrics;
use crate::telemetry::{Measured, Unmeasured};

/// How many queries run at a time; more wait.
const AT_A_TIME: usize = 8;

/// A domain wants to know the value of a query.
pub(crate) struct Wanted {
    pub(crate) domain: Domain,
    pub(crate) query: String,
}

/// Answers until nobody asks any more; without metrics, that there are none.
pub(crate) async fn answer(
    metrics: Option<Metrics>,
    loops: BTreeMap<Domain, mpsc::Sender<Happening>>,
    mut wanted: mpsc::UnboundedReceiver<Wanted>,
) -> anyhow::Result<()> {
    let metrics = metrics.map(Arc::new);
    let turns = Arc::new(Semaphore::new(AT_A_TIME));
    // Who waits for which query that is on its way.
    let mut waiting: BTreeMap<String, BTreeSet<Domain>> = BTreeMap::new();
    let (mut asked, mut brought) = (JoinSet::new(), JoinSet::new());
    loop {
        tokio::select! {
            next = wanted.recv() => {
                let Some(Wanted { domain, query }) = next else { return Ok(()) };
                let on_its_way = waiting.contains_key(&query);
                waiting.entry(query.clone()).or_default().insert(domain);
                if !on_its_way {
                    asked.spawn(ask(metrics.clone(), turns.clone(), query));
                }
            }
            Some(answered) = asked.join_next() => {
                let (query, value) = answered?;
                for domain in waiting.remove(&query).unwrap_or_default() {
                    let Some(to) = loops.get(&domain).cloned() else { continue };
                    let happening = Happening::Measured { query: query.clone(), value: value.clone() };
                    // The loop ends only with the process, which takes this task along.
                    brought.spawn(async move { drop(to.send(happening).await) });
                }
            }
            Some(brought) = brought.join_next() => brought?,
        }
    }
}

async fn ask(
    metrics: Option<Arc<Metrics>>,
    turns: Arc<Semaphore>,
    query: String,
) -> (String, Result<f64, String>) {
    let read = match metrics {
        None => Err(Missing::new("unconfigured", "no `prometheus` in the sentinel's file")),
        Some(metrics) => {
            let _turn = turns.acquire().await.expect("nobody closes the semaphore");
            metrics.ask(&query).await
        }
    };
    match read {
        Ok(Reading { value, warnings }) => {
            Measured { query: &query, value, warnings: &warnings }.emit();
            (query, Ok(value))
        }
        Err(Missing { class, why }) => {
            Unmeasured { query: &query, class, why: &why }.emit();
            (query, Err(why))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use axum::Router;
    use axum::extract::Query;
    use axum::routing::get;
    use tokio::net::TcpListener;
    use tokio::sync::watch;
    use tokio::time::timeout;

    use super::*;
    use crate::config::Prometheus;

    const LIMIT: Duration = Duration::from_secs(10);

    /// A Prometheus that answers each query with itself once the gate is open, and counts.
    struct Server {
        open: watch::Sender<bool>,
        asked: Arc<AtomicUsize>,
        at_a_time: Arc<AtomicUsize>,
    }

    struct House {
        server: Server,
        wants: mpsc::UnboundedSender<Wanted>,
        doors: BTreeMap<&'static str, mpsc::Receiver<Happening>>,
    }

    impl House {
        fn want(&self, domain: &str, query: &str) {
            let domain = Domain::new(domain).expect("a name");
            self.wants.send(Wanted { domain, query: query.to_owned() }).expect("somebody answers");
        }

        async fn told(&mut self, domain: &str) -> (String, Result<f64, String>) {
            let door = self.doors.get_mut(domain).expect("a door");
            let told = timeout(LIMIT, door.recv()).await.expect("in time");
            let Some(Happening::Measured { query, value }) = told else { panic!("something else") };
            (query, value)
        }

        async fn until_asked(&self, times: usize) {
            let asked = async {
                let mut look = tokio::time::interval(Duration::from_millis(5));
                while self.server.asked.load(Ordering::SeqCst) < times {
                    look.tick().await;
                }
            };
            timeout(LIMIT, asked).await.expect("in time");
        }
    }

    #[tokio::test]
    async fn a_query_on_its_way_is_asked_once_and_told_to_all_who_wait() {
        let mut house = house(true).await;
        house.want("shop", "7");
        house.until_asked(1).await;
        for domain in ["shop", "forum", "forum"] {
            house.want(domain, "7");
        }
        // The order of the questions is kept: when the last is on its way, those before it have been taken.
        house.want("shop", "8");
        house.until_asked(2).await;
        house.server.open.send_replace(true);
        let mut shop = [house.told("shop").await, house.told("shop").await];
        shop.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(shop, [("7".to_owned(), Ok(7.0)), ("8".to_owned(), Ok(8.0))]);
        assert_eq!(house.told("forum").await, ("7".to_owned(), Ok(7.0)));
        assert_eq!(house.server.asked.load(Ordering::SeqCst), 2);
        house.want("shop", "7");
        assert_eq!(house.told("shop").await, ("7".to_owned(), Ok(7.0)));
        assert_eq!(house.server.asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn no_more_queries_run_at_a_time_than_may_and_each_is_answered() {
        let mut house = house(true).await;
        let all: BTreeSet<String> = (0..3 * AT_A_TIME).map(|n| n.to_string()).collect();
        for query in &all {
            house.want("shop", query);
        }
        house.until_asked(AT_A_TIME).await;
        house.server.open.send_replace(true);
        let mut told = BTreeSet::new();
        while told.len() < all.len() {
            told.insert(house.told("shop").await.0);
        }
        assert_eq!(told, all);
        assert_eq!(house.server.at_a_time.load(Ordering::SeqCst), AT_A_TIME);
    }

    #[tokio::test]
    async fn without_metrics_every_question_is_answered_at_once_that_there_are_none() {
        let mut house = house(false).await;
        house.want("shop", "7");
        let why = "no `prometheus` in the sentinel's file".to_owned();
        assert_eq!(house.told("shop").await, ("7".to_owned(), Err(why)));
    }

    async fn house(with_metrics: bool) -> House {
        let (server, url) = server().await;
        let prometheus = Prometheus { url: url.parse().expect("a URL"), timeout: LIMIT, token_file: None };
        let metrics = with_metrics.then(|| Metrics::new(prometheus).expect("a client"));
        let (mut doors, mut loops) = (BTreeMap::new(), BTreeMap::new());
        for domain in ["shop", "forum"] {
            let (door, happenings) = mpsc::channel(1);
            doors.insert(domain, happenings);
            loops.insert(Domain::new(domain).expect("a name"), door);
        }
        let (wants, wanted) = mpsc::unbounded_channel();
        tokio::spawn(answer(metrics, loops, wanted));
        House { server, wants, doors }
    }

    async fn server() -> (Server, String) {
        let (asked, running, at_a_time) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let server = Server { open: watch::Sender::new(false), asked, at_a_time };
        let (open, asked, most) = (server.open.clone(), server.asked.clone(), server.at_a_time.clone());
        let echo = move |Query(query): Query<BTreeMap<String, String>>| async move {
            asked.fetch_add(1, Ordering::SeqCst);
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            open.subscribe().wait_for(|open| *open).await.expect("the sender lives");
            running.fetch_sub(1, Ordering::SeqCst);
            let data = serde_json::json!({ "resultType": "scalar", "result": [1, query["query"]] });
            serde_json::json!({ "status": "success", "data": data }).to_string()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().route("/api/v1/query", get(echo));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (server, url)
    }
}
