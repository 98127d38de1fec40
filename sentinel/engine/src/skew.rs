//! Skew: versions of two services that run together, and of which a plan says that they do not.
//!
//! A step says in `runs_with` which versions of other services those of its own run with. That holds from the start of its
//! rollout on, and outlasts it where it completed. What runs is heard in heartbeats, as [`drift`](crate::drift) is: the
//! replica that speaks says in its pulse what it has seen for a while, each replica holds that against what the plans say,
//! tells the same, and knows it after a restart. It is no verdict, and nothing follows from it.

use std::collections::BTreeMap;

use pavane_choreography::plan::{is_unwanted, is_wanted};
use pavane_events::control::{Sighting, SightingKind};
use pavane_events::identity::sha256_hex;
use pavane_events::{EventId, Record, RolloutId, Service, StepId, Version};
use semver::VersionReq;

use crate::alert::outlook;
use crate::diagnosis::words::page_of;
use crate::effect::{Alert, AlertStatus, Effect};
use crate::fold::Fold;
use crate::rollout::Status;

mod seen;

pub(crate) use seen::Skews;

/// How many pairs of versions may be told at the same time.
const TOLD: usize = 1_000;

/// What plans say of versions that run together, and what was told of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skew {
    /// By the service whose versions they are about.
    pub(crate) claims: BTreeMap<Service, Vec<Claim>>,
    pub(crate) told: BTreeMap<Pair, Alert>,
}

/// That some versions of a service run with some of another one, as a step says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) choreography: String,
    pub(crate) rollout: RolloutId,
    pub(crate) step: StepId,
    /// The start of the rollout, which carries the plan.
    pub(crate) offset: i64,
    pub(crate) version: VersionReq,
    pub(crate) with: Service,
    pub(crate) wanted: VersionReq,
    pub(crate) owner: String,
    pub(crate) runbook: Option<String>,
    /// Whether the rollout has completed: then this holds until another one that moves the service completes.
    pub(crate) lasts: bool,
}

/// Versions of two services, beside each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pair {
    pub(crate) service: Service,
    pub(crate) version: Version,
    pub(crate) with: Service,
    pub(crate) with_version: Version,
}

impl Claim {
    /// Whether it is about this version of its service.
    pub(crate) fn is_about(&self, version: &Version) -> bool {
        is_wanted(Some(&self.version), Some(version))
    }

    /// Whether its versions do not run beside this one. Of a version that is not semantic nobody can tell.
    pub(crate) fn excludes(&self, version: &Version) -> bool {
        is_unwanted(&self.wanted, version)
    }
}

impl Skew {
    /// What says that these do not run together.
    fn against(&self, pair: &Pair) -> Option<&Claim> {
        let claims = self.claims.get(&pair.service)?;
        let against = |claim: &&Claim| {
            claim.with == pair.with && claim.is_about(&pair.version) && claim.excludes(&pair.with_version)
        };
        claims.iter().find(against)
    }

    /// Whether there is nothing to look for and nothing to be over.
    pub(crate) fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.told.is_empty()
    }
}

impl Pair {
    /// The pair that is seen.
    fn of(seen: &Sighting) -> Option<Self> {
        let service = seen.service.clone().zip(seen.version.clone());
        let with = seen.with.clone().zip(seen.with_version.clone());
        service.zip(with).map(|((service, version), (with, with_version))| Self {
            service,
            version,
            with,
            with_version,
        })
    }
}

impl Fold {
    /// A rollout has begun, and what its plan says of versions that run together holds.
    pub(crate) fn claim(&mut self, n: u64) {
        let Some(rollout) = self.rollouts.get(n).filter(|rollout| rollout.score.has_claims) else { return };
        let plan = &rollout.score.plan;
        for step in plan.steps.iter().filter(|step| !step.per_rollout) {
            // a plan that was forged may say what no document says
            let Some(version) = &step.version else { continue };
            for (with, wanted) in &step.runs_with {
                let claim = Claim {
                    choreography: plan.name.clone(),
                    rollout: rollout.id.clone(),
                    step: step.id.clone(),
                    offset: rollout.started.offset(),
                    version: version.clone(),
                    with: with.clone(),
                    wanted: wanted.clone(),
                    owner: step.owner.clone(),
                    runbook: step.runbook.clone(),
                    lasts: false,
                };
                let claims = self.skew.claims.entry(step.expect.service.clone()).or_default();
                // zones, cohorts and regions say the same once each
                let said = |other: &Claim| Claim { step: claim.step.clone(), ..other.clone() } == claim;
                if !claims.iter().any(said) {
                    claims.push(claim);
                }
            }
        }
    }

    /// A rollout has ended. What it said lasts where it completed, in the place of all that was said of its services before,
    /// else it is gone.
    pub(crate) fn settle_claims(&mut self, n: u64, status: Status, out: &mut Vec<Effect>) {
        let Some(rollout) = self.rollouts.get(n).filter(|_| !self.skew.claims.is_empty()) else { return };
        for step in rollout.score.plan.steps.iter().filter(|step| !step.per_rollout) {
            let Some(claims) = self.skew.claims.get_mut(&step.expect.service) else { continue };
            if status == Status::Completed {
                claims.retain(|claim| claim.rollout == rollout.id);
                for claim in claims.iter_mut() {
                    claim.lasts = true;
                }
            } else {
                claims.retain(|claim| claim.lasts || claim.rollout != rollout.id);
            }
            if claims.is_empty() {
                self.skew.claims.remove(&step.expect.service);
            }
        }
        let groundless = |pair: &&Pair| self.skew.against(pair).is_none();
        for pair in self.skew.told.keys().filter(groundless).cloned().collect::<Vec<_>>() {
            self.aligned(&pair, out);
        }
    }

    /// The sentinel that speaks sees versions run together that do not, or no more.
    pub(crate) fn skewed(&mut self, record: &Record, seen: &Sighting, out: &mut Vec<Effect>) {
        let Some(pair) = Pair::of(seen) else { return };
        if seen.kind == SightingKind::Aligned {
            self.aligned(&pair, out);
            return;
        }
        if self.skew.told.contains_key(&pair) || self.skew.told.len() >= TOLD {
            return;
        }
        let Some(claim) = self.skew.against(&pair) else { return };
        let alert = self.skew_alert(&pair, claim, record, &seen.detail);
        out.push(Effect::Raise(Box::new(alert.clone())));
        self.skew.told.insert(pair, alert);
    }

    fn aligned(&mut self, pair: &Pair, out: &mut Vec<Effect>) {
        if let Some(alert) = self.skew.told.remove(pair) {
            out.push(Effect::Raise(Box::new(alert.over(self.clock.raw()))));
        }
    }

    fn skew_alert(&self, pair: &Pair, claim: &Claim, record: &Record, who: &str) -> Alert {
        let Pair { service, version, with, with_version } = pair;
        let labels = [
            ("alertname", "VersionSkew"),
            ("domain", self.domain.as_str()),
            ("service", service.as_str()),
            ("choreography", &claim.choreography),
            ("rollout", claim.rollout.as_str()),
            ("step", claim.step.as_str()),
            ("cause", "conflict"),
            ("severity", "ticket"),
            ("owner", &claim.owner),
        ];
        let story = format!("{} {service} {version} {with} {with_version} {}", self.domain, record.offset);
        let mut alert = Alert {
            id: EventId::new(format!("skew-{}", sha256_hex(&story))).expect("69 characters of a name"),
            status: AlertStatus::Firing,
            labels: labels.map(|(key, text)| (key.to_owned(), text.to_owned())).into(),
            annotations: BTreeMap::new(),
            since: None,
            deadline: None,
            starts_at: record.at,
            ends_at: None,
        };
        let Claim { wanted, step, choreography, rollout, offset, .. } = claim;
        alert.say(
            "summary",
            format!("{service} {version} runs beside {with} {with_version}, and wants {wanted}"),
        );
        alert.say(
            "description",
            format!(
                "They run together: {who}. Step {step} of choreography {choreography} says that {service} {} runs with \
                 {with} {wanted} (rollout {rollout}, started at offset {offset}). The sentinel does nothing about it.",
                claim.version
            ),
        );
        let next = format!(
            "bring {with} to {wanted}, or {service} to a version that runs with {with} {with_version}; if they do run \
             together, widen `runs_with` of {step} in {choreography}"
        );
        for (key, text) in [
            ("next_step", next),
            ("outlook", outlook::skewed(service, with)),
            ("culprit", service.to_string()),
            ("culprit_owner", claim.owner.clone()),
            ("page", page_of("VersionSkew", "conflict")),
            ("offsets", format!("{offset}, {}", record.offset)),
        ] {
            alert.say(key, text);
        }
        if let Some(runbook) = &claim.runbook {
            alert.say("runbook_url", runbook.clone());
        }
        alert
    }
}
