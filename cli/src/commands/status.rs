//! `pavane status`: how rollouts stand, at this moment.

use clap::Args;
use pavane_choreography::yaml::lasting;
use pavane_events::{RolloutId, Timestamp, Version};
use pavane_sentinel_engine::{DriftView, ScheduleView, SkewView};

use crate::commands::{Context, configure};
use crate::failure::Failure;
use crate::fold::Fold;
use crate::picture;

/// Shows how rollouts stand.
///
/// Which step has moved, which is awaited, since when, and what is missing and why. The log is folded by the same engine that the sentinel judges with; nothing is written.
#[derive(Args, Debug)]
#[command(after_help = "\
Each step stands with a symbol and a word:
  ✓ done  ▶ running  ○ awaited  · waiting  ◎ holding  ✗ stalled  ◀ going back  ↺ rolled back  ! not back
and each phase above its steps:
  ✓ complete  ▶ open  ◎ soaking  ◉ watched  ? awaits approval  ○ may begin  · waiting")]
pub struct Status {
    /// One rollout; without it, the open ones in full and the newest ended ones in a line each.
    rollout: Option<RolloutId>,
}

/// How many ended rollouts are listed.
const ENDED: usize = 10;

impl Status {
    /// Shows it.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let domain = context.connection.domain()?;
        let bus = context.connection.bus().await?;
        let fold = Fold::of(&bus, &domain).await?;
        match &self.rollout {
            Some(id) => {
                let rollout = fold.known(id)?;
                context.console.data(&picture::list(&rollout, fold.time()), &rollout)
            }
            None => context.console.data(&overview(&fold), &fold.view()),
        }
    }
}

/// An instance that runs another version than the last rollout of its service left, in a line.
fn drift(drift: &DriftView) -> String {
    let left = drift.left.as_ref().map_or_else(String::new, |left| {
        let versions: Vec<&str> = left.versions.iter().map(Version::as_str).collect();
        format!("; {} left {}", left.rollout, versions.join(" or "))
    });
    format!("  {} of {} runs {}{left}\n", drift.instance, drift.service, drift.version)
}

/// Versions that run together and should not, in a line.
fn skew(skew: &SkewView, now: Timestamp) -> String {
    format!("  {}; told {} ago\n", skew.summary, lasting(now.since(skew.since).max(0) / 1_000 * 1_000))
}

/// By when a choreography is to start again, in a line.
fn schedule(schedule: &ScheduleView, now: Timestamp) -> String {
    let ScheduleView { choreography, every_ms, rollout, due_at, missed, .. } = schedule;
    // to the second: nobody waits for a millisecond
    let seconds = |length: i64| lasting(length / 1_000 * 1_000);
    let left = if *missed {
        format!("missed {} ago", seconds(now.since(*due_at)))
    } else {
        format!("{} left", seconds(due_at.since(now)))
    };
    format!("  {choreography} every {}: {left}; {rollout} was the last\n", lasting(*every_ms))
}

/// The open rollouts of a domain as lists, and its newest ended ones in a line each.
pub fn overview(fold: &Fold) -> String {
    let (view, now) = (fold.view(), fold.time());
    let (ended, open): (Vec<_>, Vec<_>) =
        view.rollouts.iter().partition(|rollout| picture::is_over(rollout.status));
    let mut parts: Vec<String> = open.iter().map(|rollout| picture::list(rollout, now)).collect();
    if open.is_empty() {
        parts.push(format!("no rollout is open in {}\n", view.domain));
    }
    if view.held {
        parts.insert(0, format!("{} is held: the clocks of all its rollouts stand still\n", view.domain));
    }
    let lines = ended.iter().take(ENDED).map(|rollout| format!("  {}\n", picture::line(rollout, now)));
    let ended: String = lines.collect();
    if !ended.is_empty() {
        parts.push(format!("ended:\n{ended}"));
    }
    let drift: String = view.drift.iter().map(drift).collect();
    if !drift.is_empty() {
        parts.push(format!("runs another version than was left:\n{drift}"));
    }
    let skewed: String = view.skew.iter().map(|one| skew(one, now)).collect();
    if !skewed.is_empty() {
        parts.push(format!("runs together, and does not by its plan:\n{skewed}"));
    }
    let schedules: String = view.schedules.iter().map(|one| schedule(one, now)).collect();
    if !schedules.is_empty() {
        parts.push(format!("to start again:\n{schedules}"));
    }
    parts.push(configure::in_force(&view));
    parts.join("\n")
}

#[cfg(test)]
mod tests {
    use pavane_events::Service;

    use super::*;

    #[test]
    fn what_runs_together_and_should_not_says_since_when_it_is_told() {
        let [service, with] = ["users", "db"].map(|name| Service::new(name).expect("a name"));
        let [version, with_version] = ["2.0.0", "4.0.0"].map(|text| Version::new(text).expect("a version"));
        let summary = "users 2.0.0 runs beside db 4.0.0, and wants >=5".to_owned();
        let told = SkewView { service, version, with, with_version, summary, since: Timestamp(1_000) };
        let line = skew(&told, Timestamp(66_400));
        assert_eq!(line, "  users 2.0.0 runs beside db 4.0.0, and wants >=5; told 1m5s ago\n");
    }

    #[test]
    fn what_is_to_start_again_says_how_long_there_is_left_or_since_when_it_is_missed() {
        let mut nightly = ScheduleView {
            choreography: "nightly".to_owned(),
            owner: "data".to_owned(),
            every_ms: 90_000_000,
            rollout: RolloutId::new("r7").expect("a name"),
            offset: 12,
            started_at: Timestamp(0),
            due_at: Timestamp(90_000_000),
            missed: false,
        };
        let line = schedule(&nightly, Timestamp(86_400_400));
        assert_eq!(line, "  nightly every 1d1h: 59m59s left; r7 was the last\n");
        nightly.missed = true;
        let line = schedule(&nightly, Timestamp(90_065_000));
        assert_eq!(line, "  nightly every 1d1h: missed 1m5s ago; r7 was the last\n");
    }
}
