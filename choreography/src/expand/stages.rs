//! How phases are spread: a stage for each cohort, and for each zone where zones follow each other.

use pavane_events::Zone;

use crate::instances::Share;
use crate::written::phase::{Order, Zones};

/// One phase as it is meant, before it has steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    /// What is added to the name of the phase.
    pub(crate) suffix: String,
    /// The share that may move; all of them when there is none.
    pub(crate) cohort: Option<Share>,
    /// The share that each step wants, where the phase has cohorts.
    pub(crate) share: Option<Share>,
    /// Whether it is the first cohort, and the last.
    pub(crate) first: bool,
    pub(crate) last: bool,
    /// How each step of the phase stands in it.
    pub(crate) copies: Vec<Copy>,
}

/// One step of the plan that stands for a step of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    /// What is added to the name of the step.
    pub(crate) suffix: String,
    /// The zone whose instances count.
    pub(crate) zone: Option<Zone>,
}

impl Stage {
    /// The stage of what is not spread.
    pub(crate) fn whole() -> Self {
        let copies = vec![Copy { suffix: String::new(), zone: None }];
        Self { suffix: String::new(), cohort: None, share: None, first: true, last: true, copies }
    }
}

/// How many copies a phase makes of each of its steps.
pub(crate) fn count(cohorts: Option<&[Share]>, zones: Option<&Zones>) -> usize {
    cohorts.map_or(1, <[_]>::len).saturating_mul(zones.map_or(1, |zones| zones.names.len()))
}

/// Spreads a phase. Zones in sequence come one after the other, each with its cohorts; zones in parallel stand side
/// by side in every cohort.
pub(crate) fn stages(cohorts: Option<&[Share]>, zones: Option<&Zones>) -> Vec<Stage> {
    match zones {
        None => by_cohort(cohorts, "", &[None]),
        Some(Zones { names, order: Order::Parallel }) => {
            let all: Vec<_> = names.iter().map(Some).collect();
            by_cohort(cohorts, "", &all)
        }
        Some(Zones { names, order: Order::Sequence }) => {
            let of = |zone: &Zone| by_cohort(cohorts, &format!("-{zone}"), &[Some(zone)]);
            names.iter().flat_map(of).collect()
        }
    }
}

fn by_cohort(cohorts: Option<&[Share]>, prefix: &str, zones: &[Option<&Zone>]) -> Vec<Stage> {
    let stage = |share: Option<Share>, first: bool| {
        let percent = share.map_or(String::new(), |share| format!("-{}pct", share.percent()));
        let copy = |zone: Option<&Zone>| Copy {
            suffix: zone.map_or(String::new(), |zone| format!("-{zone}")) + &percent,
            zone: zone.cloned(),
        };
        let (cohort, last) =
            (share.filter(|share| *share != Share::ALL), share.is_none_or(|s| s == Share::ALL));
        let copies = zones.iter().copied().map(copy).collect();
        Stage { suffix: format!("{prefix}{percent}"), cohort, share, first, last, copies }
    };
    match cohorts {
        None => vec![stage(None, true)],
        Some(shares) => shares.iter().enumerate().map(|(at, share)| stage(Some(*share), at == 0)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_in_sequence_go_before_cohorts_and_zones_in_parallel_within_them() {
        let told = |cohorts: Option<&[u32]>, order: Option<Order>| {
            let shares: Option<Vec<_>> = cohorts.map(|c| c.iter().filter_map(|p| Share::new(*p)).collect());
            let zone = |name: &str| Zone::new(name).expect("a zone");
            let zones = order.map(|order| Zones { names: vec![zone("a"), zone("b")], order });
            let stages = stages(shares.as_deref(), zones.as_ref());
            assert_eq!(
                stages.iter().map(|stage| stage.copies.len()).sum::<usize>(),
                count(shares.as_deref(), zones.as_ref())
            );
            let suffixes = |stage: &Stage| stage.copies.iter().map(|c| c.suffix.clone()).collect::<Vec<_>>();
            let lines = stages.iter().map(|stage| format!("{}: {}", stage.suffix, suffixes(stage).join(" ")));
            lines.collect::<Vec<_>>().join("; ")
        };
        assert_eq!(told(None, None), ": ");
        assert_eq!(told(Some(&[5, 100]), None), "-5pct: -5pct; -100pct: -100pct");
        assert_eq!(told(None, Some(Order::Parallel)), ": -a -b");
        assert_eq!(told(None, Some(Order::Sequence)), "-a: -a; -b: -b");
        assert_eq!(
            told(Some(&[5, 100]), Some(Order::Parallel)),
            "-5pct: -a-5pct -b-5pct; -100pct: -a-100pct -b-100pct"
        );
        assert_eq!(
            told(Some(&[5, 100]), Some(Order::Sequence)),
            "-a-5pct: -a-5pct; -a-100pct: -a-100pct; -b-5pct: -b-5pct; -b-100pct: -b-100pct"
        );
    }
}
