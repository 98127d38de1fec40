//! What is ordinary takes a short way through the engine. It does what the long way does: the same effects after every
//! input, and the same bytes of what is folded, over random histories and over rollouts that go as planned.

mod floor;
mod stage;
mod troupe;

use floor::{complete, plan_of, ready, step};
use pavane_events::EventType;
use pavane_sentinel_engine::Status;
use stage::Stage;
use troupe::{Dice, play};

const SEEDS: u64 = 25;
const ACTS: usize = 60;

#[test]
fn over_random_histories_the_short_way_does_what_the_long_way_does() {
    for seed in 1_000..1_000 + SEEDS {
        let mut stage = Stage::empty();
        stage.compare();
        play(stage, seed, ACTS);
    }
}

#[test]
fn many_rollouts_that_go_as_planned_or_stop_do_the_same_by_both_ways() {
    let mut plan = plan_of(&[
        step("db", "db", EventType::Ready, &[]),
        step("users", "users", EventType::DeploymentComplete, &["db"]),
        step("chat", "chat", EventType::DeploymentComplete, &["db"]),
        step("web", "web", EventType::DeploymentComplete, &["users", "chat"]),
    ]);
    plan.steps.iter_mut().for_each(|step| step.per_rollout = true);
    let (mut stage, mut dice) = (Stage::empty(), Dice::new(5));
    stage.compare();
    let mut left = Vec::new();
    for n in 0..40 {
        let id = format!("r{n}");
        stage.log.start(&id, &plan);
        left.push((id, vec!["db", "users", "chat", "web"]));
        stage.settle();
        for _ in 0..5 {
            let one = dice.below(left.len());
            let (id, steps) = &mut left[one];
            if steps.is_empty() || dice.below(20) == 0 {
                continue;
            }
            // once in a while a step overtakes the one before
            let service = steps.remove(usize::from(steps.len() > 1 && dice.below(9) == 0));
            let body = if service == "db" { ready() } else { complete() };
            stage.log.says(id, &format!("{service}-{id}-0"), "2.0.0", body);
            if dice.below(4) > 0 {
                stage.settle();
            }
        }
        stage.wait(200, &[]);
    }
    stage.wait(60_000, &[]);
    let complete = stage.ended.iter().filter(|status| **status == Status::Completed).count();
    let stalls = stage.said(EventType::RolloutStalled).len();
    assert!(complete > 10 && stalls > 5, "{complete} of 40 came to their end, {stalls} stalls were told");
}
