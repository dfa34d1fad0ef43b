//! Claims about messages that wait for their time: released, replaced, cancelled.

use std::time::Duration;

use super::*;
use crate::outcome::Cancel;
use crate::store::limits::NAME_BYTES_MAX;
use crate::store::{LimitError, Timer, TimerId};

impl Entry {
    /// Lets the last message wait.
    pub(crate) fn release(mut self, release: Release) -> Self {
        self.sends.last_mut().unwrap().release = release;
        self
    }

    /// Gives the last message a name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.sends.last_mut().unwrap().name = Some(name.into());
        self
    }

    pub(crate) fn cancel(mut self, topic: &str, key: Option<&str>, name: &str) -> Self {
        let (topic, key, name) = (topic.to_owned().into(), key.map(Key::from), name.into());
        self.cancels.push(Cancel { topic, type_name: "Sent".into(), key, name });
        self
    }
}

/// A message that waits until then, under that name. A commit is at 1,000 ms.
fn at_ms(due_ms: u64, key: &str, name: &str) -> Entry {
    accepted().send("out", Some(key), due_ms).release(Release::At(due_ms)).named(name)
}

pub(crate) fn released(timer: TimerId) -> Entry {
    entry(About::Released { timer })
}

impl Opened {
    /// All timers, by pages of `most`.
    pub(crate) async fn timers(&self, most: usize) -> Vec<Timer> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.reader.timers(after, most).await.unwrap();
            assert!(page.len() <= most);
            let Some(last) = page.last() else { return all };
            after = Some(last.id);
            all.extend(page);
        }
    }

    /// When the timers are due, in the order in which they are read.
    async fn due(&self) -> Vec<u64> {
        self.timers(3).await.iter().map(|timer| timer.id.due_ms).collect()
    }
}

fn bodies(durable: &Durable) -> Vec<&[u8]> {
    durable.sent.iter().map(|row| &row.body[..]).collect()
}

pub(crate) async fn a_message_waits_and_is_sent_when_it_is_released(subject: Subject) {
    let mut open = subject.open().await;
    let later = Release::After(Duration::from_micros(500_001));
    let first = handled(at(4)).send("out", Some("k"), "now").send("out", Some("k"), "later");
    let entries = vec![first.release(later), accepted().send("out", None, "at 1400")];
    let mut entries = entries;
    entries[1].sends[0].release = Release::At(1_400);
    let durable = open.commit(entries).await;
    assert_eq!(bodies(&durable), [b"now"]);
    assert_eq!((durable.due_ms, durable.totals.timers), (Some(1_400), 2));
    assert_eq!(
        open.one(released(TimerId { due_ms: 1_400, number: 99 })).await,
        Verdict::NotPending
    );
    for leave in [Leave::Dropped, Leave::Closed] {
        assert_eq!(open.due().await, [1_400, 1_501], "rounded up");
        open.push_behind().await;
        open = subject.reopen(open, leave).await;
        assert_eq!(open.recovered.totals.timers, 2);
        assert_eq!(open.recovered.outbox.len(), 1);
    }
    let ids: Vec<_> = open.timers(9).await.iter().map(|timer| timer.id).collect();
    let entries = vec![released(ids[1]), accepted().send("out", Some("k"), "direct")];
    let entries = [entries, vec![released(ids[1])]].concat();
    let durable =
        open.try_commit(Batch { time_ms: 1_502, entries, ..Batch::default() }).await.unwrap();
    assert_eq!(durable.verdicts[2], Verdict::NotPending, "it is released once");
    assert_eq!(bodies(&durable), [&b"later"[..], b"direct"]);
    assert_eq!((durable.due_ms, durable.totals.timers, durable.totals.outbox), (None, 1, 3));
    let [row, direct] = &durable.sent[..] else { panic!() };
    assert_eq!((row.sequence, row.context.prev), (2, Some(1)), "its place is where it is sent");
    assert_eq!((direct.sequence, direct.context.prev), (3, Some(2)));
    assert_eq!((row.time_ms, row.headers.get("tenant")), (1_502, Some("north")));
    let cause = row.cause.as_ref().unwrap();
    assert_eq!((&cause.position, &*cause.handler, cause.index), (&at(4), "deposit", 1));
    let durable = open.commit(vec![released(ids[0])]).await;
    assert_eq!(durable.sent[0].cause, None, "what came from outside has no cause");
    let mut open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!((open.recovered.totals.timers, open.outbox().len()), (0, 4));
    assert_eq!(open.timers(9).await, []);
    assert_eq!(open.one(released(ids[0])).await, Verdict::NotPending);
}

pub(crate) async fn what_is_due_already_is_sent_at_once(subject: Subject) {
    let mut open = subject.open().await;
    let past = [Release::At(0), Release::At(1_000), Release::After(Duration::ZERO)];
    let entries = past.map(|release| accepted().send("out", Some("k"), "x").release(release));
    let durable = open.commit(entries.to_vec()).await;
    assert_eq!(durable.sent.len(), 3);
    assert_eq!((durable.due_ms, durable.totals.timers), (None, 0));
    // Its name has no more meaning, but what waits under it is replaced all the same.
    let entries = vec![at_ms(2_000, "k", "n"), at_ms(900, "k", "n")];
    let durable = open.commit(entries).await;
    assert_eq!((bodies(&durable), durable.totals.timers), (vec![&b"900"[..]], 0));
    let open = subject.reopen(open, Leave::Dropped).await;
    assert_eq!((open.timers(9).await, open.outbox().len()), (Vec::new(), 4));
}

pub(crate) async fn what_waits_under_a_name_is_replaced_or_cancelled(subject: Subject) {
    let mut open = subject.open().await;
    let kinds = vec![
        at_ms(2_000, "k", "n"),
        at_ms(2_001, "k", "other"),
        at_ms(2_002, "l", "n"),
        accepted().send("elsewhere", Some("k"), "x").release(Release::At(2_003)).named("n"),
        accepted().send("out", None, "x").release(Release::At(2_004)).named("n"),
        accepted().send("out", Some("k"), "x").release(Release::At(2_005)),
    ];
    open.commit(kinds).await;
    for (n, leave) in (0..).zip([Leave::Dropped, Leave::Closed, Leave::Dropped]) {
        open.push_behind().await;
        open = subject.reopen(open, leave).await;
        // Where nothing waits, nothing happens.
        let nothing = accepted().cancel("out", Some("k"), "never").cancel("nowhere", None, "n");
        let replaced = nothing.send("out", Some("k"), "x").release(Release::At(3_000 + n));
        let durable = open.commit(vec![replaced.named("n")]).await;
        assert_eq!((durable.verdicts[0], durable.totals.timers), (Verdict::Applied, 6));
        assert_eq!(durable.due_ms, Some(3_000 + n));
        assert_eq!(open.due().await, [2_001, 2_002, 2_003, 2_004, 2_005, 3_000 + n]);
    }
    open.push_behind().await;
    // Cancels take effect before the sends of their entry, whatever the order of the entries.
    let both = at_ms(4_000, "k", "n").cancel("out", Some("k"), "n").cancel("out", None, "n");
    let durable = open.commit(vec![both, accepted().cancel("out", Some("l"), "n")]).await;
    assert_eq!(durable.totals.timers, 4);
    for leave in [Leave::Dropped, Leave::Closed] {
        assert_eq!(open.due().await, [2_001, 2_003, 2_005, 4_000]);
        let names: Vec<_> = open.timers(9).await.into_iter().map(|timer| timer.name).collect();
        assert_eq!(names, [Some("other".into()), Some("n".into()), None, Some("n".into())]);
        open = subject.reopen(open, leave).await;
    }
    // A released one waits no more: its name is free.
    let last = open.timers(9).await.pop().unwrap().id;
    let entries = vec![released(last), accepted().cancel("out", Some("k"), "n")];
    let durable = open.commit(entries).await;
    assert_eq!((bodies(&durable), durable.totals.timers), (vec![&b"4000"[..]], 3));
    // A refused entry cancels nothing and sets nothing.
    let refused = handled(at(1)).put("k", 9, "stale").cancel("elsewhere", Some("k"), "n");
    let refused = refused.send("out", None, "x").release(Release::At(5_000));
    assert_eq!(open.one(refused).await, Verdict::Conflict);
    assert_eq!(open.due().await, [2_001, 2_003, 2_005]);
}

pub(crate) async fn timers_are_in_the_order_of_their_times_over_all_that_is_stored(
    subject: Subject,
) {
    let mut open = subject.open().await;
    let mut expected = Vec::new();
    for round in 0..6_u64 {
        let due = (0..40_u64).map(|n| 2_000 + (n * 37 + round * 11) % 90).collect::<Vec<_>>();
        let entries = due.iter().map(|due| {
            accepted().send("out", Some("k"), "x".repeat(400)).release(Release::At(*due))
        });
        let durable = open.commit(entries.collect()).await;
        assert_eq!(durable.due_ms, due.iter().min().copied());
        expected.extend(due);
        expected.sort_unstable();
        // Half of the first ones go.
        let first = open.timers(7).await;
        let gone: Vec<_> = first.iter().take(10).step_by(2).map(|timer| timer.id).collect();
        let durable = open.commit(gone.iter().map(|id| released(*id)).collect()).await;
        assert_eq!((durable.verdicts.len(), durable.sent.len()), (5, 5));
        for id in gone {
            expected.remove(expected.iter().position(|due| *due == id.due_ms).unwrap());
        }
        assert_eq!(open.due().await, expected, "round {round}");
        if round % 2 == 1 {
            open.push_behind().await;
            open = subject.reopen(open, Leave::Dropped).await;
            assert_eq!(open.due().await, expected, "round {round}, reopened");
            assert_eq!(open.recovered.totals.timers, expected.len() as u64);
        }
    }
    let ids: Vec<_> = open.timers(50).await.iter().map(|timer| timer.id).collect();
    assert!(ids.is_sorted(), "those of one time in the order in which they were set");
}

pub(crate) async fn a_name_that_is_too_long_is_refused(subject: Subject) {
    let mut open = subject.open().await;
    let long = "n".repeat(NAME_BYTES_MAX + 1);
    let over =
        [at_ms(2_000, "k", &long), at_ms(2_000, &long, "n"), accepted().cancel("out", None, &long)];
    for entry in over {
        let refused = open.try_commit(Batch { entries: vec![entry], ..Batch::default() }).await;
        let limit = refused.map(|_| ()).unwrap_err();
        assert!(matches!(limit, CommitError::Limit(LimitError::Name { .. })), "{limit:?}");
    }
    let most = &long[1..];
    assert_eq!(open.one(at_ms(2_000, most, most)).await, Verdict::Applied);
    open.push_behind().await;
    let mut open = subject.reopen(open, Leave::Closed).await;
    assert_eq!(open.timers(9).await[0].name.as_deref(), Some(most));
    let durable = open.commit(vec![accepted().cancel("out", Some(most), most)]).await;
    assert_eq!(durable.totals.timers, 0);
}

pub(crate) async fn what_waits_is_cancelled_by_its_number_or_released_never_both(subject: Subject) {
    let mut open = subject.open().await;
    let cancelled = |number| entry(About::TimerCancelled { number });
    let sent = handled(at(1)).send("out", Some("k"), "x").release(Release::At(5_000));
    let entries =
        vec![at_ms(2_000, "k", "n"), at_ms(3_000, "k", "m"), at_ms(4_000, "k", "o"), sent];
    open.commit(entries).await;
    let timers = open.timers(9).await;
    let handlers: Vec<_> = timers.iter().map(|timer| timer.handler.as_deref()).collect();
    assert_eq!(handlers, [None, None, None, Some("deposit")]);
    let ids: Vec<TimerId> = timers.iter().map(|timer| timer.id).collect();
    use Verdict::{Applied, NotPending};
    assert_eq!(open.one(cancelled(99)).await, NotPending);
    let durable = open.commit(vec![cancelled(ids[0].number), released(ids[0])]).await;
    assert_eq!((&*durable.verdicts, durable.sent.len()), (&[Applied, NotPending][..], 0));
    open.push_behind().await;
    let mut open = subject.reopen(open, Leave::Dropped).await;
    let durable = open.commit(vec![released(ids[1]), cancelled(ids[1].number)]).await;
    assert_eq!((&*durable.verdicts, durable.sent.len()), (&[Applied, NotPending][..], 1));
    assert_eq!(open.one(cancelled(ids[2].number)).await, Applied, "behind the memory too");
    assert_eq!(open.one(cancelled(ids[2].number)).await, NotPending);
    // Its name is free again.
    let durable = open.commit(vec![at_ms(6_000, "k", "o")]).await;
    assert_eq!(durable.totals.timers, 2);
    let open = subject.reopen(open, Leave::Closed).await;
    assert_eq!(open.due().await, [5_000, 6_000]);
}
