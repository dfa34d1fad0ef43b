//! What is damaged is refused, never smaller.

use std::fs;
use std::path::Path;

use super::super::base::config;
use super::super::files::wait_for_lock;
use super::cuts::copy;
use super::*;

type Harm<'a> = &'a dyn Fn(&::sled::Db);

fn raw(dir: &Path) -> ::sled::Db {
    if let Ok(file) = fs::File::open(dir.join("db")) {
        wait_for_lock(&file, dir).unwrap();
    }
    config(dir, CACHE_BYTES).open().unwrap()
}

/// A base with rows of one and of several chunks, closed.
fn closed() -> (tempfile::TempDir, std::path::PathBuf) {
    let (home, base) = new_base();
    let rows = (0..300_u32).map(|i| put(1, i.to_be_bytes(), vec![i as u8; (i * 40) as usize]));
    base.checkpoint(rows.chain([put(2, "k", "v")]), 1).unwrap();
    drop(base);
    let dir = home.path().join("base");
    (home, dir)
}

#[test]
fn a_base_that_is_not_there_is_an_error_and_is_not_made() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("base");
    assert!(matches!(Base::open(&dir), Err(BaseError::Missing { .. })));
    assert!(!dir.exists());
    fs::create_dir(&dir).unwrap();
    assert!(matches!(Base::open(&dir), Err(BaseError::Missing { .. })));
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
    Base::create(&dir).unwrap();
    assert!(matches!(Base::create(&dir), Err(BaseError::Exists { .. })));
    assert_eq!(Base::open(&dir).unwrap().position(), 0);
    fs::write(dir.join("db"), b"").unwrap();
    assert!(matches!(Base::open(&dir), Err(BaseError::Missing { .. })));
}

#[test]
fn a_store_of_sled_that_is_no_base_is_refused() {
    let home = tempfile::tempdir().unwrap();
    raw(home.path()).insert(b"\x01k\0\x01\0\0", b"v").unwrap();
    match Base::open(home.path()).err() {
        Some(BaseError::Damaged { table: 0, flaw: Flaw::NoMeta, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_base_is_opened_once() {
    let (_home, base) = new_base();
    assert!(matches!(Base::open(&base.0.dir), Err(BaseError::InUse { .. })));
}

#[test]
fn entries_lost_or_added_behind_our_back_are_refused_at_open() {
    use super::super::key::RowKey;
    let row = RowKey::new(1, &200_u32.to_be_bytes());
    let lost: [(Harm, &str); 6] = [
        (&|db| drop(db.remove(RowKey::new(1, &5_u32.to_be_bytes()).chunk(0))), "row"),
        (&|db| drop(db.remove(RowKey::new(2, b"k").chunk(0))), "the only row of a table"),
        (&|db| drop(db.remove(row.chunk(0))), "head"),
        (&|db| drop(db.remove(row.chunk(1))), "last chunk"),
        (&|db| drop(db.insert(row.chunk(2), b"more")), "surplus chunk"),
        (&|db| drop(db.insert(b"\x01odd", b"v")), "odd key"),
    ];
    for (harm, what) in lost {
        let (_home, dir) = closed();
        let db = raw(&dir);
        harm(&db);
        db.flush().unwrap();
        drop(db);
        let error = Base::open(&dir).expect_err(what);
        let known = matches!(error, BaseError::Damaged { .. } | BaseError::Miscounted { .. });
        assert!(known, "{what}: {error}");
        assert!(error.to_string().contains("restore"), "{error}");
        assert!(error.to_string().contains(&dir.display().to_string()), "{error}");
    }
}

#[test]
fn a_changed_or_older_value_is_refused_at_open() {
    use super::super::key::RowKey;
    let (_home, dir) = closed();
    let entry = RowKey::new(1, &90_u32.to_be_bytes()).chunk(0);
    let older = raw(&dir).get(&entry).unwrap().unwrap();
    let base = Base::open(&dir).unwrap();
    base.checkpoint([put(1, 90_u32.to_be_bytes(), "newer")], 2).unwrap();
    drop(base);
    let db = raw(&dir);
    db.insert(entry, older).unwrap();
    drop(db);
    match Base::open(&dir).err() {
        Some(BaseError::Changed { table: 1, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_row_that_changes_under_an_open_base_is_refused_when_it_is_read() {
    use super::super::key::RowKey;
    let (_home, dir) = closed();
    let base = Base::open(&dir).unwrap();
    let row = RowKey::new(1, &200_u32.to_be_bytes());
    let good = base.db().get(row.chunk(1)).unwrap().unwrap();
    let mut flipped = good.to_vec();
    flipped[17] ^= 1;
    let refused = |flaw| {
        let same = |error: BaseError| match error {
            BaseError::Damaged { table: 1, flaw: found, .. } => assert_eq!(found, flaw),
            other => panic!("{other}"),
        };
        same(base.get(1, &200_u32.to_be_bytes()).unwrap_err());
        let mut rows = base.scan(1, &199_u32.to_be_bytes()).skip_while(Result::is_ok);
        same(rows.next().unwrap().unwrap_err());
        assert!(rows.next().is_none(), "a scan ends at damage");
    };
    base.db().insert(row.chunk(1), flipped).unwrap();
    refused(Flaw::Checksum);
    base.db().remove(row.chunk(1)).unwrap();
    refused(Flaw::MissingChunk);
    base.db().insert(row.chunk(1), &good).unwrap();
    base.db().insert(row.chunk(2), b"more").unwrap();
    refused(Flaw::Surplus);
    base.db().remove(row.chunk(2)).unwrap();
    base.db().remove(row.chunk(0)).unwrap();
    refused(Flaw::NoHead);
    assert!(base.get(1, &199_u32.to_be_bytes()).unwrap().is_some());
}

/// Names of a directory's files.
fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_damaged_snapshot_or_conf_is_set_aside_and_made_anew() {
    let (home, dir) = closed();
    // Opened again, sled has a snapshot that it relies on.
    let base = Base::open(&dir).unwrap();
    let all = contents(&base);
    drop(base);
    wait_for_lock(&fs::File::open(dir.join("db")).unwrap(), &dir).unwrap();
    let snapshot = names(&dir).into_iter().find(|name| name.starts_with("snap.")).unwrap();
    for file in [snapshot.as_str(), "conf"] {
        let whole = fs::read(dir.join(file)).unwrap();
        let flips = (0..whole.len()).step_by(whole.len().div_ceil(8)).map(|at| {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            flipped
        });
        let cuts = [0, 1, whole.len() / 2, whole.len() - 1].map(|length| whole[..length].to_vec());
        for (number, bytes) in flips.chain(cuts).enumerate() {
            let damaged = home.path().join(format!("{file}-{number}"));
            copy(&dir, &damaged);
            fs::write(damaged.join(file), bytes).unwrap();
            for _ in 0..2 {
                let base = Base::open(&damaged).unwrap();
                assert_eq!(contents(&base), all, "{file} {number}");
                drop(base);
                wait_for_lock(&fs::File::open(damaged.join("db")).unwrap(), &damaged).unwrap();
            }
            let aside = names(&damaged).iter().filter(|name| name.starts_with("damaged-")).count();
            assert_eq!(aside, 1, "{file} {number}");
            fs::remove_dir_all(&damaged).unwrap();
        }
    }
    fs::remove_file(dir.join("conf")).unwrap();
    assert_eq!(contents(&Base::open(&dir).unwrap()), all);
}

/// A file cut or flipped anywhere: an error, or all rows as they were, never fewer.
#[test]
fn a_cut_or_flipped_file_is_refused_or_whole() {
    let (home, dir) = closed();
    let base = Base::open(&dir).unwrap();
    let all = contents(&base);
    drop(base);
    let length = fs::metadata(dir.join("db")).unwrap().len();
    let mut refused = 0;
    for round in 0..12_u64 {
        let copied = home.path().join(format!("damaged-{round}"));
        copy(&dir, &copied);
        let mut bytes = fs::read(copied.join("db")).unwrap();
        let at = (round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % length) as usize;
        match round % 3 {
            0 => bytes.truncate(at),
            1 => bytes[at] ^= 0x20,
            _ => bytes[at..].iter_mut().take(4096).for_each(|byte| *byte = 0),
        }
        fs::write(copied.join("db"), bytes).unwrap();
        let read = Base::open(&copied).and_then(|base| {
            let mut rows = Model::new();
            for table in 1..=2 {
                for row in base.scan(table, b"") {
                    let (key, value) = row?;
                    rows.insert((table, key), value);
                }
            }
            Ok((base.position(), rows))
        });
        match read {
            Err(_) => refused += 1,
            // The whole checkpoint is gone: the journal's owner sees that by the position.
            Ok((0, rows)) => assert!(rows.len() < all.len()),
            Ok((_, rows)) => assert_eq!(rows, all, "round {round}"),
        }
    }
    assert!(refused > 0);
}

#[test]
fn after_a_panic_or_a_failed_write_nothing_is_believed() {
    let (_home, base) = new_base();
    base.checkpoint([put(1, "k", "v")], 1).unwrap();
    let panicked = base.0.guarded("reading", |_, _| -> Result<(), _> { panic!("injected") });
    assert!(matches!(panicked, Err(BaseError::Panicked { .. })));
    assert!(matches!(base.get(1, b"k"), Err(BaseError::Poisoned { .. })));
    assert!(matches!(base.scan(1, b"").next(), Some(Err(BaseError::Poisoned { .. }))));
    let poisoned = base.checkpoint([put(1, "k", "w")], 2).unwrap_err();
    assert!(poisoned.to_string().contains("injected"), "{poisoned}");
}
