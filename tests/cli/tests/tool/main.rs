//! The `endwise` tool, run as a program, on a service in trouble: while it runs, and after it has
//! ended.

#[cfg(test)]
mod service;
#[cfg(test)]
mod states;
#[cfg(test)]
mod timers;
#[cfg(test)]
mod topics;
#[cfg(test)]
mod turns;

use std::path::Path;

use framework::status::Reason;
use framework::{Config, Limits};
use service::{Bank, dead_of, numbers, seen_enough, tool};

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_is_asked_and_mended() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let mut bank = Bank::start(home.path()).await?;
    bank.deposit(&[("ada", 1), ("ada", -2), ("ada", 3), ("eve", -4), ("bob", 5)]).await?;
    let dir = home.path().join("bank");

    let status = tool(&["status"], &dir, &[]).await?;
    assert_eq!(status.code, 0, "{status:?}");
    for part in ["bank: ready", "dead letters  2 (deposit 2)", "held          1, since 20"] {
        assert!(status.out.contains(part), "{part}: {}", status.out);
    }
    assert!(!status.out.contains('\u{1b}'), "no colours but on a terminal");

    assert!(seen_enough(&dir).await?.success(), "who reads may go when it has seen enough");

    let listed = tool(&["dead-letters", "list"], &dir, &[]).await?;
    assert!(listed.out.contains("failed for good after 1 attempt: -2 is refused"), "{listed:?}");
    assert!(listed.out.lines().all(|line| line.chars().count() <= 80), "{}", listed.out);
    let json = tool(&["dead-letters", "list"], &dir, &["--key", "ada", "--json"]).await?.json()?;
    let [ada] = numbers(&json)[..] else { panic!("{json}") };
    assert_eq!(json["services"][0]["items"][0]["followers"], 1);
    let held = (ada + 1).to_string();
    let ada = ada.to_string();

    let shown = tool(&["dead-letters", "show"], &dir, &[&ada]).await?;
    for part in ["key           ada", "attempt 1: failed for good", "\"cents\": -2", "ce_id: "] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }

    let behind = tool(&["dead-letters", "show"], &dir, &[&held]).await?;
    let said = format!("{held} is held behind dead letter {ada}: replay or discard that one\n");
    assert_eq!((behind.code, &behind.err), (3, &said));
    let eve = tool(&["dead-letters", "show"], &dir, &[&dead_of("eve", home.path()).await?]).await?;
    assert!(eve.out.contains("  held          0\n"), "{}", eve.out);

    bank.mend();
    let replayed = tool(&["dead-letters", "replay"], &dir, &[&ada]).await?;
    assert_eq!((replayed.code, &*replayed.out), (0, "1 dead letter will be handled again\n"));
    bank.settle().await?;
    assert_eq!(bank.history("ada").await?, [1, -2, 3]);
    let gone = tool(&["dead-letters", "show"], &dir, &[&ada]).await?;
    assert_eq!(gone.code, 3, "{gone:?}");

    let discarded = tool(&["dead-letters", "discard"], &dir, &["--all", "--json"]).await?;
    assert_eq!(discarded.json()?["done"].as_array().map(Vec::len), Some(1));
    bank.settle().await?;
    assert_eq!(bank.history("eve").await?, [0; 0]);
    let none = tool(&["dead-letters", "list"], &dir, &[]).await?;
    assert_eq!((none.code, &*none.err), (3, "there are no dead letters\n"));
    let none = tool(&["dead-letters", "list"], &dir, &["--key", "eve"]).await?;
    assert_eq!((none.code, &*none.err), (3, "no dead letter matches\n"));
    let unhandled = tool(&["dead-letters", "replay"], &dir, &["--unhandled", "--all"]).await?;
    assert!(unhandled.code == 2 && unhandled.err.contains("by themselves"), "{unhandled:?}");
    bank.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_has_left_is_mended_for_its_next_start() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let mut bank = Bank::start(home.path()).await?;
    bank.deposit(&[("ada", -1), ("ada", 2), ("eve", -3), ("eve", 4), ("bob", -5)]).await?;
    bank.stop().await?;
    let dir = home.path().join("bank");
    // As a process leaves its socket that is killed.
    drop(std::os::unix::net::UnixListener::bind(dir.join("admin"))?);

    let status = tool(&["status"], home.path(), &["--json"]).await?.json()?;
    let bank_status = &status["services"][0];
    assert_eq!(bank_status["service"], "bank");
    assert_eq!(bank_status["reasons"][0], "ended");
    assert_eq!(bank_status["kept"]["dead"], 3);
    assert_eq!(bank_status["kept"]["closed"].as_array().map(Vec::len), Some(2));

    let replayed =
        tool(&["dead-letters", "replay"], &dir, &[&dead_of("ada", home.path()).await?]).await?;
    let said = "1 dead letter will be handled again at the service's next start\n";
    assert_eq!((replayed.code, &*replayed.out), (0, said));
    let discarded =
        tool(&["dead-letters", "discard"], &dir, &[&dead_of("eve", home.path()).await?, "99"])
            .await?;
    assert_eq!((discarded.code, &*discarded.err), (1, "there is no dead letter 99\n"));

    let mut bank = Bank::start_mended(home.path()).await?;
    bank.settle().await?;
    assert_eq!(bank.history("ada").await?, [-1, 2], "replayed, then what was held");
    assert_eq!(bank.history("eve").await?, [4], "discarded, then what was held");
    assert_eq!(bank.history("bob").await?, [0; 0], "it waits as before");
    bank.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_records_are_shown_and_discarded() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    Bank::start(home.path()).await?.stop().await?;
    service::publish_raw(home.path(), "deposits", b"\xff\x00").await?;
    let mut bank = Bank::start(home.path()).await?;
    bank.settle().await?;
    let dir = home.path().join("bank");
    let listed = tool(&["dead-letters", "list", "--invalid"], &dir, &["--json"]).await?.json()?;
    let [number] = numbers(&listed)[..] else { panic!("{listed}") };
    let shown = tool(&["dead-letters", "show", "--invalid"], &dir, &[&number.to_string()]).await?;
    assert!(shown.out.contains("body, 2 bytes in hexadecimal\n  ff00\n"), "{shown:?}");
    let replay = ["dead-letters", "replay", "--invalid"];
    let left = tool(&replay, &dir, &["--all"]).await?;
    let says = format!("invalid record {number} is left as it was: its body is no JSON");
    assert_eq!((left.code, left.out.as_str()), (1, ""), "{left:?}");
    assert!(left.err.starts_with(&says), "{left:?}");
    let json = tool(&replay, &dir, &["--all", "--json"]).await?.json()?;
    assert_eq!(json["refused"][0]["number"], number);
    bank.stop().await?;
    let ended = tool(&replay, &dir, &["--all"]).await?;
    assert!(ended.code == 1 && ended.err.contains("only a running service"), "{ended:?}");
    bank = Bank::start(home.path()).await?;
    let refused = tool(&["dead-letters", "discard", "--invalid"], &dir, &[]).await?;
    assert_eq!(refused.code, 2, "{refused:?}");
    let done = tool(&["dead-letters", "discard", "--invalid"], &dir, &["--all"]).await?;
    assert_eq!((done.code, &*done.out), (0, "1 invalid record is discarded\n"));
    assert_eq!(tool(&["dead-letters", "list", "--invalid"], &dir, &[]).await?.code, 3);
    bank.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_keeps_too_much_says_so_and_is_helped() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let limits = Limits { holds_max: 2, ..Limits::default() };
    let config = Config { data: home.path().into(), limits, ..Config::default() };
    let mut bank = Bank::start(config).await?;
    bank.deposit(&[("ada", -1)]).await?;
    bank.deposit(&[("eve", -2)]).await?;
    let dir = home.path().join("bank");
    let status = tool(&["status"], &dir, &[]).await?;
    assert!(status.out.contains("bank: not ready\n  because       so much is kept"), "{status:?}");
    let reasons = bank.ready().reasons;
    assert_eq!(reasons, [Reason::HoldsFull]);
    tool(&["dead-letters", "discard"], &dir, &["--key", "eve", "--all"]).await?;
    bank.deposit(&[("bob", 3)]).await?;
    assert_eq!(bank.history("bob").await?, [3]);
    assert!(bank.ready().is_ready());
    bank.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_cannot_be_asked_hides_none_of_the_others() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let bank = Bank::start(home.path()).await?;
    std::fs::create_dir(home.path().join("audit"))?;
    let format = "endwise store, format 999\nservice audit\nstore 00\nepoch 0\n";
    std::fs::write(home.path().join("audit/FORMAT"), format)?;
    let status = tool(&["status"], home.path(), &[]).await?;
    assert!(status.code == 1 && status.out.contains("bank: ready"), "{status:?}");
    assert!(status.err.contains("audit: ") && status.err.contains("audit/FORMAT"), "{status:?}");
    let several = tool(&["dead-letters", "replay"], home.path(), &["1"]).await?;
    assert!(several.code == 2 && several.err.contains("(audit, bank)"), "{several:?}");
    bank.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_with_a_sentence() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let mut bank = Bank::start(home.path()).await?;
    bank.deposit(&[("ada", -1), ("eve", -2)]).await?;
    let dir = home.path().join("bank");
    for verb in ["replay", "discard"] {
        let refused = tool(&["dead-letters", verb], &dir, &["--error", "REFUSED"]).await?;
        let said = format!(
            "error: 2 dead letters fit, and nothing was done: name the numbers to {verb}, or add \
             --all to {verb} all that fit\n"
        );
        assert_eq!((refused.code, &refused.err), (2, &said));
    }
    let both = tool(&["dead-letters", "replay"], &dir, &["1", "--all"]).await?;
    assert_eq!(both.code, 2, "{both:?}");
    let odd = tool(&["dead-letters", "list"], &dir, &["--since", "yesterday"]).await?;
    assert!(odd.code == 2 && odd.err.contains("how long ago"), "{odd:?}");
    let broker = tool(&["status"], &home.path().join("broker"), &[]).await?;
    assert!(broker.code == 1 && broker.err.contains("has the broker's data"), "{broker:?}");

    // The service runs, and its socket is gone.
    std::fs::remove_file(dir.join("admin"))?;
    let locked = tool(&["status"], &dir, &[]).await?;
    assert!(locked.code == 1 && locked.err.contains("has no admin socket"), "{locked:?}");
    bank.stop().await
}

#[tokio::test]
async fn each_help_has_an_example() -> anyhow::Result<()> {
    let nowhere = Path::new("--help");
    for verb in [
        ["status"].as_slice(),
        &["topics"],
        &["states", "list"],
        &["states", "get"],
        &["states", "set"],
        &["states", "remove"],
        &["timers", "list"],
        &["timers", "cancel"],
        &["dead-letters", "list"],
        &["dead-letters", "show"],
        &["dead-letters", "replay"],
        &["dead-letters", "discard"],
    ] {
        let help = tool(verb, nowhere, &[]).await?;
        let example = format!("Example: endwise {}", verb.join(" "));
        assert!(help.code == 0 && help.out.contains(&example), "{}", help.out);
        assert!(help.out.lines().all(|line| line.chars().count() <= 80), "{}", help.out);
    }
    let help = tool(&[], nowhere, &[]).await?;
    assert!(help.out.contains("Exit codes: 0 done"), "{}", help.out);
    Ok(())
}
