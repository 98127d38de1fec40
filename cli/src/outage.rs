//! What a failure of the bus means for the exit code.

use pavane_bus::Error;
use pavane_bus::registry::RegistryError;
use pavane_bus::wire::{ContractError, Finding};

use crate::exit::Exit;
use crate::failure::{Failure, Findings, Violation};

/// The failure that a failure of the bus is: out of reach, set up wrong, a broken contract, or a defect.
pub fn of(error: Error) -> Failure {
    if let Error::Registry(error) = error {
        return of_registry(error);
    }
    if let Error::Contract(error) = error {
        return of_contract(error);
    }
    told(exit(&error), error)
}

/// The failure that a failure of the registry is.
pub fn of_registry(error: RegistryError) -> Failure {
    let refused = matches!(error, RegistryError::Incompatible { .. } | RegistryError::Refused { .. });
    let exit = match (error.is_transient(), refused) {
        (true, _) => Exit::Unreachable,
        (false, true) => Exit::Findings,
        (false, false) => Exit::Invalid,
    };
    told(exit, error)
}

fn of_contract(error: ContractError) -> Failure {
    let violation = |finding: Finding| Violation {
        pointer: finding.pointer,
        message: finding.message,
        help: finding.help,
    };
    let findings = error.findings.into_iter().map(violation).collect();
    Failure::new(Exit::Findings, format!("the data break the contract {}; nothing was written", error.record))
        .findings(Findings::Violations(findings))
}

fn told(exit: Exit, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    let failure = Failure::new(exit, format!("failed to {error}"));
    let source = error.source().map(ToString::to_string);
    match source {
        Some(source) if !error.to_string().contains(&source) => failure.because(source),
        Some(_) | None => failure,
    }
}

fn exit(error: &Error) -> Exit {
    let set_up_wrong = matches!(
        error,
        Error::TopicMissing { .. }
            | Error::TopicConfig { .. }
            | Error::TopicAdmin { .. }
            | Error::SchemaMissing { .. }
            | Error::Schema(_)
            | Error::Setting { .. }
            | Error::SettingsFile { .. }
            | Error::SecretFile { .. }
            | Error::Client { .. }
    );
    match (error.is_transient(), set_up_wrong) {
        (true, _) => Exit::Unreachable,
        (false, true) => Exit::Invalid,
        (false, false) => Exit::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_up_wrong_is_told_apart_from_what_is_out_of_reach() {
        let missing = of(Error::TopicMissing { topic: "pavane.lifecycle".to_owned() });
        assert_eq!(missing.exit, Exit::Invalid);
        assert!(missing.to_string().ends_with("run `pavane topics apply`"), "{missing}");
        let unpushed = of(Error::SchemaMissing { subject: "io.pavane.lifecycle.v1.Ready".to_owned() });
        assert_eq!(unpushed.exit, Exit::Invalid);
        let (doing, url, why) = ("look up a schema".to_owned(), "http://r".to_owned(), "refused".to_owned());
        let away = RegistryError::Unreachable { doing, url, why };
        assert_eq!(of(Error::Registry(away)).exit, Exit::Unreachable);
        let (subject, url, message) = ("s".to_owned(), "http://r".to_owned(), "m".to_owned());
        assert_eq!(of_registry(RegistryError::Incompatible { subject, url, message }).exit, Exit::Findings);
    }
}
