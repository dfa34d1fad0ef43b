use super::*;
use crate::envelope::{Context, Headers};
use crate::stream::{Slot, StreamId};

fn job(sequence: u64) -> Job {
    let stream =
        StreamId { service: "s".into(), store: 1, epoch: 0, topic: "t".into(), slot: Slot(0) };
    let envelope = Envelope {
        time_ms: 0,
        position: Position::Stream(Arc::new(stream), sequence),
        topic: "t".into(),
        type_name: "T".into(),
        key: Some("k".into()),
        context: Context::default(),
        digest: None,
        headers: Headers::default(),
        body: "1".into(),
    };
    Job {
        handler: 0,
        envelope: Arc::new(envelope),
        handlers: Arc::from(["h".into()]),
        number: 0,
        kept: None,
        is_suspect: false,
    }
}

fn sequence(position: &Position) -> u64 {
    match position {
        Position::Stream(_, sequence) => *sequence,
        Position::Foreign(_, offset) => *offset,
    }
}

fn order(run: &Run) -> Vec<u64> {
    run.deliveries().map(|(_, position)| sequence(position)).collect()
}

/// The next run. One that began before a refusal came is refused as well.
fn next_run(lanes: &mut Lanes, refused: u64) -> Vec<u64> {
    loop {
        let run = lanes.start().expect("it goes on");
        if run.number != refused {
            return order(&run);
        }
        let of_kept = |(number, kept): (u64, Box<KeptJob>)| {
            let sequence = sequence(&kept.position);
            Job { number, kept: Some(kept), ..job(sequence) }
        };
        let jobs: Vec<Job> = run.kept.into_iter().map(of_kept).chain(run.jobs).collect();
        lanes.ended(run.lane, jobs.len(), VecDeque::new(), Vec::new());
        jobs.into_iter().for_each(|job| lanes.refused(run.lane, job));
    }
}

/// A lane that runs its first delivery for long, with three behind it: what is to be held, and the
/// run.
fn slow() -> (Lanes, Run, Hold) {
    let mut lanes = Lanes::new(1, 1);
    let key = Key::from("k");
    lanes.add(Some(0), Some(&key), job(1));
    let run = lanes.start().unwrap();
    (2..5).for_each(|n| lanes.add(Some(0), Some(&key), job(n)));
    lanes.set_now(2_000);
    lanes.list_slow();
    let hold = lanes.holds().pop().unwrap();
    assert_eq!(hold.jobs.iter().map(|job| job.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
    (lanes, run, hold)
}

#[test]
fn what_ran_for_long_and_was_refused_runs_again_in_its_place() {
    let (mut lanes, mut run, hold) = slow();
    let id = run.lane;
    // It ends before what it is kept with is durable, and is refused after that.
    let mut first = run.jobs.pop_front().unwrap();
    lanes.unpin(id, &mut first);
    lanes.ended(id, 1, VecDeque::new(), Vec::new());
    hold.jobs.iter().for_each(|job| lanes.kept(id, job));
    lanes.refused(id, first);
    assert_eq!(next_run(&mut lanes, run.number), [1, 2, 3, 4]);
}

#[test]
fn a_lane_whose_time_has_not_come_after_all_does_not_run() {
    let mut lanes = Lanes::new(1, 1);
    let key = Key::from("k");
    lanes.add(Some(0), Some(&key), job(1));
    let mut run = lanes.start().unwrap();
    let first = run.jobs.pop_front().unwrap();
    lanes.keep(run.lane, &first, Pause::Until(1_000), 1, false);
    lanes.ended(run.lane, 0, VecDeque::new(), Vec::new());
    lanes.kept(run.lane, &first);
    lanes.set_now(1_000);
    assert!(lanes.wake().is_empty() && lanes.has_ready());
    // The machine's clock was set back meanwhile.
    lanes.set_now(500);
    assert!(lanes.start().is_none());
    lanes.set_now(1_000);
    assert!(lanes.wake().is_empty());
    assert_eq!(order(&lanes.start().unwrap()), [1]);
}

#[test]
fn what_ran_when_the_process_died_stays_suspected_while_it_is_held_and_until_it_has_run() {
    for runs in [false, true] {
        let mut lanes = Lanes::new(1, 8);
        let key = Key::from("k");
        lanes.add(Some(0), Some(&key), Job { is_suspect: true, ..job(1) });
        let mut run = runs.then(|| lanes.start_suspect().unwrap());
        // A message that no handler takes has come.
        let hold = lanes.hold_key(0, &key).unwrap();
        assert!(lanes.hold_key(0, &key).is_none(), "it is held once");
        hold.jobs.iter().for_each(|job| lanes.kept(hold.lane, job));
        if !runs {
            assert!(lanes.has_ready_suspect(), "it still runs alone");
            run = lanes.start_suspect();
        }
        let mut run = run.unwrap();
        let mut ran = match run.jobs.pop_front() {
            Some(job) => job,
            None => {
                let (number, kept) = run.kept.pop().unwrap();
                let is_suspect = kept.is_suspect;
                Job { number, kept: Some(kept), is_suspect, ..job(1) }
            }
        };
        assert!(ran.is_suspect);
        lanes.unpin(run.lane, &mut ran);
        lanes.ended(run.lane, 1, VecDeque::new(), Vec::new());
        lanes.committed(run.lane, &ran);
        assert!(!lanes.has_ready_suspect() && !lanes.has_kept() && lanes.suspects.is_empty());
    }
}
