//! What the scenario lets happen, in words.

use pavane_choreography::yaml::lasting;

use crate::scenario::{Fault, How, What};

/// What a cue does, where no record on the log says it.
pub(super) fn told(what: &What) -> Option<String> {
    match what {
        What::Start { .. } | What::Order { .. } | What::Say { .. } => None,
        What::Metric { query, value: Some(value) } => Some(format!("{query} is {value} from here on")),
        What::Metric { query, value: None } => Some(format!("the metrics have no answer for {query}")),
        What::Fault(fault) => Some(broken(fault)),
    }
}

fn broken(fault: &Fault) -> String {
    match fault {
        Fault::Fail { whom, how, lasting: for_so_long } => {
            let how = match how {
                How::Start => "hears nothing and will not start",
                How::Hook => "has a hook that fails",
                How::Ready => "will not be well after its hook",
                How::Hang => "has a hook that hangs",
                How::Crash => "loses its sidecar",
                How::Die => "loses its host",
                How::Revert => "has a way back that fails",
                How::Stuck => "has a way back that hangs",
                How::Memory => "has a hook that runs out of memory",
                How::Version => "has a hook that brings another version",
                How::Drift => "changes to another version behind everyone's back",
                How::Sick => "falls ill",
                How::Twin => "gets a second sidecar of the same name",
                How::Clock => "has a clock that is an hour slow",
            };
            let lasts = for_so_long.map_or(String::new(), |length| format!(", for {}", lasting(length)));
            format!("{whom} {how}{lasts}")
        }
        Fault::Mend(whom) => format!("{whom} is well again"),
        Fault::Schema(expect) => format!("{expect} is published in a schema that its readers do not know"),
        Fault::Registry(away) => format!("the registry does not answer, for {}", lasting(*away)),
        Fault::Broker(away) => format!("the broker does not answer, for {}", lasting(*away)),
        Fault::Frozen(away) => format!("the broker is frozen, for {}", lasting(*away)),
        Fault::Leap(by) => format!("the broker's clock leaps ahead by {}", lasting(*by)),
        Fault::Lose(expect) => format!("the next {expect} will be acknowledged and lost"),
        Fault::Delay(expect, by) => format!("the next {expect} will wait {} in the outbox", lasting(*by)),
        Fault::Duplicate(expect) => format!("the next {expect} will stand on the log twice"),
        Fault::Sentinel(number, away) => format!("sentinel-{number} dies, for {}", lasting(*away)),
    }
}
