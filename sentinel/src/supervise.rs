//! Keeps watch over the tasks: one that ends when nobody asked it to ends the process, loudly, because a
//! sentinel that lacks a part is one that is silently blind.

use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long the tasks may take to end when they are told to.
const DRAIN: Duration = Duration::from_secs(5);

type Ended = (String, anyhow::Result<()>);

/// The tasks of a sentinel.
pub(crate) struct Tasks {
    set: JoinSet<Ended>,
    stop: CancellationToken,
}

impl Tasks {
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { set: JoinSet::new(), stop }
    }

    /// Starts a task that is dropped where it stands when all are told to stop.
    pub(crate) fn spawn(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let stop = self.stop.clone();
        self.spawn_draining(name, async move { stop.run_until_cancelled(task).await.unwrap_or(Ok(())) });
    }

    /// Starts a task that ends by itself when all are told to stop.
    pub(crate) fn spawn_draining(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let name = name.into();
        self.set.spawn(async move { (name, task.await) });
    }

    /// Waits until all have ended after being told to, or until the first ends without.
    pub(crate) async fn watch(mut self) -> anyhow::Result<()> {
        tokio::select! {
            () = self.stop.cancelled() => {}
            Some(ended) = self.set.join_next() => {
                // A task may have seen the order to stop before this one did.
                if !self.stop.is_cancelled() {
                    self.stop.cancel();
                    return Err(early(ended));
                }
            }
        }
        let drained = tokio::time::timeout(DRAIN, async { while self.set.join_next().await.is_some() {} });
        if drained.await.is_err() {
            tracing::warn!(limit = ?DRAIN, left = self.set.len(), "some tasks did not end in time and are cut short");
        }
        Ok(())
    }
}

fn early(ended: Result<Ended, tokio::task::JoinError>) -> anyhow::Error {
    match ended {
        Ok((name, Ok(()))) => anyhow!("the task {name:?} ended; restart the process"),
        Ok((name, Err(error))) => {
            Err::<(), _>(error).with_context(|| format!("the task {name:?} failed")).expect_err("an error")
        }
        Err(error) => anyhow!("a task panicked: {error}; restart the process"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_ends_the_process_and_is_named() {
        for (name, end) in [("reader", Ok(())), ("writer", Err(anyhow!("the disk is full")))] {
            let mut tasks = Tasks::new(CancellationToken::new());
            tasks.spawn("other", std::future::pending());
            tasks.spawn(name, async move { end });
            let error = tasks.watch().await.expect_err("ended");
            assert!(format!("{error:#}").contains(name), "{error:#}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_ends_the_process() {
        let mut tasks = Tasks::new(CancellationToken::new());
        tasks.spawn("other", std::future::pending());
        tasks.spawn("clumsy", async { panic!("slipped") });
        assert!(tasks.watch().await.expect_err("ended").to_string().contains("slipped"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_to_stop_is_a_good_end_even_when_something_hangs() {
        let stop = CancellationToken::new();
        let mut tasks = Tasks::new(stop.clone());
        tasks.spawn("reader", std::future::pending());
        tasks.spawn_draining("stubborn", std::future::pending());
        stop.cancel();
        assert!(tasks.watch().await.is_ok());
    }
}
