//! How a sidecar ends in order: the service drained, hooks ended, what was said brought to the broker.
//!
//! The log is not read any more, so nothing new begins. A hook that the plan calls non-interruptible is waited for however
//! long it takes; any other is ended with its whole process group when the time is nearly over, and the next start finds
//! out what it did.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pavane_sidecar_engine::Input;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::heartbeat;
use crate::sidecar::{Sidecar, Sources, ended};

/// What is kept of the grace to end a program that does not answer, and to flush; at most half of it.
const RESERVE: Duration = Duration::from_secs(8);
/// What is left to the client when everything has been answered for.
const LAST: Duration = Duration::from_millis(250);
/// What is waited for however long it takes.
const EVER: Duration = Duration::from_hours(24 * 365);

impl Sidecar {
    /// Ends what was begun, within the grace.
    pub(crate) async fn finish(mut self, sources: &mut Sources) -> Result<(), Error> {
        let grace = self.config.grace;
        let until = Instant::now() + grace;
        let reserve = RESERVE.min(grace / 2);
        self.stopping = true;
        self.beat()?;
        let (hooks, outbox) = (self.hooks.len(), self.outbox.depth());
        tracing::info!(hooks, outbox, grace_s = grace.as_secs(), "stopping");
        if !self.shared.is_bereft() {
            self.drain(sources, until - reserve).await?;
        }
        self.end_hooks(sources, until - reserve, until).await?;
        self.outbox.write_all()?;
        let waiting = self.outbox.drain(until.saturating_duration_since(Instant::now())).await;
        if waiting > 0 {
            self.outbox.write_all()?;
            tracing::warn!(
                waiting,
                "the journal keeps what the broker does not have; the next start sends it"
            );
        }
        self.errands.shutdown().await;
        drop(self.closer);
        let left = until.saturating_duration_since(Instant::now());
        if let Err(error) = self.writer.flush(left.max(LAST)).await {
            tracing::warn!("failed to {error}");
        }
        tracing::info!("stopped");
        Ok(())
    }

    /// Drains the service, where the file says how.
    async fn drain(&mut self, sources: &mut Sources, until: Instant) -> Result<(), Error> {
        let Some(drain) = self.config.drain.clone() else { return Ok(()) };
        let (desk, cut, done) =
            (self.desk.clone(), CancellationToken::new(), Arc::new(AtomicBool::new(false)));
        let (drained, token) = (done.clone(), cut.clone());
        self.errands.spawn(async move {
            let answer = desk.drain_once(&drain, &token).await;
            tracing::info!(status = answer.status().as_u16(), "the service was asked to drain");
            drained.store(true, Ordering::Release);
        });
        let in_time = self.go_on(sources, until, |_| done.load(Ordering::Acquire)).await?;
        if !in_time {
            tracing::error!("the service has not been drained in time; it is stopped with work in flight");
            cut.cancel();
        }
        Ok(())
    }

    /// Waits for the hooks that run, and ends those that may be ended when their time is over.
    async fn end_hooks(&mut self, sources: &mut Sources, soft: Instant, hard: Instant) -> Result<(), Error> {
        let none = |sidecar: &Self| sidecar.hooks.is_empty();
        if self.go_on(sources, soft, none).await? {
            return Ok(());
        }
        if !self.engine.may_be_cut_off() {
            tracing::error!(
                "a hook that is not to be interrupted still runs; it is waited for, whatever the grace"
            );
            return self.go_on(sources, Instant::now() + EVER, none).await.map(drop);
        }
        tracing::error!("a hook has not ended in time and is ended; the next start finds out what it did");
        self.cutting = true;
        self.hooks.values().for_each(CancellationToken::cancel);
        self.go_on(sources, hard, none).await.map(drop)
    }

    /// Goes on with what is under way until something holds (then true) or the time is over.
    async fn go_on(
        &mut self,
        sources: &mut Sources,
        until: Instant,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<bool, Error> {
        let mut beat = interval(heartbeat::EVERY);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !holds(self) {
            tokio::select! {
                biased;
                () = sleep_until(until) => return Ok(false),
                Some(part) = self.parts.join_next() => {
                    // The door closes when it is told to stop.
                    if !matches!(&part, Ok((_, Ok(())))) {
                        return Err(ended(part));
                    }
                }
                Some(errand) = self.errands.join_next() => {
                    if let Err(error) = errand {
                        tracing::error!(%error, "a hook, a question or a dead letter has ended by itself");
                    }
                }
                _ = beat.tick() => self.beat()?,
                Some(fact) = sources.facts.recv() => self.tell_last(fact)?,
            }
        }
        Ok(true)
    }

    /// Tells the engine a fact at the end. What became of a hook that was cut off is not one: the journal says that it
    /// was running, and the next start asks the service.
    fn tell_last(&mut self, fact: Input) -> Result<(), Error> {
        match fact {
            Input::HookEnded { ticket, .. } if self.cutting => {
                self.hooks.remove(&ticket);
                Ok(())
            }
            Input::HookEnded { .. }
            | Input::Observed(_)
            | Input::CaughtUp { .. }
            | Input::VersionObserved { .. }
            | Input::HookReported { .. }
            | Input::KnownGood(_)
            | Input::Probed { .. }
            | Input::Assessed { .. }
            | Input::Tick => self.tell(fact),
        }
    }
}
