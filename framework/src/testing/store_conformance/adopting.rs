//! Claims about taking an app in: its names, and what was renamed since.

use super::keeping::{again, handled_kept, kept, new};
use super::*;
use crate::store::{Keep, RenamedType, Wait};

fn to(old: &str, new: Option<&str>) -> (Arc<str>, Option<Arc<str>>) {
    (old.into(), new.map(Arc::from))
}

/// An app with these handlers and states.
fn app(handlers: &[&str], states: &[&str]) -> Catalog {
    Catalog { handlers: texts(handlers), states: texts(states), types: Vec::new() }
}

fn renamed(topic: &str, old: &str, new: Option<&str>) -> RenamedType {
    RenamedType { topic: topic.into(), old: old.into(), new: new.map(Into::into) }
}

fn handlers(renames: &[(&str, Option<&str>)]) -> Renames {
    let handlers = renames.iter().map(|(old, new)| to(old, *new)).collect();
    Renames { handlers, ..Renames::default() }
}

fn states(renames: &[(&str, Option<&str>)]) -> Renames {
    let states = renames.iter().map(|(old, new)| to(old, *new)).collect();
    Renames { states, ..Renames::default() }
}

pub(crate) async fn the_catalog_comes_back(subject: Subject) {
    let open = subject.open().await;
    assert_eq!(open.found, Found::default(), "a new store knows no app");
    open.leave(Leave::Closed).await;
    for leave in [Leave::Dropped, Leave::Closed] {
        let open = subject.open().await;
        assert_eq!(open.found.catalog, catalog());
        open.leave(leave).await;
    }
    // A handler without work may go; a type goes when it is said to.
    let types = vec![renamed("in", "Deposit", None)];
    let renames = Renames { types, ..Renames::default() };
    let open = subject.open_as(app(&["audit"], &["account"]), renames).await.unwrap();
    open.leave(Leave::Dropped).await;
    let open = subject.open().await;
    assert_eq!(open.found.catalog, app(&["audit"], &["account"]));
}

pub(crate) async fn what_a_handler_left_undone_is_listed(subject: Subject) {
    let mut open = subject.open().await;
    let both = ["audit", "deposit"];
    let entries = vec![handled_of(at(1), "audit", &both), handled_of(at(2), "audit", &both)];
    open.commit(entries).await;
    open.leave(Leave::Dropped).await;
    let open = subject.open_as(app(&["audit"], &["account"]), Renames::default()).await.unwrap();
    assert_eq!(open.found.unfinished, texts(&["deposit"]));
    assert_eq!(open.recovered.pending.len(), 2);
}

pub(crate) async fn a_renamed_handler_has_its_work(subject: Subject) {
    let mut open = subject.open().await;
    open.one(handled_of(at(1), "audit", &["audit", "deposit"])).await;
    open.leave(Leave::Dropped).await;
    let renames = handlers(&[("deposit", Some("pay_in"))]);
    // A second time it has nothing left to do.
    for _ in 0..2 {
        let new = app(&["audit", "pay_in"], &["account"]);
        let open = subject.open_as(new, renames.clone()).await.unwrap();
        assert_eq!(open.recovered.pending, [(at(1), texts(&["pay_in"]))]);
        open.leave(Leave::Dropped).await;
    }
    let new = app(&["audit", "pay_in"], &["account"]);
    let mut open = subject.open_as(new.clone(), Renames::default()).await.unwrap();
    assert_eq!(open.found.catalog.handlers, new.handlers);
    assert_eq!(open.found.unfinished, texts(&["pay_in"]));
    let done = handled_of(at(1), "pay_in", &["pay_in"]);
    assert_eq!(open.one(done).await, Verdict::Applied);
}

pub(crate) async fn a_retired_handlers_work_is_given_up(subject: Subject) {
    let mut open = subject.open().await;
    let three = ["audit", "deposit", "third"];
    let foreign = Position::Foreign(partition(1), 5);
    let entries = vec![
        handled_of(at(1), "audit", &three[..2]),
        handled_of(at(2), "audit", &three),
        handled_of(foreign, "audit", &three[..2]),
    ];
    open.commit(entries).await;
    open.leave(Leave::Dropped).await;
    let new = app(&["audit", "third"], &["account"]);
    let open = subject.open_as(new, handlers(&[("deposit", None)])).await.unwrap();
    assert_eq!(open.recovered.pending, [(at(2), texts(&["third"]))]);
    assert_eq!(open.settled(&stream(1)), [(1, 1)]);
    assert_eq!(open.done(&partition(1)), [(5, 5)]);
    open.leave(Leave::Dropped).await;
    let open = subject.open().await;
    assert_eq!(open.found.unfinished, texts(&["third"]));
}

pub(crate) async fn what_is_kept_follows_its_handler(subject: Subject) {
    let mut open = subject.open().await;
    let of = |handler: &str, keep: Keep| kept(Keep { handler: handler.into(), ..keep });
    let entries = vec![
        of("deposit", new(1, at(1), Wait::Until(5))),
        of("audit", new(2, at(2), Wait::Held)),
        of("deposit", new(3, at(2), Wait::Held)),
        of("deposit", new(4, at(3), Wait::Held)),
    ];
    assert_eq!(open.commit(entries).await.verdicts, [Verdict::Applied; 4]);
    open.push_behind().await;
    open.leave(Leave::Dropped).await;
    let numbers = |open: &Opened| -> Vec<_> {
        open.recovered.kept.iter().map(|kept| (kept.number, kept.handler.to_string())).collect()
    };
    // Renamed: what it has kept goes along.
    for _ in 0..2 {
        let new = app(&["audit", "pay_in"], &["account"]);
        let renames = handlers(&[("deposit", Some("pay_in"))]);
        let open = subject.open_as(new, renames).await.unwrap();
        let expected = [(1, "pay_in"), (2, "audit"), (3, "pay_in"), (4, "pay_in")];
        assert_eq!(numbers(&open), expected.map(|(n, handler)| (n, handler.to_owned())));
        assert_eq!(open.kept_message(3).await.unwrap().kept, open.recovered.kept[2]);
        open.leave(Leave::Dropped).await;
    }
    let new = app(&["audit", "pay_in"], &["account"]);
    let mut open = subject.open_as(new, Renames::default()).await.unwrap();
    assert_eq!(open.found.unfinished, texts(&["audit", "pay_in"]));
    let old = handled_kept(1, at(1), "deposit");
    assert_eq!(open.one(old).await, Verdict::NotPending);
    assert_eq!(open.one(handled_kept(1, at(1), "pay_in")).await, Verdict::Applied);
    let waits = again(4, at(3), Wait::Until(9));
    assert_eq!(open.one(of("pay_in", waits)).await, Verdict::Applied);
    open.leave(Leave::Closed).await;
    // Two cannot become one while something is kept: the other may have handled that itself.
    let renames = handlers(&[("pay_in", Some("audit"))]);
    let refused = subject.open_as(app(&["audit"], &["account"]), renames).await;
    let Err(StoreError::Refused { reason, .. }) = refused else { panic!("it is renamed") };
    assert!(reason.contains("pay_in") && reason.contains("audit"), "{reason}");
    // Retired: given up.
    let renames = handlers(&[("audit", None), ("pay_in", None)]);
    let open = subject.open_as(app(&[], &["account"]), renames).await.unwrap();
    assert_eq!((numbers(&open), open.recovered.kept_next), (Vec::new(), 5));
    assert_eq!((open.recovered.totals.held, open.recovered.totals.waiting), (0, 0));
    assert_eq!(open.settled(&stream(1)), [(1, 3)]);
    assert!(open.kept_message(2).await.is_none());
    open.leave(Leave::Dropped).await;
    assert_eq!(subject.open().await.found.unfinished, texts(&[]));
}

pub(crate) async fn handlers_that_swap_names_keep_their_work(subject: Subject) {
    let mut open = subject.open().await;
    let both = ["audit", "deposit"];
    let entries = vec![handled_of(at(1), "audit", &both), handled_of(at(2), "deposit", &both)];
    open.commit(entries).await;
    open.leave(Leave::Dropped).await;
    let renames = handlers(&[("audit", Some("deposit")), ("deposit", Some("audit"))]);
    let open = subject.open_as(catalog(), renames).await.unwrap();
    let pending = [(at(1), texts(&["audit"])), (at(2), texts(&["deposit"]))];
    assert_eq!(open.recovered.pending, pending);
    open.leave(Leave::Dropped).await;
    // What moves on does not take along what comes to its old name.
    let renames = handlers(&[("audit", Some("deposit")), ("deposit", Some("third"))]);
    let open = subject.open_as(app(&["deposit", "third"], &["account"]), renames).await.unwrap();
    let pending = [(at(1), texts(&["deposit"])), (at(2), texts(&["third"]))];
    assert_eq!(open.recovered.pending, pending);
}

pub(crate) async fn a_renamed_state_keeps_its_values(subject: Subject) {
    let mut open = subject.open().await;
    open.one(handled(at(1)).put("k", 0, "1")).await;
    open.leave(Leave::Closed).await;
    let renames = states(&[("account", Some("ledger"))]);
    for _ in 0..2 {
        let new = app(&["audit", "deposit"], &["ledger"]);
        let mut open = subject.open_as(new, renames.clone()).await.unwrap();
        let read = open.reader.states(vec![("ledger".into(), "k".into())]).await.unwrap();
        assert_eq!(read, [stored(1, "1")]);
        assert_eq!(open.state("k").await, StoredState::default(), "the old name is nobody's");
        let stale = handled(at(2)).touch("ledger", "k", 0, StateChange::Delete);
        assert_eq!(open.one(stale).await, Verdict::Conflict);
        open.leave(Leave::Dropped).await;
    }
    // The old name is free for a new state; the values stay where they are.
    let new = app(&["audit", "deposit"], &["account", "ledger"]);
    let mut open = subject.open_as(new.clone(), Renames::default()).await.unwrap();
    assert_eq!(open.found.catalog.states, texts(&["ledger"]));
    open.one(handled(at(3)).put("k", 0, "another")).await;
    open.leave(Leave::Dropped).await;
    let open = subject.open_as(new, Renames::default()).await.unwrap();
    let keys = ["ledger", "account"].map(|name| (Arc::from(name), Key::from("k")));
    let read = open.reader.states(keys.to_vec()).await.unwrap();
    assert_eq!(read, [stored(1, "1"), stored(1, "another")]);
    open.leave(Leave::Dropped).await;
    // Both move on by one: no name stands for two, whatever the order they are told in.
    let renames = states(&[("account", Some("ledger")), ("ledger", Some("third"))]);
    let open = subject.open_as(app(&[], &["ledger", "third"]), renames).await.unwrap();
    let keys = ["third", "ledger"].map(|name| (Arc::from(name), Key::from("k")));
    let read = open.reader.states(keys.to_vec()).await.unwrap();
    assert_eq!(read, [stored(1, "1"), stored(1, "another")]);
}

pub(crate) async fn two_states_cannot_become_one(subject: Subject) {
    let both = app(&["audit", "deposit"], &["account", "ledger"]);
    let mut open = subject.open_as(both.clone(), Renames::default()).await.unwrap();
    open.one(handled_of(at(1), "audit", &["audit", "deposit"])).await;
    open.leave(Leave::Dropped).await;
    let mut renames = states(&[("account", Some("ledger"))]);
    renames.handlers = vec![to("deposit", None)];
    match subject.open_as(app(&["audit"], &["ledger"]), renames).await.map(|_| ()) {
        Err(StoreError::Refused { reason, remedy, .. }) => {
            assert!(reason.contains("account") && reason.contains("ledger"), "{reason}");
            assert!(!remedy.is_empty());
        }
        other => panic!("{other:?}"),
    }
    let open = subject.open_as(both.clone(), Renames::default()).await.unwrap();
    let as_before = (&both, &texts(&["deposit"]));
    assert_eq!((&open.found.catalog, &open.found.unfinished), as_before);
}

pub(crate) async fn a_retired_state_leaves_the_catalog(subject: Subject) {
    let mut open = subject.open().await;
    open.one(handled(at(1)).put("k", 0, "1")).await;
    open.leave(Leave::Dropped).await;
    let new = app(&["audit", "deposit"], &[]);
    let open = subject.open_as(new, states(&[("account", None)])).await.unwrap();
    open.leave(Leave::Dropped).await;
    let open = subject.open_as(app(&[], &[]), Renames::default()).await.unwrap();
    assert_eq!(open.found.catalog.states, texts(&[]));
}

pub(crate) async fn a_renamed_type_is_remembered_and_names_its_timers(subject: Subject) {
    let later = |type_name: &str, body: &str| {
        let mut entry = accepted().send("out", Some("k"), body);
        for message in &mut entry.sends {
            message.type_name = type_name.to_owned().into();
            message.release = Release::At(9_000);
            message.name = Some("reminder".into());
        }
        entry
    };
    let mut open = subject.open().await;
    open.one(later("Old", "1")).await;
    open.leave(Leave::Closed).await;
    let types = vec![renamed("out", "Old", Some("New")), renamed("in", "Deposit", Some("PayIn"))];
    let renames = Renames { types: types.clone(), ..Renames::default() };
    let now = || Catalog {
        types: vec![("in".into(), "PayIn".into())],
        ..app(&["audit", "deposit"], &["account"])
    };
    let open = subject.open_as(now(), renames).await.unwrap();
    open.leave(Leave::Dropped).await;
    for leave in [Leave::Closed, Leave::Dropped] {
        let open = subject.open_as(now(), Renames::default()).await.unwrap();
        let mut known = open.found.renamed_types.clone();
        known.sort_by(|a, b| b.topic.cmp(&a.topic));
        assert_eq!((known, open.found.catalog.types.len()), (types.clone(), 1));
        open.leave(leave).await;
    }
    let mut open = subject.open_as(now(), Renames::default()).await.unwrap();
    open.one(later("New", "2")).await;
    let waits = open.reader.timers(None, 9).await.unwrap();
    assert_eq!(waits.iter().map(|timer| &*timer.type_name).collect::<Vec<_>>(), ["New"]);
    open.leave(Leave::Closed).await;
    // A name that is taken again stands for itself.
    let open = subject.open().await;
    assert_eq!(open.found.renamed_types.len(), 2);
    open.leave(Leave::Dropped).await;
    let open = subject.open().await;
    assert_eq!(open.found.renamed_types, [renamed("out", "Old", Some("New"))]);
}
