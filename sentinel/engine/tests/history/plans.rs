//! Plans of every shape: chains and forks, counts and shares, gates, soaks, cohorts and watches.

use pavane_choreography::{
    Approval, Bound, Concurrency, Instances, Method, OnStall, Phase, Plan, Share, Step, Watch,
};
use pavane_events::{EventType, PhaseId};

use super::dice::Dice;
use crate::floor::{plan_of, step};

/// The services that there are, each with two instances, e.g. `users-0` and `users-1`.
pub(crate) const SERVICES: [&str; 4] = ["db", "users", "chat", "mail"];

/// Draws a plan.
pub(crate) fn draw(dice: &mut Dice) -> Plan {
    let hybrid = dice.chance(25);
    let mut plan = plan_of(&if hybrid { flat(dice) } else { shape(dice) });
    plan.name = dice.pick(&["users-v2", "chat-v3"]).to_owned();
    for step in &mut plan.steps {
        refine(dice, step);
    }
    if dice.chance(35) {
        plan.concurrency = Concurrency::Queue;
    }
    if hybrid {
        phases(dice, &mut plan);
    }
    plan
}

fn shape(dice: &mut Dice) -> Vec<Step> {
    let (ready, complete) = (EventType::Ready, EventType::DeploymentComplete);
    match dice.below(6) {
        0 => vec![step("users", "users", complete, &[]), step("chat", "chat", complete, &["users"])],
        1 => vec![
            step("schema", "db", ready, &[]),
            step("users", "users", complete, &["schema"]),
            step("chat", "chat", complete, &["users"]),
            step("mail", "mail", complete, &["users"]),
        ],
        2 => vec![
            step("users", "users", complete, &[]),
            step("chat", "chat", complete, &[]),
            step("mail", "mail", complete, &["users", "chat"]),
        ],
        3 => {
            let mut mail = step("mail", "mail", complete, &[]);
            let (users, chat) = (step("users", "users", complete, &[]), step("chat", "chat", complete, &[]));
            mail.after_any = vec![users.id.clone(), chat.id.clone()];
            vec![users, chat, mail]
        }
        4 => {
            vec![step("drain", "mail", EventType::Drained, &[]), step("users", "users", complete, &["drain"])]
        }
        _ => vec![
            step("schema", "db", ready, &[]),
            step("users", "users", complete, &["schema"]),
            step("chat", "chat", complete, &["users"]),
        ],
    }
}

/// Steps that wait for nothing but their phase.
fn flat(dice: &mut Dice) -> Vec<Step> {
    let complete = EventType::DeploymentComplete;
    let last: &[&str] = if dice.chance(50) { &["users"] } else { &[] };
    vec![
        step("users", "users", complete, &[]),
        step("chat", "chat", complete, &[]),
        step("mail", "mail", complete, last),
    ]
}

fn refine(dice: &mut Dice, step: &mut Step) {
    step.within = dice.pick(&[2_000, 4_000, 8_000]);
    step.started_within = dice.pick(&[None, None, Some(1_500)]);
    step.healthy_for = dice.pick(&[0, 0, 0, 1_500]);
    step.on_stall = dice.pick(&[OnStall::Alert, OnStall::Pause, OnStall::Rollback, OnStall::Rollback]);
    step.reversible = !dice.chance(15);
    step.compensate.within = dice.pick(&[2_500, 6_000]);
    let whole = Share::new(dice.pick(&[50, 100])).expect("a share");
    step.instances =
        dice.weighed(&[(60, Instances::Count(1)), (25, Instances::Count(2)), (15, Instances::Share(whole))]);
    if dice.chance(40) {
        step.version = Some(">=2.0.0".parse().expect("a range"));
    }
}

fn phases(dice: &mut Dice, plan: &mut Plan) {
    let orchestrated = dice.chance(30);
    plan.method = if orchestrated { Method::Orchestrated } else { Method::Hybrid };
    let ids: Vec<_> = plan.steps.iter().map(|step| step.id.clone()).collect();
    let parts = if orchestrated || dice.chance(50) {
        vec![ids[..1].to_vec(), ids[1..2].to_vec(), ids[2..].to_vec()]
    } else {
        vec![ids[..1].to_vec(), ids[1..].to_vec()]
    };
    for (name, steps) in ["first", "second", "third"].into_iter().zip(parts) {
        let approval = dice.chance(40).then(|| Approval { by: "sre".to_owned() });
        let cohort = dice.chance(15).then(|| Share::new(50).expect("a share"));
        let watch = dice.chance(20).then(|| Watch {
            query: "errors".to_owned(),
            bound: Bound::AtMost(1.into()),
            hold: 1_500,
            every: 500,
            on_breach: dice.pick(&[OnStall::Alert, OnStall::Pause, OnStall::Rollback]),
        });
        let soak = dice.pick(&[0, 0, 1_000]);
        plan.phases.push(Phase {
            id: PhaseId::new(name).expect("a name"),
            steps,
            approval,
            cohort,
            soak,
            watch,
        });
    }
}
