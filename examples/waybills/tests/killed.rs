//! Killed with `kill -9` again and again, the job goes on where it was: at the end every change is
//! billed once and in order, as an outsider sees who holds the bills against the input.
#![cfg(unix)]

#[cfg(test)]
#[path = "killed/check.rs"]
mod check;
#[cfg(test)]
#[path = "killed/job.rs"]
mod job;
#[cfg(test)]
#[path = "killed/log.rs"]
mod log;

use check::{Bills, expected_of};
use job::Job;

/// How often each job is killed at least.
const KILLS: usize = 20;

#[test]
fn on_its_defaults() {
    let job = Job::new("defaults", &[]);
    let bills = job.killed_and_finished(KILLS);
    assert_eq!(bills.changes(), 100_000);
    // An undisturbed job on the same seed is what the killed one must equal.
    assert_eq!(bills, Job::new("undisturbed", &[]).finished());
}

#[test]
fn on_a_log_in_the_shape_of_a_real_one() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let log = log::generated(11, 2_500);
    std::fs::write(file.path(), &log).unwrap();
    let job = Job::new("generated", &["--input", file.path().to_str().unwrap()]);
    let bills = job.killed_and_finished(KILLS);
    assert_eq!(bills, expected_of(&log));
    assert!(bills.changes() > 20_000, "{} changes", bills.changes());
}

#[test]
fn on_the_real_log_that_the_environment_names() {
    let Ok(path) = std::env::var("ENDWISE_LOG") else {
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!in_ci, "ENDWISE_LOG is unset: in CI it must name a real event log");
        eprintln!("NOT RUN: ENDWISE_LOG is unset, so only the generated log was tried");
        return;
    };
    let log = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("ENDWISE_LOG={path}: {e}"));
    let bills = Job::new("real", &["--input", &path]).killed_and_finished(KILLS);
    assert_eq!(bills, expected_of(&log));
}

#[test]
fn from_standard_input_with_invalid_lines() {
    let mut log = log::generated(12, 100);
    log.insert_str(0, "no json\n{\"waybill\":\"w\"}\n");
    log.push_str("{\"waybill\":\"late\",\"status\":\"s\",\"at\":\"\",\"by\":\"\"}");
    let job = Job::new("stdin", &["--input", "-"]).fed(&log);
    let bills = job.killed_and_finished(5);
    assert_eq!(bills, expected_of(&log));
    assert!(job.last_errors().contains("line 1 is invalid"), "{}", job.last_errors());
    assert!(job.last_errors().contains("line 2 is invalid"), "{}", job.last_errors());
}

#[test]
fn a_damaged_bill_is_noticed_by_the_checker() {
    let log = log::generated(13, 20);
    let expected = expected_of(&log);
    for damaged in expected.damaged() {
        assert_ne!(damaged, expected);
    }
    assert!(Bills::read("{\"waybill\":\"w\",\"statuses\":[\"a\"],\"events\":2}").is_err());
}
