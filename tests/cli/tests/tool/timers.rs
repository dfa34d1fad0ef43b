//! `endwise timers`, of a service that runs, and of one that has ended.

use std::time::Duration;

use crate::service::{Bank, numbers, tool};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_listed_and_cancelled_online_and_offline() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let dir = home.path().join("bank");
    let bank = Bank::start(home.path()).await?;
    for (account, hours) in [("ada", 1), ("ada", 2), ("bob", 3), ("eve", 4), ("eve", 5)] {
        bank.deposit_later(account, HOUR * hours).await?;
    }
    let listed = tool(&["timers", "list"], &dir, &[]).await?;
    assert!(listed.out.contains("Deposit") && listed.out.contains("from outside, to deposits"));
    assert!(listed.out.lines().all(|line| line.chars().count() <= 80), "{}", listed.out);
    let soon = tool(&["timers", "list"], &dir, &["--until", "150m", "--json"]).await?.json()?;
    let [first, second] = numbers(&soon)[..] else { panic!("{soon}") };
    let page = tool(&["timers", "list"], &dir, &["--limit", "2", "--json"]).await?.json()?;
    let next = page["services"][0]["next"].as_str().unwrap().to_owned();
    let rest = tool(&["timers", "list"], &dir, &["--after", &next, "--json"]).await?.json()?;
    assert_eq!(numbers(&rest).len(), 3);

    let number = first.to_string();
    let done = tool(&["timers", "cancel"], &dir, &[&number, "99"]).await?;
    assert_eq!((done.code, &*done.out), (1, "1 timer is cancelled\n"));
    assert_eq!(done.err, "there is no timer 99\n");
    let one = tool(&["timers", "cancel"], &dir, &["--key", "ada", "--json"]).await?;
    assert_eq!(one.json()?["done"], serde_json::json!([second]), "one needs no --yes");
    let several = tool(&["timers", "cancel"], &dir, &["--key", "eve"]).await?;
    assert!(several.code == 2 && several.err.contains("2 timers fit"), "{several:?}");
    let nothing = tool(&["timers", "cancel"], &dir, &["--yes"]).await?;
    assert!(nothing.code == 2 && nothing.err.contains("or --all"), "{nothing:?}");
    bank.stop().await?;

    let several = tool(&["timers", "cancel"], &dir, &["--key", "eve", "--yes"]).await?;
    assert_eq!((several.code, &*several.out), (0, "2 timers are cancelled\n"));
    let left = tool(&["timers", "list"], &dir, &["--json"]).await?.json()?;
    let items = &left["services"][0]["items"];
    assert_eq!((items.as_array().map(Vec::len), &items[0]["key"]), (Some(1), &"bob".into()));
    assert_eq!(tool(&["timers", "cancel"], &dir, &["--all"]).await?.code, 0);
    assert_eq!(tool(&["timers", "list"], &dir, &[]).await?.code, 3);
    Ok(())
}
