//! How many instances a step wants: a number, or a share of those that are there.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How many distinct instances must say the event of a step. In JSON a number (`3`) or a share (`"25%"`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Instances {
    /// So many.
    Count(u32),
    /// So large a share of the instances that are alive when the step opens.
    Share(Share),
}

/// A share of the instances, in whole per cent from 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share(u32);

/// Why a text is not a share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a share: write 1% to 100%")]
pub struct BadShare(String);

impl Instances {
    /// The number, where the plan gives it.
    pub const fn count(self) -> Option<u32> {
        match self {
            Self::Count(count) => Some(count),
            Self::Share(_) => None,
        }
    }

    /// The share, where the plan gives one.
    pub const fn share(self) -> Option<Share> {
        match self {
            Self::Count(_) => None,
            Self::Share(share) => Some(share),
        }
    }
}

impl Share {
    /// All of them.
    pub const ALL: Self = Self(100);

    /// A share of 1 to 100 per cent.
    pub const fn new(percent: u32) -> Option<Self> {
        if percent >= 1 && percent <= 100 { Some(Self(percent)) } else { None }
    }

    /// The share in per cent.
    pub const fn percent(self) -> u32 {
        self.0
    }

    /// So many of this number of instances, rounded up: at least one of any.
    pub fn of(self, instances: u32) -> u32 {
        let share = (u64::from(instances) * u64::from(self.0)).div_ceil(100);
        u32::try_from(share).expect("a share is no more than the whole")
    }
}

impl fmt::Display for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Share(share) => share.fmt(f),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl FromStr for Share {
    type Err = BadShare;

    fn from_str(text: &str) -> Result<Self, BadShare> {
        let digits = text.strip_suffix('%').filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let percent = digits.and_then(|digits| digits.parse().ok());
        percent.and_then(Self::new).ok_or_else(|| BadShare(text.chars().take(32).collect()))
    }
}

impl TryFrom<String> for Share {
    type Error = BadShare;

    fn try_from(text: String) -> Result<Self, BadShare> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        share.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_up_and_never_nothing_of_something() {
        let of = |percent, instances| Share::new(percent).expect("a share").of(instances);
        assert_eq!([of(5, 1), of(5, 20), of(5, 21), of(100, 7), of(33, 3), of(50, 0)], [1, 1, 2, 7, 1, 0]);
        assert_eq!(of(100, u32::MAX), u32::MAX);
    }

    #[test]
    fn only_one_to_a_hundred_per_cent_is_a_share() {
        for bad in ["0%", "101%", "5", "-5%", "+5%", "5.5%", "%", "", "5 %"] {
            assert!(bad.parse::<Share>().is_err(), "{bad:?}");
        }
        assert_eq!("25%".parse(), Ok(Share(25)));
    }

    #[test]
    fn a_number_and_a_share_travel_as_they_are_written() {
        for (instances, json) in [(Instances::Count(3), "3"), (Instances::Share(Share(25)), "\"25%\"")] {
            assert_eq!(serde_json::to_string(&instances).expect("JSON"), json);
            assert_eq!(serde_json::from_str::<Instances>(json).expect("JSON"), instances);
        }
        assert!(serde_json::from_str::<Instances>("\"0%\"").is_err());
    }
}
