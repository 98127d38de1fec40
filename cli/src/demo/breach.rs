//! How matchmaking's event changes its format behind everyone's back, and how that is mended.

use std::time::Duration;

use pavane_bus::wire::Contract;
use pavane_events::command::RolloutAborted;
use pavane_events::{Event, EventType, Instance, RolloutId, Service, Source, Version};
use serde_json::json;

use super::cast;
use super::stage::Stage;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{outage, speaker};

/// The subject of matchmaking's own `Ready`.
const SUBJECT: &str = "io.pavane.arena.matchmaking.Ready";

/// The registry refuses the new format; somebody switches its check off and registers it all the same.
pub(super) async fn force_schema(stage: &Stage) -> Result<bool, Failure> {
    let narrator = &stage.narrator;
    let body = json!({ "schema": cast::READY_BROKEN, "schemaType": "AVRO" });
    let versions = format!("/subjects/{SUBJECT}/versions");
    let (status, answer) = stage.ask_registry(false, &versions, &body).await?;
    let refused = status == 409;
    let message = answer["message"].as_str().unwrap_or_default();
    let why = message.rsplit_once("\": ").map_or(message, |(_, why)| why);
    narrator.aside("registry", &format!("{status} refused"), &shortened(why));
    narrator.beat(Duration::from_millis(1_500)).await;
    let config = format!("/config/{SUBJECT}");
    stage.ask_registry(true, &config, &json!({ "compatibility": "NONE" })).await?;
    let (status, answer) = stage.ask_registry(false, &versions, &body).await?;
    narrator.aside(
        "somebody",
        "forces it through",
        &format!("compatibility NONE, registered as id {}", answer["id"]),
    );
    if status != 200 {
        return Err(Failure::new(Exit::Findings, format!("the registry answered {status}: {answer}")));
    }
    narrator.beat(Duration::from_secs(1)).await;
    Ok(refused)
}

/// A script of matchmaking's publishes the new format with a plain producer.
pub(super) async fn publish_past_the_sidecar(stage: &Stage, rollout: &RolloutId) -> Result<(), Failure> {
    let defect =
        |error: String| Failure::new(Exit::Internal, format!("cannot write the broken event: {error}"));
    let body = json!({ "schema": cast::READY_BROKEN, "schemaType": "AVRO" });
    let (_, answer) = stage.ask_registry(false, &format!("/subjects/{SUBJECT}"), &body).await?;
    let id = answer["id"].as_u64().and_then(|id| u32::try_from(id).ok());
    let id = id.ok_or_else(|| defect(format!("no schema id in {answer}")))?;
    let contract = Contract::parse(cast::READY_BROKEN).map_err(|error| defect(error.to_string()))?;
    let mut envelope = speaker::envelope(&stage.domain, Some(rollout));
    envelope.source = Source::new("/pavane/arena/matchmaking/nightly-script").expect("a name");
    envelope.subject = Some("service/matchmaking".to_owned());
    envelope.service = Some(Service::new("matchmaking").expect("a name"));
    envelope.instance = Some(Instance::new("matchmaking-0").expect("a name"));
    envelope.version = Some(Version::new("2.0.0").expect("a name"));
    let dataschema = contract.dataschema();
    let appended = stage.writer.append_encoded(&envelope, EventType::Ready, broken_value(id), &dataschema);
    appended.await.map_err(outage::of)?;
    Ok(())
}

/// The framed record `{"prerequisite": 7, "detail": ""}`: magic byte, schema id, a zigzag long, an empty text.
fn broken_value(schema_id: u32) -> Vec<u8> {
    let mut value = vec![0];
    value.extend(schema_id.to_be_bytes());
    value.extend([7 << 1, 0]);
    value
}

/// The check is switched on again, and the rollout is ended by hand.
pub(super) async fn mend(stage: &mut Stage, rollout: &RolloutId) -> Result<(), Failure> {
    stage
        .ask_registry(true, &format!("/config/{SUBJECT}"), &json!({ "compatibility": "FULL_TRANSITIVE" }))
        .await?;
    let body =
        RolloutAborted { by: "you".to_owned(), reason: "matchmaking mends its event first".to_owned() };
    let event: Event = speaker::event(&stage.domain, Some(rollout), body);
    stage.writer.append(&event).await.map_err(outage::of)?;
    stage.end_of(rollout).await?;
    stage.alert(rollout, "resolved").await?;
    Ok(())
}

fn shortened(text: &str) -> String {
    const WIDE: usize = 72;
    if text.chars().count() <= WIDE {
        return text.to_owned();
    }
    text.chars().take(WIDE).collect::<String>() + "…"
}
