//! What is said of a rollout that nobody knows: what was probably meant, and what the log holds under its id.

use pavane_choreography::yaml::nearest;
use pavane_events::RolloutId;
use pavane_sentinel_engine::View;

use super::Gathered;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::picture::plain;

/// How many rollouts are named where none is near.
const NEWEST: usize = 5;

/// That there is no such rollout.
pub fn unknown(gathered: &Gathered, id: &RolloutId) -> Failure {
    let mut what = format!("there is no rollout {id}");
    let refused = gathered.chronicle.decisions().rev().find(|decision| decision.event == "CommandRefused");
    if let Some(refused) = refused {
        what = format!("{what}: the sentinel {}", plain(&refused.text));
    } else if let Some(seen) = gathered.chronicle.seen() {
        let records = gathered.chronicle.records();
        what = format!(
            "{what}, though {records} record(s) on the log carry its id; the newest is {}.{} at offset {}. It has not \
             started, or it ended so long ago that it is forgotten",
            seen.service, seen.event, seen.offset
        );
    }
    Failure::new(Exit::Findings, what).help(near(id, &gathered.view))
}

/// Which rollout was probably meant.
pub fn near(id: &RolloutId, view: &View) -> String {
    let names: Vec<&str> = view.rollouts.iter().map(|rollout| rollout.id.as_str()).collect();
    match nearest(id.as_str(), &names) {
        Some(near) => format!("did you mean {near}?"),
        None if names.is_empty() => {
            "no rollout has started in this domain; another one is named by --domain".to_owned()
        }
        None => {
            let newest: Vec<&str> = names.into_iter().take(NEWEST).collect();
            format!("the newest are {}; `pavane status` lists them", newest.join(", "))
        }
    }
}
