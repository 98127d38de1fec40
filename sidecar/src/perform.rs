//! Carries the engine's orders out: first what must be durable, in one transaction, then the rest.

use std::time::Duration;

use pavane_events::{Envelope, EventId, Unreadable};
use pavane_sidecar_engine::input::Failure;
use pavane_sidecar_engine::{Call, Effect, HookOutcome, Input, Job, Stage};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use crate::error::Error;
use crate::failpoint::pass;
use crate::journal::Batch;
use crate::letter::Content;
use crate::question;
use crate::shared::Shared;
use crate::sidecar::Sidecar;
use crate::span::context_of;
use crate::telemetry;

/// How often a dead letter is tried, and how long apart.
const TRIES: u32 = 5;
const APART: Duration = Duration::from_secs(2);

impl Sidecar {
    /// Carries out what the engine orders.
    pub(crate) fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), Error> {
        let (batch, said) = self.batch(&effects);
        if !(batch.is_empty() && said.is_empty()) {
            // Written and synced before anything else happens; the disk takes a few milliseconds.
            pass("ordered");
            self.outbox.write(batch, said)?;
            pass("intended");
        }
        for effect in effects {
            match effect {
                Effect::ObserveVersion { ticket } => self.observe(ticket),
                Effect::RunHook(call) => self.begin_hook(*call),
                Effect::CutOff { ticket } => {
                    if let Some(hook) = self.hooks.get(&ticket) {
                        hook.cancel();
                    }
                }
                Effect::Probe { ticket, reaction } => self.probe(ticket, &reaction),
                Effect::Assess { ticket } => self.shared.assess(ticket),
                Effect::DeadLetter { unreadable } => self.set_aside(*unreadable),
                Effect::Tell(notice) => telemetry::odd(&notice),
                Effect::Write(_) | Effect::WriteRejected(_) | Effect::Say(_) => {}
            }
        }
        Ok(())
    }

    /// What of the orders must be durable first.
    fn batch(&mut self, effects: &[Effect]) -> (Batch, Vec<(Envelope, Content)>) {
        let (mut batch, mut said) = (Batch::default(), Vec::new());
        let mut span = Span::none();
        for effect in effects {
            match effect {
                Effect::Write(job) => {
                    span = self.spans.of(job);
                    if let Stage::Over(ending) = job.stage {
                        telemetry::ended(&job.key.reaction, &job.key.rollout, ending);
                    }
                    self.forget(job, &mut batch);
                    batch.jobs.push((**job).clone());
                }
                Effect::WriteRejected(offset) => {
                    span = Span::none();
                    batch.rejected.push(*offset);
                }
                Effect::Say(event) => {
                    let mut envelope = event.envelope.clone();
                    envelope.traceparent = context_of(&span);
                    said.push((envelope, Content::Own(event.body.clone())));
                }
                Effect::RunHook(call) => batch.callbacks.extend(self.caller.expect(call)),
                Effect::ObserveVersion { .. }
                | Effect::CutOff { .. }
                | Effect::Probe { .. }
                | Effect::Assess { .. }
                | Effect::DeadLetter { .. }
                | Effect::Tell(_) => {}
            }
        }
        (batch, said)
    }

    /// Takes out what was noted of a run and is of no use at this stage any more.
    fn forget(&self, job: &Job, batch: &mut Batch) {
        let Some(run) = job.announced.as_ref().map(EventId::as_str) else { return };
        if !matches!(job.stage, Stage::Running | Stage::Working { .. }) && self.caller.callbacks.forget(run) {
            batch.callbacks.push((run.to_owned(), None));
        }
        if matches!(job.stage, Stage::Over(_)) && self.caller.progress.forget(run) {
            batch.steps.push((run.to_owned(), None));
        }
    }

    fn observe(&mut self, ticket: u64) {
        let (client, config, facts) = (self.caller.client.clone(), self.config.clone(), self.facts.clone());
        self.errands.spawn(async move {
            let version = question::version(&client, &config.version).await;
            // The receiver goes only when the sidecar ends.
            drop(facts.send(Input::VersionObserved { ticket, version }));
        });
    }

    fn probe(&mut self, ticket: u64, reaction: &str) {
        let found = self.config.reactions.iter().find(|known| known.terms.name() == reaction);
        let question = found.and_then(|reaction| reaction.ready.clone());
        let (client, facts) = (self.caller.client.clone(), self.facts.clone());
        self.errands.spawn(async move {
            let result = match &question {
                Some(question) => question::well(&client, question).await,
                None => Ok(()),
            };
            drop(facts.send(Input::Probed { ticket, result }));
        });
    }

    /// Calls the hooks that were held, once no other sidecar says that it is this one.
    pub(crate) fn call_held(&mut self) {
        if !self.is_barred() {
            for call in std::mem::take(&mut self.held) {
                self.run_hook(call);
            }
        }
    }

    fn begin_hook(&mut self, call: Call) {
        if self.is_barred() {
            tracing::error!(reaction = call.reaction, "the hook is held back");
            self.held.push(call);
        } else {
            self.run_hook(call);
        }
    }

    fn is_barred(&self) -> bool {
        self.stopping || self.shared.twin().is_some()
    }

    fn run_hook(&mut self, call: Call) {
        let (config, shared) = (self.config.clone(), self.shared.clone());
        let (caller, facts, cut) = (self.caller.clone(), self.facts.clone(), CancellationToken::new());
        self.hooks.insert(call.ticket, cut.clone());
        let (span, traceparent) = self.spans.hook(&call);
        let within = span.clone();
        let errand = async move {
            let found = config.reactions.iter().find(|known| known.terms.name() == call.reaction);
            let outcome = match found {
                Some(reaction) => caller.carry_out(reaction, &call, traceparent.as_deref(), &cut).await,
                None => HookOutcome::Failed(Failure {
                    reason: format!("the sidecar's file has no reaction on {}", call.reaction),
                    ..Failure::default()
                }),
            };
            let restart = found.and_then(|reaction| reaction.run.as_ref()).is_some_and(|run| run.restart);
            let restarts = restart && outcome == HookOutcome::Done;
            let outcome = if restarts { restarted(&shared).await } else { outcome };
            within.record("pavane.hook.outcome", word(&outcome));
            pass("hook told");
            drop(facts.send(Input::HookEnded { ticket: call.ticket, outcome }));
        };
        self.errands.spawn(errand.instrument(span));
    }

    /// Copies a record that cannot be used to the dead letters; where it cannot be read the sentinel does so too, under the
    /// same id.
    fn set_aside(&mut self, unreadable: Unreadable) {
        let offset = unreadable.offset;
        let Some(raw) = self.at_hand.get(&offset).cloned() else {
            return telemetry::dead_letter(offset, Some(&"find the record: too many were set aside at once"));
        };
        let writer = self.writer.clone();
        self.errands.spawn(async move {
            let mut tries = 1;
            let failed = loop {
                match writer.dead_letter(&raw, &unreadable).await {
                    Ok(_) => break None,
                    Err(error) if tries < TRIES && error.is_transient() => {
                        telemetry::trouble("set aside", &error, APART);
                    }
                    Err(error) => break Some(error.to_string()),
                }
                tries += 1;
                tokio::time::sleep(APART).await;
            };
            telemetry::dead_letter(offset, failed.as_ref().map(|error| error as &dyn std::fmt::Display));
        });
    }
}

/// Starts the wrapped process anew, behind a hook that has done its work.
async fn restarted(shared: &Shared) -> HookOutcome {
    let none = || "the hook is to be followed by a restart, and the sidecar wraps no process".to_owned();
    let ran = match shared.process.get() {
        Some(process) => process.restart().await,
        None => Err(none()),
    };
    match ran {
        Ok(()) => HookOutcome::Done,
        Err(why) => {
            let reason = format!("{why}: start the service by `pavane sidecar -- COMMAND`");
            HookOutcome::Failed(Failure { reason, ..Failure::default() })
        }
    }
}

const fn word(outcome: &HookOutcome) -> &'static str {
    match outcome {
        HookOutcome::Done => "done",
        HookOutcome::InProgress { .. } => "in_progress",
        HookOutcome::Retry(_) => "retry",
        HookOutcome::Failed(_) => "failed",
    }
}
