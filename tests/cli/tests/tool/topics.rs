//! `endwise topics`, of a broker on which a service runs, and of one that it has left.

use crate::service::{Bank, publish_raw, tool};

#[tokio::test(flavor = "multi_thread")]
async fn a_running_broker_tells_what_it_holds_and_who_reads_it() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let mut bank = Bank::start(home.path()).await?;
    bank.deposit(&[("ada", 1), ("ada", 2)]).await?;
    // The data directory, a service's, the broker's own: all mean the same broker.
    for dir in [home.path().to_owned(), home.path().join("bank"), home.path().join("broker")] {
        let json = tool(&["topics"], &dir, &["--json"]).await?.json()?;
        let topic = &json["broker"]["topics"][0];
        assert_eq!((&topic["topic"], &topic["records"]), (&"deposits".into(), &2.into()), "{json}");
        assert!(topic["bytes"].as_u64() > Some(0) && topic["oldest_ms"].as_u64() > Some(0));
        let reader = &topic["readers"][0];
        assert_eq!((&reader["consumer"], &reader["behind"]), (&"bank".into(), &0.into()));
        assert_eq!(json["broker"]["disk"]["bytes_max"], 8u64 << 30);
        assert_eq!(json["broker"]["consumers"][0]["is_here"], true);
    }
    let said = tool(&["topics"], home.path(), &[]).await?;
    for part in ["of 8.0 GiB on disk (0 %)", "deposits      4        2", "read by bank, 0 behind"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{}", said.out);
    let status = tool(&["status"], home.path(), &[]).await?;
    assert!(status.out.contains("broker: ") && status.out.contains("read by bank"), "{status:?}");
    let status = tool(&["status"], home.path(), &["--json"]).await?.json()?;
    assert_eq!(status["broker"]["topics"][0]["topic"], "deposits");
    bank.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_broker_was_left_with_is_told_of_its_directory() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    Bank::start(home.path()).await?.stop().await?;
    publish_raw(home.path(), "deposits", b"{}").await?;
    publish_raw(home.path(), "loose", b"{}").await?;
    let said = tool(&["topics"], &home.path().join("bank"), &[]).await?;
    assert_eq!(said.code, 0, "{said:?}");
    for part in ["100 % of it held by bank", "read by bank, 1 behind, the oldest for", "by nobody"]
    {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let json = tool(&["topics"], home.path(), &["--json"]).await?.json()?;
    assert_eq!(json["broker"]["disk"]["bytes_max"], serde_json::Value::Null, "nobody knows it");
    assert_eq!(json["broker"]["topics"][1]["readers"], serde_json::json!([]));
    // Whoever looks changes nothing.
    let mut bank = Bank::start(home.path()).await?;
    bank.settle().await?;
    bank.stop().await?;

    let nowhere = tempfile::tempdir()?;
    let none = tool(&["topics"], nowhere.path(), &[]).await?;
    assert!(none.code == 1 && none.err.contains("there is no embedded broker in"), "{none:?}");
    Ok(())
}
