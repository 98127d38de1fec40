//! `pavane pause`, `resume`, `abort`, `rollback`, `override`, `hold`, `release`, `begin-anew`: what a person may say to the
//! dance, one record each.

use clap::Args;
use pavane_bus::Bus;
use pavane_events::command::{
    DomainHeld, DomainReleased, RollbackRequested, RolloutAborted, RolloutPaused, RolloutResumed,
    StepOverridden,
};
use pavane_events::{Body, Domain, RolloutId, StepId};

use crate::commands::Context;
use crate::failure::Failure;
use crate::fold::Fold;
use crate::outage;
use crate::speaker::{self, Said, Voice};

/// An order to one rollout.
#[derive(Args, Debug)]
pub struct Order {
    /// The rollout.
    rollout: RolloutId,
    /// Why.
    #[command(flatten)]
    grounds: Grounds,
}

/// An order to count one step as met.
#[derive(Args, Debug)]
pub struct Override {
    /// The rollout.
    rollout: RolloutId,
    /// The step.
    step: StepId,
    /// Why.
    #[command(flatten)]
    grounds: Grounds,
}

/// Who orders it, and why.
#[derive(Args, Debug)]
pub struct Grounds {
    /// Why; stands on the log and in the audit.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who.
    #[command(flatten)]
    voice: Voice,
}

/// What a rollout is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Stop the clocks.
    Pause,
    /// Let them run on.
    Resume,
    /// End where it stands.
    Abort,
    /// Go back.
    Rollback,
}

impl Order {
    /// Says it, after a look whether there is such a rollout.
    pub async fn run(self, context: Context<'_>, verb: Verb) -> Result<(), Failure> {
        let (bus, domain) = (context.connection.bus().await?, context.connection.domain()?);
        let epoch = Fold::of(&bus, &domain).await?.next_epoch(&self.rollout)?;
        let body = self.grounds.body(verb, epoch);
        say(&bus, &domain, Some(&self.rollout), body, context).await
    }
}

impl Override {
    /// Says it, after a look whether there is such a step.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let (bus, domain) = (context.connection.bus().await?, context.connection.domain()?);
        Fold::of(&bus, &domain).await?.step(&self.rollout, &self.step)?;
        let Grounds { reason, voice } = self.grounds;
        let body = StepOverridden { step: self.step, by: voice.by, reason };
        say(&bus, &domain, Some(&self.rollout), body.into(), context).await
    }
}

impl Grounds {
    /// Who says it, and why.
    pub(super) fn said(self) -> (String, String) {
        (self.voice.by, self.reason)
    }

    /// Stops the clocks of the domain.
    pub async fn hold(self, context: Context<'_>) -> Result<(), Failure> {
        let (bus, domain) = (context.connection.bus().await?, context.connection.domain()?);
        let body = DomainHeld { by: self.voice.by, reason: self.reason };
        say(&bus, &domain, None, body.into(), context).await
    }

    /// Lets the clocks of the domain run on.
    pub async fn release(self, context: Context<'_>) -> Result<(), Failure> {
        let (bus, domain) = (context.connection.bus().await?, context.connection.domain()?);
        let body = DomainReleased { by: self.voice.by, reason: self.reason };
        say(&bus, &domain, None, body.into(), context).await
    }

    /// Lets the domain begin anew: what stands on its log so far counts no more.
    pub async fn begin_anew(self, context: Context<'_>) -> Result<(), Failure> {
        let (bus, domain) = (context.connection.bus().await?, context.connection.domain()?);
        let body = DomainReleased { by: self.voice.by, reason: self.reason };
        let event = speaker::event(&domain, None, body);
        let appended = pavane_sentinel::begin_anew(&bus, &domain, &event).await.map_err(outage::of)?;
        let said = Said::new(event.envelope.id, appended);
        let human = format!(
            "{domain} begins anew after partition {} offset {}; start its sentinels\n",
            said.partition, said.offset
        );
        context.console.data(&human, &said)
    }

    fn body(self, verb: Verb, epoch: i64) -> Body {
        let Self { reason, voice: Voice { by } } = self;
        match verb {
            Verb::Pause => RolloutPaused { by, reason, accepted: None }.into(),
            Verb::Resume => RolloutResumed { by, reason }.into(),
            Verb::Abort => RolloutAborted { by, reason }.into(),
            Verb::Rollback => {
                RollbackRequested { epoch, attempt: 1, by, reason, ..RollbackRequested::default() }.into()
            }
        }
    }
}

async fn say(
    bus: &Bus,
    domain: &Domain,
    rollout: Option<&RolloutId>,
    body: Body,
    context: Context<'_>,
) -> Result<(), Failure> {
    let event = speaker::event(domain, rollout, body);
    let name = event.body.event_type();
    let writer = bus.writer().await.map_err(outage::of)?;
    let appended = writer.append(&event).await.map_err(outage::of)?;
    let said = Said::new(event.envelope.id, appended);
    let human = format!("{name} stands at partition {} offset {}\n", said.partition, said.offset);
    context.console.data(&human, &said)
}
