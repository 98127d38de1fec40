//! The values of a plan as they are written in files.

use pavane_choreography::{Concurrency, Method, OnStall, Step, Trigger};

/// The method of a plan.
pub const fn method(method: Method) -> &'static str {
    match method {
        Method::Choreography => "choreography",
        Method::Hybrid => "hybrid",
        Method::Orchestrated => "orchestrated",
    }
}

/// What happens to a start that finds one of its services taken.
pub const fn concurrency(concurrency: Concurrency) -> &'static str {
    match concurrency {
        Concurrency::Refuse => "refuse",
        Concurrency::Queue => "queue",
    }
}

/// What a sentinel does about a stall or a breach.
pub const fn on_stall(on_stall: OnStall) -> &'static str {
    match on_stall {
        OnStall::Alert => "alert",
        OnStall::Pause => "pause",
        OnStall::Rollback => "rollback",
    }
}

/// The event that starts a rollout, with the versions that count.
pub fn trigger(trigger: &Trigger) -> String {
    match &trigger.version {
        Some(version) => format!("{} of {version}", trigger.on),
        None => trigger.on.to_string(),
    }
}

/// What the versions of a step run with; none where it does not say.
pub fn runs_with(step: &Step) -> Option<String> {
    let named: Vec<String> = step.runs_with.iter().map(|(with, wanted)| format!("{with} {wanted}")).collect();
    (!named.is_empty()).then(|| named.join("; "))
}
