//! What keeps the sentinel from asking for one rollback after another: a budget of the domain, and a cool-down of each
//! service and version.
//!
//! Where a brake bites, a rollback that the plan asks for becomes a pause, and people are told: nothing moves any
//! further, and a person decides. All of it is folded from the log, so that every replica brakes at the same offset.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use pavane_events::{Millis, Service, Timestamp, Version};

use crate::alert::spoken;
use crate::clock::Mark;
use crate::fold::Fold;
use crate::rollout::Rollout;

/// How many automatic rollbacks are remembered: as many as the largest budget can count.
const REMEMBERED: usize = 1_000;
/// How many versions are remembered that one service was asked back to.
const TARGETS: usize = 8;

/// The rollbacks that brakes look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Brakes {
    /// Where automatic rollbacks were accepted, and not withdrawn since.
    pub(crate) accepted: VecDeque<Mark>,
    /// What each service was asked back to and when, whoever decided it.
    pub(crate) asked: BTreeMap<Service, Vec<Asked>>,
}

/// That a service was asked back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// To which version; none where nobody knew.
    pub(crate) target: Option<Version>,
    pub(crate) mark: Mark,
}

/// Why the sentinel does not ask for a rollback by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Brake {
    /// So many were asked for within the window.
    Budget { used: usize, budget: i64, window: Millis },
    /// A service of this rollout was asked back to the same version a while ago.
    CoolDown { service: Service, target: Option<Version>, ago: Millis, cool_down: Millis },
}

impl Brakes {
    /// An automatic rollback was accepted here.
    pub(crate) fn note(&mut self, mark: Mark) {
        if self.accepted.len() >= REMEMBERED {
            self.accepted.pop_front();
        }
        self.accepted.push_back(mark);
    }

    /// The one that was accepted there lost its ground before it was said.
    pub(crate) fn withdrawn(&mut self, offset: i64) {
        self.accepted.retain(|mark| mark.offset() != offset);
    }

    /// A service is asked back where its turn came. Saying it again changes nothing.
    pub(crate) fn ask(&mut self, service: &Service, target: Option<&Version>, mark: Mark) {
        let asked = self.asked.entry(service.clone()).or_default();
        asked.retain(|asked| asked.target.as_ref() != target);
        if asked.len() >= TARGETS {
            asked.remove(0);
        }
        asked.push(Asked { target: target.cloned(), mark });
    }

    /// Moves what was noted at or after a leap by the part of the leap that was no time.
    pub(crate) fn step_clock(&mut self, leap: i64, by: Millis) {
        let asked = self.asked.values_mut().flatten().map(|asked| &mut asked.mark);
        for mark in self.accepted.iter_mut().chain(asked).filter(|mark| mark.offset() >= leap) {
            mark.at = mark.at.plus(-by);
        }
    }
}

impl Fold {
    /// What keeps the sentinel from asking for this rollback by itself, if anything does.
    pub(crate) fn brake(&self, rollout: &Rollout, now: Timestamp) -> Option<Brake> {
        let set = self.settings.newest();
        let (budget, window) = (set.rollback_budget, set.rollback_window_ms);
        let used = self.brakes.accepted.iter().filter(|mark| now.since(mark.at) < window).count();
        if used >= usize::try_from(budget).unwrap_or(0) {
            return Some(Brake::Budget { used, budget, window });
        }
        let cool_down = set.cool_down_ms;
        let goes_back = rollout.would_go_back();
        let moved = |i: &usize| goes_back[*i] && rollout.steps[*i].moved().next().is_some();
        (0..rollout.steps.len()).filter(moved).find_map(|i| {
            let (service, target) = (rollout.service(i), rollout.target(i));
            let asked = self.brakes.asked.get(&*service)?;
            // what nobody knows may be the same
            let same = |asked: &&Asked| {
                asked.target.is_none() || target.is_none() || asked.target.as_ref() == target
            };
            let newest = asked.iter().filter(same).map(|asked| asked.mark.at).max()?;
            let (service, target) = (service.into_owned(), target.cloned());
            let ago = now.since(newest);
            (ago < cool_down).then_some(Brake::CoolDown { service, target, ago, cool_down })
        })
    }
}

impl fmt::Display for Brake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget { used: _, budget: 0, .. } => {
                f.write_str("this domain lets the sentinel ask for no rollback by itself")
            }
            Self::Budget { used, budget, window } => write!(
                f,
                "the sentinel asked for {used} rollback(s) by itself within {}, and the domain's budget is {budget}",
                spoken(*window)
            ),
            Self::CoolDown { service, target, ago, cool_down } => {
                let target = target.as_ref().map_or("the version before", Version::as_str);
                let (ago, cool_down) = (spoken(*ago), spoken(*cool_down));
                write!(f, "{service} was asked back to {target} {ago} ago, and the cool-down is {cool_down}")
            }
        }
    }
}
