//! When to say what was decided and does not yet stand on the log.
//!
//! Whoever owns the partition says it at once and again after a while; a standby waits for longer and then does the same.
//! Either way times are set in the order in which they come, so the next one is always in front.

use std::collections::VecDeque;

use pavane_events::{EventId, Millis};

use crate::fold::Fold;

/// The times at which to say, or say again, what is owed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Saying {
    times: VecDeque<(Millis, EventId)>,
    /// What was due last; kept for its room alone.
    due: Vec<EventId>,
}

impl Saying {
    /// Begins anew: all that is owed is new.
    pub(crate) fn restart(&mut self, fold: &mut Fold) {
        self.times.clear();
        fold.decided = fold.owed.iter().map(|(id, _)| id.clone()).collect();
    }

    /// What to say, in the order of the ids. It is said again after `again`; what was decided since the last call is said
    /// first after `patience`.
    pub(crate) fn due(
        &mut self,
        fold: &mut Fold,
        now: Millis,
        patience: Millis,
        again: Millis,
    ) -> &[EventId] {
        let due = &mut self.due;
        due.clear();
        if self.times.is_empty() && fold.decided.is_empty() {
            return due;
        }
        while let Some((at, id)) =
            self.times.pop_front_if(|(at, id)| *at <= now || !fold.owed.contains_key(id))
        {
            if at <= now && fold.owed.contains_key(&id) {
                due.push(id);
            }
        }
        for id in fold.decided.drain(..).filter(|id| fold.owed.contains_key(id)) {
            if patience == 0 {
                due.push(id);
            } else {
                self.times.push_back((now + patience, id));
            }
        }
        due.sort_unstable();
        self.times.extend(due.iter().map(|id| (now + again, id.clone())));
        due
    }

    /// When to speak next. A needless call is harmless, so what was read back meanwhile still counts.
    pub(crate) fn next(&self) -> Option<Millis> {
        self.times.front().map(|(at, _)| *at)
    }
}
