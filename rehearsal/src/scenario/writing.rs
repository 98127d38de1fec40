//! A scenario as it is written: the file that plays a found fault again.

use super::{Cue, ENDINGS, Fault, Moment, Order, Scenario, What, When, Whom, first_rollout};
use pavane_choreography::yaml::lasting;

/// The scenario as a file. `comment` stands at its top; `plan` is what it calls the plan.
///
/// Expectations are not written: what is found breaks what every rehearsal must keep.
pub fn write(scenario: &Scenario, plan: &str, comment: &str) -> String {
    let mut lines: Vec<String> = comment.lines().map(|line| format!("# {line}")).collect();
    lines.push("apiVersion: pavane/v1".to_owned());
    lines.push("kind: Scenario".to_owned());
    lines.push(format!("name: {}", quoted(&scenario.name)));
    lines.push(format!("plan: {}", quoted(plan)));
    if !scenario.fleet.is_empty() {
        let fleet: Vec<String> =
            scenario.fleet.iter().map(|(service, n)| format!("{service}: {n}")).collect();
        lines.push(format!("fleet: {{ {} }}", fleet.join(", ")));
    }
    if scenario.sentinels > 1 {
        lines.push(format!("sentinels: {}", scenario.sentinels));
    }
    lines.push("timeline:".to_owned());
    for cue in &scenario.timeline {
        lines.extend(cue_lines(cue));
    }
    lines.join("\n") + "\n"
}

fn cue_lines(cue: &Cue) -> Vec<String> {
    let mut lines = match &cue.when {
        When::At(at) => vec![format!("  - at: {}", lasting(*at))],
        When::After(moment, later) => {
            vec![format!("  - after: {}", moment_text(moment)), format!("    in: {}", lasting(*later))]
        }
    };
    lines.push(format!("    {}", what(&cue.what)));
    lines
}

fn moment_text(moment: &Moment) -> String {
    match moment {
        Moment::Ended(status) => {
            let word = ENDINGS.iter().find(|(_, one)| one == status).map_or("open", |(word, _)| word);
            word.to_owned()
        }
        Moment::Stalled(None) => "stalled".to_owned(),
        Moment::Stalled(Some(step)) => format!("{{ stalled: {step} }}"),
        Moment::Awaits(None) => "awaits".to_owned(),
        Moment::Awaits(Some(phase)) => format!("{{ awaits: {phase} }}"),
        Moment::Said(named) => named.to_string(),
    }
}

fn what(what: &What) -> String {
    match what {
        What::Start { plan, rollout, by } => {
            let mut fields = vec![format!("by: {}", quoted(by))];
            fields.extend(plan.as_ref().map(|plan| format!("plan: {}", quoted(plan))));
            fields.extend((*rollout != first_rollout()).then(|| format!("rollout: {rollout}")));
            format!("start: {{ {} }}", fields.join(", "))
        }
        What::Fault(fault) => self::fault(fault),
        What::Order { order, rollout, by, reason } => {
            let (verb, subject) = verb(order);
            let mut fields: Vec<String> = subject.into_iter().collect();
            fields.extend((*rollout != first_rollout()).then(|| format!("rollout: {rollout}")));
            fields.push(format!("by: {}", quoted(by)));
            fields.extend((!reason.is_empty()).then(|| format!("reason: {}", quoted(reason))));
            format!("{verb}: {{ {} }}", fields.join(", "))
        }
        What::Say { event, rollout, version } => {
            let version =
                version.as_ref().map_or(String::new(), |version| format!(", version: \"{version}\""));
            format!("say: {{ event: {event}, rollout: {rollout}{version} }}")
        }
        What::Metric { query, value } => {
            let value = value.map_or("none".to_owned(), |value| value.to_string());
            format!("metric: {{ query: {}, value: {value} }}", quoted(query))
        }
    }
}

fn fault(fault: &Fault) -> String {
    match fault {
        Fault::Fail { whom, how, lasting: for_so_long } => {
            let lasts = for_so_long.map_or(String::new(), |length| format!(", for: {}", lasting(length)));
            format!("fail: {{ {}, how: {}{lasts} }}", whom_text(whom), how.as_str())
        }
        Fault::Mend(whom) => format!("mend: {{ {} }}", whom_text(whom)),
        Fault::Schema(expect) => {
            format!("publish: {{ service: {}, event: {}, schema: v2 }}", expect.service, expect.event)
        }
        Fault::Registry(away) => format!("registry: {{ away: {} }}", lasting(*away)),
        Fault::Broker(away) => format!("broker: {{ away: {} }}", lasting(*away)),
        Fault::Frozen(away) => format!("broker: {{ frozen: {} }}", lasting(*away)),
        Fault::Leap(by) => format!("clock: {{ leap: {} }}", lasting(*by)),
        Fault::Lose(expect) => format!("lose: {{ event: {expect} }}"),
        Fault::Delay(expect, by) => format!("delay: {{ event: {expect}, by: {} }}", lasting(*by)),
        Fault::Duplicate(expect) => format!("duplicate: {{ event: {expect} }}"),
        Fault::Sentinel(number, away) => format!("crash: {{ sentinel: {number}, for: {} }}", lasting(*away)),
    }
}

fn whom_text(whom: &Whom) -> String {
    let instance = whom.instance.map_or(String::new(), |number| format!(", instance: {number}"));
    format!("service: {}{instance}", whom.service)
}

fn verb(order: &Order) -> (&'static str, Option<String>) {
    match order {
        Order::Pause => ("pause", None),
        Order::Resume => ("resume", None),
        Order::Abort => ("abort", None),
        Order::Rollback => ("rollback", None),
        Order::Hold => ("hold", None),
        Order::Release => ("release", None),
        Order::Override(step) => ("override", Some(format!("step: {step}"))),
        Order::Approve(phase) => ("approve", Some(format!("phase: {phase}"))),
        Order::Reject(phase) => ("reject", Some(format!("phase: {phase}"))),
    }
}

/// A text in quotes, as JSON and so YAML has it.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}
