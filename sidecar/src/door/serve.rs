//! Takes connections and looks after them: so many at a time, none that says nothing for long.
//!
//! Whoever comes when there is no room is told so at once, with when to come again: a connection that hangs in the
//! system's own queue would tell nobody anything.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::telemetry;

/// How long a connection may take to bring the head of a request, the time in which it brings nothing included.
const QUIET: Duration = Duration::from_secs(30);
/// The most headers that a request may have, and bytes that its head may have.
const HEADERS: usize = 64;
const HEAD: usize = 32 * 1024;
/// How many are told at a time that there is no room; any more are cut off.
const TURNED_AWAY: usize = 64;
/// How long it may take to tell it.
const TELLING: Duration = Duration::from_secs(1);

const NO_ROOM: &str = concat!(
    r#"{"type":"about:blank","title":"Service Unavailable","status":503,"#,
    r#""detail":"as many connections are open as `limits.connections` lets in; close some, or come again later"}"#
);

/// How many connections there may be at a time, over all doors.
#[derive(Clone)]
pub(crate) struct Room {
    places: Arc<Semaphore>,
    all: usize,
    quiet: Duration,
}

impl Room {
    pub(crate) fn of(all: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(all)), all, quiet: QUIET }
    }

    fn take(&self) -> Option<OwnedSemaphorePermit> {
        let place = self.places.clone().try_acquire_owned().ok();
        telemetry::connections(self.all - self.places.available_permits());
        place
    }
}

/// Takes connections until it is told to stop; returns when the last has its answer.
pub(super) async fn serve<L: Listener>(mut listener: L, app: Router, room: Room, stop: CancellationToken) {
    let mut open = JoinSet::new();
    loop {
        let stream = tokio::select! {
            (stream, _) = listener.accept() => stream,
            Some(ended) = open.join_next() => {
                look(ended);
                continue;
            }
            () = stop.cancelled() => break,
        };
        if let Some(place) = room.take() {
            open.spawn(attend(stream, app.clone(), place, room.quiet, stop.clone()));
            continue;
        }
        telemetry::turned_away("connections");
        if open.len() < room.all + TURNED_AWAY {
            open.spawn(turn_away(stream));
        }
    }
    drop(listener);
    while let Some(ended) = open.join_next().await {
        look(ended);
    }
}

/// Answers one request after the other, as long as they come.
async fn attend<S>(
    stream: S,
    app: Router,
    place: OwnedSemaphorePermit,
    quiet: Duration,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(quiet).max_headers(HEADERS).max_buf_size(HEAD);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    drop(place);
    if ended.is_err_and(|error| error.is_timeout()) {
        telemetry::turned_away("quiet");
    }
}

async fn turn_away<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 2\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{NO_ROOM}",
        NO_ROOM.len()
    );
    let telling = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        // What is not read would take the answer back.
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        std::io::Result::Ok(())
    };
    // Whoever does not listen has been cut off all the same.
    drop(timeout(TELLING, telling).await);
}

/// A request that ends by a panic ends its connection, and is told.
fn look(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection has ended by itself");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{DuplexStream, duplex};
    use tokio::time::sleep;

    use super::*;

    const SOON: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn whoever_does_not_bring_the_head_of_a_request_is_cut_off() {
        for drips in [false, true] {
            let mut far = attended();
            far.write_all(b"GET /").await.unwrap();
            let dripping = async {
                while drips && far.write_all(b"x").await.is_ok() {
                    sleep(Duration::from_millis(5)).await;
                }
                let mut rest = Vec::new();
                drop(far.read_to_end(&mut rest).await);
            };
            timeout(SOON, dripping).await.expect("it is cut off, whether a byte comes now and then or not");
        }
        let counting = async {
            let series = "pavane_sidecar_door_turned_away_total{why=\"quiet\"} ";
            while !pavane_telemetry::metrics::text().unwrap().contains(series) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(SOON, counting).await.expect("it is counted");
    }

    #[tokio::test]
    async fn whoever_asks_is_answered_and_told_to_go_at_the_end() {
        let mut far = attended();
        far.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        far.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("alive"), "{answer}");
    }

    fn attended() -> DuplexStream {
        let (far, near) = duplex(1024);
        let room = Room { quiet: Duration::from_millis(100), ..Room::of(1) };
        let app = Router::new().route("/", get(async || "alive"));
        let place = room.take().unwrap();
        tokio::spawn(attend(near, app, place, room.quiet, CancellationToken::new()));
        far
    }
}
