//! Waiting for a condition with a bound, so that no test sleeps and none hangs.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// How long one question waits for its answer before it is asked again.
const ANSWER: Duration = Duration::from_secs(10);

/// Asks until there is an answer, at most for `limit`. The error says what was waited for.
pub async fn until<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        if begun.elapsed() >= limit {
            bail!("waited {} s in vain for {what}", limit.as_secs_f32());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether a GET of the address is answered with success within 10 seconds: who is frozen takes a question and never
/// answers it.
pub async fn answers(client: &reqwest::Client, url: &str) -> bool {
    client.get(url).timeout(ANSWER).send().await.is_ok_and(|answer| answer.status().is_success())
}
