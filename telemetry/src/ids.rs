//! Gives a span an id that was computed, because a rollout's root span is known by its id before it exists.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

thread_local! {
    static NEXT: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Random ids, except within [`with_ids`].
#[derive(Debug, Default)]
pub(crate) struct Ids {
    random: RandomIdGenerator,
}

/// Runs `build` so that a span without a parent that is built in it on this thread has these ids.
pub(crate) fn with_ids<T>(trace: TraceId, span: SpanId, build: impl FnOnce() -> T) -> T {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            NEXT.set(None);
        }
    }
    let _reset = Reset;
    NEXT.set(Some((trace, span)));
    build()
}

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get().map_or_else(|| self.random.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get().map_or_else(|| self.random.new_span_id(), |(_, span)| span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_random_again_after_the_computed_one() {
        let (ids, trace, span) = (Ids::default(), TraceId::from(1), SpanId::from(2));
        assert_eq!(with_ids(trace, span, || (ids.new_trace_id(), ids.new_span_id())), (trace, span));
        assert_ne!(ids.new_trace_id(), trace);
        assert_ne!(ids.new_span_id(), span);
    }
}
