//! What holds for the domain, as its log says it: which `DomainConfigured` is in force where.
//!
//! The grace is a rollout's: it keeps the one that was in force where it started, as it keeps its plan. All else is the
//! domain's: a brake that somebody pulls acts on what is proposed from there on.

use pavane_events::Millis;
use pavane_events::control::DomainConfigured;

use crate::rollout::Rollout;

/// The most automatic rollbacks that a budget can count.
const BUDGET: i64 = 1_000;

/// What was configured, and from where on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// By offset, the oldest first. What held before the first is as by default.
    pub(crate) configured: Vec<(i64, DomainConfigured)>,
    newest: DomainConfigured,
}

impl Settings {
    /// Takes what holds from an offset on. What no rollout is judged by any more is forgotten: `oldest` is the offset at
    /// which the oldest one that is remembered started.
    pub(crate) fn configure(&mut self, offset: i64, mut said: DomainConfigured, oldest: i64) {
        said.rollback_budget = said.rollback_budget.clamp(0, BUDGET);
        let lengths = [
            &mut said.grace_ms,
            &mut said.rollback_window_ms,
            &mut said.cool_down_ms,
            &mut said.orphan_after_ms,
            &mut said.drift_after_ms,
        ];
        for length in lengths {
            *length = (*length).clamp(0, LONGEST);
        }
        let kept = self.configured.partition_point(|(from, _)| *from <= oldest).saturating_sub(1);
        self.configured.drain(..kept);
        self.newest = said.clone();
        self.configured.push((offset, said));
    }

    /// What holds at the end of what was read.
    pub(crate) const fn newest(&self) -> &DomainConfigured {
        &self.newest
    }

    /// Where it was said; none while nobody has said anything.
    pub(crate) fn since(&self) -> Option<i64> {
        self.configured.last().map(|(offset, _)| *offset)
    }

    /// How long after a deadline a stall of this rollout is accepted.
    pub(crate) fn grace(&self, rollout: &Rollout) -> Millis {
        let after = self.configured.partition_point(|(from, _)| *from < rollout.started.offset());
        let in_force = after.checked_sub(1).map(|place| &self.configured[place].1);
        in_force.map_or(crate::clock::GRACE, |said| said.grace_ms)
    }
}

/// The longest time that can be configured: a year.
const LONGEST: Millis = 366 * 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_rollout_is_judged_by_is_forgotten() {
        let mut settings = Settings::default();
        let grace = |grace_ms| DomainConfigured { grace_ms, ..DomainConfigured::default() };
        for offset in [3, 7, 9] {
            settings.configure(offset, grace(offset), 0);
        }
        assert_eq!(settings.configured.len(), 3, "a rollout may have started before them");
        settings.configure(20, grace(20), 8);
        let kept: Vec<i64> = settings.configured.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(kept, [7, 9, 20], "the one at 7 holds for whoever started at 8");
        assert_eq!(settings.newest().grace_ms, 20);
    }
}
