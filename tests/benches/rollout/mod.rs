//! The rollouts that benches start.

use anyhow::Result;
use pavane_events::command::RolloutStarted;
use pavane_events::{Domain, Envelope, Event, EventId, RolloutId, Source};
use pavane_sentinel_engine::RULES;

/// The start of a rollout of this choreography, under this name.
pub(crate) fn start(domain: &Domain, name: &str, choreography: &str) -> Result<Event> {
    let plan = pavane_choreography::read(choreography, "bench.yaml");
    let plan = plan.map_err(|defects| anyhow::anyhow!("the choreography is not good: {defects:?}"))?;
    let source = Source::new(format!("/pavane/{domain}/bench"))?;
    let mut envelope = Envelope::new(domain.clone(), source, EventId::new(format!("start-{name}"))?);
    envelope.rollout = Some(RolloutId::new(name)?);
    let body = RolloutStarted {
        choreography: plan.name.clone(),
        plan_digest: plan.digest(),
        plan: plan.to_json(),
        rules: RULES,
        by: "bench".to_owned(),
        reason: String::new(),
    };
    Ok(Event { envelope, body: body.into() })
}
