//! Opening what the services of one data directory share, or saying who has it open.

use std::path::Path;
use std::sync::Arc;

use super::fit::{BROKER, Fit};
use crate::broker::BrokerError;
use crate::broker::embedded::{EmbeddedBroker, EmbeddedError, EmbeddedOptions};
use crate::directory::{Directory, DirectoryError};
use crate::failure::RunError;
use crate::store::StoreError;

/// Opens the broker, if its directory belongs to those of the services.
pub(super) fn open_broker(
    data: &Path,
    names: &[Arc<str>],
    options: EmbeddedOptions,
) -> Result<(EmbeddedBroker, Fit), RunError> {
    if let Some(file) = Directory::file_in_the_way(data) {
        let error = DirectoryError::File { file };
        return Err(BrokerError::from(EmbeddedError::from(error)).into());
    }
    // Where somebody is at work, files may be of any time: that they are in use is said first.
    let broker = data.join(BROKER);
    let before = Fit::before(data, names);
    let mut fit = before.map_err(|error| in_use(&broker, data, names).unwrap_or(error.into()))?;
    let broker = EmbeddedBroker::open(broker, options)?;
    fit.compare(&broker).map_err(|error| in_use_of(data, names).unwrap_or(error.into()))?;
    Ok((broker, fit))
}

/// The error of the first directory that somebody has open, the broker's first.
fn in_use(broker: &Path, data: &Path, names: &[Arc<str>]) -> Option<RunError> {
    if let Some(by) = Directory::holder(broker) {
        let error = DirectoryError::Locked { dir: broker.to_owned(), by };
        return Some(BrokerError::from(EmbeddedError::from(error)).into());
    }
    in_use_of(data, names)
}

/// The error of the first directory of a service that somebody has open.
fn in_use_of(data: &Path, names: &[Arc<str>]) -> Option<RunError> {
    let mut dirs = names.iter().map(|name| data.join(&**name));
    let (dir, by) = dirs.find_map(|dir| Directory::holder(&dir).map(|by| (dir, by)))?;
    Some(StoreError::Locked { place: dir.display().to_string().into(), by }.into())
}
