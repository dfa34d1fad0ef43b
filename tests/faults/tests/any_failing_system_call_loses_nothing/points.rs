//! Which call of a run fails, and how.

use std::collections::BTreeMap;
use std::fmt;

use super::home::Start;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    Eio,
    Enospc,
    Short,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            How::Eio => "EIO",
            How::Enospc => "ENOSPC",
            How::Short => "short",
        })
    }
}

/// A call that fails.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) start: Start,
    pub(crate) call: String,
    /// The file's name in its directory, numbers left out, as it was in the run without faults.
    pub(crate) file: String,
    /// Which of these calls: the first is 1.
    pub(crate) at: usize,
    pub(crate) how: How,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Point { start, call, file, at, how } = self;
        write!(f, "{start:?} {call} {at} {how} ({file})")
    }
}

/// Calls that can do a part of what they were asked for.
const SHORT: [&str; 4] = ["read", "write", "pread", "pwrite"];

/// Calls that may need room on the disk.
const GROWS: [&str; 10] = [
    "open",
    "mkdir",
    "rename",
    "write",
    "pwrite",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "ftruncate",
    "bind",
];

/// All points of a run whose calls are known: lines of call and path.
pub(crate) fn points(start: Start, trace: &str) -> Vec<Point> {
    let (mut counts, mut points) = (BTreeMap::<&str, usize>::new(), Vec::new());
    for (call, path) in trace.lines().filter_map(|line| line.split_once(' ')) {
        let at = counts.entry(call).or_default();
        *at += 1;
        let file = path.trim_start_matches("/shop").trim_start_matches("/bank");
        let file = file.replace(|c: char| c.is_ascii_digit(), "");
        let point = |how| Point { start, call: call.into(), file: file.clone(), at: *at, how };
        points.push(point(How::Eio));
        if GROWS.contains(&call) {
            points.push(point(How::Enospc));
        }
        if SHORT.contains(&call) {
            points.push(point(How::Short));
        }
    }
    points
}

/// About so many of the points, spread evenly over the files and failures of each kind of call, of
/// each kind at least one.
pub(crate) fn choose(all: &[Point], wanted: usize, seed: u64) -> Vec<Point> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut kinds = BTreeMap::<_, Vec<&Point>>::new();
    for point in all {
        kinds.entry(&point.call).or_default().push(point);
    }
    let step = all.len().div_ceil(wanted.max(1)).max(1);
    let chosen = kinds.into_values().flat_map(|mut kind| {
        kind.sort_by_key(|point| (&point.file, point.how));
        let first = random.usize(..step.min(kind.len()));
        kind.iter().skip(first).step_by(step).cloned().cloned().collect::<Vec<_>>()
    });
    chosen.collect()
}
