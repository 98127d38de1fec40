//! A sidecar in a hybrid rollout: phases, a cohort, a zone and a line of instances, on the embedded broker.

use pavane_choreography::Plan;
use pavane_events::command::{Member, PhaseBegun};
use pavane_events::service::{DeploymentComplete, DeploymentStarted, Ready};
use pavane_events::{EventType, Instance, PhaseId, Service};
use pavane_sidecar_engine::Trigger;

use crate::shop::{PATIENCE, Shop, Workload};

const OTHER: Option<(&str, &str, &str)> = Some(("user-service", "user-service-1", "2.0.0"));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phase_lets_those_move_who_were_picked_and_the_line_one_after_the_other() {
    let (mut shop, service) = (Shop::open().await, Workload::start().await);
    let mut config = shop.config(&service);
    config.zone = Some("eu".parse().unwrap());
    config.reactions[0].terms.on = Trigger::PhaseBegun;
    let sidecar = shop.sidecar(config).await;
    let rollout = shop.start(&plan()).await;
    shop.say("/db", &rollout, Some(("user-db", "user-db-0", "2.0.0")), Ready::default()).await;
    let accepted = shop.say("/other", &rollout, OTHER, DeploymentStarted::default()).await;
    until(&shop, accepted, "idle").await;

    let begun = shop.sentinel(&rollout, begun(accepted)).await;
    let waits = until(&shop, begun, "waiting").await;
    assert_eq!(waits.zone.as_ref().unwrap().as_str(), "eu");
    assert_eq!(service.with(|state| state.upgrades.len()), 0, "another instance is at it");

    shop.say("/other", &rollout, OTHER, DeploymentComplete::default()).await;
    until(&shop, begun, "done").await;
    let own = loop {
        let record = shop.next().await;
        if record.event.body.event_type() == EventType::DeploymentComplete
            && record.event.envelope.instance.as_ref().is_some_and(|name| name.as_str() == "user-service-0")
        {
            break record;
        }
    };
    assert_eq!(own.event.envelope.zone.as_ref().unwrap().as_str(), "eu");
    let told = service.with(|state| state.upgrades.clone());
    let [(_, event)] = &told[..] else { panic!("the hook ran {} times", told.len()) };
    assert_eq!(event["type"], "io.pavane.lifecycle.v1.PhaseBegun");
    assert_eq!((&event["pavanestep"], &event["pavanereaction"]), (&"users".into(), &"PhaseBegun".into()));
    sidecar.stop().await;
}

/// Waits until the sidecar has read up to an offset and is at something, as its heartbeat says.
async fn until(shop: &Shop, offset: i64, phase: &str) -> pavane_events::Heartbeat {
    let mut beats = shop.bus.heartbeats().await.unwrap();
    let reading = async {
        loop {
            let beat = beats.next().await.unwrap().heartbeat;
            if beat.position >= offset && beat.phase == phase {
                return beat;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("it is never at {phase:?}"))
}

/// The sentinel's word that the second phase has begun, for the instance that is tried.
fn begun(accepted: i64) -> PhaseBegun {
    let service = Service::new("user-service").unwrap();
    let picked = Member { service, instance: Instance::new("user-service-0").unwrap() };
    PhaseBegun {
        phase: PhaseId::new("users").unwrap(),
        epoch: 1,
        attempt: 1,
        cohort: vec![picked],
        evidence: Vec::new(),
        accepted: Some(accepted),
    }
}

/// The schema, and then user-service, one instance after the other.
fn plan() -> Plan {
    let text = r#"
apiVersion: pavane/v1
kind: Choreography
metadata: { name: users-v2, owner: identity }
method: hybrid
steps:
  - { id: schema, expect: user-db.Ready, within: 10m }
  - id: users
    after: [schema]
    expect: user-service.DeploymentComplete
    version: ">=2.0.0, <3"
    max_parallel: 1
    within: 5m
phases:
  - { id: schema, steps: [schema] }
  - { id: users, steps: [users] }
"#;
    pavane_choreography::read(text, "plan.yaml").unwrap_or_else(|defects| panic!("{defects:#?}"))
}
