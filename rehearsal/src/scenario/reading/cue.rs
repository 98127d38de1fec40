//! One entry of a timeline.

use pavane_choreography::diagnostic::Code;
use pavane_choreography::yaml::{Fields, Item, Reported};
use pavane_events::RolloutId;

use super::{Names, moment};
use crate::scenario::{Cue, ENDINGS, Fault, How, Moment, Order, What, When, first_rollout};

/// What a sidecar or a sentinel that died is back after unless the scenario says so, in milliseconds.
const BACK: i64 = 5_000;

type Verb = for<'i, 'd> fn(&'i Item<'d>, &Names) -> Result<What, Reported>;

/// Everything that can happen.
const VERBS: [(&str, Verb); 22] = [
    ("start", start),
    ("fail", fail),
    ("mend", |i, names| i.fields(|f| Ok(What::Fault(Fault::Mend(names.whom(f)?))))),
    ("publish", publish),
    ("say", say),
    ("registry", |i, _| away(i).map(|for_so_long| What::Fault(Fault::Registry(for_so_long)))),
    ("broker", broker),
    ("clock", |i, _| i.fields(|f| Ok(What::Fault(Fault::Leap(f.required("leap", Item::duration)?))))),
    ("lose", |i, names| i.fields(|f| Ok(What::Fault(Fault::Lose(event(f, names)?))))),
    ("delay", delay),
    ("duplicate", |i, names| i.fields(|f| Ok(What::Fault(Fault::Duplicate(event(f, names)?))))),
    ("crash", crash),
    ("metric", metric),
    ("pause", |i, _| order(i, |_| Ok(Order::Pause))),
    ("resume", |i, _| order(i, |_| Ok(Order::Resume))),
    ("abort", |i, _| order(i, |_| Ok(Order::Abort))),
    ("rollback", |i, _| order(i, |_| Ok(Order::Rollback))),
    ("hold", |i, _| order(i, |_| Ok(Order::Hold))),
    ("release", |i, _| order(i, |_| Ok(Order::Release))),
    ("override", |i, names| order(i, |f| f.required("step", |i| names.step(i)).map(Order::Override))),
    ("approve", |i, names| order(i, |f| f.required("phase", |i| names.phase(i)).map(Order::Approve))),
    ("reject", |i, names| order(i, |f| f.required("phase", |i| names.phase(i)).map(Order::Reject))),
];

pub(super) fn cue(item: &Item<'_>, names: &Names) -> Result<Cue, Reported> {
    item.fields(|f| {
        let when = when(f, names);
        let found: Vec<_> = VERBS.iter().filter_map(|(verb, read)| Some((f.get(verb)?, read))).collect();
        let what = match found.as_slice() {
            [(item, read)] => read(item, names),
            [] => {
                let verbs: Vec<&str> = VERBS.iter().map(|(verb, _)| *verb).collect();
                let help = format!("say what happens: {}", verbs.join(", "));
                Err(f.refuse(Code::MissingField, "nothing happens in this entry", help))
            }
            [(first, _), (second, _), ..] => {
                let message = format!("`{}` and `{}` stand in one entry", first.field(), second.field());
                Err(second.refuse(Code::Contradiction, message, "make it two entries"))
            }
        };
        Ok(Cue { when: when?, what: what? })
    })
}

fn when(f: &mut Fields<'_>, names: &Names) -> Result<When, Reported> {
    let at = f.optional("at", moment);
    let after = f.optional("after", |i| self::after(i, names));
    let later = f.optional("in", moment);
    match (at?, after?, later?) {
        (Some(at), None, None) => Ok(When::At(at)),
        (None, Some(after), later) => Ok(When::After(after, later.unwrap_or(0))),
        (None, None, _) => {
            let help = "add `at: 30s`, or `after: completed` with `in: 10m`";
            Err(f.refuse(Code::MissingField, "one of `at`, `after` is missing", help))
        }
        (Some(_), _, _) => {
            let message = "`at` excludes `after` and `in`";
            Err(f.refuse(Code::Contradiction, message, "keep `at`, or `after` with `in`"))
        }
    }
}

/// `completed`, `stalled`, `awaits`, an event; or a map `{ stalled: users }`, `{ awaits: till }`.
fn after(item: &Item<'_>, names: &Names) -> Result<Moment, Reported> {
    if item.is_map() {
        return item.fields(|f| {
            let step = f.optional("stalled", |i| names.step(i));
            let phase = f.optional("awaits", |i| names.phase(i));
            match (step?, phase?) {
                (None, Some(phase)) => Ok(Moment::Awaits(Some(phase))),
                (Some(step), None) => Ok(Moment::Stalled(Some(step))),
                (None, None) | (Some(_), Some(_)) => {
                    let help = "write `after: { stalled: users }` or `after: { awaits: till }`";
                    Err(f.refuse(Code::Contradiction, "`after` names no single moment", help))
                }
            }
        });
    }
    let text = item.scalar("a moment such as `completed`, `stalled` or `user-db.Ready`")?;
    if text == "stalled" {
        return Ok(Moment::Stalled(None));
    }
    if text == "awaits" {
        return Ok(Moment::Awaits(None));
    }
    match ENDINGS.iter().find(|(word, status)| *word == text && !status.is_open()) {
        Some((_, status)) => Ok(Moment::Ended(*status)),
        None => names.named(item).map(Moment::Said),
    }
}

fn start(item: &Item<'_>, _names: &Names) -> Result<What, Reported> {
    item.fields(|f| {
        let plan = f.optional("plan", Item::text);
        let rollout = rollout(f);
        let by = f.optional("by", Item::text);
        let by = by?.unwrap_or_else(|| "ann".to_owned());
        Ok(What::Start { plan: plan?, rollout: rollout?, by })
    })
}

fn fail(item: &Item<'_>, names: &Names) -> Result<What, Reported> {
    item.fields(|f| {
        let whom = names.whom(f);
        let how = f.required("how", |i| i.one_of(&How::ALL));
        let lasting = f.optional("for", Item::duration);
        let (how, lasting) = (how?, lasting?);
        let lasting = lasting.or((how == How::Crash).then_some(BACK));
        Ok(What::Fault(Fault::Fail { whom: whom?, how, lasting }))
    })
}

fn publish(item: &Item<'_>, names: &Names) -> Result<What, Reported> {
    item.fields(|f| {
        let service = f.required("service", |i| names.service(i));
        let event = f.required("event", pavane_choreography::expectation::event_name);
        let schema = f.required("schema", Item::text);
        let expect = pavane_choreography::Expect { service: service?, event: event? };
        schema.map(|_| What::Fault(Fault::Schema(expect)))
    })
}

fn say(item: &Item<'_>, names: &Names) -> Result<What, Reported> {
    item.fields(|f| {
        let event = f.required("event", |i| names.event(i));
        let rollout = rollout(f);
        let version = f.optional("version", Item::name);
        Ok(What::Say { event: event?, rollout: rollout?, version: version? })
    })
}

fn away(item: &Item<'_>) -> Result<i64, Reported> {
    item.fields(|f| f.required("away", Item::duration))
}

fn broker(item: &Item<'_>, _names: &Names) -> Result<What, Reported> {
    item.fields(|f| {
        let (away, frozen) = (f.optional("away", Item::duration), f.optional("frozen", Item::duration));
        match (away?, frozen?) {
            (Some(away), None) => Ok(What::Fault(Fault::Broker(away))),
            (None, Some(frozen)) => Ok(What::Fault(Fault::Frozen(frozen))),
            (None, None) | (Some(_), Some(_)) => {
                let help = "write `broker: { away: 1m }` or `broker: { frozen: 1m }`";
                Err(f.refuse(Code::Contradiction, "the broker is either away or frozen", help))
            }
        }
    })
}

fn event(f: &mut Fields<'_>, names: &Names) -> Result<pavane_choreography::Expect, Reported> {
    f.required("event", |i| names.event(i))
}

fn delay(item: &Item<'_>, names: &Names) -> Result<What, Reported> {
    item.fields(|f| {
        let event = event(f, names);
        let by = f.required("by", Item::duration);
        Ok(What::Fault(Fault::Delay(event?, by?)))
    })
}

fn crash(item: &Item<'_>, _names: &Names) -> Result<What, Reported> {
    item.fields(|f| {
        let sentinel = f.required("sentinel", |i| i.count(1..=2));
        let lasting = f.optional("for", Item::duration);
        Ok(What::Fault(Fault::Sentinel(sentinel?, lasting?.unwrap_or(BACK))))
    })
}

fn metric(item: &Item<'_>, names: &Names) -> Result<What, Reported> {
    item.fields(|f| {
        let query = f.required("query", |i| names.query(i));
        let value = f.required("value", number);
        Ok(What::Metric { query: query?, value: value? })
    })
}

/// A number, or `none` for metrics that do not answer.
fn number(item: &Item<'_>) -> Result<Option<f64>, Reported> {
    let text = item.scalar("a number, or `none`")?;
    if text == "none" {
        return Ok(None);
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.map(Some).ok_or_else(|| {
        let message = format!("`{}` is {text:?}; it wants a number, or `none`", item.field());
        item.refuse(Code::BadNumber, message, "write e.g. `0.07`")
    })
}

fn order<'d>(
    item: &Item<'d>,
    which: impl FnOnce(&mut Fields<'d>) -> Result<Order, Reported>,
) -> Result<What, Reported> {
    item.fields(|f| {
        let order = which(f);
        let rollout = rollout(f);
        let by = f.optional("by", Item::text);
        let reason = f.optional("reason", Item::text);
        let by = by?.unwrap_or_else(|| "ann".to_owned());
        Ok(What::Order { order: order?, rollout: rollout?, by, reason: reason?.unwrap_or_default() })
    })
}

fn rollout(f: &mut Fields<'_>) -> Result<RolloutId, Reported> {
    Ok(f.optional("rollout", Item::name)?.unwrap_or_else(first_rollout))
}
