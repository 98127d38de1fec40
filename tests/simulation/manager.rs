//! Plans that a manager takes part in, and the metrics that it watches.

use pavane_choreography::{Approval, Bound, Concurrency, Method, OnStall, Phase, Plan, Watch};
use pavane_events::PhaseId;

use crate::dice::Dice;

/// Makes a plan hybrid at times, lets it queue at times, and lets one of two be enough at times.
pub(crate) fn draw(dice: &mut Dice, plan: &mut Plan) {
    if dice.chance(3) {
        plan.concurrency = Concurrency::Queue;
    }
    if dice.chance(4) {
        plan.steps[2].after_any = std::mem::take(&mut plan.steps[2].after);
        let schema = plan.steps[0].id.clone();
        plan.steps[2].after_any.push(schema);
    }
    if dice.chance(2) {
        return;
    }
    plan.method = Method::Hybrid;
    let cut = dice.pick(&[1, 2]);
    let (first, rest) = plan.steps.split_at(cut);
    let parts = if dice.chance(2) { vec![first, rest] } else { plan.steps.chunks(1).collect() };
    let names = ["first", "second", "third"];
    plan.phases = parts
        .into_iter()
        .zip(names)
        .map(|(steps, name)| Phase {
            id: PhaseId::new(name).expect("a name"),
            steps: steps.iter().map(|step| step.id.clone()).collect(),
            approval: dice.chance(4).then(|| Approval { by: "sre".to_owned() }),
            cohort: None,
            soak: dice.pick(&[0, 0, 1_000, 2_500]),
            watch: dice.chance(3).then(|| watch(dice)),
        })
        .collect();
}

fn watch(dice: &mut Dice) -> Watch {
    Watch {
        query: dice.pick(&["errors", "latency"]).to_owned(),
        bound: Bound::AtMost("0.01".parse().expect("a number")),
        hold: dice.pick(&[1_000, 3_000]),
        every: 500,
        on_breach: dice.pick(&[OnStall::Alert, OnStall::Pause, OnStall::Rollback, OnStall::Rollback]),
    }
}

/// What the metrics answer: mostly well, at times nothing, seldom a value that breaks every bound.
pub(crate) fn measure(dice: &mut Dice) -> Result<f64, String> {
    match dice.between(0, 40) {
        0 => Ok(0.5),
        1 | 2 => Err("no data".to_owned()),
        _ => Ok(0.001),
    }
}
