//! Claims about reading what is durable.

use std::collections::BTreeMap;

use super::*;

pub(crate) async fn what_was_never_written_reads_as_nothing(subject: Subject) {
    let open = subject.open().await;
    let keys = [("account", "k"), ("unknown", "k")];
    let keys = keys.map(|(name, key)| (Arc::from(name), Key::from(key)));
    let none = StoredState::default();
    assert_eq!(open.reader.states(keys.to_vec()).await.unwrap(), [none.clone(), none]);
    assert_eq!(open.reader.states(Vec::new()).await.unwrap(), []);
    for name in ["account", "unknown"] {
        assert_eq!(open.reader.scan(name.into(), None, 10).await.unwrap(), []);
    }
    assert_eq!(open.reader.sent().await.unwrap(), []);
}

/// All states by pages of `most`.
pub(crate) async fn pages(reader: &dyn Reader, most: usize) -> Vec<(String, String)> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = reader.scan("account".into(), after, most).await.unwrap();
        assert!(page.len() <= most);
        let Some((last, _)) = page.last() else { return all };
        after = Some(last.clone());
        let text = |(key, value): (Key, StateValue)| {
            (key.to_string(), String::from_utf8(value.json.to_vec()).unwrap())
        };
        all.extend(page.into_iter().map(text));
    }
}

pub(crate) async fn pages_are_in_key_order_over_all_that_is_stored(subject: Subject) {
    let mut open = subject.open().await;
    let mut model = BTreeMap::new();
    let mut versions = BTreeMap::<String, u64>::new();
    let mut sequence = 0;
    // Values as large as this fill segments, so that some lie behind the memtable.
    let fill = "x".repeat(600);
    for round in 0..8_u64 {
        let mut entries = Vec::new();
        for n in 0..60_u64 {
            let key = format!("key-{:03}", (n * 37 + round * 11) % 150);
            let version = versions.entry(key.clone()).or_default();
            sequence += 1;
            let entry = handled(at(sequence));
            if *version > 0 && (n + round) % 4 == 0 {
                entries.push(entry.touch("account", &key, *version, StateChange::Delete));
                *version = 0;
                model.remove(&key);
            } else {
                let json = format!("{sequence}{fill}");
                entries.push(entry.put(&key, *version, &json));
                *version += 1;
                model.insert(key, json);
            }
        }
        assert_eq!(open.commit(entries).await.verdicts, [Verdict::Applied; 60]);
        let expected: Vec<_> = model.clone().into_iter().collect();
        for most in [1, 7, 1_000] {
            assert_eq!(pages(&*open.reader, most).await, expected, "round {round}, {most} a page");
        }
        if round % 3 == 2 {
            open = subject.reopen(open, Leave::Dropped).await;
            assert_eq!(pages(&*open.reader, 7).await, expected, "round {round}, reopened");
        }
    }
}

pub(crate) async fn a_page_ends_where_it_is_told_to(subject: Subject) {
    let mut open = subject.open().await;
    let keys = ["", "a", "a\0", "a\0b", "ab", "b", "\u{10ffff}"];
    let entries = (1..).zip(keys).map(|(n, key)| handled(at(n)).put(key, 0, n));
    open.commit(entries.collect()).await;
    // A state of another name is not among them.
    let value = StateValue { schema: 1, json: Bytes::from_static(b"1") };
    open.one(handled(at(99)).touch("another", "a", 0, StateChange::Put(value))).await;
    for leave in [Leave::Dropped, Leave::Closed] {
        open = subject.reopen(open, leave).await;
        let reader = &*open.reader;
        for (n, after) in keys.iter().enumerate() {
            let page = reader.scan("account".into(), Some((*after).into()), 3).await.unwrap();
            let found: Vec<_> = page.iter().map(|(key, _)| &**key).collect();
            assert_eq!(found, keys[n + 1..].iter().copied().take(3).collect::<Vec<_>>());
        }
        assert_eq!(reader.scan("account".into(), None, 0).await.unwrap(), []);
    }
}
