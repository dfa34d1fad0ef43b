//! Messages that are to wait for their time, and are taken back.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::outcome::{Cancel, Release};

const HOUR: Duration = Duration::from_secs(3600);

fn note(text: &str) -> Note {
    Note { text: text.into() }
}

async fn outcome(handlers: Handlers) -> Result<Outcome, crate::error::BoxError> {
    let service = service(handlers, &Dependencies::default());
    service.oneshot(delivery(&deposit_of(5), vec![])).await
}

#[tokio::test]
async fn what_is_returned_says_when_it_goes_and_by_which_name_it_waits() {
    #[handler]
    fn later(d: Deposit) -> (Outgoing<Deposit>, Outgoing<Note>, Note) {
        let at = UNIX_EPOCH + Duration::from_micros(7_000_001);
        (d.delay(HOUR).named("again"), note("at").delay(HOUR).at(at), note("now"))
    }
    let outcome = outcome(handlers![later]).await.unwrap();
    let said = outcome.sends().iter().map(|send| (send.release, send.name.as_deref()));
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            (Release::After(HOUR), Some("again")),
            // Not before its time: the part of a millisecond counts.
            (Release::At(7_001), None),
            (Release::Now, None),
        ]
    );
    assert_eq!(outcome.sends()[0].key.as_deref(), Some("a-1"));
    let before_1970 = note("past").at(UNIX_EPOCH - HOUR);
    assert_eq!(before_1970.encode(None, None).unwrap().release, Release::At(0));
}

#[tokio::test]
async fn what_is_cancelled_is_in_the_outcome_and_not_among_what_was_sent_before() {
    #[handler]
    fn cancels(d: Deposit, outbox: &mut Outbox) -> Outgoing<Deposit> {
        outbox.send(d.clone().delay(HOUR).named("first"));
        outbox.send(d.clone().delay(HOUR).named("other"));
        outbox.send(d.clone().to("audits").delay(HOUR).named("first"));
        outbox.send(d.clone().named("first"));
        outbox.cancel::<Deposit>(&d.account, "first");
        outbox.cancel_on::<Note>("audits", "of no meaning", "second");
        d.delay(HOUR).named("first")
    }
    let outcome = outcome(handlers![cancels]).await.unwrap();
    let cancel = |topic: &'static str, type_name: &'static str, key: Option<&str>, name: &str| {
        let key = key.map(Into::into);
        Cancel { topic: topic.into(), type_name: type_name.into(), key, name: name.into() }
    };
    assert_eq!(
        outcome.cancels(),
        [
            cancel("deposits", "Deposit", Some("a-1"), "first"),
            cancel("audits", "Note", None, "second"),
        ]
    );
    let left = outcome.sends().iter().map(|s| (&*s.topic, s.name.as_deref().unwrap(), s.release));
    assert_eq!(
        left.collect::<Vec<_>>(),
        [
            ("deposits", "other", Release::After(HOUR)),
            ("audits", "first", Release::After(HOUR)),
            ("deposits", "first", Release::Now),
            ("deposits", "first", Release::After(HOUR)),
        ]
    );
}

#[tokio::test]
async fn a_name_that_is_too_long_fails_the_delivery() {
    #[handler]
    fn named(d: Deposit) -> Outgoing<Deposit> {
        d.delay(HOUR).named("x".repeat(401))
    }
    #[handler]
    fn cancels(d: Deposit, outbox: &mut Outbox) {
        outbox.cancel::<Deposit>(d.account, &"x".repeat(401));
    }
    for handlers in [handlers![named], handlers![cancels]] {
        let error = outcome(handlers).await.unwrap_err();
        assert!(error.to_string().contains("named with 401 bytes"), "{error}");
    }
}
