//! The kinds of trouble: at which places the program is ended in each, and what goes wrong beside that.

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    FullDisk,
    TornWrite,
    FailedSync,
    WayBack,
    HangingHook,
    WorksOn,
    Twins,
    /// The sentinels are played. A sidecar knows them by the log alone, and there a replacement is two things: the request of the
    /// one that went stands there again under its id, since the one that came could not know that it had been taken; or the one
    /// that came asks for the same by an id of its own. Both are written behind the first, in every rollout that goes back.
    ReplacedSentinel,
    NoSentinel,
    RegistryAway,
    RegistryLies,
}

/// Where the journal, the outbox and the hook are in the midst of something.
const ALL: [&str; 14] = [
    "intended",
    "outbox sealed",
    "noted",
    "outbox written",
    "hook told",
    "journal synced",
    "listed",
    "handed over",
    "hook ended",
    "answered for",
    "ordered",
    "started",
    "settled",
    "journal write",
];
/// What comes before that in every life.
const START: [&str; 6] =
    ["journal open", "orphans ended", "connected", "caught up", "record read", "journal sync"];
const HOOK: [&str; 8] =
    ["intended", "noted", "hook told", "listed", "hook ended", "ordered", "started", "outbox written"];
const ON: [&str; 11] = [
    "intended",
    "step begun",
    "hook ended",
    "step done",
    "noted",
    "listed",
    "hook told",
    "callback taken",
    "ordered",
    "started",
    "journal synced",
];
const DISK: [&str; 6] =
    ["outbox written", "journal synced", "journal write", "answered for", "outbox sealed", "handed over"];
const TORN: [&str; 1] = ["journal write"];
const BACK: [&str; 8] =
    ["hook told", "intended", "noted", "listed", "hook ended", "started", "ordered", "journal synced"];

/// Where a life ends.
#[derive(Clone, Debug)]
pub(crate) struct Aim {
    pub(crate) place: &'static str,
    pub(crate) pass: u32,
}

impl Trouble {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FullDisk => "a disk that is full",
            Self::TornWrite => "writes that are torn, bits that flip",
            Self::FailedSync => "a sync that fails",
            Self::WayBack => "a kill on the way back",
            Self::HangingHook => "a hook that hangs or forks away",
            Self::WorksOn => "a hook that works on after its steps",
            Self::Twins => "two sidecars of one name",
            Self::ReplacedSentinel => "sentinels that are replaced",
            Self::NoSentinel => "no sentinel",
            Self::RegistryAway => "a registry that is away",
            Self::RegistryLies => "a registry that lies",
        }
    }

    /// Where the program is ended.
    pub(crate) fn places(self) -> Vec<&'static str> {
        match self {
            Self::FullDisk | Self::FailedSync => DISK.to_vec(),
            Self::TornWrite => TORN.to_vec(),
            Self::WayBack | Self::ReplacedSentinel => BACK.to_vec(),
            Self::HangingHook | Self::Twins => HOOK.to_vec(),
            Self::WorksOn => ON.to_vec(),
            Self::NoSentinel => ALL.to_vec(),
            Self::RegistryAway | Self::RegistryLies => START.into_iter().chain(ALL).collect(),
        }
    }

    /// What must have been met, or the runs show nothing.
    pub(crate) const fn must_meet(self) -> &'static [&'static str] {
        match self {
            Self::FullDisk => &["refused: no room", "ended: no room"],
            Self::TornWrite => &["a flipped bit was named"],
            Self::FailedSync => &["ended: a sync has failed"],
            Self::WayBack => &["asked back"],
            Self::HangingHook => &["a hook hung", "a hook ignored SIGTERM", "a hook forked away"],
            Self::WorksOn => &["a result was taken", "a step went the other way"],
            Self::Twins => &["a twin was killed too"],
            Self::ReplacedSentinel => &["asked back", "asked back by another sentinel too"],
            Self::NoSentinel => &["somebody was told of it"],
            Self::RegistryAway => &["the registry was away"],
            Self::RegistryLies => &["the registry lied"],
        }
    }

    /// Where a run ends, by its number.
    pub(crate) fn aim(self, run: u32) -> Aim {
        let places = self.places();
        let round = run as usize / places.len();
        let place = places[run as usize % places.len()];
        let dice = run.wrapping_mul(2_654_435_761) >> 16;
        let most = match place {
            "journal write" if self == Self::TornWrite => 40,
            "journal write" => 12,
            "journal synced" | "journal sync" => 8,
            "outbox sealed" | "outbox written" | "intended" | "ordered" => 5,
            "handed over" | "answered for" | "settled" => 6,
            "record read" => 4,
            "noted" | "listed" | "hook ended" | "started" if self == Self::WorksOn => 3,
            _ if self.goes_back() && !round.is_multiple_of(3) => 2,
            _ => 1,
        };
        Aim { place, pass: 1 + dice % most }
    }

    /// What hooks do, one rollout after the other.
    pub(crate) const fn modes(self) -> &'static [&'static str] {
        match self {
            Self::HangingHook => {
                &["work", "hang", "away", "work", "child", "hang", "deaf", "away", "hang", "child"]
            }
            Self::WorksOn => &["told", "rebuild", "told"],
            Self::FullDisk
            | Self::TornWrite
            | Self::FailedSync
            | Self::WayBack
            | Self::Twins
            | Self::ReplacedSentinel
            | Self::NoSentinel
            | Self::RegistryAway
            | Self::RegistryLies => &["work"],
        }
    }

    /// Whether services are asked to go back.
    pub(crate) const fn goes_back(self) -> bool {
        matches!(self, Self::WayBack | Self::ReplacedSentinel)
    }
}

impl Aim {
    /// What the program is told of it.
    pub(crate) fn armed(&self, torn: bool) -> String {
        let word = if torn { "torn" } else { "kill" };
        format!("{}={word}@{}", self.place, self.pass)
    }
}
