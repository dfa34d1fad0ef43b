//! The conformance suite over the sled store, with segments so small that checkpoints are common.

use std::path::Path;

use crate::store::sled::{SledOptions, SledStore};
use crate::testing::store_conformance::{self, Features, SecondOpening, Subject};

/// A store whose journal fills segments all the time.
pub(super) fn small(dir: &Path) -> SledStore {
    let options = SledOptions {
        segment_bytes: 64 << 10,
        journal_segments_max: 3,
        seed: 5,
        ..SledOptions::default()
    };
    SledStore::new(dir).options(options).at_once()
}

/// A subject in that directory.
pub(super) fn in_dir(dir: &Path, home: impl Send + Sync + 'static) -> Subject {
    let store = small(dir);
    Subject {
        opener: Box::new(move || Box::new(store.clone())),
        features: Features { second_opening: SecondOpening::Locked },
        _home: Box::new(home),
    }
}

fn subject() -> Subject {
    let home = tempfile::tempdir().unwrap();
    in_dir(&home.path().join("store"), home)
}

store_conformance::store_conformance!(subject);
