//! `pavane configure`: what holds for a whole domain, as one record on its log.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use pavane_choreography::yaml::lasting;
use pavane_events::control::DomainConfigured;
use pavane_events::{Domain, Millis};
use pavane_sentinel_engine::View;
use serde::Serialize;

use crate::commands::Context;
use crate::commands::orders::Grounds;
use crate::commands::start::length;
use crate::failure::{Failure, counted};
use crate::fold::Fold;
use crate::outage;
use crate::speaker::{self, Said};

/// Sets what holds for a whole domain: its grace, its brakes on automatic rollbacks, when people are reminded.
///
/// What is not given stays as it is in force; `pavane status` shows it. The record stands on the log, so every sentinel
/// judges by it from the same offset on: brakes and reminders at once, also for rollouts that are open; the grace for
/// rollouts that start after it. A rollback that a person asks for is never held back.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane configure shop --rollback-budget 5/1h --reason 'many small services'
  pavane configure shop --rollback-budget 0/1h --reason 'incident 7'    no automatic rollbacks
  pavane configure shop --grace 2s --reason 'brokers part by up to 1.7 s'")]
pub struct Configure {
    /// The domain; the one of --domain where none is named.
    #[arg(value_name = "DOMAIN")]
    of: Option<Domain>,
    /// How long after a deadline a stall is told: 250 ms and the broker's skew.
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    grace: Option<Duration>,
    /// How many rollbacks the sentinel may ask for by itself, within how long; 3/1h unless set, 0/1h for none.
    #[arg(long, value_name = "N/LENGTH")]
    rollback_budget: Option<Budget>,
    /// How long a service is not asked back to the same version again by itself; 10m unless set.
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    cool_down: Option<Duration>,
    /// How long a rollout may stand still, and a step stalled, before people are reminded; 24h unless set.
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    orphan_after: Option<Duration>,
    /// How long an instance must report another version than was left before people are told; 1m unless set.
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    drift_after: Option<Duration>,
    /// Why.
    #[command(flatten)]
    grounds: Grounds,
}

/// So many within so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Budget {
    many: i64,
    within: Duration,
}

impl FromStr for Budget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        /// The most that the engine counts.
        const MOST: i64 = 1_000;
        let wrong =
            || format!("{text:?} is not a budget such as 3/1h: how many, at most {MOST}, within how long");
        let (many, within) = text.split_once('/').ok_or_else(wrong)?;
        let many = many.parse().ok().filter(|many| (0..=MOST).contains(many)).ok_or_else(wrong)?;
        Ok(Self { many, within: length(within)? })
    }
}

/// What was said, and where.
#[derive(Serialize)]
struct Told {
    domain: Domain,
    #[serde(flatten)]
    said: Said,
    configured: DomainConfigured,
}

impl Configure {
    /// Says it, on top of what is in force.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let bus = context.connection.bus().await?;
        let domain = match &self.of {
            Some(domain) => domain.clone(),
            None => context.connection.domain()?,
        };
        let configured = self.over(Fold::of(&bus, &domain).await?.view().configured);
        let event = speaker::event(&domain, None, configured.clone());
        let writer = bus.writer().await.map_err(outage::of)?;
        let appended = writer.append(&event).await.map_err(outage::of)?;
        let said = Said::new(event.envelope.id, appended);
        let place = format!("from partition {} offset {} on", said.partition, said.offset);
        let human = format!("{domain}, {place}: {}\n", rules(&configured));
        context.console.data(&human, &Told { domain, said, configured })
    }

    /// What holds where this is said on top of what held.
    fn over(self, mut set: DomainConfigured) -> DomainConfigured {
        let put = |field: &mut Millis, given: Option<Duration>| {
            if let Some(length) = given {
                *field = i64::try_from(length.as_millis()).unwrap_or(Millis::MAX);
            }
        };
        put(&mut set.grace_ms, self.grace);
        put(&mut set.rollback_window_ms, self.rollback_budget.map(|budget| budget.within));
        put(&mut set.cool_down_ms, self.cool_down);
        put(&mut set.orphan_after_ms, self.orphan_after);
        put(&mut set.drift_after_ms, self.drift_after);
        set.rollback_budget = self.rollback_budget.map_or(set.rollback_budget, |budget| budget.many);
        (set.by, set.reason) = self.grounds.said();
        set
    }
}

/// What is in force, in two lines.
pub fn rules(set: &DomainConfigured) -> String {
    let budget = match set.rollback_budget {
        0 => "no automatic rollbacks".to_owned(),
        many => {
            let many = counted(usize::try_from(many).unwrap_or_default(), "automatic rollback");
            format!("{many} in {}", lasting(set.rollback_window_ms))
        }
    };
    format!(
        "grace {} · {budget} · cool-down {}\n          reminded after {} · drift told after {}",
        lasting(set.grace_ms),
        lasting(set.cool_down_ms),
        lasting(set.orphan_after_ms),
        lasting(set.drift_after_ms)
    )
}

/// What is in force in a domain, and where that was said, in a line or two.
pub fn in_force(view: &View) -> String {
    let set = &view.configured;
    let said = view.configured_at.map_or_else(
        || "as by default".to_owned(),
        |offset| {
            let why = crate::picture::plain(&set.reason);
            format!("said by {} at offset {offset}: {why}", crate::picture::plain(&set.by))
        },
    );
    format!("in force: {}\n  {said}\n", rules(set))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// The command alone.
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        configure: Configure,
    }

    fn given(line: &[&str]) -> Configure {
        let line = ["configure"].iter().chain(line).chain(&["--reason", "r", "--by", "ann"]);
        Line::try_parse_from(line).expect("a sound line").configure
    }

    #[test]
    fn what_is_not_given_stays_as_it_is_in_force() {
        let before = DomainConfigured { cool_down_ms: 5, reason: "old".to_owned(), ..Default::default() };
        let set = given(&["shop", "--rollback-budget", "5/2h", "--orphan-after", "48h"]).over(before);
        assert_eq!((set.rollback_budget, set.rollback_window_ms), (5, 7_200_000));
        assert_eq!((set.cool_down_ms, set.orphan_after_ms, set.grace_ms), (5, 172_800_000, 250));
        assert_eq!((set.by.as_str(), set.reason.as_str()), ("ann", "r"));
    }

    #[test]
    fn a_budget_is_a_number_and_a_length() {
        let budget = |text: &str| text.parse::<Budget>();
        assert_eq!(budget("0/1h").map(|budget| budget.many), Ok(0));
        for wrong in ["3", "x/1h", "-1/1h", "1001/1h", "3/", "3/soon"] {
            assert!(budget(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_in_force_is_two_lines_that_people_can_read() {
        let lines = "grace 250ms · 3 automatic rollbacks in 1h · cool-down 10m\n          reminded after 1d · drift told after 1m";
        assert_eq!(rules(&DomainConfigured::default()), lines);
        let none = DomainConfigured { rollback_budget: 0, ..DomainConfigured::default() };
        assert!(rules(&none).contains("· no automatic rollbacks · cool-down"));
    }
}
