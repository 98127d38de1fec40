//! What plans say of versions that run together, and what was told of it, as it is written.

use pavane_events::{RolloutId, Service, StepId, Version};
use semver::VersionReq;
use serde::{Deserialize, Serialize};

use crate::skew::{Claim, Pair, Skew};

use super::domain::Hold;
use super::written::Number;

/// Which versions of another service some of a service run with.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claimed {
    service: Service,
    choreography: String,
    rollout: RolloutId,
    step: StepId,
    offset: Number,
    version: VersionReq,
    with: Service,
    wanted: VersionReq,
    owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    runbook: Option<String>,
    #[serde(default)]
    lasts: bool,
}

/// What people were told of versions that run together.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    service: Service,
    version: Version,
    with: Service,
    with_version: Version,
    alert: Hold,
}

/// What the plans say.
pub(super) fn claims(skew: &Skew) -> impl Iterator<Item = Claimed> {
    let all = skew.claims.iter().flat_map(|(service, claims)| claims.iter().map(move |one| (service, one)));
    all.map(|(service, claim)| {
        let Claim { choreography, rollout, step, offset, version, with, wanted, owner, runbook, lasts } =
            claim.clone();
        let (service, offset) = (service.clone(), Number::of(offset));
        Claimed { service, choreography, rollout, step, offset, version, with, wanted, owner, runbook, lasts }
    })
}

/// What was told and is not over.
pub(super) fn told(skew: &Skew) -> impl Iterator<Item = Told> {
    skew.told.iter().map(|(pair, alert)| {
        let Pair { service, version, with, with_version } = pair.clone();
        Told { service, version, with, with_version, alert: Hold::of(alert) }
    })
}

/// Takes what a line says of either.
pub(super) fn take(skew: &mut Skew, claim: Option<Claimed>, told: Option<Told>) {
    if let Some(claimed) = claim {
        let Claimed { choreography, rollout, step, version, with, wanted, owner, runbook, lasts, .. } =
            claimed;
        let offset = claimed.offset.get();
        let claim =
            Claim { choreography, rollout, step, offset, version, with, wanted, owner, runbook, lasts };
        skew.claims.entry(claimed.service).or_default().push(claim);
    }
    if let Some(Told { service, version, with, with_version, alert }) = told {
        skew.told.insert(Pair { service, version, with, with_version }, alert.alert());
    }
}
