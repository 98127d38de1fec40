//! `pavane emit`: an event from CI or by hand, under the same contract as a sidecar's.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use pavane_bus::Bus;
use pavane_events::{
    Domain, Envelope, EventId, EventType, Instance, RolloutId, Service, Source, Speaker, Version,
};

use crate::commands::Context;
use crate::failure::Failure;
use crate::outage;
use crate::speaker::{self, Said};

/// Says an event for a service, from CI or by hand, without a sidecar.
///
/// The data are checked strictly against the event's schema, the service's own extension of it where there is
/// one. Whatever breaks the contract is reported with its JSON pointer, and nothing is written (exit code 1).
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  pavane emit --rollout R --service user-db --version 2.0.0 --event Ready
  pavane emit --rollout R --service api --version 2.1.0 --event DeploymentFailed --data failure.json
  echo '{\"prerequisite\":\"schema-v2\"}' | pavane emit --rollout R --service user-db --version 2.0.0 --event Ready --data -

With --output json: {\"id\":\"…\",\"partition\":0,\"offset\":42}, only after the broker has acknowledged it.")]
pub struct Emit {
    /// The rollout that the event is about.
    #[arg(long, value_name = "ID")]
    rollout: RolloutId,
    /// The service that speaks.
    #[arg(long, value_name = "NAME")]
    service: Service,
    /// The version that the service runs, or that the event is about.
    #[arg(long, value_name = "VERSION")]
    version: Version,
    /// The event, e.g. `Ready` or `DeploymentComplete`.
    #[arg(long, value_name = "EVENT", value_parser = said_by_a_service)]
    event: EventType,
    /// The event's own data as JSON: a file, or `-` for standard input. Without it every field keeps its default.
    #[arg(long, value_name = "FILE|-")]
    data: Option<PathBuf>,
    /// The instance of the service, where several speak; by default the service's name.
    #[arg(long, value_name = "NAME")]
    instance: Option<Instance>,
    /// The event's id; give the same one when saying it again, so that it counts once.
    #[arg(long, value_name = "ID")]
    id: Option<EventId>,
}

impl Emit {
    /// Says it and prints where it stands.
    pub async fn run(self, context: Context<'_>) -> Result<(), Failure> {
        let domain = context.connection.domain()?;
        let data = self.data.as_deref().map_or_else(|| Ok(b"{}".to_vec()), read_data)?;
        let bus = context.connection.bus().await?;
        let said = self.say(&bus, &domain, &data).await?;
        let human = format!("{} stands at partition {} offset {}\n", said.id, said.partition, said.offset);
        context.console.data(&human, &said)
    }

    async fn say(&self, bus: &Bus, domain: &Domain, data: &[u8]) -> Result<Said, Failure> {
        let writer = bus.writer().await.map_err(outage::of)?;
        let encoded = writer.encode_json(&self.service, self.event, data).await.map_err(outage::of)?;
        let envelope = self.envelope(domain)?;
        let appended = writer.append_encoded(&envelope, self.event, encoded.value, &encoded.dataschema).await;
        Ok(Said::new(envelope.id, appended.map_err(outage::of)?))
    }

    fn envelope(&self, domain: &Domain) -> Result<Envelope, Failure> {
        let instance = match &self.instance {
            Some(instance) => instance.clone(),
            None => Instance::new(self.service.as_str())
                .map_err(|error| Failure::usage("the service's name is no instance's name").because(error))?,
        };
        let mut envelope = speaker::envelope(domain, Some(&self.rollout));
        // The instance is in the source, as a sidecar's is: identity is (source, id).
        envelope.source = Source::new(format!("/pavane/{domain}/{}/{instance}/cli", self.service))
            .map_err(|error| Failure::usage("the names are too long together").because(error))?;
        envelope.subject = Some(format!("service/{}", self.service));
        envelope.service = Some(self.service.clone());
        envelope.version = Some(self.version.clone());
        envelope.instance = Some(instance);
        if let Some(id) = &self.id {
            envelope.id = id.clone();
        }
        Ok(envelope)
    }
}

fn said_by_a_service(name: &str) -> Result<EventType, String> {
    let own = |event: &&EventType| event.speaker() == Speaker::Service;
    EventType::from_short(name).filter(|event| event.speaker() == Speaker::Service).ok_or_else(|| {
        let all: Vec<&str> = EventType::ALL.iter().filter(own).map(|event| event.as_str()).collect();
        format!("a service says one of: {}", all.join(", "))
    })
}

fn read_data(place: &Path) -> Result<Vec<u8>, Failure> {
    let mut data = Vec::new();
    let read = if place == Path::new("-") {
        std::io::stdin().read_to_end(&mut data).map(|_| data)
    } else {
        std::fs::read(place)
    };
    read.map_err(|error| {
        Failure::usage(format!("cannot read the event's data from {}", place.display())).because(error)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Parser;
    use pavane_bus::embedded::{self, Embedded};
    use pavane_bus::registry::PushRequest;
    use serde_json::json;

    use super::*;
    use crate::commands::schemas::publish;
    use crate::exit::Exit;

    #[tokio::test]
    async fn an_event_is_printed_as_its_id_partition_and_offset() {
        let (_embedded, bus) = bus().await;
        let said = emit("Ready").say(&bus, &shop(), br#"{"prerequisite":"schema-v2"}"#).await.unwrap();
        let json = json!(said);
        let fields: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["id", "partition", "offset"]);
        let next = emit("Ready").say(&bus, &shop(), b"{}").await.unwrap();
        assert_eq!((next.partition, next.offset), (said.partition, said.offset + 1));
    }

    #[tokio::test]
    async fn whatever_breaks_the_contract_is_named_by_its_pointer_and_nothing_is_written() {
        let (_embedded, bus) = bus().await;
        let broken = br#"{"from":7,"took_ms":"long","surprise":true}"#;
        let failure = emit("DeploymentComplete").say(&bus, &shop(), broken).await.unwrap_err();
        assert_eq!(failure.exit, Exit::Findings);
        let error = failure.to_json();
        let violations = error["error"]["violations"].as_array().unwrap();
        let pointers: BTreeSet<&str> = violations.iter().filter_map(|one| one["pointer"].as_str()).collect();
        assert_eq!(pointers, BTreeSet::from(["/from", "/surprise", "/took_ms"]));
        let said = emit("DeploymentComplete").say(&bus, &shop(), b"{}").await.unwrap();
        assert_eq!(said.offset, 0);
    }

    #[tokio::test]
    async fn a_services_own_extension_is_the_contract_once_it_is_pushed() {
        let (_embedded, bus) = bus().await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("matchmaking")).unwrap();
        std::fs::write(folder.path().join("matchmaking/Ready.avsc"), crate::demo::cast::READY).unwrap();
        let data = br#"{"prerequisite":"ratings","season":"7"}"#;
        let mut emit = emit("Ready");
        emit.service = Service::new("matchmaking").unwrap();
        assert!(emit.say(&bus, &shop(), data).await.is_err());
        let request = PushRequest { services: Some(folder.path().to_owned()), dry_run: false, by: None };
        publish(&bus, &request).await.unwrap();
        emit.say(&bus, &shop(), data).await.unwrap();
    }

    async fn bus() -> (Embedded, Bus) {
        let embedded = embedded::start().await.unwrap();
        let bus = Bus::connect(embedded.settings(), "test").await.unwrap();
        (embedded, bus)
    }

    fn shop() -> Domain {
        Domain::new("shop").unwrap()
    }

    fn emit(event: &str) -> Emit {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            emit: Emit,
        }
        let line =
            ["emit", "--rollout", "r-1", "--service", "user-db", "--version", "2.0.0", "--event", event];
        Line::parse_from(line).emit
    }
}
