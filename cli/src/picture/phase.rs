//! How the phases of a rollout look: which is open, which gate waits for whom, how long it soaks.

use anstyle::Style;
use pavane_events::Timestamp;
use pavane_sentinel_engine::{PhaseStatus, PhaseView, RolloutView};

use super::{WIDTH, lasting, plain};
use crate::paint::{BUSY, GOOD, QUIET, STRONG, paint};

/// Where the remarks about a phase stand that do not fit beside it, in columns.
const BENEATH: usize = 4;

/// A phase: where it stands and, where something is asked of a person, what to type.
pub(super) fn lines(phase: &PhaseView, rollout: &RolloutView, now: Timestamp) -> Vec<String> {
    let (name, said) = (format!("phase {}", phase.id), format!("{} {}", symbol(phase.state), said(phase)));
    let line = format!("  {}  {}", paint(STRONG, &name), paint(style(phase.state), &said));
    let wide = 4 + name.chars().count() + said.chars().count();
    let remarks = remarks(phase, rollout, now).join(" · ");
    let beneath = |text: &str| format!("{:BENEATH$}{text}", "");
    let mut lines = match remarks.chars().count() {
        0 => vec![line],
        more if wide + 3 + more <= WIDTH => vec![format!("{line} · {remarks}")],
        _ => vec![line, beneath(&remarks)],
    };
    if super::is_over(rollout.status) {
        return lines;
    }
    if phase.state == PhaseStatus::AwaitingApproval {
        lines.push(beneath(&paint(QUIET, &format!("pavane approve {} {}", rollout.id, phase.id))));
    }
    if let Some(watch) = phase.watch.as_ref().filter(|_| phase.state == PhaseStatus::Watching) {
        lines.push(beneath(&paint(QUIET, &cut(&plain(watch), WIDTH - BENEATH))));
    }
    lines
}

/// Where a rollout with phases stands, in a few words; none where there is nothing to say.
pub(super) fn remark(rollout: &RolloutView, now: Timestamp) -> Option<String> {
    if super::is_over(rollout.status) {
        return None;
    }
    let at_hand = |phase: &&PhaseView| !matches!(phase.state, PhaseStatus::Waiting | PhaseStatus::Complete);
    let phase = rollout.phases.iter().rev().find(at_hand)?;
    let words = std::iter::once(said(phase)).chain(remarks(phase, rollout, now));
    Some(format!("phase {} {}", phase.id, words.collect::<Vec<_>>().join(", ")))
}

/// Where a phase stands, and who is asked.
fn said(phase: &PhaseView) -> String {
    match &phase.approval {
        Some(by) if phase.state == PhaseStatus::AwaitingApproval => {
            format!("awaits the approval of {}", plain(by))
        }
        Some(_) | None => word(phase.state).to_owned(),
    }
}

const fn symbol(state: PhaseStatus) -> &'static str {
    match state {
        PhaseStatus::Waiting => "·",
        PhaseStatus::AwaitingApproval => "?",
        PhaseStatus::Ready => "○",
        PhaseStatus::Open => "▶",
        PhaseStatus::Soaking => "◎",
        PhaseStatus::Watching => "◉",
        PhaseStatus::Complete => "✓",
    }
}

const fn word(state: PhaseStatus) -> &'static str {
    match state {
        PhaseStatus::Waiting => "waiting",
        PhaseStatus::AwaitingApproval => "awaits approval",
        PhaseStatus::Ready => "may begin",
        PhaseStatus::Open => "open",
        PhaseStatus::Soaking => "soaking",
        PhaseStatus::Watching => "watched",
        PhaseStatus::Complete => "complete",
    }
}

const fn style(state: PhaseStatus) -> Style {
    match state {
        PhaseStatus::Waiting => QUIET,
        PhaseStatus::AwaitingApproval => STRONG,
        PhaseStatus::Ready | PhaseStatus::Open | PhaseStatus::Soaking | PhaseStatus::Watching => BUSY,
        PhaseStatus::Complete => GOOD,
    }
}

fn remarks(phase: &PhaseView, rollout: &RolloutView, now: Timestamp) -> Vec<String> {
    let mut remarks = Vec::new();
    let rejected = phase.attempt - 1;
    let over = super::is_over(rollout.status);
    match phase.state {
        PhaseStatus::Waiting if over => {}
        PhaseStatus::Waiting => {
            remarks.extend(phase.approval.as_ref().map(|by| format!("then the approval of {}", plain(by))));
        }
        PhaseStatus::AwaitingApproval | PhaseStatus::Ready => {
            remarks.extend(waited(phase, now).filter(|_| !over));
        }
        PhaseStatus::Open => {
            remarks.extend(waited(phase, now).filter(|_| !over && !rollout.paused));
        }
        PhaseStatus::Soaking | PhaseStatus::Watching => {
            let soaks = phase.state == PhaseStatus::Soaking;
            let until = if soaks { phase.soaks_until } else { phase.watched_until };
            let left = until.map(|until| until.since(now)).filter(|left| soaks || *left > 0);
            let left = left.map(|left| format!("{} left", lasting(left.max(0))));
            remarks.extend(left.filter(|_| !over && !rollout.paused));
        }
        PhaseStatus::Complete => {}
    }
    remarks.extend(phase.approved.as_ref().map(|by| format!("approved by {}", plain(by))));
    if rejected > 0 {
        let times = if rejected == 1 { "once".to_owned() } else { format!("{rejected} times") };
        remarks.push(format!("rejected {times}"));
    }
    remarks
}

fn waited(phase: &PhaseView, now: Timestamp) -> Option<String> {
    phase.since.map(|since| format!("for {}", lasting(now.since(since).max(0))))
}

/// The beginning of a text that would not fit.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use pavane_sentinel_engine::{Status, StepStatus};

    use super::*;
    use crate::picture::list;
    use crate::picture::tests::{rollout, step, uncoloured};

    #[test]
    fn steps_stand_under_their_phase_and_a_gate_says_whom_it_waits_for_and_what_to_type() {
        let text = uncoloured(&list(&hybrid(), Timestamp(32_000)));
        let expected = "\
users-v2  r-1
  open · 1 of 2 steps met · for 32 s · owner identity · trace abc
  phase canary  ✓ complete · approved by ada
  ✓ done         users-5pct    users-5pct.DeploymentComplete
  phase rest  ? awaits the approval of sre · for 2 s · rejected once
    pavane approve r-1 rest
  · waiting      users-100pct  users-100pct.DeploymentComplete  after users-5pct
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_soak_says_how_long_it_lasts_and_a_watch_what_must_hold() {
        let mut hybrid = hybrid();
        hybrid.phases[1].state = PhaseStatus::Waiting;
        let canary = &mut hybrid.phases[0];
        (canary.state, canary.soaks_until) = (PhaseStatus::Soaking, Some(Timestamp(50_000)));
        let text = uncoloured(&list(&hybrid, Timestamp(32_000)));
        assert!(text.contains("phase canary  ◎ soaking · 18 s left · approved by ada\n"), "{text}");
        assert!(
            text.contains("phase rest  · waiting · then the approval of sre · rejected once\n"),
            "{text}"
        );
        hybrid.paused = true;
        assert!(!uncoloured(&list(&hybrid, Timestamp(32_000))).contains("18 s left"));
        hybrid.paused = false;
        hybrid.phases[0].state = PhaseStatus::Watching;
        hybrid.phases[0].watched_until = Some(Timestamp(42_000));
        hybrid.phases[0].watch = Some(format!("rate(errors[1m])\u{1b}[2J {}", "x".repeat(200)));
        let text = uncoloured(&list(&hybrid, Timestamp(32_000)));
        assert!(text.contains("◉ watched · 10 s left"), "{text}");
        assert!(!text.contains('\u{1b}') && text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    }

    #[test]
    fn a_line_names_the_gate_and_an_ended_rollout_asks_for_nothing() {
        let mut hybrid = hybrid();
        let line = |hybrid: &RolloutView| uncoloured(&super::super::line(hybrid, Timestamp(32_000)));
        assert!(line(&hybrid).contains(" · phase rest awaits the approval of sre, for 2 s, rejected once"));
        hybrid.status = Status::Aborted;
        assert!(!line(&hybrid).contains("phase"), "{}", line(&hybrid));
        assert!(!uncoloured(&list(&hybrid, Timestamp(32_000))).contains("pavane approve"));
    }

    #[test]
    fn no_state_of_a_phase_is_told_by_colour_alone() {
        let states = [
            PhaseStatus::Waiting,
            PhaseStatus::AwaitingApproval,
            PhaseStatus::Ready,
            PhaseStatus::Open,
            PhaseStatus::Soaking,
            PhaseStatus::Watching,
            PhaseStatus::Complete,
        ];
        for told in [symbol, word] {
            let distinct: std::collections::BTreeSet<_> = states.iter().map(|state| told(*state)).collect();
            assert_eq!(distinct.len(), states.len());
        }
    }

    fn hybrid() -> RolloutView {
        let mut rollout = rollout();
        let (mut canary, mut rest) = (
            step("users-5pct", StepStatus::Met, &[]),
            step("users-100pct", StepStatus::Waiting, &["users-5pct"]),
        );
        (canary.phase, rest.phase) = (Some("canary".into()), Some("rest".into()));
        rollout.steps = vec![canary, rest];
        let complete = PhaseView { approved: Some("ada".into()), ..phase("canary", PhaseStatus::Complete) };
        let gate = phase("rest", PhaseStatus::AwaitingApproval);
        rollout.phases = vec![complete, PhaseView { approval: Some("sre".into()), attempt: 2, ..gate }];
        rollout
    }

    fn phase(id: &str, state: PhaseStatus) -> PhaseView {
        PhaseView {
            id: id.into(),
            state,
            steps: Vec::new(),
            since: Some(Timestamp(30_000)),
            soaks_until: None,
            watch: None,
            watched_until: None,
            approval: None,
            approved: None,
            attempt: 1,
        }
    }
}
