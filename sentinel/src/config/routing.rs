//! Who is told of what: the routes of the file, in Alertmanager's words.

use pavane_alerts::route::{ESCALATE, Escalation};
use pavane_alerts::{Inhibition, Matcher, Route, Tree};
use pavane_choreography::diagnostic::Code;
use pavane_choreography::yaml::{Fields, Item, Reported};

/// How long a group may wait, in milliseconds: up to a week.
const TIMES: std::ops::RangeInclusive<i64> = 0..=604_800_000;
/// How deep routes may lie in each other.
const DEEP: usize = 16;

/// The tree of the file; every receiver is told everything where it has none.
pub(super) fn tree(f: &mut Fields<'_>, receivers: &[String]) -> Result<Tree, Reported> {
    let root = f.optional("route", |item| item.spanned(|item| item.fields(|f| route(f, 0))));
    let Some(root) = root? else { return Ok(Tree::of_all(receivers)) };
    Tree::new(&root.value, receivers).map_err(|error| {
        let help = "see `docs/alerts.md` for how an alert goes through the routes";
        root.item.refuse(Code::BadRoute, format!("failed to {error}"), help)
    })
}

/// What mutes what, beyond what always does.
pub(super) fn inhibitions(f: &mut Fields<'_>) -> Result<Vec<Inhibition>, Reported> {
    let rules = f.optional("inhibit_rules", |item| item.list(|item| item.fields(inhibition)));
    Ok(rules?.unwrap_or_default())
}

fn route(f: &mut Fields<'_>, depth: usize) -> Result<Route, Reported> {
    let receiver = f.optional("receiver", Item::label);
    let matchers = f.optional("matchers", matchers);
    let group_by = f.optional("group_by", |item| item.list(Item::text));
    let wait = f.optional("group_wait", |item| item.duration_in(TIMES));
    let interval = f.optional("group_interval", |item| item.duration_in(1_000..=*TIMES.end()));
    let repeat = f.optional("repeat_interval", |item| item.duration_in(1_000..=*TIMES.end()));
    let escalate = f.optional("escalate", |item| item.fields(escalation));
    let go_on = f.optional("continue", Item::boolean);
    let routes = f.optional("routes", |item| {
        if depth >= DEEP {
            return Err(item.refuse(
                Code::BadRoute,
                "routes lie too deep in each other",
                "16 levels are enough",
            ));
        }
        item.list(|item| item.fields(|f| route(f, depth + 1)))
    });
    Ok(Route {
        receiver: receiver?,
        matchers: matchers?.unwrap_or_default(),
        group_by: group_by?,
        wait: wait?,
        interval: interval?,
        repeat: repeat?,
        escalate: escalate?,
        go_on: go_on?.unwrap_or_default(),
        routes: routes?.unwrap_or_default(),
    })
}

fn escalation(f: &mut Fields<'_>) -> Result<Escalation, Reported> {
    let to = f.required("to", Item::label);
    let after = f.optional("after", |item| item.duration_in(1_000..=*TIMES.end()));
    Ok(Escalation { to: to?, after: after?.unwrap_or(ESCALATE) })
}

fn inhibition(f: &mut Fields<'_>) -> Result<Inhibition, Reported> {
    let source = f.required("source_matchers", matchers);
    let target = f.required("target_matchers", matchers);
    let equal = f.optional("equal", |item| item.list(Item::text));
    Ok(Inhibition { source: source?, target: target?, equal: equal?.unwrap_or_default() })
}

fn matchers(item: &Item<'_>) -> Result<Vec<Matcher>, Reported> {
    item.list(|item| {
        let text = item.text()?;
        Matcher::parse(&text).map_err(|error| {
            item.refuse(Code::BadRoute, format!("failed to {error}"), "write e.g. `owner=\"identity\"`")
        })
    })
}
