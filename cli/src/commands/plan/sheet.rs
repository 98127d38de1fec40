//! A plan as a sheet: every field by the name that it has in files, and whether it is written there.

use std::fmt::Display;

use pavane_choreography::diagnostic::Place;
use pavane_choreography::yaml::lasting;
use pavane_choreography::{Instances, Method, Phase, Places, Plan, Step};
use pavane_review::difference::words::{concurrency, method, on_stall, runs_with, trigger};

/// A plan, field by field.
#[derive(Debug)]
pub(super) struct Sheet {
    title: String,
    parts: Vec<Part>,
}

/// The whole, a phase or a step.
#[derive(Debug)]
struct Part {
    heading: String,
    path: String,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    name: &'static str,
    value: String,
    written: bool,
}

impl Sheet {
    /// The sheet of a plan.
    pub(super) fn of(plan: &Plan, places: &Places) -> Self {
        let title = format!("{} · digest {}", plan.name, &plan.digest()[..12]);
        let mut parts = vec![whole(plan, places)];
        parts.extend(plan.phases.iter().map(|found| phase(found, plan.method, places)));
        parts.extend(plan.steps.iter().map(|found| step(found, places)));
        Self { title, parts }
    }

    /// The paths of all fields that are not written.
    pub(super) fn defaults(&self) -> Vec<String> {
        let paths = |part: &Part| {
            let unsaid = part.fields.iter().filter(|field| !field.written);
            unsaid.map(|field| format!("{}{}", part.path, field.name)).collect::<Vec<_>>()
        };
        self.parts.iter().flat_map(paths).collect()
    }

    /// The sheet for people: what is not written stands in parentheses.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!(
            "{}\nin parentheses: not written there, but a default or taken from the whole\n",
            self.title
        );
        for part in &self.parts {
            text.push('\n');
            text.push_str(&part.heading);
            text.push('\n');
            for Field { name, value, written } in &part.fields {
                let value = if *written { value.clone() } else { format!("({value})") };
                text.push_str(format!("  {name:<17} {value}").trim_end());
                text.push('\n');
            }
        }
        text
    }
}

/// Gathers the fields of a part; `place` finds where the file says one, or what holds it.
struct Gathered<P> {
    place: P,
    fields: Vec<Field>,
}

impl<P: Fn(&str) -> Place> Gathered<P> {
    fn new(place: P) -> Self {
        Self { place, fields: Vec::new() }
    }

    /// A field under the path that it has in files. One that is not written has the place of what holds it.
    fn add(&mut self, name: &'static str, path: &str, value: impl Display) {
        let holder = path.rsplit_once('.').map_or("", |(holder, _)| holder);
        let written = (self.place)(path) != (self.place)(holder);
        self.fields.push(Field { name, value: value.to_string(), written });
    }

    /// A field that may come of a short-hand elsewhere in the file: it is a default only where it has that value.
    fn usual(&mut self, name: &'static str, is_usual: bool, value: impl Display) {
        if is_usual { self.add(name, name, value) } else { self.say(name, value) }
    }

    /// A field that every file says.
    fn say(&mut self, name: &'static str, value: impl Display) {
        self.fields.push(Field { name, value: value.to_string(), written: true });
    }
}

fn whole(plan: &Plan, places: &Places) -> Part {
    let mut all = Gathered::new(|field: &str| places.whole(field));
    all.say("owner", &plan.owner);
    all.add("runbook", "metadata.runbook", or(plan.runbook.as_ref(), "none"));
    all.add("severity", "metadata.severity", plan.severity.as_str());
    let labels: Vec<_> = plan.labels.iter().map(|(name, text)| format!("{name}={text}")).collect();
    let labels = (!labels.is_empty()).then(|| labels.join(", "));
    all.add("labels", "metadata.labels", or(labels.as_ref(), "none"));
    all.add("method", "method", method(plan.method));
    let starts = plan.trigger.as_ref().map(trigger);
    all.add("trigger", "trigger", or(starts.as_ref(), "none: a person, CI or a deploy tool starts it"));
    let again = plan.every.map(lasting);
    all.add("every", "every", or(again.as_ref(), "not asked"));
    all.add("concurrency", "concurrency", concurrency(plan.concurrency));
    all.add("maintenance", "maintenance", or(plan.maintenance.as_ref(), "any time"));
    Part { heading: "the whole".to_owned(), path: String::new(), fields: all.fields }
}

fn phase(phase: &Phase, method: Method, places: &Places) -> Part {
    let mut all = Gathered::new(|field: &str| places.phase(&phase.id, field));
    if method == Method::Hybrid {
        all.say("steps", listed(&phase.steps));
    } else {
        all.fields.push(Field { name: "steps", value: listed(&phase.steps), written: false });
    }
    let asked = phase.approval.as_ref().map(|approval| format!("by {}", approval.by));
    all.add("approval", "approval", or(asked.as_ref(), "none: it begins by itself"));
    all.add("cohort", "cohorts", or(phase.cohort.as_ref(), "all instances"));
    all.add("soak", "soak", lasting(phase.soak));
    match &phase.watch {
        None => all.add("watch", "watch", "no metric"),
        Some(watch) => {
            all.say("watch.query", &watch.query);
            all.say("watch.bound", &watch.bound);
            all.add("watch.for", "watch.for", lasting(watch.hold));
            all.add("watch.every", "watch.every", lasting(watch.every));
            all.add("watch.on_breach", "watch.on_breach", on_stall(watch.on_breach));
        }
    }
    Part { heading: format!("phase {}", phase.id), path: format!("phases.{}.", phase.id), fields: all.fields }
}

fn step(step: &Step, places: &Places) -> Part {
    let mut all = Gathered::new(|field: &str| places.step(&step.id, field));
    all.say("expect", &step.expect);
    let after = if step.after.is_empty() { "the start".to_owned() } else { listed(&step.after) };
    all.usual("after", step.after.is_empty(), after);
    let any = if step.after_any.is_empty() { "none".to_owned() } else { listed(&step.after_any) };
    all.add("after_any", "after_any", any);
    all.add("version", "version", or(step.version.as_ref(), "any, or none"));
    all.add("runs_with", "runs_with", or(runs_with(step).as_ref(), "any"));
    all.usual("zone", step.zone.is_none(), or(step.zone.as_ref(), "every"));
    all.usual("instances", step.instances == Instances::Count(1), step.instances);
    all.add("max_parallel", "max_parallel", or(step.max_parallel.as_ref(), "all at once"));
    all.add("within", "within", lasting(step.within));
    let begun = step.started_within.map(lasting);
    all.add("started_within", "started_within", or(begun.as_ref(), "not asked"));
    all.add("healthy_for", "healthy_for", lasting(step.healthy_for));
    all.add("on_stall", "on_stall", on_stall(step.on_stall));
    all.add("reversible", "reversible", step.reversible);
    all.add("interruptible", "interruptible", step.interruptible);
    if step.reversible {
        all.add("compensate.expect", "compensate.expect", &step.compensate.expect);
        all.add("compensate.within", "compensate.within", lasting(step.compensate.within));
    }
    all.add("owner", "owner", &step.owner);
    all.add("runbook", "runbook", or(step.runbook.as_ref(), "none"));
    all.add("severity", "severity", step.severity.as_str());
    Part { heading: format!("step {}", step.id), path: format!("steps.{}.", step.id), fields: all.fields }
}

fn or(value: Option<&impl ToString>, otherwise: &str) -> String {
    value.map_or_else(|| otherwise.to_owned(), ToString::to_string)
}

fn listed(names: &[impl ToString]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
