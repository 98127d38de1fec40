//! What an alert of a rollout is about, and how that is written down.

/// What an alert of a rollout is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    /// A step.
    Step(usize, Concern),
    /// A phase, or its gate.
    Phase(usize, Wait),
    /// The rollout as a whole.
    Whole(Matter),
}

/// What is the matter with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Concern {
    /// It stands still.
    Stall,
    /// Its event came too early.
    Sequence,
    /// A sidecar does not know what became of its hook.
    Uncertain,
    /// A brake keeps the sentinel from asking for the rollback that the plan wants.
    Withheld,
    /// Its event came when it could count no more.
    Late,
    /// It has stood still for very long.
    Orphan,
}

/// What a phase waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wait {
    /// Someone said that it may not begin.
    Rejected,
    /// Someone must say that it may begin.
    Approval,
    /// Its maintenance window has closed.
    Maintenance,
    /// Nobody is heard of a service of which it moves a share.
    Cohort,
    /// The metric that it is watched by has no value.
    Metric,
}

/// What is the matter with a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Matter {
    /// Its way back did not succeed everywhere.
    Partial,
    /// Its way back stopped above an irreversible step.
    Frozen,
    /// None of its clocks has run for very long.
    Orphan,
    /// A person paused it.
    Paused,
    /// It keeps another one from starting.
    InTheWay,
}

impl About {
    /// What comes first of all that an alert of a rollout may be about.
    pub(crate) const FIRST: Self = Self::Step(0, Concern::Stall);

    /// Whether it is a condition that holds or does not, looked at with every record, and no verdict.
    pub(crate) const fn is_reminder(self) -> bool {
        match self {
            Self::Step(_, concern) => matches!(concern, Concern::Orphan),
            Self::Phase(_, wait) => !matches!(wait, Wait::Rejected),
            Self::Whole(matter) => matches!(matter, Matter::Orphan),
        }
    }

    /// How it is written down: a word, and the place of the step or phase.
    pub(crate) const fn written(self) -> (&'static str, usize) {
        match self {
            Self::Step(i, Concern::Stall) => ("stall", i),
            Self::Step(i, Concern::Sequence) => ("sequence", i),
            Self::Step(i, Concern::Uncertain) => ("uncertain", i),
            Self::Step(i, Concern::Withheld) => ("withheld", i),
            Self::Step(i, Concern::Late) => ("late", i),
            Self::Step(i, Concern::Orphan) => ("orphan_step", i),
            Self::Phase(k, Wait::Rejected) => ("gate", k),
            Self::Phase(k, Wait::Approval) => ("approval", k),
            Self::Phase(k, Wait::Maintenance) => ("maintenance", k),
            Self::Phase(k, Wait::Cohort) => ("cohort", k),
            Self::Phase(k, Wait::Metric) => ("metric", k),
            Self::Whole(Matter::Partial) => ("partial", 0),
            Self::Whole(Matter::Frozen) => ("frozen", 0),
            Self::Whole(Matter::Orphan) => ("orphan", 0),
            Self::Whole(Matter::Paused) => ("paused", 0),
            Self::Whole(Matter::InTheWay) => ("in_the_way", 0),
        }
    }

    /// What was written down so, where a plan has so many steps and phases.
    pub(crate) fn read(word: &str, of: usize, steps: usize, phases: usize) -> Option<Self> {
        let concerns = [
            Concern::Stall,
            Concern::Sequence,
            Concern::Uncertain,
            Concern::Withheld,
            Concern::Late,
            Concern::Orphan,
        ];
        let waits = [Wait::Rejected, Wait::Approval, Wait::Maintenance, Wait::Cohort, Wait::Metric];
        let steps = concerns.into_iter().filter(|_| of < steps).map(|concern| Self::Step(of, concern));
        let phases = waits.into_iter().filter(|_| of < phases).map(|wait| Self::Phase(of, wait));
        let whole = [Matter::Partial, Matter::Frozen, Matter::Orphan, Matter::Paused, Matter::InTheWay]
            .map(Self::Whole);
        steps.chain(phases).chain(whole).find(|about| about.written() == (word, of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_back_and_a_place_that_is_none_is_not() {
        let words = ["stall", "sequence", "uncertain", "withheld", "late", "orphan_step", "gate", "approval"];
        for word in words.into_iter().chain(["maintenance", "cohort", "metric"]) {
            assert_eq!(About::read(word, 2, 3, 3).expect(word).written(), (word, 2));
            assert_eq!(About::read(word, 3, 3, 3), None, "{word}");
        }
        for word in ["partial", "frozen", "orphan", "paused", "in_the_way"] {
            assert_eq!(About::read(word, 0, 1, 0).expect(word).written(), (word, 0));
        }
        assert_eq!(About::read("else", 0, 1, 1), None);
    }
}
