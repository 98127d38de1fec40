//! A plan made ready to be played: its text and digest once, and what each service has to do in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use pavane_choreography::{Plan, Step};
use pavane_events::command::RolloutStarted;
use pavane_events::{Millis, Service, Version, Zone};
use pavane_sentinel_engine::RULES;
use pavane_sidecar_engine::Score;

/// A plan that can be played any number of times.
#[derive(Clone, Debug)]
pub struct Piece {
    plan: Plan,
    json: String,
    pub(crate) digest: String,
    /// The plan as sidecars read it; none when they refuse it.
    pub(crate) score: Option<Arc<Score>>,
    parts: BTreeMap<Service, Part>,
}

/// What one service has to do in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The version that it runs before.
    pub(crate) old: Version,
    /// The version that it is asked for.
    pub(crate) new: Version,
    /// The shortest of its windows, in milliseconds.
    pub(crate) window: Millis,
    /// The shortest window in which it must be back, in milliseconds.
    pub(crate) back: Millis,
    /// How many instances the plan wants of it; none where it wants a share of them.
    pub(crate) wanted: Option<u32>,
    /// How many of its instances may move at a time.
    pub(crate) max_parallel: Option<u32>,
    /// The zones that the plan names for it.
    pub(crate) zones: Vec<Zone>,
}

impl Piece {
    /// Makes a plan ready.
    pub fn new(plan: Plan) -> Self {
        let (json, digest) = (plan.to_json(), plan.digest());
        let mut steps: BTreeMap<&Service, Vec<&Step>> = BTreeMap::new();
        for step in &plan.steps {
            steps.entry(&step.expect.service).or_default().push(step);
        }
        let parts = steps.into_iter().map(|(service, steps)| (service.clone(), part(&steps))).collect();
        let mut piece = Self { plan, json, digest, score: None, parts };
        piece.score = Score::read(&piece.start("")).ok().map(Arc::new);
        piece
    }

    /// The plan.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The services that take part, in the order of their names.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.parts.keys()
    }

    /// The version that a service runs before and the one that it is asked for; none when it takes no part.
    pub fn versions(&self, service: &Service) -> Option<(&Version, &Version)> {
        self.parts.get(service).map(|part| (&part.old, &part.new))
    }

    /// What is said when it is started.
    pub(crate) fn start(&self, by: &str) -> RolloutStarted {
        RolloutStarted {
            choreography: self.plan.name.clone(),
            plan: self.json.clone(),
            plan_digest: self.digest.clone(),
            rules: RULES,
            by: by.to_owned(),
            reason: String::new(),
        }
    }

    pub(crate) const fn parts(&self) -> &BTreeMap<Service, Part> {
        &self.parts
    }

    /// The longest time that can pass in this plan without anything being said, in milliseconds.
    pub(crate) fn longest_wait(&self) -> Millis {
        let steps = self.plan.steps.iter();
        let steps = steps.map(|step| step.within.max(step.compensate.within).max(step.healthy_for));
        let phases = self.plan.phases.iter();
        let phases = phases.map(|phase| phase.soak + phase.watch.as_ref().map_or(0, |w| w.hold.max(w.every)));
        steps.chain(phases).max().unwrap_or(0)
    }

    /// Whether what is alive must be known all the time: something is counted or picked from heartbeats.
    pub(crate) fn counts_the_living(&self) -> bool {
        let share = |step: &Step| step.instances.share().is_some();
        self.plan.steps.iter().any(share) || self.plan.phases.iter().any(|phase| phase.cohort.is_some())
    }

    /// Whether a deadline may fall on any millisecond. Where all windows are even, deadlines never meet a pulse.
    pub(crate) fn has_odd_windows(&self) -> bool {
        let odd = |length: Millis| length % 2 != 0;
        let step = |step: &Step| {
            odd(step.within) || odd(step.compensate.within) || step.started_within.is_some_and(odd)
        };
        self.plan.steps.iter().any(step) || !self.plan.phases.is_empty() || self.plan.maintenance.is_some()
    }
}

fn part(steps: &[&Step]) -> Part {
    let (old, new) = versions(steps);
    let mut zones: Vec<Zone> = Vec::new();
    for zone in steps.iter().filter_map(|step| step.zone.as_ref()) {
        if !zones.contains(zone) {
            zones.push(zone.clone());
        }
    }
    Part {
        old,
        new,
        window: steps.iter().map(|step| step.within).min().unwrap_or(0),
        back: steps.iter().map(|step| step.compensate.within).min().unwrap_or(0),
        wanted: wanted(steps, &zones),
        max_parallel: steps.iter().filter_map(|step| step.max_parallel).min(),
        zones,
    }
}

/// So many instances as fill every step: those of each zone, or those that any zone may give.
fn wanted(steps: &[&Step], zones: &[Zone]) -> Option<u32> {
    let most = |zone: Option<&Zone>| {
        let own = steps.iter().filter(|step| step.zone.as_ref() == zone);
        own.map(|step| step.instances.count()).try_fold(0, |most, count| Some(most.max(count?)))
    };
    let anywhere = most(None)?;
    let each = zones.iter().map(|zone| most(Some(zone))).try_fold(0, |most, count| Some(count?.max(most)))?;
    let zones = u32::try_from(zones.len()).unwrap_or(u32::MAX);
    Some(anywhere.max(each.saturating_mul(zones)).max(1))
}

/// A version that the steps of a service do not accept, and one that they do.
fn versions(steps: &[&Step]) -> (Version, Version) {
    let accepted = |found: &Numbers| steps.iter().all(|step| step.accepts(Some(&found.version())));
    let asked = steps.iter().filter_map(|step| step.version.as_ref());
    let named = asked.flat_map(|wanted| &wanted.comparators).flat_map(|comparator| {
        let pre = comparator.pre.as_str();
        let at = |minor, patch| Numbers(comparator.major, minor, patch, pre.to_owned());
        let (minor, patch) = (comparator.minor.unwrap_or(0), comparator.patch.unwrap_or(0));
        [at(minor, patch), at(minor, patch + 1), at(minor + 1, 0)]
    });
    let usual = Numbers(2, 0, 0, String::new());
    let new = named.chain([usual.clone()]).find(accepted).unwrap_or(usual);
    let plain = |major, minor, patch| Numbers(major, minor, patch, String::new());
    let before =
        [plain(new.0.saturating_sub(1), 9, 0), plain(new.0, new.1.saturating_sub(1), 0), plain(0, 0, 1)];
    let is_old = |found: &Numbers| {
        let open = steps.iter().all(|step| step.version.is_none());
        *found != new && (open || !accepted(found))
    };
    let old = before.iter().find(|found| is_old(found)).unwrap_or(&before[2]);
    (old.version(), new.version())
}

/// A semantic version: major, minor, patch and what stands after the dash.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Numbers(u64, u64, u64, String);

impl Numbers {
    fn version(&self) -> Version {
        let Self(major, minor, patch, pre) = self;
        let dash = if pre.is_empty() { "" } else { "-" };
        Version::new(format!("{major}.{minor}.{patch}{dash}{pre}")).expect("a semantic version is a version")
    }
}

#[cfg(test)]
mod tests {
    use pavane_choreography::{Expect, Instances, Share};
    use pavane_events::{EventType, StepId};

    use super::*;

    #[test]
    fn a_service_gets_a_version_that_the_plan_asks_for_and_one_that_it_does_not() {
        for (asked, old, new) in [
            (None, "1.9.0", "2.0.0"),
            (Some(">=2.0.0, <3"), "1.9.0", "2.0.0"),
            (Some("=7.1.2"), "6.9.0", "7.1.2"),
            (Some(">0.3.1"), "0.2.0", "0.3.2"),
            (Some("<4, >=3.2"), "2.9.0", "3.2.0"),
        ] {
            let step = Step { version: asked.map(|asked| asked.parse().unwrap()), ..step() };
            let (was, is) = versions(&[&step]);
            assert_eq!((was.as_str(), is.as_str()), (old, new), "{asked:?}");
        }
    }

    #[test]
    fn the_fleet_fills_every_step() {
        let zoned = |zone: &str, count| Step {
            zone: Some(Zone::new(zone).unwrap()),
            instances: Instances::Count(count),
            ..step()
        };
        let (eu, us) = (zoned("eu", 2), zoned("us", 3));
        assert_eq!(part(&[&eu, &us]).wanted, Some(6), "each zone gets as many as the largest wants");
        let share = Step { instances: Instances::Share(Share::ALL), ..step() };
        assert_eq!(part(&[&share]).wanted, None);
        assert_eq!(part(&[&step()]).wanted, Some(1));
    }

    fn step() -> Step {
        let service = Service::new("users").unwrap();
        let expect = Expect { service, event: EventType::DeploymentComplete };
        Step::new(StepId::new("users").unwrap(), expect, 60_000, "identity")
    }
}
