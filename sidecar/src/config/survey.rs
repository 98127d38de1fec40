//! What a sidecar's file says to those who hold it against a choreography, with its places.
//!
//! Nothing of the machine that it is read on is looked at: a file that takes its instance from the host's name is
//! as good there as anywhere.

use pavane_choreography::diagnostic::{Diagnostic, Place};
use pavane_choreography::yaml::{self, Fields, Item, Reported};
use pavane_events::{Domain, Instance, Service, Zone};
use pavane_sidecar_engine::Reaction as Terms;

use super::{Config, Consumed, Question, config};

/// What a sidecar's file says, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The service.
    pub service: Service,
    /// Where the service is named.
    pub service_at: Place,
    /// The domain of the service.
    pub domain: Domain,
    /// The team that owns the service, and where it is named.
    pub team: Option<(String, Place)>,
    /// The zone that all instances with this file run in, unless they are told another at their start.
    pub zone: Option<Zone>,
    /// How the version that runs is learnt.
    pub version: Question,
    /// The reactions, in the order of the file.
    pub reactions: Vec<Surveyed>,
    /// What the service reads of other services' events.
    pub consumes: Vec<Consumed>,
}

/// One reaction of a sidecar's file, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// What it reacts to, on how many instances, for how long at most, and what it says when all went well.
    pub terms: Terms,
    /// Where the reaction begins.
    pub at: Place,
    /// Where it says what it reacts to.
    pub on_at: Place,
    /// Where it says what it emits; where it begins when it leaves that to the default.
    pub emit_at: Place,
}

/// Reads a sidecar's file for what it says to others; or else says every defect, in the order of their places: the
/// same as [`Config::from_yaml`] does, but for an instance that neither the file nor the host names.
pub fn survey(text: &str, file: &str) -> Result<Survey, Vec<Diagnostic>> {
    yaml::read(text, file, |item| {
        let (config, places) = config(item, any_instance)?;
        let Config { service, domain, team, zone, version, reactions, consumes, .. } = config;
        let reactions = reactions.into_iter().zip(places.reactions);
        Ok(Survey {
            service,
            service_at: places.service,
            domain,
            team: places.team.map(|at| (team, at)),
            zone,
            version,
            consumes,
            reactions: reactions
                .map(|(reaction, [at, on_at, emit_at])| Surveyed {
                    terms: reaction.terms,
                    at,
                    on_at,
                    emit_at,
                })
                .collect(),
        })
    })
}

/// The instance as it is written; else any name, for it is not looked at.
fn any_instance(f: &mut Fields<'_>) -> Result<Instance, Reported> {
    let written = f.optional("instance", Item::name)?;
    Ok(written.unwrap_or_else(|| Instance::new("any").expect("a name")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
service: user-service
domain: shop
team: identity
zone: eu
journal: /tmp/j
version: { http: "http://127.0.0.1:8080/version" }
reactions:
  - on: [user-db.Ready, cache.Ready]
    instances: 2
    run: { http: { post: "http://127.0.0.1:8080/upgrade" }, timeout: 45s }
    retry: { attempts: 3, backoff: 2s..20s }
    ready: { http: "http://127.0.0.1:8080/readyz", within: 2m }
    emit: DeploymentComplete
  - { on: RollbackRequested, run: { exec: ["./revert.sh"] } }
"#;

    #[test]
    fn a_survey_knows_what_is_said_and_where() {
        let survey = survey(FILE, "sidecar.yaml").unwrap();
        assert_eq!((survey.service.as_str(), line_of(survey.service_at)), ("user-service", (2, 10)));
        let (team, at) = survey.team.unwrap();
        assert_eq!((team.as_str(), line_of(at)), ("identity", (4, 7)));
        assert_eq!(survey.zone.unwrap().as_str(), "eu");
        let [forward, back] = &survey.reactions[..] else { panic!("two reactions") };
        assert_eq!(forward.terms.on.name(), "cache.Ready and user-db.Ready");
        let places = [forward.at, forward.on_at, forward.emit_at].map(line_of);
        assert_eq!(places, [(9, 5), (9, 9), (14, 11)]);
        assert_eq!(forward.terms.longest(), 3 * 45_000 + 2_000 + 4_000 + 120_000, "at the worst");
        assert_eq!(line_of(back.emit_at), line_of(back.at), "by default");
    }

    #[test]
    fn a_file_without_an_instance_is_a_good_one_wherever_it_is_read() {
        let text = "service: a\ndomain: shop\njournal: /tmp/j\nversion: { env: V }\n";
        assert_eq!(survey(text, "sidecar.yaml").unwrap().reactions, []);
        let defects = survey("service: a\ninstance: a b\n", "sidecar.yaml").unwrap_err();
        assert!(defects.iter().any(|defect| defect.line == 2), "{defects:#?}");
    }

    fn line_of(place: Place) -> (u32, u32) {
        (place.line, place.column)
    }
}
