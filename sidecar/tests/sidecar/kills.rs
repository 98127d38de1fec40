//! The program killed at each place where a hook may run twice or be forgotten, forward and back, run after run.
//!
//! What the sidecar asks of the outside is where it is killed from: the question for the version, the beginning of a hook, its
//! end, and moments after that in which the journal is written. `PAVANE_KILLS` says how many kills there are; a few are
//! made without it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pavane_events::command::{RollbackRequested, RolloutAborted};
use pavane_events::service::Ready;
use pavane_events::{EventType, Record, RolloutId, Service, StepId, Version};
use tokio::time::timeout;

use crate::process::Program;
use crate::shop::{PATIENCE, PAUSE, Shop, free_port, plan};

const DB: Option<(&str, &str, &str)> = Some(("user-db", "user-db-0", "2.0.0"));
const KILLS: u32 = 16;
/// Where the sidecar is killed: when it asks for the version, when a hook begins, when the hook has done its work, and so
/// long after that.
const PLACES: [&str; 8] = ["version", "hook", "done", "0", "0.002", "0.005", "0.010", "0.030"];
const FORWARD: [EventType; 3] =
    [EventType::DeploymentComplete, EventType::DeploymentFailed, EventType::HookUncertain];
const BACK: [EventType; 4] = [
    EventType::RollbackComplete,
    EventType::RollbackFailed,
    EventType::RollbackRefused,
    EventType::HookUncertain,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_hook_runs_twice_and_none_is_forgotten_wherever_the_sidecar_is_killed() {
    let wanted = std::env::var("PAVANE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut shop = Shop::open().await;
    let house = House::new(&shop);
    let (mut sidecar, mut kills, mut ends) =
        (house.start(&shop), BTreeMap::<String, u32>::new(), BTreeMap::new());
    let mut round = 0;
    while kills.values().sum::<u32>() < wanted {
        let place = PLACES[round % PLACES.len()];
        let back = (round / PLACES.len()) % 2 == 1;
        round += 1;
        house.write("version", "1.0.0\n");
        let rollout = shop.start(&plan()).await;
        if !back {
            house.write("moment", place);
        }
        shop.say("/db", &rollout, DB, Ready::default()).await;
        let mut ended = house.until(&mut shop, &mut sidecar, &rollout, &FORWARD).await;
        if back && ended.event.body.event_type() == EventType::DeploymentComplete {
            house.write("moment", place);
            ask_back(&shop, &rollout).await;
            ended = house.until(&mut shop, &mut sidecar, &rollout, &BACK).await;
        }
        let way = if back { "back" } else { "forward" };
        if !house.path("moment").exists() {
            *kills.entry(format!("{way} {place}")).or_default() += 1;
        }
        house.write("moment", "never");
        *ends.entry(format!("{way} {}", ended.event.body.event_type())).or_insert(0_u32) += 1;
        shop.say("/ada", &rollout, None, RolloutAborted::default()).await;
    }
    let mut runs = BTreeMap::<String, u32>::new();
    for line in house.read("runs").lines() {
        *runs.entry(line.to_owned()).or_default() += 1;
    }
    let twice: Vec<_> = runs.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "run twice: {twice:?}");
    let all = kills.values().sum::<u32>();
    eprintln!("{all} kills {kills:?}; {} hooks run, 0 twice; {ends:?}", runs.len());
    assert!(all >= wanted && !runs.is_empty());
}

async fn ask_back(shop: &Shop, rollout: &RolloutId) {
    let request = RollbackRequested { epoch: 1, by: "ada".into(), ..RollbackRequested::default() };
    let decision = shop.say("/ada", rollout, None, request.clone()).await;
    let addressed = RollbackRequested {
        step: Some(StepId::new("users").unwrap()),
        service: Some(Service::new("user-service").unwrap()),
        expected: Some(Version::new("2.0.0").unwrap()),
        target: Some(Version::new("1.0.0").unwrap()),
        decision: Some(decision),
        ..request
    };
    shop.sentinel(rollout, addressed).await;
}

/// A folder with a sidecar's file whose programs kill the sidecar when the file `moment` says so.
struct House {
    folder: PathBuf,
    _dir: tempfile::TempDir,
}

impl House {
    fn new(shop: &Shop) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let house = Self { folder: dir.path().to_owned(), _dir: dir };
        let place = house.folder.display().to_string();
        house.write(
            "version.sh",
            "cd $(dirname $0); cat version; if [ \"$(cat moment)\" = version ]; then rm moment; kill -9 $PPID; fi\n",
        );
        house.write(
            "hook.sh",
            "cd $(dirname $0); echo \"$PAVANE_ROLLOUT $PAVANE_REACTION $PAVANE_EPOCH\" >> runs\n\
             moment=$(cat moment)\n\
             if [ \"$moment\" = hook ]; then rm moment; kill -9 $PPID; fi\n\
             echo $1 > version.new; mv version.new version\n\
             if [ \"$moment\" = done ]; then rm moment; kill -9 $PPID; fi\n\
             case $moment in 0*) rm moment; setsid sh -c \"sleep $moment; kill -9 $PPID\" & ;; esac\n",
        );
        house.write("moment", "never");
        house.write("version", "1.0.0\n");
        house.write(
            "sidecar.yaml",
            &format!(
                "service: user-service\ndomain: shop\ninstance: user-service-0\nhttp: 127.0.0.1:{}\n\
                 journal: {place}/journal\nversion: {{ exec: [sh, {place}/version.sh] }}\nreactions:\n\
                 \x20 - {{ on: user-db.Ready, run: {{ exec: [sh, {place}/hook.sh, 2.0.0] }}, retry: {{ attempts: 1 }} }}\n\
                 \x20 - {{ on: RollbackRequested, run: {{ exec: [sh, {place}/hook.sh, 1.0.0] }}, retry: {{ attempts: 1 }} }}\n",
                free_port()
            ),
        );
        assert!(shop.seen.is_empty());
        house
    }

    fn start(&self, shop: &Shop) -> Program {
        let (kafka, registry) = (shop.embedded.kafka(), shop.embedded.registry_url());
        Program::start(&self.folder, &["--kafka", kafka, "--registry", registry])
    }

    /// Reads on until the service has come to one of these ends in a rollout; a sidecar that was killed is started again.
    async fn until(
        &self,
        shop: &mut Shop,
        sidecar: &mut Program,
        rollout: &RolloutId,
        ends: &[EventType],
    ) -> Record {
        let reading = async {
            loop {
                if sidecar.has_ended() {
                    *sidecar = self.start(shop);
                }
                let Ok(record) = timeout(10 * PAUSE, shop.next()).await else { continue };
                let envelope = &record.event.envelope;
                let own = envelope.service.as_ref().is_some_and(|service| service.as_str() == "user-service");
                if own
                    && envelope.rollout.as_ref() == Some(rollout)
                    && ends.contains(&record.event.body.event_type())
                {
                    return record;
                }
            }
        };
        let found = timeout(2 * PATIENCE, reading).await;
        found.unwrap_or_else(|_| panic!("{ends:?} never came: {:?}", shop.told()))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).unwrap();
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap_or_default()
    }
}
