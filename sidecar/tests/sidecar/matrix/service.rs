//! The service beside the sidecar: what it says at the door, and who is told when no sentinel is heard.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::routing::post;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::house::House;
use crate::shop::{PATIENCE, PAUSE};

/// What became of an event.
pub(crate) enum Said {
    /// It was answered for.
    Taken(String),
    /// The disk is full.
    NoRoom,
    /// It was refused otherwise; another one follows.
    Refused,
}

/// What the service says at one door, one event after the other.
pub(crate) struct Posts {
    client: reqwest::Client,
    name: String,
    count: u32,
    under_way: Option<(String, JoinHandle<Option<u16>>)>,
    /// An event whose answer was lost.
    again: Option<String>,
    rests_until: Instant,
}

impl Posts {
    pub(crate) fn new(house: &House, chain: u32, at: usize) -> Self {
        let client = reqwest::Client::builder().unix_socket(house.socket.clone()).build().unwrap();
        Self {
            client,
            name: format!("e-{chain}-{at}"),
            count: 0,
            under_way: None,
            again: None,
            rests_until: Instant::now(),
        }
    }

    /// Takes the answer when there is one, and says the next.
    pub(crate) async fn turn(&mut self) -> Option<Said> {
        let Some((id, answer)) = self.under_way.take_if(|(_, answer)| answer.is_finished()) else {
            self.say();
            return None;
        };
        match answer.await.unwrap() {
            Some(200..=299) => Some(Said::Taken(id)),
            Some(507) => Some(Said::NoRoom),
            Some(_) => {
                self.rests_until = Instant::now() + 5 * PAUSE;
                Some(Said::Refused)
            }
            None => {
                self.again = Some(id);
                None
            }
        }
    }

    /// Says the next event, or one whose answer was lost.
    fn say(&mut self) {
        if self.under_way.is_some() || Instant::now() < self.rests_until {
            return;
        }
        let id = self.again.take().unwrap_or_else(|| {
            self.count += 1;
            format!("{}-{}", self.name, self.count)
        });
        let ack = if id.ends_with(['1', '4', '7', '9']) { "broker" } else { "local" };
        let body = serde_json::json!({ "event": "Ready", "id": id });
        let asked = self.client.post(format!("http://localhost/v1/events?ack={ack}")).json(&body).send();
        let answer =
            async { timeout(PATIENCE, asked).await.ok()?.ok().map(|answer| answer.status().as_u16()) };
        self.under_way = Some((id, tokio::spawn(answer)));
    }
}

/// Somebody who wants to be told when no sentinel is heard.
pub(crate) async fn hear(told: Arc<AtomicU32>) -> String {
    let app = axum::Router::new().route(
        "/",
        post(async move || {
            told.fetch_add(1, Ordering::SeqCst);
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    url
}
