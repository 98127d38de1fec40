//! Turns the environment into logs on stderr and, where a collector is named, into exported traces.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `PAVANE_LOG`, else `RUST_LOG` | what is logged, e.g. `info,pavane_bus=debug` | given by the program |
//! | `PAVANE_LOG_FORMAT` | `text` or `json` | `text` |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | where traces go | nowhere |
//! | `OTEL_EXPORTER_OTLP_HEADERS`, `…_TIMEOUT` | how they go there | as OpenTelemetry says |
//! | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | who speaks | given by the program |
//! | `OTEL_TRACES_SAMPLER`, `…_ARG` | what is kept of traces that are no rollout's | `parentbased_always_on` |
//! | `OTEL_SDK_DISABLED` | `true`: no traces | `false` |

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::error::Error;
use crate::export::Watched;
use crate::ids::Ids;
use crate::metrics;
use crate::sampler::RolloutsAlways;
use crate::trace::SCOPE;

/// Who speaks, and how loudly when the environment does not say.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `service.name`, unless the environment names another.
    pub service: String,
    /// `service.version`.
    pub version: String,
    /// `service.instance.id`; empty for none.
    pub instance: String,
    /// The log filter when neither `PAVANE_LOG` nor `RUST_LOG` is set, e.g. `info`.
    pub filter: &'static str,
}

/// Telemetry that is set up; to be shut down last.
#[derive(Debug)]
#[must_use = "spans that wait for the collector are lost unless it is shut down"]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

impl Setup {
    /// Takes the logs and traces of this process. Once in a process.
    ///
    /// A collector that cannot be used is said on stderr and is no error; a filter or a format that cannot be
    /// read is.
    pub fn install(self) -> Result<Telemetry, Error> {
        metrics::meter();
        let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let filter = filter(get, self.filter)?;
        let json = json(get)?;
        let (provider, trouble) = if traces_wanted(get) { self.provider(get) } else { (None, Vec::new()) };
        let spans = provider.as_ref().map(|provider| {
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer(SCOPE))
                .with_location(false)
                .with_threads(false)
                .with_filter(Targets::new().with_target("pavane", LevelFilter::INFO))
        });
        tracing_subscriber::registry().with(spans).with(logs(json, filter)).try_init()?;
        if let Some(provider) = &provider {
            global::set_tracer_provider(provider.clone());
        }
        for trouble in trouble {
            tracing::error!(target: "pavane_telemetry", "{trouble}");
        }
        Ok(Telemetry { provider })
    }

    fn provider(&self, get: impl Fn(&str) -> Option<String>) -> (Option<SdkTracerProvider>, Vec<String>) {
        let exporter = match Watched::from_env() {
            Ok(exporter) => exporter,
            Err(error) => {
                return (
                    None,
                    vec![format!("no traces are exported: {error}; look at OTEL_EXPORTER_OTLP_*")],
                );
            }
        };
        let (sampler, stranger) = RolloutsAlways::from_names(
            get("OTEL_TRACES_SAMPLER").as_deref(),
            get("OTEL_TRACES_SAMPLER_ARG").as_deref(),
        );
        let trouble = stranger.map(|name| {
            format!("OTEL_TRACES_SAMPLER={name:?} is not known here; parentbased_always_on is used")
        });
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_id_generator(Ids::default())
            .with_sampler(sampler)
            .with_resource(self.resource(get))
            .build();
        (Some(provider), trouble.into_iter().collect())
    }

    fn resource(&self, get: impl Fn(&str) -> Option<String>) -> Resource {
        let attributes = get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let given = |key: &str| attributes.split(',').any(|pair| pair.trim().starts_with(&format!("{key}=")));
        let own = [
            ("service.version", self.version.clone()),
            ("service.instance.id", self.instance.clone()),
            ("service.namespace", "pavane".to_owned()),
        ];
        let own = own.into_iter().filter(|(key, value)| !value.is_empty() && !given(key));
        let builder = Resource::builder().with_attributes(own.map(|(key, value)| KeyValue::new(key, value)));
        if get("OTEL_SERVICE_NAME").is_some() || given("service.name") {
            return builder.build();
        }
        builder.with_service_name(self.service.clone()).build()
    }
}

impl Telemetry {
    /// Hands the last spans to the collector, for 5 s at most. Blocks; call it when all else has ended.
    pub fn shutdown(self) -> Result<(), Error> {
        let Some(provider) = self.provider else { return Ok(()) };
        Ok(provider.shutdown_with_timeout(Duration::from_secs(5))?)
    }
}

fn filter(get: impl Fn(&str) -> Option<String>, default: &str) -> Result<EnvFilter, Error> {
    for variable in ["PAVANE_LOG", "RUST_LOG"] {
        if let Some(value) = get(variable) {
            return EnvFilter::try_new(&value).map_err(|source| Error::Filter { variable, value, source });
        }
    }
    EnvFilter::try_new(default).map_err(|source| Error::Filter {
        variable: "PAVANE_LOG",
        value: default.to_owned(),
        source,
    })
}

fn json(get: impl Fn(&str) -> Option<String>) -> Result<bool, Error> {
    match get("PAVANE_LOG_FORMAT").as_deref() {
        None | Some("text") => Ok(false),
        Some("json") => Ok(true),
        Some(other) => Err(Error::Format { value: other.to_owned() }),
    }
}

fn traces_wanted(get: impl Fn(&str) -> Option<String>) -> bool {
    let disabled = get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let named = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    !disabled && named.iter().any(|name| get(name).is_some())
}

/// Lines for people say what happened and no more; lines for machines carry the spans around it too.
fn logs<S>(json: bool, filter: EnvFilter) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    if json {
        return layer.json().flatten_event(true).with_filter(filter).boxed();
    }
    let no_spans = filter_fn(|what| !what.is_span());
    layer.with_filter(filter.and(no_spans)).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(pairs: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + Copy + 'a {
        move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn traces_are_off_unless_a_collector_is_named() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        assert!(!traces_wanted(env(&[])));
        assert!(traces_wanted(env(&[endpoint])));
        assert!(traces_wanted(env(&[(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://127.0.0.1:1/v1/traces"
        )])));
        assert!(!traces_wanted(env(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")])));
    }

    #[test]
    fn a_bad_filter_or_format_is_refused_with_its_variable() {
        let error = filter(env(&[("PAVANE_LOG", "pavane=loud")]), "info").expect_err("no such level");
        assert!(error.to_string().contains("PAVANE_LOG=\"pavane=loud\""), "{error}");
        assert!(filter(env(&[("PAVANE_LOG", "warn"), ("RUST_LOG", "pavane=loud")]), "info").is_ok());
        let error = json(env(&[("PAVANE_LOG_FORMAT", "xml")])).expect_err("no such format");
        assert!(error.to_string().contains("`text` or `json`"), "{error}");
    }

    #[test]
    fn the_environment_names_the_speaker_before_the_program_does() {
        let setup = Setup {
            service: "pavane-sentinel".to_owned(),
            version: "1".to_owned(),
            instance: "s-1".to_owned(),
            filter: "info",
        };
        let name = |resource: Resource, key: &'static str| {
            resource.get(&opentelemetry::Key::new(key)).map(|value| value.to_string())
        };
        let own = setup.resource(env(&[]));
        assert_eq!(name(own, "service.name").as_deref(), Some("pavane-sentinel"));
        let given = [("OTEL_RESOURCE_ATTRIBUTES", "service.name=theirs, service.instance.id=x")];
        // The pairs themselves are read from the real environment by the resource detector.
        assert_ne!(name(setup.resource(env(&given)), "service.name").as_deref(), Some("pavane-sentinel"));
        assert_eq!(name(setup.resource(env(&given)), "service.instance.id"), None);
        assert_eq!(name(setup.resource(env(&given)), "service.version").as_deref(), Some("1"));
    }
}
