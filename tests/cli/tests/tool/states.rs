//! `endwise states`, of a service that runs, and of one that has ended.

use framework::{App, Running};

use crate::service::{Bank, Said, dead_of, tool, tool_fed};

fn state(said: &Said) -> anyhow::Result<serde_json::Value> {
    Ok(said.json()?["state"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_services_states_are_shown_set_and_removed() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let mut bank = Bank::start(home.path()).await?;
    bank.deposit(&[("ada", 1), ("abe", 2), ("bob", 3)]).await?;
    let dir = home.path().join("bank");

    let names = tool(&["states", "list"], &dir, &["--json"]).await?.json()?;
    let items = serde_json::json!([{ "name": "account", "type_version": 1 }]);
    assert_eq!(names["services"][0]["items"], items);
    let keys = tool(&["states", "list"], &dir, &["account", "--prefix", "a"]).await?;
    assert!(keys.out.contains("abe") && keys.out.contains("ada"), "{keys:?}");
    assert!(!keys.out.contains("bob"), "{keys:?}");
    let first = tool(&["states", "list"], &dir, &["account", "--limit", "2", "--json"]).await?;
    let next = first.json()?["services"][0]["next"].clone();
    assert_eq!(next, "ada");
    let rest = tool(&["states", "list"], &dir, &["account", "--after", "ada"]).await?;
    assert!(rest.out.contains("bob") && !rest.out.contains("abe"), "{rest:?}");

    let got = tool(&["states", "get"], &dir, &["account", "ada"]).await?;
    assert_eq!(got.out, "{\n  \"history\": [\n    1\n  ]\n}\n");
    assert_eq!(got.err, "version 1, written by version 1 of its type\n");
    let raw = tool(&["states", "get"], &dir, &["account", "ada", "--raw"]).await?;
    assert_eq!(raw.out, "{\"history\":[1]}\n");

    // From the argument, from a file, from the standard input.
    let set = tool(&["states", "set"], &dir, &["account", "ada", r#"{"history":[7]}"#]).await?;
    assert_eq!((set.code, &*set.out), (0, "the state account of ada is set\n"));
    let file = home.path().join("abe.json");
    std::fs::write(&file, "{\"history\":[8]}\n")?;
    let file = file.to_str().unwrap();
    tool(&["states", "set"], &dir, &["account", "abe", "--file", file]).await?;
    tool_fed(&["states", "set"], &dir, &["account", "eve"], r#"{"history":[9]}"#).await?;
    bank.deposit(&[("ada", 70), ("abe", 80), ("eve", 90)]).await?;
    assert_eq!(bank.history("ada").await?, [7, 70]);
    assert_eq!(
        (bank.history("abe").await?, bank.history("eve").await?),
        (vec![8, 80], vec![9, 90])
    );

    // The service knows the type, and the version.
    let odd = tool(&["states", "set"], &dir, &["account", "ada", r#"{"histories":[7]}"#]).await?;
    let said = "error: the type of state \"account\" does not read this JSON: missing field";
    assert!(odd.code == 1 && odd.err.starts_with(said), "{odd:?}");
    assert!(odd.err.ends_with(". Nothing was changed\n"), "{odd:?}");
    let zero = ["account", "ada", "{}", "--type-version", "0"];
    assert_eq!(tool(&["states", "set"], &dir, &zero).await?.code, 2);
    let stale = ["account", "ada", r#"{"history":[]}"#, "--expect", "1"];
    let stale = tool(&["states", "set"], &dir, &stale).await?;
    assert!(stale.code == 1 && stale.err.contains("has version 3, and not 1"), "{stale:?}");
    let unknown = tool(&["states", "get"], &dir, &["acount", "ada"]).await?;
    assert!(unknown.code == 1 && unknown.err.contains("there are: account"), "{unknown:?}");

    let removed = tool(&["states", "remove"], &dir, &["account", "bob"]).await?;
    assert_eq!((removed.code, &*removed.out), (0, "the state account of bob is removed\n"));
    let again = tool(&["states", "remove"], &dir, &["account", "bob", "--json"]).await?;
    assert_eq!((again.code, &again.json()?["changed"]), (3, &false.into()));
    assert_eq!(tool(&["states", "get"], &dir, &["account", "bob"]).await?.code, 3);
    let json = tool(&["states", "get"], &dir, &["account", "bob", "--json"]).await?;
    assert_eq!((json.code, &*json.err), (3, ""));
    bank.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_read_is_mended_from_outside() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let dir = home.path().join("bank");
    let mut bank = Bank::start(home.path()).await?;
    bank.deposit(&[("ada", 1), ("bob", 2)]).await?;
    bank.stop().await?;

    // Where no service runs, nobody knows the type.
    let set = tool(&["states", "set"], &dir, &["account", "ada", r#"{"cents":1}"#]).await?;
    assert_eq!((set.code, &*set.out), (0, "the state account of ada is set\n"));
    let broken = tool(&["states", "set"], &dir, &["account", "ada", "{\"cents\":"]).await?;
    assert!(broken.code == 1 && broken.err.contains("this is not valid JSON"), "{broken:?}");
    let new = tool(&["states", "set"], &dir, &["account", "eve", r#"{"history":[4]}"#]).await?;
    assert!(new.code == 1 && new.err.contains("`--type-version`"), "{new:?}");
    let new = ["account", "eve", r#"{"history":[4]}"#, "--type-version", "1", "--expect", "0"];
    assert_eq!(tool(&["states", "set"], &dir, &new).await?.code, 0);
    assert_eq!(tool(&["states", "remove"], &dir, &["account", "bob"]).await?.code, 0);
    let got = state(&tool(&["states", "get"], &dir, &["account", "ada", "--json"]).await?)?;
    assert_eq!((&got["json"]["text"], &got["version"]), (&r#"{"cents":1}"#.into(), &2.into()));

    let mut bank = Bank::start(home.path()).await?;
    bank.deposit(&[("ada", 10), ("ada", 20), ("bob", 30), ("eve", 40)]).await?;
    assert_eq!((bank.history("bob").await?, bank.history("eve").await?), (vec![30], vec![4, 40]));
    // The recipe of the guide.
    let got = tool(&["states", "get"], &dir, &["account", "ada"]).await?;
    assert_eq!((got.code, &*got.out), (0, "{\"cents\":1}\n"));
    assert!(got.err.contains("cannot be read") && got.err.contains("`history`"), "{got:?}");
    let listed = tool(&["states", "list"], &dir, &["account"]).await?;
    assert!(listed.out.contains("in a form that its type"), "{listed:?}");
    let mended = ["account", "ada", r#"{"history":[1]}"#, "--expect", "2"];
    assert_eq!(tool(&["states", "set"], &dir, &mended).await?.code, 0);
    let dead = dead_of("ada", home.path()).await?;
    assert_eq!(tool(&["dead-letters", "replay"], &dir, &[&dead]).await?.code, 0);
    bank.settle().await?;
    assert_eq!(bank.history("ada").await?, [1, 10, 20]);
    bank.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_services_those_answer_that_have_the_state() -> anyhow::Result<()> {
    let (home, beside) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut bank = Bank::start(home.path()).await?;
    bank.deposit(&[("ada", 1)]).await?;
    let audit = Running::start(beside.path(), [App::new("audit")]).await?;
    audit.stop().await?;
    std::fs::rename(beside.path().join("audit"), home.path().join("audit"))?;
    let keys = tool(&["states", "list"], home.path(), &["account"]).await?;
    assert_eq!((keys.code, &*keys.err), (0, ""), "{keys:?}");
    assert!(keys.out.starts_with("bank:\n"), "{keys:?}");
    let unknown = tool(&["states", "list"], home.path(), &["acount"]).await?;
    assert!(unknown.code == 1 && unknown.err.contains("audit: "), "{unknown:?}");
    bank.stop().await
}
