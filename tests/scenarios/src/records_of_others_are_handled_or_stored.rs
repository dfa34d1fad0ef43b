//! Bodies and headers as others send them. Each is handled, or stored with the true reason and all
//! its bytes; a record of another key behind it is handled; the service goes on.

use framework::broker::Publication;
use framework::broker::memory::MemoryBroker;
use framework::dead_letters::{Body, Filter};
use framework::prelude::*;
use framework::store::memory::MemoryStore;
use framework::stream::Slot;
use framework::testing::TestApp;

use crate::support::in_time;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "deposits", key = account)]
struct Deposit {
    account: String,
    cents: i64,
    note: Option<String>,
}

#[derive(Debug, Default, State, Serialize, Deserialize)]
#[state(name = "account")]
struct Account {
    cents: i64,
}

#[handler]
async fn deposit(cmd: Deposit, account: &mut Account) {
    account.cents += cmd.cents;
}

/// The same, once it was mended: it takes whatever stands for an amount.
mod mended {
    use framework::prelude::*;
    use serde_json::Value;

    #[derive(Message, Serialize, Deserialize)]
    #[message(topic = "deposits", type = "Deposit", key = account)]
    pub(super) struct Deposit {
        #[serde(default)]
        pub(super) account: String,
        #[serde(default)]
        pub(super) cents: Value,
    }

    #[handler]
    pub(super) async fn deposit(cmd: Deposit, account: &mut super::Account) {
        account.cents += cmd.cents.as_i64().unwrap_or(100);
    }
}

/// What becomes of a record.
#[derive(Clone, Copy, Debug)]
enum Becomes {
    /// It changes the state of this key.
    Handled(&'static str),
    /// A dead letter of the handler for this key, with this in its error; replayed once the type is
    /// mended, it changes the state of that key.
    Dead(Option<&'static str>, &'static str),
    /// As above, and no type can ever read it.
    DeadForGood(Option<&'static str>, &'static str),
    /// On the list of undecodable records, with this as its reason.
    Undecodable(&'static str),
    /// It is of a type that nothing here takes.
    NotTaken,
}
use Becomes::{Dead, DeadForGood, Handled, NotTaken, Undecodable};

struct Case {
    name: &'static str,
    key: Option<&'static str>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    becomes: Becomes,
}

fn body(body: impl Into<Vec<u8>>, becomes: Becomes) -> Case {
    Case { name: "body", key: Some("a"), headers: Vec::new(), body: body.into(), becomes }
}

fn header(name: &str, value: &str, becomes: Becomes) -> Case {
    let headers = vec![(name.to_owned(), value.to_owned())];
    Case { name: "header", headers, ..body(r#"{"account":"a","cents":1}"#, becomes) }
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

fn bodies() -> Vec<Case> {
    let with = |more: &str| format!(r#"{{"account":"a","cents":1,{more}}}"#);
    let cents = |cents: &str| format!(r#"{{"account":"a","cents":{cents}}}"#);
    let mut invalid_utf8 = br#"{"account":"a?","cents":1}"#.to_vec();
    invalid_utf8[13] = 0xff;
    vec![
        body(r#"{"account":"a","cents":1}"#, Handled("a")),
        body(with(r#""note":null"#), Handled("a")),
        body(with(r#""x":1,"x":2"#), Handled("a")),
        body(with(&format!(r#""x":{}"#, nested(200))), Handled("a")),
        body(with(&format!(r#""x":{}"#, "9".repeat(400))), Handled("a")),
        body(r#"{"account":"a\u0000b","cents":1}"#, Handled("a\0b")),
        body(cents("null"), Dead(Some("a"), "invalid type: null, expected i64")),
        body(r#"{"account":"a"}"#, Dead(Some("a"), "missing field `cents`")),
        body(with(r#""cents":2"#), DeadForGood(Some("a"), "duplicate field `cents`")),
        body(cents("1.0"), Dead(Some("a"), "expected i64")),
        body(cents("1e2"), Dead(Some("a"), "expected i64")),
        body(cents("9223372036854775808"), Dead(Some("a"), "expected i64")),
        body(cents("\"1\""), Dead(Some("a"), "invalid type: string \"1\", expected i64")),
        body(cents("NaN"), Undecodable("its body is no JSON: expected value")),
        body(
            r#"{"account":"a","account":"b","cents":1}"#,
            DeadForGood(Some("a"), "duplicate field `account`"),
        ),
        body("\u{feff}{}", Undecodable("its body is no JSON: expected value")),
        body(format!("{} x", cents("1")), Undecodable("trailing characters")),
        body(invalid_utf8, DeadForGood(Some("a"), "invalid unicode code point")),
        body(r#"{"account":"\ud800","cents":1}"#, DeadForGood(Some("a"), "end of hex escape")),
        body("", Undecodable("its body is no JSON: EOF while parsing")),
        body("null", DeadForGood(Some("a"), "invalid type: null")),
        body(r#"["a",5]"#, Dead(Some("a"), "invalid length 2")),
        body("{'account':'a','cents':1}", Undecodable("its body is no JSON: key must be a string")),
        body(with(&format!(r#""x":{}"#, nested(10_000))), Handled("a")),
        body(with(&format!(r#""x":{}"#, nested(500_000 - 100))), Handled("a")),
        body(nested(10_000), DeadForGood(Some("a"), "invalid type: sequence")),
        body(nested(500_000), DeadForGood(Some("a"), "invalid type: sequence")),
        body("[".repeat(500_000), Undecodable("its body is no JSON: EOF while parsing")),
        body(with(&format!(r#""x":"{}""#, "y".repeat((1 << 20) - 40))), Handled("a")),
        body(vec![b' '; 60 << 20], Undecodable("62914560 bytes in its body, 1048576 is the limit")),
    ]
}

fn keys() -> Vec<Case> {
    let of = |key, headers: &[(&str, &str)], body: &str, becomes| Case {
        name: "key",
        key,
        headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        body: body.into(),
        becomes,
    };
    let account = |bytes| format!(r#"{{"account":"{}","cents":1}}"#, "k".repeat(bytes));
    let unread = r#"{"account":"a","cents":"1"}"#;
    let of_400: &'static str = "k".repeat(400).leak();
    vec![
        of(None, &[], r#"{"account":"a","cents":1}"#, Handled("a")),
        of(Some("b"), &[], r#"{"account":"a","cents":1}"#, Handled("a")),
        of(None, &[], unread, Dead(None, "invalid type: string")),
        of(Some(""), &[("ce_subject", "")], unread, Dead(None, "invalid type: string")),
        of(Some("b"), &[("ce_subject", "a")], unread, Dead(Some("a"), "invalid type: string")),
        of(Some("a"), &[("ce_subject", "")], unread, Dead(Some("a"), "invalid type: string")),
        of(None, &[("CE-Subject", "a")], unread, Dead(Some("a"), "invalid type: string")),
        of(None, &[], &account(400), Handled(of_400)),
        of(None, &[], &account(401), Undecodable("401 bytes")),
    ]
}

fn headers() -> Vec<Case> {
    let long = "x".repeat(65_535);
    let digest = [
        ("ce_source", "/endwise/bank/0000000000000007/0/deposits"),
        ("ce_id", "1-1"),
        ("ce_type", "Deposit"),
        ("ce_ewdigest", "00"),
    ];
    let many = (0..10_000).map(|n| (format!("h{n}"), "1".to_owned())).collect();
    let digest = digest.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let good = |becomes| header("a", "1", becomes);
    vec![
        header("ce_type", "com.example.deposited", NotTaken),
        header("ce_type", "Deposit", Handled("a")),
        header("ce-type", "Deposit", Handled("a")),
        header("CE_TYPE", "Deposit", Handled("a")),
        header("Ce-Type", "com.example.deposited", NotTaken),
        header("ce_subject", "other", Handled("a")),
        header("ce_subject", "", Handled("a")),
        header("ce_source", "/endwise/x", Undecodable("lacks the attribute ce_id")),
        header("ce-source", "/endwise/x", Undecodable("lacks the attribute ce_id")),
        header("ce_source", "https://example.com/x", Handled("a")),
        header("long", &long, Undecodable("bytes of headers of its own, 65536 is the limit")),
        Case {
            name: "many",
            headers: many,
            ..good(Undecodable("10000 headers of its own, 64 is the limit"))
        },
        Case { name: "digest", headers: digest, ..good(Undecodable("digest does not fit")) },
    ]
}

fn record(case: &Case) -> Publication {
    Publication {
        topic: "deposits".into(),
        slot: Slot(0),
        key: case.key.map(Into::into),
        headers: case.headers.iter().map(|(name, value)| (&**name, &**value)).collect(),
        body: case.body.clone().into(),
    }
}

async fn check(case: &Case) -> anyhow::Result<()> {
    let (broker, store) = (MemoryBroker::new(1), MemoryStore::new(1));
    let app = || App::new("bank").handlers(handlers![deposit]);
    let mut bank = TestApp::start_on(app(), broker.clone(), store.clone()).await?;
    broker.publish_again("deposits", record(case));
    bank.publish(Deposit { account: "good".into(), cents: 1, note: None }).await?;
    in_time(bank.settle()).await?;
    assert_eq!(bank.state::<Account>("good").await?.map(|account| account.cents), Some(1));

    let letters = bank.dead_letters();
    let dead = letters.list(&Filter::new()).await?.items;
    let undecodable = letters.invalid().list(&Filter::new()).await?.items;
    let (key, says) = match case.becomes {
        Handled(key) => {
            assert!(dead.is_empty() && undecodable.is_empty(), "{dead:?} {undecodable:?}");
            let account = bank.state::<Account>(key).await?;
            assert_eq!(account.map(|account| account.cents), Some(1));
            return Ok(());
        }
        NotTaken => {
            assert!(dead.is_empty() && undecodable.is_empty(), "{dead:?} {undecodable:?}");
            return Ok(());
        }
        Undecodable(says) => {
            let [one] = undecodable.as_slice() else { panic!("{undecodable:?} {dead:?}") };
            assert!(one.reason.contains(says), "{}", one.reason);
            if case.body.len() <= 1 << 20 {
                let whole = letters.invalid().show(one.number).await?.expect("it is there");
                assert_eq!(whole.body, Body::of(&case.body));
            }
            return Ok(());
        }
        Dead(key, says) | DeadForGood(key, says) => (key, says),
    };
    let [one] = dead.as_slice() else { panic!("{dead:?} {undecodable:?}") };
    assert!(one.error.contains(says), "{}", one.error);
    assert_eq!((one.key.as_deref(), &*one.handler, one.attempts), (key, "deposit", 1));
    let whole = letters.show(one.number).await?.expect("it is there");
    assert_eq!(whole.body, Body::of(&case.body));

    // The program is mended, and the dead letter replayed.
    bank.stop().await?;
    let app = App::new("bank").handlers(handlers![mended::deposit]);
    let mut bank = TestApp::start_on(app, broker, store).await?;
    let done = bank.dead_letters().replay(Filter::new()).await?;
    assert_eq!(done.done.len(), 1);
    in_time(bank.settle()).await?;
    let left = bank.dead_letters().list(&Filter::new()).await?.items;
    match case.becomes {
        Dead(key, _) => {
            assert!(left.is_empty(), "{left:?}");
            assert!(bank.state::<Account>(key.unwrap_or("a")).await?.is_some());
        }
        _ => assert_eq!(left.len(), 1),
    }
    Ok(())
}

async fn check_all(cases: Vec<Case>) {
    for (number, case) in cases.into_iter().enumerate() {
        let start: String = String::from_utf8_lossy(&case.body).chars().take(60).collect();
        eprintln!("{number} {}: {:?} {start} {:?}", case.name, case.key, case.becomes);
        check(&case).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_their_bodies_are() {
    check_all(bodies()).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_their_keys_are() {
    check_all(keys()).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_their_headers_are() {
    check_all(headers()).await;
}
