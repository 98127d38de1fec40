//! Schemas by their id: kept for ever once fetched, an unknown id for five seconds, a failure never.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pavane_events::UnreadableReason;

use super::error::chain;
use crate::wire::{Contract, Defect, SchemaRefused};

/// How long an id counts as unknown before the registry is asked again.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// How long after one id turned out to be unknown no other is waited for: a flood of invented ids must not hold up
/// a partition for five seconds each.
const IMPATIENT_FOR: Duration = Duration::from_secs(30);
/// How many ids are kept: far more than honest writers have, so a hostile one cannot fill the memory.
const MAX_IDS: usize = 4096;

/// What the registry has behind an id.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// A schema to read by.
    Contract(Arc<Contract>),
    /// A schema that nothing may be read by; it stays so.
    Refused(Arc<SchemaRefused>),
    /// Nothing.
    Nothing,
}

/// What is known about ids.
#[derive(Debug, Default)]
pub(super) struct Cache {
    state: Mutex<State>,
    /// Held while an id is fetched, so that many readers ask once.
    pub(super) fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    ids: BTreeMap<u32, Known>,
    unknown_at: Option<Instant>,
}

#[derive(Clone, Debug)]
enum Known {
    For(Found),
    SuspectedSince(Instant),
    UnknownSince(Instant),
}

impl Cache {
    /// What is known about an id at a moment; none when the registry has to be asked.
    pub(super) fn get(&self, id: u32, at: Instant) -> Option<Result<Arc<Contract>, Defect>> {
        match self.state().ids.get(&id)? {
            Known::For(Found::Contract(contract)) => Some(Ok(Arc::clone(contract))),
            Known::For(Found::Refused(refused)) => {
                let detail = format!("failed to {}", chain(refused.as_ref()));
                Some(Err(defect(UnreadableReason::Incompatible, detail)))
            }
            Known::UnknownSince(since) if at.duration_since(*since) < UNKNOWN_FOR => {
                let detail = format!("the registry does not know the schema id {id}, asked twice");
                Some(Err(defect(UnreadableReason::UnknownSchema, detail)))
            }
            Known::For(Found::Nothing) | Known::UnknownSince(_) | Known::SuspectedSince(_) => None,
        }
    }

    /// Forgets what is known about an id: the registry is asked for it again.
    pub(super) fn forget(&self, id: u32) {
        self.state().ids.remove(&id);
    }

    /// Takes the registry's answer of a moment; gives how long to wait before it is asked again.
    pub(super) fn put(&self, id: u32, found: Found, at: Instant) -> Option<Duration> {
        let mut state = self.state();
        let before = state.ids.get(&id).cloned();
        if state.ids.len() >= MAX_IDS && before.is_none() {
            // What is behind an id never changes, so forgetting it costs a request each and nothing else.
            state.ids.clear();
        }
        let patient = state.unknown_at.is_none_or(|unknown| at.duration_since(unknown) >= IMPATIENT_FOR);
        let (known, wait) = match (found, before) {
            (Found::Nothing, None) if patient => (Known::SuspectedSince(at), Some(UNKNOWN_FOR)),
            (Found::Nothing, Some(Known::SuspectedSince(since)))
                if at.duration_since(since) < UNKNOWN_FOR =>
            {
                (Known::SuspectedSince(since), Some(UNKNOWN_FOR.saturating_sub(at.duration_since(since))))
            }
            (Found::Nothing, _) => {
                state.unknown_at = Some(at);
                (Known::UnknownSince(at), None)
            }
            (found, _) => (Known::For(found), None),
        };
        state.ids.insert(id, known);
        wait
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn defect(reason: UnreadableReason, detail: String) -> Defect {
    Defect { reason, field: String::new(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_id_is_unknown_only_when_the_registry_said_so_twice_five_seconds_apart() {
        let (cache, begin) = (Cache::default(), Instant::now());
        assert_eq!(cache.put(1, Found::Nothing, begin), Some(UNKNOWN_FOR));
        assert!(cache.get(1, begin).is_none());
        assert_eq!(cache.put(1, Found::Nothing, begin + SECOND), Some(4 * SECOND));
        assert_eq!(cache.put(1, Found::Nothing, begin + UNKNOWN_FOR), None);
        let defect = cache.get(1, begin + UNKNOWN_FOR).expect("known to be unknown").expect_err("unknown");
        assert_eq!(defect.reason, UnreadableReason::UnknownSchema);
        assert!(cache.get(1, begin + 2 * UNKNOWN_FOR).is_none(), "asked for again");
    }

    #[test]
    fn what_was_fetched_is_never_asked_for_again() {
        let (cache, begin) = (Cache::default(), Instant::now());
        let schema = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#;
        cache.put(1, Found::Nothing, begin);
        let contract = Arc::new(Contract::parse(schema).expect("fit"));
        assert_eq!(cache.put(1, Found::Contract(contract), begin + SECOND), None);
        assert!(cache.get(1, begin + 1000 * UNKNOWN_FOR).is_some_and(|found| found.is_ok()));
    }

    #[test]
    fn a_flood_of_invented_ids_neither_holds_up_the_log_nor_fills_the_memory() {
        let (cache, begin) = (Cache::default(), Instant::now());
        cache.put(0, Found::Nothing, begin);
        cache.put(0, Found::Nothing, begin + UNKNOWN_FOR);
        for id in 1..100_000 {
            assert_eq!(cache.put(id, Found::Nothing, begin + UNKNOWN_FOR), None);
            assert!(cache.state().ids.len() <= MAX_IDS);
        }
    }
}
