//! The base against a model, through reopening, cuts and damage.

use super::CACHE_BYTES;
use super::base::Base;
use super::checkpoint::{Change, CheckpointStats, VALUE_BYTES_MAX};
use super::chunk::Flaw;
use super::error::BaseError;

mod conformance;
mod cuts;
mod damage;
mod half;
mod limits;
mod pieces;
mod power;
mod refusals;
mod room;
mod rows;
mod stops;

use std::collections::BTreeMap;

/// Table and key to value.
type Model = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

impl Base {
    /// sled itself.
    fn db(&self) -> &::sled::Db {
        self.0.db.get().unwrap()
    }

    /// A checkpoint of plain changes.
    fn checkpoint(
        &self,
        changes: impl IntoIterator<Item = Change>,
        position: u64,
    ) -> Result<CheckpointStats, BaseError> {
        self.write_checkpoint(changes.into_iter().map(Ok), position, |_| Ok(()))
    }
}

fn put(table: u8, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Change {
    Change { table, key: key.as_ref().to_vec(), value: Some(value.as_ref().to_vec()) }
}

fn delete(table: u8, key: impl AsRef<[u8]>) -> Change {
    Change { table, key: key.as_ref().to_vec(), value: None }
}

fn apply(model: &mut Model, changes: &[Change]) {
    for change in changes {
        let row = (change.table, change.key.clone());
        match &change.value {
            Some(value) => drop(model.insert(row, value.clone())),
            None => drop(model.remove(&row)),
        }
    }
}

fn contents(base: &Base) -> Model {
    let mut model = Model::new();
    for table in 1..=255 {
        for row in base.scan(table, b"") {
            let (key, value) = row.unwrap();
            model.insert((table, key), value);
        }
    }
    model
}

/// A new base in a directory of its own.
fn new_base() -> (tempfile::TempDir, Base) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("base");
    Base::create(&dir).unwrap();
    let base = Base::open(&dir).unwrap();
    (home, base)
}
