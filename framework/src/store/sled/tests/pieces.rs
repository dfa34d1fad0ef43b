//! A large table is verified in pieces: every row is seen once, and no damage is missed.

use super::*;
use crate::store::sled::key::{self, RowKey};
use crate::store::sled::verify::Watch;

/// The keys of the rows that were seen.
#[derive(Debug, Default)]
struct Keys(Vec<Vec<u8>>);

impl Watch for Keys {
    fn see(&mut self, table: u8, row: &[u8], _: &[u8]) {
        if table == 7 {
            self.0.push(key::parse(row).unwrap().1);
        }
    }
}

/// Keys close together, some rows of several chunks, and one key far away.
fn rows() -> Vec<(Vec<u8>, Vec<u8>)> {
    let near = (0..52_000_u64).map(|n| 1_700_000_000_000 + n * 3);
    let row = |n: u64| {
        (n.to_be_bytes().to_vec(), vec![n as u8; if n.is_multiple_of(997) { 9_000 } else { 8 }])
    };
    near.chain([u64::MAX / 3]).map(row).collect()
}

#[test]
fn every_row_of_a_large_table_is_seen_once_and_a_lost_one_is_found() {
    let (home, base) = new_base();
    let rows = rows();
    let changes = rows.iter().map(|(key, value)| put(7, key, value));
    base.checkpoint(changes.chain([put(6, "before", "x"), put(8, "behind", "x")]), 1).unwrap();
    drop(base);
    let dir = home.path().join("base");
    let (base, seen) = Base::open_watched::<Keys>(&dir, CACHE_BYTES).unwrap();
    assert!(seen.len() > 2, "{} pieces", seen.len());
    let seen: Vec<_> = seen.into_iter().flat_map(|keys| keys.0).collect();
    assert!(seen.iter().eq(rows.iter().map(|(key, _)| key)), "in order, each once");
    // One in the middle, and the last one.
    for lost in [&rows[31_000].0, &rows[52_000].0] {
        let stored = RowKey::new(7, lost).chunk(0);
        let entry = base.db().remove(&stored).unwrap().unwrap();
        let lost = crate::store::sled::verify::verify::<()>(base.db(), &dir);
        assert!(matches!(lost, Err(BaseError::Miscounted { table: 7, .. })), "{:?}", lost.err());
        base.db().insert(&stored, entry).unwrap();
    }
    // A first chunk that is gone before another one, at whatever piece's edge it is.
    for (key, _) in rows.iter().filter(|(_, value)| value.len() > 5_000).step_by(7) {
        let stored = RowKey::new(7, key).chunk(0);
        let entry = base.db().remove(&stored).unwrap().unwrap();
        let lost = crate::store::sled::verify::verify::<()>(base.db(), &dir);
        let is_found = matches!(lost, Err(BaseError::Damaged { flaw: Flaw::NoHead, .. }));
        assert!(is_found, "{:?}", lost.err());
        base.db().insert(&stored, entry).unwrap();
    }
    crate::store::sled::verify::verify::<()>(base.db(), &dir).unwrap();
}
