//! What is wrong with a file that a person wrote: the place, the defect and the way out.
//!
//! Every kind of defect has a code of its own, so that a message can be looked up, counted and searched for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One defect of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The code of the kind of defect, e.g. `PAV012`.
    pub code: String,
    /// Whether the file can be used all the same.
    pub severity: Severity,
    /// The file as it was named to the reader.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it; empty when the message says it.
    pub help: String,
}

/// Whether a file with the defect can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, and someone should look at it.
    Warning,
    /// It can, and nothing is wrong with it; it is worth knowing.
    Note,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl Place {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

macro_rules! codes {
    ($($name:ident: $code:literal, $meaning:literal;)*) => {
        /// A kind of defect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", $code, "`: ", $meaning)] $name,)*
        }

        impl Code {
            /// Every kind of defect there is, in the order of the codes.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code, e.g. `PAV012`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What the code means, in one line.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

// 0xx: any file. 1xx: choreographies. 2xx: the sidecar's file. 3xx: the sentinel's file. 4xx: what is found when
// sound files are held against each other, and a sound plan against what one may want of it: 40x files, 41x who says
// what, 42x windows, 43x the way back, 44x people, 45x noise, 46x what runs together. 5xx: schemas: 50x by themselves, 52x against the versions
// before them, 53x against who reads them. A code that was published is never given to another
// meaning.
codes! {
    NotYaml: "PAV001", "the text is not YAML";
    Empty: "PAV002", "the file says nothing";
    TooLarge: "PAV003", "the file is larger or deeper than any real one";
    ManyDocuments: "PAV004", "the file holds more than one document";
    NotPlain: "PAV005", "the file uses anchors, aliases or tags, which are not read";
    DuplicateKey: "PAV006", "a field stands twice in one place";
    UnknownField: "PAV007", "a field is not known there";
    MissingField: "PAV008", "a field that must be there is not";
    WrongType: "PAV009", "a value is of another kind than the field wants";
    UnknownChoice: "PAV010", "a value is none of those that the field knows";
    BadName: "PAV011", "a name has characters or a length that names cannot have";
    BadText: "PAV012", "a text is too long or holds characters that could deceive a reader";
    BadNumber: "PAV013", "a number is not whole or is out of range";
    BadDuration: "PAV014", "a duration cannot be read or is out of range";
    BadVersion: "PAV015", "a version requirement cannot be read";
    BadAddress: "PAV016", "a URL or an address cannot be read";
    BadEvent: "PAV017", "an event is not in the vocabulary or cannot stand there";
    Duplicate: "PAV019", "two entries of a list have the same name";
    Contradiction: "PAV020", "two settings cannot both hold";
    MoreDefects: "PAV021", "there are more defects than are told at once";
    WrongDocument: "PAV100", "the file is not a choreography of a version that is read";
    DuplicateStep: "PAV101", "two steps have the same id";
    UnknownStep: "PAV102", "a step waits for a step that is not there";
    SelfWait: "PAV103", "a step waits for itself";
    Cycle: "PAV104", "steps wait for each other in a circle";
    SameExpectation: "PAV105", "two steps await the same event of the same service";
    WindowOrder: "PAV106", "a step may start later than it must be done";
    Irreversible: "PAV107", "a step asks for a rollback and forbids it";
    TooManySteps: "PAV108", "a choreography has more steps than are judged";
    NoSteps: "PAV109", "a choreography has no steps";
    PhaseOfUnknown: "PAV110", "a phase opens a step that is not there";
    PhaseTwice: "PAV111", "a step is opened twice";
    PhaseNone: "PAV112", "a step is opened by no phase";
    MethodPhases: "PAV113", "the method and the phases do not go together";
    PhaseOrder: "PAV114", "a step waits for a step of a later phase";
    DuplicatePhase: "PAV115", "two phases have the same id";
    EmptyPhase: "PAV116", "a phase opens no step, or has a list of zones or cohorts without an entry";
    CohortOrder: "PAV117", "cohorts do not grow up to 100%";
    CohortCount: "PAV118", "a step that moves in cohorts says for itself how many instances it wants";
    ZoneTwice: "PAV119", "a step that is spread over zones names a zone of its own";
    ZonesOfOne: "PAV120", "`after_any` names a step that stands in several zones or phases, all of which are meant";
    BadTime: "PAV121", "a time of day cannot be read";
    WatchBound: "PAV122", "a watch has no bound, or two";
    WatchPace: "PAV123", "a watch asks less often than once in the time for which it must hold";
    UnknownPlaceholder: "PAV124", "a placeholder names nothing that the matrix holds";
    PlaceholderOutsideId: "PAV125", "a text holds a placeholder that the id of its step or phase does not";
    UnusedMatrix: "PAV126", "the matrix holds something that no step or phase uses";
    PlanTooLarge: "PAV127", "the plan is larger than a record on the log may be";
    BadCondition: "PAV200", "a condition cannot be used";
    BadRoute: "PAV300", "an alert's route cannot be used";
    BadTemplate: "PAV301", "a template cannot be used";
    NotOurs: "PAV400", "a file that is named is none that is read";
    SamePlan: "PAV401", "two files hold a choreography of one name";
    SidecarsDisagree: "PAV402", "two sidecar files of one service disagree";
    SharedService: "PAV403", "two choreographies move one service, and neither waits for the other";
    SameTrigger: "PAV404", "two choreographies are started by one event";
    ManyDomains: "PAV405", "the services of one choreography live in several domains";
    Unwatched: "PAV406", "no sentinel watches the domain of a service";
    UselessAllow: "PAV407", "a comment allows what is not found";
    Template: "PAV408", "a file has placeholders that nobody has filled";
    UnknownService: "PAV410", "a service has no sidecar file among those that are read";
    NobodySays: "PAV411", "nobody says the event that a step awaits";
    NobodyInZone: "PAV412", "no instance of the service lies in the zone of a step";
    NobodyWaits: "PAV413", "a service says an event that no step awaits";
    NeverFires: "PAV414", "what a sidecar waits for never comes before its step";
    CrossCycle: "PAV415", "a plan and a sidecar wait for each other in a circle";
    UndeclaredWait: "PAV416", "a sidecar waits for a step that its own step does not wait for";
    InstancesDiffer: "PAV417", "a sidecar waits for more instances than the plan";
    EmptyVersions: "PAV418", "no version can meet a version requirement";
    VersionsApart: "PAV419", "a sidecar waits for a version that the step before cannot bring";
    ShortWindow: "PAV420", "a window is shorter than a sentinel can tell";
    HookOutlasts: "PAV421", "a hook may run for longer than its step's window";
    BackOutlasts: "PAV422", "a hook that goes back may run for longer than its window";
    OutlastsMaintenance: "PAV423", "the windows of a choreography do not fit into its maintenance window";
    HealthyTooLate: "PAV424", "a step is seen to be healthy only after its dependants must be done";
    EndlessWindow: "PAV425", "a window is so long that the step can hardly fail";
    IrreversibleAbove: "PAV430", "an irreversible step follows reversible ones without a gate";
    NoWayBack: "PAV431", "a rollback asks a service that cannot go back";
    NoCompensate: "PAV432", "a step asks for a rollback and does not say how it goes back";
    StopsAtOnce: "PAV433", "a rollback stops at an irreversible step as soon as it begins";
    NoRunbook: "PAV440", "nothing says what to do when a step stalls";
    TeamsDiffer: "PAV441", "the plan and the sidecar file name different teams for a service";
    AcrossTeams: "PAV442", "a team waits for another team";
    QuietStall: "PAV443", "a stall that holds others up wakes nobody";
    NobodyTold: "PAV444", "a sentinel tells nobody";
    Unmeasured: "PAV445", "a phase is watched by a metric that no sentinel can ask for";
    EventSoup: "PAV450", "two steps await two words for one thing";
    StrangeEvent: "PAV451", "a schema is of an event that is not in the vocabulary";
    ManyEvents: "PAV452", "a service says many kinds of events";
    RunsApart: "PAV460", "a step brings a version that another step does not run with";
    RunsEarly: "PAV461", "a step may come before the one that brings what it runs with";
    SchemaNotJson: "PAV500", "a schema is not JSON";
    SchemaBroken: "PAV501", "a schema is none that Avro knows";
    SchemaDangerous: "PAV502", "a schema could hurt whoever reads by it";
    SchemaDefault: "PAV503", "a default is no value of its field's type";
    SchemaSymbol: "PAV504", "an enum has no default symbol";
    SchemaDoc: "PAV505", "nothing says what a field or a type is for";
    SchemaOptional: "PAV506", "an optional field cannot be left out";
    SchemaName: "PAV507", "a schema has another name than its file, or one that is taken";
    SchemaForm: "PAV508", "a service's own form of an event cannot be read as that event";
    SchemaAlike: "PAV509", "two names say one thing";
    ChangeNoDefault: "PAV520", "a field without a default came or went";
    ChangeType: "PAV521", "a field is of another type than before";
    ChangeUnion: "PAV522", "a union takes less than before";
    ChangeSymbol: "PAV523", "an enum has another set of symbols, and no default";
    ChangeName: "PAV524", "a type has another name or size than before";
    ChangeMeaning: "PAV525", "the same bytes mean something else than before";
    ChangeAlias: "PAV526", "an alias makes it doubtful which field is meant";
    SchemaGone: "PAV527", "a schema is gone or has another name";
    ConsumerBreaks: "PAV530", "a service cannot read a changed event that it waits for";
    ConsumerOrder: "PAV531", "a changed event asks for an order of roll-out";
    ConsumesNothing: "PAV532", "a service reads what nobody writes";
    EventUndeclared: "PAV540", "an event flows that nothing declares";
    SchemaUndeclared: "PAV541", "an event is written by a schema that is not here";
    EventNeverSeen: "PAV542", "a declared event was never seen";
    FieldNeverFilled: "PAV543", "a field was never filled";
    EdgeUndeclared: "PAV544", "a service moves on an event, and nothing declares it";
}

impl Diagnostic {
    /// An error of a kind at a place of a file.
    pub fn new(
        code: Code,
        file: &str,
        place: Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code: code.as_str().to_owned(),
            severity: Severity::Error,
            file: file.to_owned(),
            line: place.line,
            column: place.column,
            message: message.into(),
            help: help.into(),
        }
    }

    /// The same defect as a warning.
    #[must_use]
    pub fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// The same as something that is worth knowing and no defect.
    #[must_use]
    pub fn note(self) -> Self {
        Self { severity: Severity::Note, ..self }
    }
}

impl Severity {
    /// The severity as it stands before a code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, severity, file, line, column, message, help } = self;
        write!(f, "{file}:{line}:{column}: {}[{code}]: {message}", severity.as_str())?;
        if help.is_empty() { Ok(()) } else { write!(f, "\n  help: {help}") }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_in_order_and_explained() {
        let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), Code::ALL.len());
        assert!(Code::ALL.is_sorted_by_key(|code| code.as_str()));
        for code in Code::ALL {
            let digits = code.as_str().strip_prefix("PAV").expect("the prefix");
            assert!(digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()), "{digits}");
            assert!(!code.meaning().is_empty() && !code.meaning().ends_with('.'));
        }
    }

    #[test]
    fn a_diagnostic_reads_like_a_compiler_error_and_as_json() {
        let place = Place { line: 3, column: 7 };
        let found = Diagnostic::new(Code::UnknownField, "a.yaml", place, "`wihtin` is not known", "did you?");
        assert_eq!(found.to_string(), "a.yaml:3:7: error[PAV007]: `wihtin` is not known\n  help: did you?");
        let json = serde_json::to_string(&found.clone().warning()).expect("plain data");
        assert!(json.starts_with(r#"{"code":"PAV007","severity":"warning","file":"a.yaml","line":3,"#));
        assert_eq!(serde_json::from_str::<Diagnostic>(&json).expect("the same"), found.warning());
    }
}
