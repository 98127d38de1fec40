//! The ground that every real test stands on: topics of its own, our schemas in the registry, a connection.

use pavane_bus::registry::{PushOutcome, PushRequest, push};
use pavane_bus::{ApplyOptions, Bus, Registry, Settings, apply_topics};
use pavane_events::{Body, Domain, Envelope, Event, EventId, RolloutId, Service, Source};
use pavane_tests::real::Services;
use tokio::sync::OnceCell;

static PUSHED: OnceCell<()> = OnceCell::const_new();

/// Settings with a prefix that belongs to one test of one run; nothing is made yet.
pub(crate) fn settings(services: &Services, prefix: &str) -> Settings {
    let run = std::process::id();
    Settings::new(&services.kafka, &services.registry).with_prefix(format!("{prefix}-{run}"))
}

/// Topics as they should be and all our schemas registered.
pub(crate) async fn bus(services: &Services, prefix: &str) -> Bus {
    let settings = settings(services, prefix);
    apply_topics(&settings, ApplyOptions::default()).await.unwrap();
    PUSHED.get_or_init(|| register(&settings)).await;
    Bus::connect(settings, "pavane-tests").await.unwrap()
}

/// The registry is shared, so once is enough.
async fn register(settings: &Settings) {
    let registry = Registry::new(settings).unwrap();
    for pushed in push(&registry, &PushRequest::default()).await.unwrap() {
        assert!(!matches!(pushed.outcome, PushOutcome::Refused(_)), "{pushed:?}");
    }
}

/// What a service says, with the attributes that a reader may look for.
pub(crate) fn said(domain: &Domain, service: &str, id: &str, body: impl Into<Body>) -> Event {
    let source = Source::new(format!("/pavane/{domain}/{service}/{service}-0")).unwrap();
    let mut envelope = Envelope::new(domain.clone(), source, EventId::new(id).unwrap());
    envelope.service = Some(Service::new(service).unwrap());
    envelope.rollout = Some(RolloutId::new("r-1").unwrap());
    Event { envelope, body: body.into() }
}
