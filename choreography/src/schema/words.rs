//! What each field means, for people: in the editor, and held against the reference page by a test.

/// The words about one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The path of the field, e.g. `steps.compensate.within`.
    pub path: &'static str,
    /// What it means, in a sentence or two.
    pub meaning: &'static str,
    /// What holds when it is not written, as it would be written; none where it must be written or has no default.
    pub default: Option<&'static str>,
}

macro_rules! words {
    ($($path:literal $(= $default:literal)?: $meaning:literal;)*) => {
        const WORDS: &[Word] = &[$(
            Word { path: $path, meaning: $meaning, default: words!(@ $($default)?) },
        )*];
    };
    (@) => { None };
    (@ $default:literal) => { Some($default) };
}

/// The words about every field, in the order of the document.
pub const fn words() -> &'static [Word] {
    WORDS
}

words! {
    "apiVersion": "The version of the language; `pavane/v1` is the only one there is.";
    "kind": "The kind of document; a choreography says `Choreography`.";
    "metadata": "What the rollout is called, and who is told about it.";
    "metadata.name": "The name under which it is published and started: 1 to 64 characters of A-Z a-z 0-9 . _ -";
    "metadata.owner": "The team that owns the rollout as a whole, and every step that names no other.";
    "metadata.runbook": "Where a person reads what to do: an http or https URL.";
    "metadata.severity" = "page": "How loudly stalls are told where a step does not say: `page` wakes someone, `ticket` waits for working hours.";
    "metadata.labels" = "{}": "Names and texts that the rollout carries, e.g. `environment: prod`; a reaction may ask for them. At most 64.";
    "method" = "choreography": "Who moves the rollout on: the services by themselves, phases that the sentinel opens, or a phase for each step.";
    "trigger": "The event that starts a rollout by itself. The rollout's id is the event's correlation id.";
    "trigger.on": "The event, as `service.Event`: one that says that something is done.";
    "trigger.version": "The versions of that service that count, as a semantic version requirement. Any, when it is not written.";
    "every": "The most that may lie between two starts of it, 1m to 90d: who owns it is told when none comes. Not asked for when it is not written.";
    "concurrency" = "refuse": "What happens to a start while another rollout owns one of the services: it is refused, or it waits its turn.";
    "maintenance": "When the rollout may move, in UTC. Outside, a start is refused; at the end of the window, what is not met stalls. Any time, when it is not written.";
    "maintenance.days": "The days on which the window opens. Every day, when they are not written.";
    "maintenance.from": "The time of day at which it opens, in UTC, e.g. \"22:00\".";
    "maintenance.to": "The time of day at which it closes; on the next day when it is not later than `from`.";
    "matrix": "Placeholders and what they stand for. A step or phase whose id says `{region}` stands once for each region.";
    "steps": "The events that must come, in any order: the order of the rollout follows from what waits for what.";
    "steps.id": "The name of the step: 1 to 64 characters of A-Z a-z 0-9 . _ -";
    "steps.after" = "[]": "The steps that must all be full before this one's window begins. Without any, it begins with the rollout or the phase.";
    "steps.after_any" = "[]": "Steps of which one must be full as well.";
    "steps.expect": "The event that must come, as `service.Event`: `Ready`, `DeploymentComplete` or `Drained`.";
    "steps.version": "The versions that count, as a semantic version requirement. Any, when it is not written.";
    "steps.runs_with" = "{}": "The versions of other services that those of `version` run with, as version requirements by service. What is not named runs with any.";
    "steps.zone": "The zone whose instances count. All instances count when it is not written.";
    "steps.instances" = "1": "How many distinct instances must say it: a number, or a share such as `25%` of those alive when the step opens.";
    "steps.max_parallel": "How many instances may be between start and end at the same time. Any number, when it is not written.";
    "steps.started_within": "How long after its prerequisites the first `DeploymentStarted` must come. Not asked for when it is not written.";
    "steps.within": "How long after its prerequisites the event must have come from all of them.";
    "steps.healthy_for" = "0s": "How long the full count must hold before the step is met.";
    "steps.on_stall" = "alert": "What the sentinel does about a stall: tell the owner; tell and stop the clocks; tell and ask all back.";
    "steps.reversible" = "true": "Whether the service may be asked back. A rollback stops at a step that is not, and pages.";
    "steps.interruptible" = "true": "Whether what the service does may be cut off half-way; if not, a request to go back waits for its end.";
    "steps.compensate": "How the step is taken back.";
    "steps.compensate.expect": "The event that says that it is back. It is always the service's `RollbackComplete`, written out for the reader.";
    "steps.compensate.within": "How long after its turn the event must come. As long as `within` of the step, when it is not written.";
    "steps.owner": "The team that owns the step. The owner of the rollout, when it is not written.";
    "steps.runbook": "Where a person reads what to do about this step. The runbook of the rollout, when it is not written.";
    "steps.severity": "How loudly a stall of this step is told. As the rollout says, when it is not written.";
    "phases": "What the sentinel opens one after the other; for `method: hybrid` alone, and then every step stands in one.";
    "phases.id": "The name of the phase and of its gate: 1 to 64 characters of A-Z a-z 0-9 . _ -";
    "phases.steps": "The steps that open together.";
    "phases.approval" = "false": "Whether somebody must say that the phase may begin; `{ by: team }` says who is asked, else the owner is.";
    "phases.approval.by": "The team that is asked.";
    "phases.cohorts": "Shares of the instances that move one after the other, growing up to `100%`, each as a phase of its own.";
    "phases.zones": "The zones over which the steps of the phase are spread.";
    "phases.zones.names": "The zones.";
    "phases.zones.order" = "parallel": "Whether the zones move at once, or one after the other as phases of their own.";
    "phases.soak" = "0s": "How long all steps must have been met before the phase is complete.";
    "phases.watch": "A metric that must keep to a bound after the steps are met, before the phase is complete.";
    "phases.watch.query": "The query in the language of Prometheus; its result is one number.";
    "phases.watch.max": "The most that the number may be. A watch has `max` or `min`.";
    "phases.watch.min": "The least that the number may be.";
    "phases.watch.for": "How long the number must keep to the bound.";
    "phases.watch.every": "How often it is asked for. A sixth of `for` and at least 1s, when it is not written.";
    "phases.watch.on_breach" = "alert": "What the sentinel does when the number breaks the bound; as `on_stall` of a step.";
    "tests": "Scenarios with expectations, run by `pavane test`. They do not travel with the plan.";
}
