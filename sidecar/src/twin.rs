//! Finds a second sidecar that says it is this one: a file that was copied, an instance that was started twice.
//!
//! Both read what is said in their own name on the heartbeats: the one partition that holds their key, from its end on, and
//! of it nothing but their key. The log itself would tell it only when a service moves, which is too late: each
//! announcement would be taken for the own one. Two heartbeats of the other are waited for, because the last
//! one of a sidecar that was killed may still be on its way when its successor starts; one that says that it is
//! stopping is no twin.

use std::sync::Arc;
use std::time::Duration;

use pavane_bus::{Bus, Error as BusError, HeartbeatReader};
use pavane_events::Heartbeat;
use tokio::time::{Instant, sleep, timeout};

use crate::config::Config;
use crate::error::Error;
use crate::shared::Shared;
use crate::telemetry;

/// How many heartbeats of the other make it a twin.
const HEARD: u32 = 2;
/// How long after its last heartbeat a twin counts as gone.
const GONE: Duration = Duration::from_secs(10);
/// How often it is looked whether it is gone.
const LOOK: Duration = Duration::from_secs(1);
/// How long to wait before the heartbeats are read again after an error.
const AGAIN: Duration = Duration::from_secs(5);
/// The phase of a sidecar that stops.
pub(crate) const STOPPING: &str = "draining";

/// Listens until the process ends; what it hears is in [`Shared::twin`].
pub(crate) async fn listen(
    bus: Bus,
    config: Arc<Config>,
    boot: String,
    shared: Arc<Shared>,
) -> Result<(), Error> {
    let mut ear = Ear { boot, config, heard: 0, other: None };
    loop {
        let error = match bus.heartbeats_of(&ear.config.domain, &ear.config.instance).await {
            Ok(mut reader) => ear.listen(&mut reader, &shared).await,
            Err(error) => error,
        };
        // A sidecar that may not read heartbeats works on, and says what it cannot see.
        telemetry::trouble("look for a sidecar of the same name", &error, AGAIN);
        sleep(AGAIN).await;
    }
}

/// What is wrong while there is a twin, with the next step.
pub(crate) fn complaint(twin: &str) -> String {
    format!(
        "another sidecar (boot {twin}) says that it is this instance, so neither acts; stop one of the two, or give \
         it an `instance` of its own"
    )
}

struct Ear {
    boot: String,
    config: Arc<Config>,
    heard: u32,
    other: Option<(String, Instant)>,
}

impl Ear {
    async fn listen(&mut self, reader: &mut HeartbeatReader, shared: &Shared) -> BusError {
        loop {
            match timeout(LOOK, reader.next()).await {
                Ok(Ok(beat)) => self.hear(&beat.heartbeat, Instant::now()),
                Ok(Err(error)) => return error,
                Err(_) => {}
            }
            self.judge(Instant::now(), shared);
        }
    }

    /// Takes one heartbeat that was said in the own name.
    fn hear(&mut self, heartbeat: &Heartbeat, now: Instant) {
        let ours = heartbeat.service == self.config.service && heartbeat.boot != self.boot;
        if !ours || heartbeat.phase == STOPPING {
            return;
        }
        let again = self.other.as_ref().is_some_and(|(boot, _)| *boot == heartbeat.boot);
        self.heard = if again { self.heard.saturating_add(1) } else { 1 };
        self.other = Some((heartbeat.boot.clone(), now));
    }

    /// Says what follows from it, once when it begins and once when it is over.
    fn judge(&mut self, now: Instant, shared: &Shared) {
        if self.other.as_ref().is_some_and(|(_, at)| now.saturating_duration_since(*at) >= GONE) {
            (self.other, self.heard) = (None, 0);
        }
        let twin = self.other.as_ref().filter(|_| self.heard >= HEARD).map(|(boot, _)| boot.clone());
        if twin.is_some() != shared.twin().is_some() {
            telemetry::twin(twin.as_deref());
        }
        shared.set_twin(twin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twin_is_one_that_is_heard_twice_and_is_gone_when_it_is_silent() {
        let (mut ear, shared, begin) = (ear(), Shared::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        ear.hear(&beat("other", "idle"), at(0));
        ear.judge(at(0), &shared);
        assert_eq!(shared.twin(), None, "the last word of one that was killed");
        ear.hear(&beat("other", "idle"), at(1));
        ear.judge(at(1), &shared);
        assert_eq!(shared.twin().as_deref(), Some("other"));
        ear.judge(at(10), &shared);
        assert!(shared.twin().is_some());
        ear.judge(at(11), &shared);
        assert_eq!(shared.twin(), None);
    }

    #[test]
    fn the_own_heartbeats_those_of_one_that_stops_and_those_of_another_service_are_no_twins() {
        let (mut ear, shared, now) = (ear(), Shared::default(), Instant::now());
        let stranger = Heartbeat { service: "b".parse().unwrap(), ..beat("other", "idle") };
        for heard in [beat("own", "idle"), beat("other", STOPPING), stranger] {
            for _ in 0..5 {
                ear.hear(&heard, now);
            }
        }
        ear.judge(now, &shared);
        assert_eq!(shared.twin(), None);
    }

    fn ear() -> Ear {
        let text = "service: a\ndomain: shop\ninstance: a-0\njournal: /tmp/j\nversion: { env: V }\n";
        let config = Arc::new(Config::from_yaml(text, "sidecar.yaml").unwrap());
        Ear { boot: "own".to_owned(), config, heard: 0, other: None }
    }

    fn beat(boot: &str, phase: &str) -> Heartbeat {
        Heartbeat {
            domain: "shop".parse().unwrap(),
            service: "a".parse().unwrap(),
            instance: "a-0".parse().unwrap(),
            zone: None,
            boot: boot.to_owned(),
            version: None,
            phase: phase.to_owned(),
            rollout: None,
            acknowledged: 0,
            outbox: 0,
            position: -1,
        }
    }
}
