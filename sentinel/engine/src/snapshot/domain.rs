//! What is the domain's and no rollout's, as it is written: what was configured, and what its brakes look at.

use pavane_events::control::DomainConfigured;
use pavane_events::{Service, Version};
use serde::{Deserialize, Serialize};

use crate::brakes::{Asked, Brakes};
use crate::fold::Fold;
use crate::settings::Settings;

use super::written::{Line, Number, Point};

/// One of these.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Own {
    #[serde(skip_serializing_if = "Option::is_none")]
    configured: Option<Configured>,
    /// Where automatic rollbacks were accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    rollbacks: Option<Vec<Point>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_back: Option<AskedBack>,
}

/// What holds from an offset on.
#[derive(Debug, Serialize, Deserialize)]
struct Configured {
    offset: Number,
    said: DomainConfigured,
}

/// That a service was asked back.
#[derive(Debug, Serialize, Deserialize)]
struct AskedBack {
    service: Service,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<Version>,
    at: Point,
}

/// The lines of what is the domain's.
pub(super) fn lines(settings: &Settings, brakes: &Brakes) -> Vec<Line> {
    let Brakes { accepted, asked } = brakes;
    let configured = settings.configured.iter().map(|(offset, said)| {
        let configured = Configured { offset: Number::of(*offset), said: said.clone() };
        Own { configured: Some(configured), ..Own::default() }
    });
    let rollbacks: Vec<Point> = accepted.iter().map(|mark| Point::from(*mark)).collect();
    let rollbacks = Some(rollbacks).filter(|rollbacks| !rollbacks.is_empty());
    let rollbacks = rollbacks.map(|rollbacks| Own { rollbacks: Some(rollbacks), ..Own::default() });
    let asked = asked.iter().flat_map(|(service, all)| all.iter().map(move |asked| (service, asked)));
    let asked = asked.map(|(service, asked)| {
        let Asked { target, mark } = asked.clone();
        let asked_back = AskedBack { service: service.clone(), target, at: mark.into() };
        Own { asked_back: Some(asked_back), ..Own::default() }
    });
    let all = configured.chain(rollbacks).chain(asked);
    all.map(|own| Line { own: Some(Box::new(own)), ..Line::default() }).collect()
}

/// Takes a line of what is the domain's.
pub(super) fn take(fold: &mut Fold, written: Own) {
    let Own { configured, rollbacks, asked_back } = written;
    if let Some(Configured { offset, said }) = configured {
        fold.settings.configure(offset.get(), said, i64::MIN);
    }
    for point in rollbacks.into_iter().flatten() {
        fold.brakes.note(point.into());
    }
    if let Some(AskedBack { service, target, at }) = asked_back {
        fold.brakes.ask(&service, target.as_ref(), at.into());
    }
}
