//! What somebody asks for by its name: silence about a name that nobody bears would look like nothing to tell.

use std::collections::BTreeSet;

use pavane_events::{Entry, RolloutId};
use pavane_sentinel_engine::View;

use super::comparison::Compared;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::why::near;

/// The rollouts that are asked for and of which nothing was read yet.
#[derive(Debug)]
pub struct Asked(BTreeSet<RolloutId>);

impl Asked {
    /// Nothing was read of any of them.
    pub fn new(rollouts: &[RolloutId]) -> Self {
        Self(rollouts.iter().cloned().collect())
    }

    /// Takes the next record.
    pub fn read(&mut self, entry: &Entry) {
        if let Entry::Event(record) = entry
            && let Some(rollout) = &record.event.envelope.rollout
        {
            self.0.remove(rollout);
        }
    }

    /// Fails by the first of which nothing was read, and nothing is known from a snapshot either.
    pub fn all_found(&self, view: &View) -> Result<(), Failure> {
        let is_known = |id: &RolloutId| view.rollouts.iter().any(|rollout| rollout.id == *id);
        match self.0.iter().find(|id| !is_known(id)) {
            None => Ok(()),
            Some(id) => {
                Err(Failure::new(Exit::Findings, format!("nothing that was read is of rollout {id}"))
                    .help(near(id, view)))
            }
        }
    }
}

/// That nothing was compared, where no rollout is concerned.
pub fn nobody(compared: &Compared, view: &View) -> Option<String> {
    if !compared.rollouts.is_empty() {
        return None;
    }
    let danced: BTreeSet<&str> = view.rollouts.iter().map(|rollout| rollout.choreography.as_str()).collect();
    let known = match danced.len() {
        0 => "no rollout has started there".to_owned(),
        _ => format!("what was danced there: {}", danced.into_iter().collect::<Vec<_>>().join(", ")),
    };
    Some(format!(
        "warning: nothing was compared: in the range no rollout of {} began that was asked for; {known}. Rollouts of \
         another choreography are compared where --rollout names them",
        compared.plan
    ))
}
