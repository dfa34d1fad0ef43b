//! What readers and openings say, held against the model.

use super::*;

impl Model {
    /// How many messages were sent, positions settled and states kept.
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        let sent = self.out.values().map(|out| out.rows.len()).sum();
        (sent, self.settled.len(), self.states.len())
    }

    /// How much is kept.
    pub(super) fn totals(&self) -> Totals {
        let (timers, outbox) = (self.waiting.len() as u64, self.open_rows() as u64);
        Totals { timers, outbox, ..self.keeping.totals() }
    }

    /// How many messages are not confirmed.
    pub(crate) fn open_rows(&self) -> usize {
        self.out.values().map(|out| out.rows.len() - out.confirmed as usize).sum()
    }

    /// Checks what readers see.
    pub(crate) async fn check_reader(&self, reader: &dyn Reader, page: usize) {
        let states: Vec<_> =
            self.states.iter().map(|(key, (_, json))| (key.clone(), json.clone())).collect();
        assert_eq!(pages(reader, page).await, states);
        let keys: Vec<String> = (0..60).map(|n| format!("key-{n}")).collect();
        let asked = keys.iter().map(|key| (Arc::from("account"), Key::from(&**key))).collect();
        for (key, read) in keys.iter().zip(reader.states(asked).await.unwrap()) {
            let version = self.states.get(key).map_or(0, |state| state.0);
            assert_eq!((key, read.version), (key, version));
            let json = read.value.map(|value| String::from_utf8(value.json.to_vec()).unwrap());
            assert_eq!(json, self.states.get(key).map(|state| state.1.clone()), "{key}");
        }
        self.keeping.check(reader).await;
        self.waiting.check(reader, page).await;
        assert_eq!(reader.totals().await.unwrap(), self.totals());
        for source in ["upload", "feed"] {
            let sent = self.intake.get(source).and_then(BTreeSet::last);
            let next = sent.map_or(0, |last| last + 1);
            assert_eq!(reader.sent_from(source).await.unwrap(), next, "{source}");
        }
        let mut sent = BTreeMap::<Arc<str>, u64>::new();
        for ((topic, _), out) in &self.out {
            *sent.entry((**topic).into()).or_default() += out.rows.len() as u64;
        }
        let counted: BTreeMap<_, _> = reader.sent().await.unwrap().into_iter().collect();
        assert_eq!(counted, sent);
    }

    /// Checks all that an opening says.
    pub(crate) async fn check(&self, open: &Opened) {
        self.check_reader(&*open.reader, 17).await;
        let recovered = &open.recovered;
        self.keeping.check_recovered(recovered);
        assert_eq!(recovered.totals, self.totals());
        let pending: BTreeMap<_, _> = recovered.pending.iter().cloned().collect();
        assert_eq!(pending, self.pending);
        let mut settled = BTreeMap::new();
        for (stream, ranges) in &recovered.inbox {
            let all = ranges.runs().iter().flat_map(|(first, last)| *first..=*last);
            settled.extend(all.map(|n| (Position::Stream(Arc::clone(stream), n), ())));
        }
        assert_eq!(settled, self.settled);
        let mut done = BTreeMap::<u32, BTreeSet<u64>>::new();
        // One that only half-done positions name has nothing done.
        let some = recovered.cursors.iter().filter(|(_, ranges)| !ranges.is_empty());
        for (partition, ranges) in some {
            let all = ranges.runs().iter().flat_map(|(first, last)| *first..=*last);
            done.entry(partition.partition).or_default().extend(all);
        }
        assert_eq!(done, self.done);
        let mut rows = BTreeMap::<(String, u8), Vec<Arc<OutboxRow>>>::new();
        for row in &recovered.outbox {
            let stream = (row.stream.topic.to_string(), row.stream.slot.0);
            rows.entry(stream).or_default().push(Arc::clone(row));
        }
        let open_rows = |out: &Out| out.rows[out.confirmed as usize..].to_vec();
        let expected = self.out.iter().map(|(stream, out)| (stream.clone(), open_rows(out)));
        assert_eq!(rows, expected.filter(|(_, rows)| !rows.is_empty()).collect());
    }
}
