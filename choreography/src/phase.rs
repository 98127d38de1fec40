//! The phases of a hybrid or orchestrated rollout: what the manager opens, and what must hold before the next one.

use pavane_events::{Millis, PhaseId, StepId};
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::instances::Share;
use crate::plan::OnStall;

/// Steps that open together. A phase begins when the one before is complete (every step met, the soak over, the
/// watch passed) and its own approval, where it asks for one, is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// The name of the phase; of its gate too.
    pub id: PhaseId,
    /// The steps that it opens, in the order of the plan.
    pub steps: Vec<StepId>,
    /// Who must say that it may begin; nobody when none is given.
    pub approval: Option<Approval>,
    /// The share of each service's instances that may move; all of them when none is given.
    pub cohort: Option<Share>,
    /// How long all its steps must have been met before it is complete, in milliseconds.
    pub soak: Millis,
    /// The metric that must hold before it is complete.
    pub watch: Option<Watch>,
}

/// A person, or CI in a person's stead, says that a phase may begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The team that is asked; the owner of the rollout by default.
    pub by: String,
}

/// A metric that a phase is watched by from the moment when all its steps are met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The query in the language of Prometheus; its result is one number.
    pub query: String,
    /// What the number must keep to.
    pub bound: Bound,
    /// How long the number must keep to the bound without a break, in milliseconds.
    pub hold: Millis,
    /// How often it is asked for, in milliseconds.
    pub every: Millis,
    /// What the sentinel does when the number breaks the bound.
    pub on_breach: OnStall,
}

/// What a metric must keep to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// No more than this.
    AtMost(Number),
    /// No less than this.
    AtLeast(Number),
}

impl Bound {
    /// Whether a value keeps to the bound; what is not a number never does.
    pub fn holds(&self, value: f64) -> bool {
        let limit = |number: &Number| number.as_f64().unwrap_or(f64::NAN);
        match self {
            Self::AtMost(most) => value <= limit(most),
            Self::AtLeast(least) => value >= limit(least),
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "at most {most}"),
            Self::AtLeast(least) => write!(f, "at least {least}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_no_number_keeps_to_nothing() {
        let most = Bound::AtMost(Number::from_f64(0.01).expect("a number"));
        let least = Bound::AtLeast(Number::from(3));
        assert!(most.holds(0.01) && !most.holds(0.010_1) && !most.holds(f64::NAN));
        assert!(least.holds(3.0) && !least.holds(2.9) && !least.holds(f64::NAN));
        assert_eq!(most.to_string(), "at most 0.01");
    }
}
