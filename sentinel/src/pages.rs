//! The pages of causes and alerts, as they lie in `docs/verdicts`, built in: what an alert leads to is always there.

use pavane_sentinel_engine::diagnosis::page_of;

macro_rules! pages {
    ($($name:literal,)*) => {
        /// Every page with its name.
        const PAGES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../docs/verdicts/", $name, ".md"))),)*];
    };
}

pages! {
    "approval_awaited",
    "blind",
    "cohort_unknown",
    "conflict",
    "contract_broken",
    "dead_man_unreached",
    "domain_held",
    "failed",
    "gap",
    "gate_rejected",
    "hook_uncertain",
    "late_event",
    "maintenance_over",
    "metric_missing",
    "not_finished",
    "not_started",
    "out_of_order",
    "rollback_frozen",
    "rollback_withheld",
    "rollout_orphaned",
    "rollout_partial",
    "rollout_refused",
    "rollout_paused",
    "start_missed",
    "step_orphaned",
    "undelivered",
    "unknown",
    "unreachable",
    "version_drift",
    "version_skew",
    "watchdog",
}

/// The page of a cause or an alert, e.g. `failed` or `RolloutPartial`, in Markdown.
pub fn page(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix(".md").unwrap_or(name);
    let own = page_of(name, "");
    let own = own.trim_start_matches("docs/verdicts/").trim_end_matches(".md");
    PAGES.iter().find(|(page, _)| *page == name || *page == own).map(|(_, text)| *text)
}

/// The names of all pages.
pub fn names() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use pavane_events::Cause;
    use pavane_sentinel_engine::diagnosis::ALERTS;

    use super::*;

    #[test]
    fn every_cause_and_every_alert_leads_to_a_page_that_is_built_in() {
        for cause in Cause::ALL {
            assert!(page(cause.as_str()).is_some(), "{cause:?}");
        }
        for alert in ALERTS {
            let file = page_of(alert, "failed");
            let name = file.strip_prefix("docs/verdicts/").expect("it lies there");
            assert!(page(name).is_some_and(|text| text.contains("## What to do")), "{alert}");
        }
        assert!(page("../../secret").is_none() && page("").is_none());
    }
}
