//! Keeps every span of a rollout, whatever share of other traces is kept: a hole in the one trace that
//! explains a stall is worth less than no trace.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// The span attribute that names the rollout.
pub(crate) const ROLLOUT: &str = "pavane.rollout.id";

/// Keeps spans that name a rollout; asks another sampler for the rest.
#[derive(Clone, Debug)]
pub(crate) struct RolloutsAlways {
    rest: Sampler,
}

impl RolloutsAlways {
    /// Reads the sampler of the rest from `OTEL_TRACES_SAMPLER` and its argument; default
    /// `parentbased_always_on`, and a name that nobody knows is said by the second value.
    pub(crate) fn from_names(name: Option<&str>, argument: Option<&str>) -> (Self, Option<String>) {
        let ratio = argument.and_then(|text| text.parse().ok()).unwrap_or(1.0);
        let based = |root: Sampler| Sampler::ParentBased(Box::new(root));
        let (rest, stranger) = match name {
            None | Some("" | "parentbased_always_on") => (based(Sampler::AlwaysOn), None),
            Some("always_on") => (Sampler::AlwaysOn, None),
            Some("always_off") => (Sampler::AlwaysOff, None),
            Some("parentbased_always_off") => (based(Sampler::AlwaysOff), None),
            Some("traceidratio") => (Sampler::TraceIdRatioBased(ratio), None),
            Some("parentbased_traceidratio") => (based(Sampler::TraceIdRatioBased(ratio)), None),
            Some(other) => (based(Sampler::AlwaysOn), Some(other.to_owned())),
        };
        (Self { rest }, stranger)
    }
}

impl ShouldSample for RolloutsAlways {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        if attributes.iter().any(|attribute| attribute.key.as_str() == ROLLOUT) {
            return SamplingResult {
                decision: SamplingDecision::RecordAndSample,
                attributes: Vec::new(),
                trace_state: parent
                    .map(|parent| parent.span().span_context().trace_state().clone())
                    .unwrap_or_default(),
            };
        }
        self.rest.should_sample(parent, trace, name, kind, attributes, links)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(sampler: &RolloutsAlways, attributes: &[KeyValue]) -> SamplingDecision {
        sampler.should_sample(None, TraceId::from(7), "s", &SpanKind::Internal, attributes, &[]).decision
    }

    #[test]
    fn a_rollout_is_kept_even_where_nothing_else_is() {
        let (sampler, stranger) = RolloutsAlways::from_names(Some("always_off"), None);
        assert_eq!(stranger, None);
        assert_eq!(decision(&sampler, &[]), SamplingDecision::Drop);
        assert_eq!(decision(&sampler, &[KeyValue::new(ROLLOUT, "r-1")]), SamplingDecision::RecordAndSample);
    }

    #[test]
    fn a_sampler_that_nobody_knows_is_said() {
        let (sampler, stranger) = RolloutsAlways::from_names(Some("sometimes"), None);
        assert_eq!(stranger.as_deref(), Some("sometimes"));
        assert_eq!(decision(&sampler, &[]), SamplingDecision::RecordAndSample);
    }
}
