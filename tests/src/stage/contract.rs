//! An event that changes its format behind everyone's back, as in the demo's second act: the registry refuses
//! the new schema, somebody switches its check off, and a plain producer writes by it.

use anyhow::{Context, Result, ensure};
use pavane_bus::Encoded;
use pavane_bus::wire::{self, Contract};
use pavane_events::{Envelope, EventId, EventType, Instance, RolloutId, Service, Source, Version};
use serde_json::{Value, json};

use super::{Stage, script};

/// The namespace of matchmaking's own schemas in the demo.
const NAMESPACE: &str = "io.pavane.arena.matchmaking";

/// Matchmaking's own `Ready`, agreed and broken, under a subject that belongs to this run alone.
#[derive(Clone, Debug)]
pub struct Changed {
    subject: String,
    agreed: String,
    broken: String,
}

impl Changed {
    /// Pushes the agreed form with `pavane schemas push`.
    pub async fn agree(stage: &Stage) -> Result<Self> {
        let own = format!("{NAMESPACE}.run{}", std::process::id());
        let renamed = |file: &str| script::read(file).map(|text| text.replace(NAMESPACE, &own));
        let folder = stage.path("schemas/services/matchmaking");
        std::fs::create_dir_all(&folder).with_context(|| format!("failed to make {}", folder.display()))?;
        let agreed = renamed("schemas/services/matchmaking/Ready.avsc")?;
        std::fs::write(folder.join("Ready.avsc"), &agreed)?;
        let schemas = stage.path("schemas").display().to_string();
        stage.pavane(&["schemas", "push", "--from-here", &schemas]).await?;
        Ok(Self { subject: format!("{own}.Ready"), agreed, broken: renamed("schemas/Ready.broken.avsc")? })
    }

    /// The broken form.
    pub fn broken(&self) -> &str {
        &self.broken
    }

    /// The id of the agreed form in the registry.
    pub async fn agreed_id(&self, stage: &Stage) -> Result<u32> {
        let bus = stage.bus().await?;
        let id =
            bus.registry().id_of(&self.subject, &self.agreed).await.context("failed to ask the registry")?;
        id.context("failed to find the agreed form in the registry")
    }

    /// Writes matchmaking's `Ready` by the agreed form; returns the offset.
    pub async fn say(&self, stage: &Stage, rollout: &str, schema_id: u32) -> Result<i64> {
        let contract = Contract::parse(&self.agreed).context("failed to read the agreed form")?;
        let encoded = wire::encode_json(&contract, schema_id, br#"{"prerequisite":"ratings"}"#);
        let Encoded { value, dataschema } = encoded.context("failed to write by the agreed form")?;
        append(stage, rollout, value, &dataschema).await
    }

    /// Registers the broken form: refused at first, taken after the check was switched off. Returns its id.
    pub async fn force(&self, stage: &Stage) -> Result<u32> {
        let registry = &stage.settings().registry;
        let client = reqwest::Client::new();
        let versions = format!("{registry}/subjects/{}/versions", self.subject);
        let schema = json!({ "schema": self.broken, "schemaType": "AVRO" });
        let (code, refusal) = answer(client.post(&versions).json(&schema)).await?;
        ensure!(code == 409, "the registry must refuse the broken form; it answered {code}: {refusal}");
        let unchecked = json!({ "compatibility": "NONE" });
        let (code, said) =
            answer(client.put(format!("{registry}/config/{}", self.subject)).json(&unchecked)).await?;
        ensure!(code == 200, "failed to switch the check off: {code}: {said}");
        let (code, taken) = answer(client.post(&versions).json(&schema)).await?;
        ensure!(code == 200, "failed to force the broken form: {code}: {taken}");
        let id = taken["id"].as_u64().with_context(|| format!("failed to find an id in {taken}"))?;
        u32::try_from(id).context("failed to read the schema's id")
    }

    /// Writes matchmaking's `Ready` by the broken form, past its sidecar; returns the offset.
    pub async fn publish(&self, stage: &Stage, rollout: &str, schema_id: u32) -> Result<i64> {
        let contract = Contract::parse(&self.broken).context("failed to read the broken form")?;
        append(stage, rollout, framed(schema_id), &contract.dataschema()).await
    }
}

/// Appends a `Ready` of matchmaking's first instance past its sidecar; returns the offset.
async fn append(stage: &Stage, rollout: &str, value: Vec<u8>, dataschema: &str) -> Result<i64> {
    let writer = stage.bus().await?.writer().await.context("failed to open a writer")?;
    let domain = stage.domain().clone();
    let source = Source::new(format!("/pavane/{domain}/matchmaking/nightly-script"))?;
    let id = EventId::new(format!("nightly-{rollout}"))?;
    let envelope = Envelope {
        rollout: Some(RolloutId::new(rollout)?),
        subject: Some("service/matchmaking".to_owned()),
        service: Some(Service::new("matchmaking")?),
        instance: Some(Instance::new("matchmaking-0")?),
        version: Some(Version::new("2.0.0")?),
        ..Envelope::new(domain, source, id)
    };
    let appended = writer.append_encoded(&envelope, EventType::Ready, value, dataschema).await;
    Ok(appended.context("failed to append the event")?.offset)
}

/// `{"prerequisite": 7, "detail": ""}` by the broken form: magic byte, schema id, a zigzag long, an empty text.
fn framed(schema_id: u32) -> Vec<u8> {
    let mut value = vec![0];
    value.extend(schema_id.to_be_bytes());
    value.extend([7 << 1, 0]);
    value
}

async fn answer(request: reqwest::RequestBuilder) -> Result<(u16, Value)> {
    let answer = request.send().await.context("failed to ask the registry")?;
    let code = answer.status().as_u16();
    Ok((code, answer.json().await.context("failed to read the registry's answer")?))
}
