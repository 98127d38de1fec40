//! Whether a registry that serves another schema than a record names is lying, or the record is.
//!
//! What is behind an id never changes. A record names the schema that it was written by twice: by its id, and by its
//! fingerprint. Where the two differ, a witness decides: the published schemas on the log, the id that the registry gave
//! for that very schema before, or what it says of it at this moment. With a witness it is the registry that lies: nothing
//! may be judged by it, so the record waits. Without one it is the record.

use std::sync::Arc;

use crate::wire::{Contract, Defect, Sealed, catalog};
use crate::{Bus, Error};

/// What the registry gave for a record, unless it lies: then the error that says so, and the id is asked for again.
pub(crate) async fn refuse(
    bus: &Bus,
    sealed: &Sealed<'_>,
    found: Result<Arc<Contract>, Defect>,
) -> Result<Result<Arc<Contract>, Defect>, Error> {
    let id = sealed.schema_id();
    let Some(named) = sealed.fingerprint() else { return Ok(found) };
    let served = match &found {
        Ok(contract) if contract.fingerprint() == named => return Ok(found),
        Ok(contract) => format!("one with the fingerprint {}", contract.fingerprint()),
        Err(defect) => defect.detail.clone(),
    };
    if !is_known(bus, sealed, named).await? {
        return Ok(found);
    }
    bus.registry().forget(id);
    bus.metrics().tampered();
    Err(bus.registry().tampered(id, named, &served).into())
}

/// Whether anybody vouches for the schema behind the id being the one that the record names.
async fn is_known(bus: &Bus, sealed: &Sealed<'_>, named: &str) -> Result<bool, Error> {
    let id = sealed.schema_id();
    if bus.registry().is_pinned(id, named) || bus.trust().vouches(bus, id, named).await? {
        return Ok(true);
    }
    let built_in = sealed.event_type().map_or_else(catalog::heartbeat, catalog::of);
    if built_in.fingerprint() != named {
        return Ok(false);
    }
    let (subject, schema) = (built_in.full_name(), catalog::text(built_in.name()));
    Ok(bus.registry().id_of(&subject, schema).await? == Some(id))
}
