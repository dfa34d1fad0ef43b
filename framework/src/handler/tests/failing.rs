//! What handlers ask for on failure, and which level is heard.

use std::time::Duration;

use super::*;
use crate::policy::{Gap, OnFailure, Retry};
use crate::start::{StartError, wire};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Refused(bool);

impl Refused {
    fn is_final(&self) -> bool {
        self.0
    }
}

#[handler(
    retry(attempts = 8, min = "200ms", max = "1m", unless = Refused::is_final),
    timeout = "5s",
    gap = skip("30s"),
    crashes = 4
)]
fn all(_: Deposit) {}

#[handler(retry(attempts = 3))]
fn some(_: Deposit) {}

#[handler]
fn none(_: Deposit) {}

fn wired(app: App) -> Vec<OnFailure> {
    wire(&app).unwrap().handlers.into_iter().map(|handler| handler.on_failure).collect()
}

#[test]
fn options_say_what_happens_on_failure() {
    let policies = wired(App::new("bank").handlers(handlers![all, none]));
    let all = &policies[0];
    assert_eq!((all.attempts, all.min, all.max), (8, SECOND / 5, SECOND * 60));
    assert_eq!((all.timeout, all.gap, all.crashes), (SECOND * 5, Gap::Skip(SECOND * 30), 4));
    let unless = all.unless.as_ref().unwrap();
    assert!(unless(&Refused(true).into()));
    assert!(!unless(&Refused(false).into()));
    assert!(!unless(&"another".into()));
    let none = &policies[1];
    assert_eq!((none.attempts, none.gap, none.unless.is_none()), (10, Gap::Hold, true));
}

#[test]
fn what_a_handler_does_not_say_is_said_further_out() {
    let group = handlers![all, some, none.retry(Retry::new().attempts(1)).timeout(SECOND)];
    let group = group.retry(Retry::new().attempts(4).min(SECOND)).crashes(6).and(handlers![none]);
    let app =
        App::new("bank").retry(Retry::new().attempts(20).max(SECOND * 90)).timeout(SECOND * 7);
    let said = |p: &OnFailure| (p.attempts, p.min, p.max, p.timeout, p.crashes);
    // Two handlers of one name are refused, so each is wired alone.
    let entries: Vec<_> = app.handlers(group).entries;
    let app =
        App::new("bank").retry(Retry::new().attempts(20).max(SECOND * 90)).timeout(SECOND * 7);
    let found: Vec<_> = entries.iter().map(|e| said(&e.on_failure(&app.on_failure))).collect();
    assert_eq!(
        found,
        [
            (8, SECOND / 5, SECOND * 60, SECOND * 5, 4),
            (3, SECOND, SECOND * 90, SECOND * 7, 6),
            (1, SECOND, SECOND * 90, SECOND, 6),
            (20, SECOND / 10, SECOND * 90, SECOND * 7, 3),
        ]
    );
}

#[test]
fn behind_one_handler_its_own_options_are_replaced() {
    let policies = wired(
        App::new("bank").handlers(handlers![all.retry(Retry::new().attempts(2)).timeout(SECOND)]),
    );
    let said = (policies[0].attempts, policies[0].min, policies[0].timeout, policies[0].crashes);
    assert_eq!(said, (2, SECOND / 5, SECOND, 4));
}

#[test]
fn what_makes_no_sense_is_refused_at_the_start() {
    let problem = |app: App| wire(&app).unwrap_err().to_string();
    let listed = || App::new("bank").handlers(handlers![some]);
    for (app, says) in [
        (listed().retry(Retry::new().min(SECOND * 61)), "min, 61s, is longer than its max, 60s"),
        (listed().retry(Retry::new().min(Duration::ZERO)), "min is zero"),
        (listed().timeout(Duration::ZERO), "timeout is zero"),
        (listed().crashes(0), "crashes are 0"),
        (
            App::new("bank").handlers(handlers![none.retry(Retry::new().attempts(0))]),
            "attempts are 0",
        ),
    ] {
        let problem = problem(app);
        assert!(problem.contains(says) && problem.contains("tests/failing.rs"), "{problem}");
    }
}

#[test]
fn a_gap_is_of_the_component_and_needs_an_order() {
    #[handler(gap = skip("1s"))]
    fn one(_: Deposit, _: &mut Account) {}
    #[handler(gap = hold)]
    fn other(_: Deposit, _: &mut Account) {}
    #[handler(gap = hold, order = none)]
    fn loose(_: Deposit) {}

    let error = wire(&App::new("bank").handlers(handlers![one, other])).unwrap_err();
    assert_eq!(error, StartError::UnlikeGap { first: "one", second: "other" });
    let error = wire(&App::new("bank").handlers(handlers![loose])).unwrap_err();
    assert!(matches!(error, StartError::GapWithoutOrder { handler: "loose", .. }), "{error}");
}

#[test]
fn two_types_of_one_state_name_do_not_start() {
    mod other {
        use crate::prelude::*;

        #[derive(State, Default, Serialize, Deserialize)]
        #[state(name = "account")]
        pub(super) struct Account {
            visits: u32,
        }
    }
    #[handler]
    fn one(_: Deposit, _: &mut Account) {}
    #[handler]
    fn same(_: Deposit, _: &mut Option<Account>) {}
    #[handler]
    fn two(_: Deposit, _: &mut other::Account) {}

    assert!(wire(&App::new("bank").handlers(handlers![one, same])).is_ok());
    let error = wire(&App::new("bank").handlers(handlers![one, two])).unwrap_err();
    let says = error.to_string();
    assert!(matches!(error, StartError::StateOfTwoTypes { state: "account", .. }), "{error}");
    let second = "other::Account of handler \"two\" (";
    assert!(says.contains("Account of handler \"one\" (") && says.contains(second), "{says}");
}
