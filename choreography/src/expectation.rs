//! `user-service.DeploymentComplete`: how an event of a service stands in files.

use pavane_events::{EventType, Service, Speaker};

use crate::Expect;
use crate::diagnostic::Code;
use crate::yaml::{Item, Reported, did_you_mean, shape, shown};

/// Reads an event of a service; only events that services say can stand there.
pub fn event_of_service(item: &Item<'_>) -> Result<Expect, Reported> {
    item.shaped(|| shape::event(&names_for_services()))?;
    let text = item.scalar("an event of a service, e.g. `user-db.Ready`")?;
    let Some((service, event)) = text.rsplit_once('.') else {
        let message = format!("`{}` is not an event of a service: {:?}", item.field(), shown(text));
        return Err(item.refuse(Code::BadEvent, message, "write `<service>.<Event>`, e.g. `user-db.Ready`"));
    };
    let event = said_by_a_service(item, event);
    let service = Service::new(service).map_err(|error| item.refuse(Code::BadName, error.to_string(), ""));
    Ok(Expect { service: service?, event: event? })
}

/// Reads the short name of an event that services say, e.g. `DeploymentComplete`.
pub fn event_name(item: &Item<'_>) -> Result<EventType, Reported> {
    item.shaped(|| shape::word(&names_for_services()))?;
    said_by_a_service(item, item.scalar("the name of an event")?)
}

fn said_by_a_service(item: &Item<'_>, name: &str) -> Result<EventType, Reported> {
    match EventType::from_short(name) {
        Some(event) if event.speaker() == Speaker::Service => Ok(event),
        Some(event) => {
            let message = format!("{event} is said by {}, not by a service", told(event.speaker()));
            Err(item.refuse(Code::BadEvent, message, "await an event that the service itself says"))
        }
        None => {
            let message = format!("{:?} is not an event of the vocabulary", shown(name));
            Err(item.refuse(Code::BadEvent, message, did_you_mean(name, &names_for_services())))
        }
    }
}

fn names_for_services() -> Vec<&'static str> {
    let said = EventType::ALL.iter().filter(|event| event.speaker() == Speaker::Service);
    said.map(|event| event.as_str()).collect()
}

const fn told(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Service => "a service",
        Speaker::Command => "a person or the manager",
        Speaker::Verdict => "the sentinel",
        Speaker::Control => "the bookkeeping of the log",
    }
}
