use std::sync::Weak;

use super::slots::Poll;
use super::*;

fn poll(slot: usize, number: u64) -> Poll {
    Poll { slot, number, handler: "deposit".into(), key: Some("ada".into()) }
}

/// What the looks at these polls report, second after second from 0.
fn reports(looks: &[&[Poll]]) -> Vec<(usize, Event, u64)> {
    let mut watched = Watched::new(Duration::from_secs(5));
    let mut all = Vec::new();
    for (second, polls) in looks.iter().enumerate() {
        for report in watched.look(polls.to_vec(), Duration::from_secs(second as u64)) {
            assert_eq!((&*report.handler, report.key.as_deref()), ("deposit", Some("ada")));
            all.push((second, report.event, report.after.as_secs()));
        }
    }
    all
}

#[test]
fn a_poll_is_reported_when_it_has_passed_the_limit_and_when_it_ends() {
    let (busy, idle): (&[Poll], &[Poll]) = (&[poll(0, 7)], &[]);
    assert_eq!(
        reports(&[idle, busy, busy, busy, busy, busy, busy, busy, busy, idle, idle]),
        [(6, Event::Holds, 5), (9, Event::Returned, 8)]
    );
    let next: &[Poll] = &[poll(0, 8)];
    assert_eq!(
        reports(&[busy, busy, busy, busy, busy, busy, next, next]),
        [(5, Event::Holds, 5), (6, Event::Returned, 6)]
    );
}

#[test]
fn many_short_polls_of_one_slot_are_no_long_one() {
    let polls: Vec<[Poll; 1]> = (0..20).map(|number| [poll(0, number)]).collect();
    let looks: Vec<&[Poll]> = polls.iter().map(|polls| &polls[..]).collect();
    assert_eq!(reports(&looks), []);
}

#[test]
fn each_thread_is_watched_by_itself() {
    let (first, both): (&[Poll], &[Poll]) = (&[poll(0, 1)], &[poll(0, 1), poll(1, 1)]);
    let second: &[Poll] = &[poll(1, 1)];
    assert_eq!(
        reports(&[first, first, both, both, both, both, both, second, second]),
        [(5, Event::Holds, 5), (7, Event::Returned, 7), (7, Event::Holds, 5)]
    );
}

#[test]
fn a_poll_is_noted_while_it_lasts_even_within_another_one() {
    let slots = Slots::default();
    let (outer, inner, key): (Arc<str>, Arc<str>, Key) =
        ("outer".into(), "inner".into(), "ada".into());
    let names = || -> Vec<(Arc<str>, Option<Key>)> {
        slots.polls().into_iter().map(|poll| (poll.handler, poll.key)).collect()
    };
    let outside = slots.enter(&outer, None);
    let inside = slots.enter(&inner, Some(&key));
    let mut both = names();
    both.sort();
    assert_eq!(both, [(Arc::clone(&inner), Some(Arc::clone(&key))), (Arc::clone(&outer), None)]);
    drop(inside);
    assert_eq!(names(), [(Arc::clone(&outer), None)]);
    let before = slots.polls();
    drop(outside);
    let again = slots.enter(&outer, None);
    assert_ne!(slots.polls(), before, "the next poll of the slot is another one");
    drop(again);
    assert_eq!(names(), []);
    let all: Vec<_> = (0..300).map(|_| slots.enter(&outer, None)).collect();
    assert_eq!(slots.polls().len(), 256, "beyond that they go unwatched");
    drop(all);
    assert_eq!(names(), []);
}

#[test]
fn whoever_looks_sleeps_only_while_nothing_is_polled() {
    let (slots, handler): (Slots, Arc<str>) = (Slots::default(), "deposit".into());
    slots.wake_this_thread();
    let poll = slots.enter(&handler, None);
    assert!(!slots.falls_asleep());
    drop(poll);
    assert!(slots.falls_asleep());
    drop(slots.enter(&handler, None));
    // The poll has woken this thread, so this returns at once.
    Clock::park(None);
}

#[tokio::test]
async fn a_watched_future_gives_its_value_and_a_panic_leaves_no_poll_behind() {
    use futures::FutureExt;
    use std::panic::AssertUnwindSafe;

    let watchdog = Watchdog::start(Setting::default(), |_| ());
    let (watch, handler): (Watch, Arc<str>) = (watchdog.watch(), "deposit".into());
    let yields = async {
        tokio::task::yield_now().await;
        assert_eq!(watch.0.polls().len(), 1);
        7
    };
    assert_eq!(watch.over(&handler, None, yields).await, 7);
    let panics = watch.over(&handler, None, async { panic!("no") });
    assert!(AssertUnwindSafe(panics).catch_unwind().await.is_err());
    assert_eq!(watch.0.polls(), []);
}

#[test]
fn a_dropped_watchdog_has_no_thread_any_more() {
    let watchdog = Watchdog::start(Setting::default(), |_| ());
    assert!(watchdog.thread.is_some());
    let slots: Weak<Slots> = Arc::downgrade(&watchdog.watch.0);
    drop(watchdog);
    assert!(slots.upgrade().is_none(), "the thread held them until it ended");
}
