//! What is written can be read back, byte for byte as the first version wrote it.

use bytes::Bytes;
use proptest::prelude::*;

use crate::broker::Publication;
use crate::broker::embedded::frame::{self, Fields, Road, Run, Unnumbered};
use crate::broker::embedded::snapshot::{ConsumerRow, Snapshot, TopicRow};
use crate::testing::broker_conformance::publication;

/// A frame of these publications, each with its road; the first offset of a run is 100 times its
/// partition.
fn encode(publications: &[(Road, Publication)]) -> Bytes {
    let (mut runs, mut run_of) = (Vec::<Run>::new(), Vec::new());
    for (road, publication) in publications {
        let known = runs.iter().position(|run| run.road == *road);
        let index = known.unwrap_or(runs.len());
        if known.is_none() {
            runs.push(Run { road: *road, first: 0, count: 0, bytes: 0 });
        }
        runs[index].count += 1;
        runs[index].bytes += frame::size(publication) as u32;
        run_of.push(index as u32);
    }
    let publications: Vec<_> = publications.iter().map(|(_, p)| p.clone()).collect();
    let frame = Unnumbered::encode(runs, &run_of, &publications);
    frame.number(300, |road| 100 * u64::from(road.partition)).1
}

fn decode(frame: &Bytes) -> Vec<(Road, u64, Fields)> {
    let mut records = Vec::new();
    for (run, range) in frame::runs(frame).unwrap() {
        let (bytes, mut at) = (frame.slice(range), 0);
        for offset in run.first..run.end() {
            let fields = frame::record(&bytes, at).unwrap();
            at += fields.size;
            records.push((run.road, offset, fields));
        }
        assert_eq!(at, bytes.len());
    }
    records
}

fn any_publication() -> impl Strategy<Value = (Road, Publication)> {
    let key = prop::option::of("[a-zß]{0,9}");
    let body = prop::collection::vec(any::<u8>(), 0..40);
    (0..3u32, 0..3u32, key, 0..3usize, body).prop_map(|(topic, partition, key, headers, body)| {
        let publication = Publication {
            key: key.map(Into::into),
            headers: [("name", "value"), ("", "")].into_iter().cycle().take(headers).collect(),
            body: body.into(),
            ..publication("t", "k", "")
        };
        (Road { topic, partition }, publication)
    })
}

proptest! {
    #[test]
    fn a_frame_is_read_as_it_was_written(
        publications in prop::collection::vec(any_publication(), 0..20),
    ) {
        let records = decode(&encode(&publications));
        prop_assert_eq!(records.len(), publications.len());
        for topic in 0..3 {
            for partition in 0..3 {
                let road = Road { topic, partition };
                let read = records.iter().filter(|record| record.0 == road);
                let written = publications.iter().filter(|publication| publication.0 == road);
                for ((i, read), (_, written)) in read.enumerate().zip(written) {
                    prop_assert_eq!(read.1, 100 * u64::from(partition) + i as u64);
                    prop_assert_eq!(&read.2.key, &written.key);
                    prop_assert_eq!(&read.2.headers, &written.headers);
                    prop_assert_eq!(&read.2.body, &written.body);
                }
            }
        }
    }

    #[test]
    fn a_cut_or_changed_frame_is_never_a_panic(
        publications in prop::collection::vec(any_publication(), 1..9),
        cut in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encode(&publications).to_vec();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(cut.index(bytes.len() + 1));
        let bytes = Bytes::from(bytes);
        let _ = Snapshot::decode(&bytes);
        for (_, range) in frame::runs(&bytes).unwrap_or_default() {
            let records = bytes.slice(range);
            let mut at = 0;
            while let Ok(fields) = frame::record(&records, at) {
                prop_assert_eq!(frame::skip(&records, at), Some(at + fields.size));
                at += fields.size;
            }
        }
    }
}

#[test]
fn a_frame_of_version_2_stays_readable() {
    let road = Road { topic: 2, partition: 1 };
    let headers = [("h", "v")].into_iter().collect();
    let sent = Publication { headers, ..publication("t", "k", "body") };
    let frame = encode(&[(road, sent)]);
    let fixture = [
        &[1, 2, 0, 0, 1, 0, 0, 0, 44, 1, 0, 0, 0, 0, 0, 0][..],
        &[2, 0, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 22, 0, 0, 0],
        &[1, 0, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0],
        b"k\x01\x01\x00hvbody",
    ];
    assert_eq!(frame, fixture.concat());
    assert_eq!(frame::time_ms(&frame), 300);
}

#[test]
fn a_snapshot_of_version_1_stays_readable() {
    let topic = TopicRow { name: "t".into(), incarnation: 300, next: vec![7, 0] };
    let consumer = ConsumerRow { name: "c".into(), settled: vec![(0, 1, 5)] };
    let snapshot = Snapshot { topics: vec![topic], consumers: vec![consumer] };
    let fixture = b"\x02\x01\x01\x01t\xac\x02\x02\x07\x00\x01\x01c\x01\x00\x01\x05";
    assert_eq!(snapshot.encode().unwrap(), fixture);
    assert_eq!(Snapshot::decode(fixture).unwrap(), Some(snapshot));
    assert!(Snapshot::decode(b"\x02\x01\x01").is_err());
    assert!(
        frame::runs(b"\x02\x02").is_err()
            && frame::runs(&[7, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err()
    );
}
