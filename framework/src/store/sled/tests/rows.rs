//! Rows come back as they were put.

use proptest::prelude::*;

use super::*;

#[test]
fn values_of_all_sizes_come_back_also_after_reopening() {
    let (home, base) = new_base();
    let sizes = [0, 1, 4086, 4087, 4088, 4095, 4096, 4097, 8183, 8184, 100_000, VALUE_BYTES_MAX];
    let value = |size: usize| (0..size).map(|i| (i * 7) as u8).collect::<Vec<_>>();
    let changes = sizes.map(|size| put(1, size.to_string(), value(size)));
    base.checkpoint(changes, 5).unwrap();
    drop(base);
    let base = Base::open(&home.path().join("base")).unwrap();
    assert_eq!(base.position(), 5);
    for size in sizes {
        assert_eq!(base.get(1, size.to_string().as_bytes()).unwrap(), Some(value(size)), "{size}");
    }
    assert_eq!(base.scan(1, b"").count(), sizes.len());
    assert!(no_blobs(&home));
}

#[test]
fn keys_are_apart_and_in_order_whatever_their_bytes() {
    let (_home, base) = new_base();
    let mut keys: Vec<&[u8]> = vec![
        b"",
        b"\0",
        b"\0\0",
        b"\0\x01",
        b"\0\xff",
        b"a",
        b"a\0",
        b"a\0\x01",
        b"ab",
        b"\xff",
        b"\xff\xff",
    ];
    let changes =
        keys.iter().flat_map(|key| [1, 2, 255].map(|t| put(t, key, [&[t], *key].concat())));
    base.checkpoint(changes, 1).unwrap();
    base.checkpoint(keys.iter().map(|key| delete(2, key)), 2).unwrap();
    keys.sort();
    for table in [1, 255] {
        let rows: Vec<_> = base.scan(table, b"").map(Result::unwrap).collect();
        assert_eq!(rows.iter().map(|(key, _)| &key[..]).collect::<Vec<_>>(), keys);
        for (key, value) in rows {
            assert_eq!(value, [&[table], &key[..]].concat());
            assert_eq!(base.get(table, &key).unwrap(), Some(value));
        }
    }
    assert_eq!(base.scan(2, b"").count(), 0);
    assert_eq!(base.get(2, b"a").unwrap(), None);
}

#[test]
fn a_shorter_value_and_a_deletion_leave_no_chunk_behind() {
    let (_home, base) = new_base();
    let entries = |base: &Base| base.db().len();
    let own = entries(&base);
    base.checkpoint([put(1, "k", vec![1; 100_000]), put(1, "other", "x")], 1).unwrap();
    assert_eq!(entries(&base), own + 25 + 1);
    base.checkpoint([put(1, "k", vec![2; 5000])], 2).unwrap();
    assert_eq!(entries(&base), own + 2 + 1);
    base.checkpoint([delete(1, "k"), delete(1, "never there")], 3).unwrap();
    assert_eq!(entries(&base), own + 1);
    assert_eq!(base.get(1, b"k").unwrap(), None);
}

#[test]
fn the_last_change_of_a_row_wins_within_one_checkpoint() {
    let (home, base) = new_base();
    base.checkpoint([put(1, "k", vec![1; 9000]), delete(1, "k"), put(1, "k", "last")], 1).unwrap();
    assert_eq!(base.get(1, b"k").unwrap(), Some(b"last".to_vec()));
    drop(base);
    Base::open(&home.path().join("base")).unwrap();
}

#[test]
fn what_is_above_a_limit_is_refused_and_the_base_goes_on() {
    let (_home, base) = new_base();
    let long_key = put(1, vec![b'k'; 1020], "v");
    assert!(matches!(long_key.row().map(drop), Err(BaseError::KeyTooLong { stored: 1025, .. })));
    assert!(matches!(put(1, [0; 510], "v").row().map(drop), Err(BaseError::KeyTooLong { .. })));
    let long_value = put(1, "k", vec![0; VALUE_BYTES_MAX + 1]);
    assert!(matches!(base.checkpoint([long_value], 1), Err(BaseError::ValueTooLong { .. })));
    assert!(matches!(base.checkpoint([put(0, "k", "v")], 1), Err(BaseError::ReservedTable)));
    assert!(matches!(base.get(0, b"k"), Err(BaseError::ReservedTable)));
    assert!(matches!(base.scan(0, b"").next(), Some(Err(BaseError::ReservedTable))));
    base.checkpoint([put(1, [b'k'; 1019], "v")], 3).unwrap();
    assert!(matches!(base.checkpoint([], 2), Err(BaseError::Backwards { reached: 3, .. })));
    assert_eq!(base.position(), 3);
}

/// sled never syncs the files of large pages: with the longest keys and entries there are none.
#[test]
fn the_longest_keys_and_entries_make_no_files_beside_the_log() {
    let (home, base) = new_base();
    for round in 1..4_u64 {
        let keys = (0..1500_u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let key = |i: u64| format!("{i:01019x}");
        let changes = keys.map(|i| put(1, key(i), vec![round as u8; 4000]));
        base.checkpoint(changes, round).unwrap();
    }
    assert!(no_blobs(&home));
}

fn no_blobs(home: &tempfile::TempDir) -> bool {
    std::fs::read_dir(home.path().join("base/blobs")).unwrap().next().is_none()
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(b'k'), Just(0xff)], 0..3)
}

fn change() -> impl Strategy<Value = Change> {
    let value = prop_oneof![
        2 => Just(None),
        3 => (0_usize..40, any::<u8>()).prop_map(|(length, byte)| Some(vec![byte; length])),
        2 => (4000_usize..20_000, any::<u8>()).prop_map(|(length, byte)| Some(vec![byte; length])),
    ];
    (1_u8..4, key(), value).prop_map(|(table, key, value)| Change { table, key, value })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn the_base_is_a_map_through_checkpoints_and_reopenings(
        checkpoints in prop::collection::vec(
            (prop::collection::vec(change(), 0..80), any::<bool>()), 1..6),
        from in key(),
    ) {
        let (home, mut base) = new_base();
        let mut model = Model::new();
        for (position, (changes, reopen)) in (1..).zip(checkpoints) {
            apply(&mut model, &changes);
            base.checkpoint(changes, position).unwrap();
            if reopen {
                drop(base);
                base = Base::open(&home.path().join("base")).unwrap();
            }
            prop_assert_eq!(base.position(), position);
            prop_assert_eq!(&contents(&base), &model);
            for ((table, key), value) in &model {
                let read = base.get(*table, key).unwrap();
                prop_assert_eq!(read.as_ref(), Some(value));
            }
            let paged: Vec<_> = base.scan(2, &from).map(|row| row.unwrap().0).collect();
            let expected: Vec<_> = model.keys().filter(|(t, key)| *t == 2 && *key >= from)
                .map(|(_, key)| key.clone()).collect();
            prop_assert_eq!(paged, expected);
        }
    }
}

#[test]
fn a_scan_goes_on_over_many_pages() {
    let (_home, base) = new_base();
    let changes =
        (0..2000_u32).map(|i| put(9, i.to_be_bytes(), vec![i as u8; (i % 5000) as usize]));
    let stats = base.checkpoint(changes, 1).unwrap();
    assert_eq!(stats.changes, 2000);
    assert!(stats.batches >= 4);
    let rows: Vec<_> = base.scan(9, &7_u32.to_be_bytes()).map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1993);
    assert!(rows.iter().zip(7_u32..).all(|((key, value), i)| {
        key[..] == i.to_be_bytes() && value[..] == vec![i as u8; (i % 5000) as usize]
    }));
}

#[test]
fn a_row_is_whole_while_a_checkpoint_replaces_it() {
    let (_home, base) = new_base();
    base.checkpoint([put(1, "k", vec![0; 30_000])], 1).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for i in 2..60_u64 {
                let value = vec![i as u8; 1 + (i as usize * 7919) % 60_000];
                base.checkpoint([put(1, "k", value)], i).unwrap();
            }
        });
        while !writer.is_finished() {
            let value = base.get(1, b"k").unwrap().unwrap();
            assert!(value.iter().all(|byte| byte == &value[0]));
            let rows: Vec<_> = base.scan(1, b"").map(Result::unwrap).collect();
            assert_eq!(rows.len(), 1);
        }
    });
}
