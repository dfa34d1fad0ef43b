use std::fs;
use std::path::Path;

use framework::prelude::*;
use framework::{Config, FitError, Running};
use tempfile::TempDir;

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "orders", key = order)]
struct Order {
    order: String,
}

#[derive(Message, Serialize, Deserialize)]
#[message(topic = "charges", key = order)]
struct Charge {
    order: String,
}

#[derive(State, Default, Serialize, Deserialize)]
struct Charged {
    times: u64,
}

#[handler]
async fn ship(cmd: Order) -> Charge {
    Charge { order: cmd.order }
}

#[handler]
async fn charge(_: Charge, charged: &mut Charged) {
    charged.times += 1;
}

const MEMBERS: [&str; 3] = ["broker", "shipping", "billing"];

fn config(data: &Path) -> Config {
    let mut config = Config::from(data);
    config.broker.embedded.segment_bytes = 1 << 20;
    config.broker.embedded.partitions = 1;
    config.store.embedded.segment_bytes = 1 << 20;
    config
}

fn apps() -> [App; 2] {
    [
        App::new("shipping").handlers(handlers![ship]),
        App::new("billing").handlers(handlers![charge]),
    ]
}

async fn start(data: &Path) -> Result<Running, RunError> {
    Running::start(config(data), apps()).await
}

/// Why a start is refused.
async fn refusal(data: &Path) -> FitError {
    match start(data).await {
        Err(RunError::Fit(error)) => error,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it started"),
    }
}

/// How the services were left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Stopped,
    Killed,
}

/// Sends orders and has them handled; then ends.
fn orders(data: &Path, numbers: std::ops::Range<u64>, end: End, copied: Option<(&str, &Path)>) {
    phase(async {
        let running = start(data).await.unwrap();
        let half = numbers.start + (numbers.end - numbers.start) / 2;
        for number in numbers {
            if number == half
                && let Some((member, to)) = copied
            {
                running.settle().await.unwrap();
                copy(&data.join(member), &to.join(member));
            }
            let order = Order { order: number.to_string() };
            running.service("shipping").unwrap().producer().send(order).await.unwrap();
        }
        running.settle().await.unwrap();
        if end == End::Stopped {
            running.stop().await.unwrap();
        }
    });
}

/// How often each order was charged.
async fn charged(running: &Running, numbers: std::ops::Range<u64>) -> Vec<u64> {
    let billing = running.service("billing").unwrap();
    let mut times = Vec::new();
    for number in numbers {
        let state = billing.state::<Charged>(&number.to_string()).await.unwrap();
        times.push(state.map_or(0, |state| state.times));
    }
    times
}

/// Runs on a runtime of its own, so that nothing is left of what was not stopped.
fn phase(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(work);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), &to);
        } else if kind.is_file() {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Puts a directory in the place of another.
fn put(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    if from.exists() {
        copy(from, to);
    }
}

#[test]
fn each_of_all_combinations_of_old_new_and_missing_directories_fits_or_is_refused() {
    let (old, new, data) =
        (TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap());
    let none = data.path().join("none");
    let live = data.path().join("live");
    orders(&live, 0..10, End::Stopped, None);
    put(&live, old.path());
    orders(&live, 10..20, End::Stopped, None);
    put(&live, new.path());
    for number in 0..27 {
        let from = [old.path(), new.path(), &none];
        let chosen = [number % 3, number / 3 % 3, number / 9].map(|which| (which, from[which]));
        for (member, (_, from)) in MEMBERS.iter().zip(chosen) {
            put(&from.join(member), &live.join(member));
        }
        let whiches = chosen.map(|(which, _)| which);
        let fits = whiches.iter().all(|which| *which == whiches[0]);
        phase(async {
            if !fits {
                let error = refusal(&live).await.to_string();
                assert!(error.contains("Restore the whole data directory"), "{whiches:?}: {error}");
                assert!(error.contains(live.to_str().unwrap()), "{whiches:?}: {error}");
                let again = refusal(&live).await.to_string();
                assert_eq!(again, error, "a refusal changes nothing");
                return;
            }
            let running = start(&live).await.unwrap();
            running.settle().await.unwrap();
            let handled = [10, 20, 0][whiches[0]];
            assert_eq!(charged(&running, 0..20).await.iter().sum::<u64>(), handled);
            running.stop().await.unwrap();
        });
    }
}

#[test]
fn the_error_names_what_is_missing_or_older() {
    let (home, old) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let data = home.path();
    orders(data, 0..2, End::Stopped, None);
    put(data, old.path());
    orders(data, 2..4, End::Killed, None);
    let away = old.path().join("away");
    for (member, is_old) in MEMBERS.into_iter().flat_map(|member| [(member, true), (member, false)])
    {
        put(&data.join(member), &away);
        let from = if is_old { old.path().join(member) } else { data.join("none") };
        put(&from, &data.join(member));
        phase(async {
            let error = refusal(data).await;
            let right = match (member, is_old) {
                ("broker", true) => matches!(error, FitError::BrokerOlder { .. }),
                ("broker", false) => matches!(error, FitError::BrokerMissing { .. }),
                (_, true) => {
                    matches!(&error, FitError::StoreOlder { service, .. } if **service == *member)
                }
                (_, false) => {
                    matches!(&error, FitError::StoreMissing { service, .. } if **service == *member)
                }
            };
            assert!(right, "{member}, old: {is_old}: {error}");
            assert!(error.to_string().contains("ACCEPT"), "{error}");
        });
        put(&away, &data.join(member));
    }
    phase(async {
        let running = start(data).await.unwrap();
        assert_eq!(charged(&running, 0..4).await, [1, 1, 1, 1], "the right ones fit again");
        running.stop().await.unwrap();
    });
}

#[test]
fn a_copy_that_was_made_while_running_is_found_after_a_stop_and_after_a_crash() {
    for end in [End::Stopped, End::Killed] {
        for member in MEMBERS {
            let (home, copies) = (TempDir::new().unwrap(), TempDir::new().unwrap());
            let data = home.path();
            orders(data, 0..2, End::Stopped, None);
            orders(data, 2..12, end, Some((member, copies.path())));
            put(&copies.path().join(member), &data.join(member));
            phase(async {
                let started = start(data).await;
                match (member, end, started) {
                    (_, _, Err(RunError::Fit(_))) => {}
                    // Nobody has received anything of what it sent, and the broker still has what
                    // it received: it handles that again, on the states of the copy.
                    ("billing", End::Killed, Ok(running)) => {
                        running.settle().await.unwrap();
                        assert_eq!(charged(&running, 0..12).await, [1; 12]);
                    }
                    (.., Err(other)) => panic!("{member}: {other}"),
                    (.., Ok(_)) => panic!("{member}: it started"),
                }
            });
        }
    }
}

#[test]
fn a_directory_that_was_moved_away_while_it_ran_is_missed_and_fits_when_it_is_back() {
    for (member, is_noticed) in [("shipping", true), ("shipping", false), ("billing", true)] {
        let home = TempDir::new().unwrap();
        let (data, away) = (home.path(), home.path().join("away"));
        orders(data, 0..3, End::Stopped, None);
        phase(async {
            let running = start(data).await.unwrap();
            fs::rename(data.join(member), &away).unwrap();
            if is_noticed {
                let order = Order { order: "3".into() };
                let _ = running.service("shipping").unwrap().producer().send(order).await;
                let _ = running.settle().await;
            }
            assert!(running.stop().await.is_err() || !is_noticed, "{member}");
        });
        phase(async {
            let error = refusal(data).await;
            let is_right =
                matches!(&error, FitError::StoreMissing { service, .. } if **service == *member);
            assert!(is_right, "{member}, noticed: {is_noticed}: {error}");
        });
        fs::rename(&away, data.join(member)).unwrap();
        orders(data, 4..6, End::Stopped, None);
        phase(async {
            let running = start(data).await.unwrap();
            let times = charged(&running, 0..6).await;
            let others = [times[0], times[1], times[2], times[4], times[5]];
            assert!(others == [1; 5] && times[3] <= 1, "{member}: {times:?}");
            running.stop().await.unwrap();
        });
    }
}

#[test]
fn an_older_copy_that_is_put_in_place_while_it_runs_is_not_taken_for_the_newer() {
    let (home, old) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (data, away) = (home.path(), home.path().join("away"));
    orders(data, 0..2, End::Stopped, None);
    put(&data.join("billing"), &old.path().join("billing"));
    orders(data, 2..4, End::Stopped, None);
    phase(async {
        let running = start(data).await.unwrap();
        fs::rename(data.join("billing"), &away).unwrap();
        copy(&old.path().join("billing"), &data.join("billing"));
        let _ = running.stop().await;
    });
    phase(async {
        let error = refusal(data).await;
        assert!(matches!(error, FitError::StoreOlder { .. }), "{error}");
    });
    fs::remove_dir_all(data.join("billing")).unwrap();
    fs::rename(&away, data.join("billing")).unwrap();
    phase(async {
        let running = start(data).await.unwrap();
        assert_eq!(charged(&running, 0..4).await, [1; 4]);
        running.stop().await.unwrap();
    });
}

#[test]
fn a_store_of_which_only_its_file_is_left_is_missing() {
    let home = TempDir::new().unwrap();
    let data = home.path();
    orders(data, 0..2, End::Stopped, None);
    for member in ["shipping", "billing"] {
        let (dir, away) = (data.join(member), data.join("away"));
        put(&dir, &away);
        fs::remove_dir_all(dir.join("journal")).unwrap();
        fs::remove_dir_all(dir.join("sled")).unwrap();
        fs::remove_file(dir.join("FORMAT")).unwrap();
        phase(async {
            let error = refusal(data).await;
            assert!(matches!(error, FitError::StoreMissing { .. }), "{member}: {error}");
        });
        put(&away, &dir);
    }
}

#[test]
fn what_is_accepted_goes_on_and_nothing_that_is_sent_then_is_lost() {
    for (member, is_old) in MEMBERS.into_iter().flat_map(|member| [(member, true), (member, false)])
    {
        let (home, old) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let data = home.path();
        orders(data, 0..3, End::Stopped, None);
        put(data, old.path());
        orders(data, 3..9, End::Stopped, None);
        let from = if is_old { old.path().join(member) } else { data.join("none") };
        put(&from, &data.join(member));
        fs::write(data.join("ACCEPT"), format!("{member}\n")).unwrap();
        if member == "broker" && is_old {
            // An old broker would give offsets out again.
            phase(async { assert!(matches!(refusal(data).await, FitError::BrokerOlder { .. })) });
            continue;
        }
        orders(data, 9..19, End::Stopped, None);
        assert!(!data.join("ACCEPT").exists(), "it is accepted once");
        phase(async {
            let running = start(data).await.unwrap();
            let times = charged(&running, 9..19).await;
            assert_eq!(times, [1; 10], "{member}, old: {is_old}");
            running.stop().await.unwrap();
        });
    }
}

#[test]
fn what_changes_on_purpose_is_no_misfit() {
    let home = TempDir::new().unwrap();
    let data = home.path();
    let alone = |name: &str| match name {
        "shipping" => App::new("shipping").handlers(handlers![ship]),
        _ => App::new("billing").handlers(handlers![charge]),
    };
    // Services come one after the other, run alone and together, and stay away.
    for names in [&["shipping"][..], &["billing"], &["billing", "shipping"], &["shipping"], &[]] {
        phase(async {
            let apps = names.iter().map(|name| alone(name));
            let running = Running::start(config(data), apps).await.unwrap();
            if let Some(shipping) = running.service("shipping") {
                let order = Order { order: "1".into() };
                shipping.producer().send(order).await.unwrap();
            }
            if names.len() == 2 {
                running.settle().await.unwrap();
            }
            running.stop().await.unwrap();
        });
    }
    orders(data, 5..6, End::Killed, None);
    phase(async {
        fs::write(data.join("ACCEPT"), "shippin").unwrap();
        let error = refusal(data).await.to_string();
        assert!(error.contains("accepts \"shippin\""), "{error}");
        fs::remove_file(data.join("ACCEPT")).unwrap();
        fs::write(data.join("billing/fit"), "?").unwrap();
        let error = refusal(data).await.to_string();
        assert!(error.contains("billing/fit cannot be read"), "{error}");
        assert!(error.contains("write `billing` into the file ACCEPT"), "{error}");
        assert!(!error.contains("remove that file"), "{error}");
    });
}
