use std::fs;
use std::path::Path;

use framework::prelude::*;
use framework::{Config, Running};
use tempfile::TempDir;

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
async fn charge(_: Charge, charged: &mut Charged) {
    charged.times += 1;
}

async fn start(data: &Path) -> Result<Running, RunError> {
    let mut config = Config::from(data);
    config.broker.embedded.segment_bytes = 1 << 20;
    config.store.embedded.segment_bytes = 1 << 20;
    Running::start(config, [App::new("billing").handlers(handlers![charge])]).await
}

/// Has one more order charged; how often it was.
async fn charged(data: &Path, order: &str) -> u64 {
    let running = start(data).await.unwrap();
    let billing = running.service("billing").unwrap();
    billing.producer().send(Charge { order: order.to_owned() }).await.unwrap();
    running.settle().await.unwrap();
    let state: Charged = billing.state(order).await.unwrap().unwrap();
    running.stop().await.unwrap();
    state.times
}

async fn refusal(data: &Path) -> String {
    start(data).await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_remedy_that_helps() {
    for member in ["broker", "billing"] {
        let home = TempDir::new().unwrap();
        let data = home.path();
        assert_eq!(charged(data, "1").await, 1);

        let (format, away) = (data.join(member).join("FORMAT"), data.join("away"));
        fs::rename(&format, &away).unwrap();
        let error = refusal(data).await;
        let missing = format!("{} is missing, and the", format.display());
        assert!(error.contains(&missing) && !error.contains("stopped:"), "{error}");
        fs::rename(&away, &format).unwrap();

        let file = data.join(member).join("fit");
        for (what, times) in [("is missing", 2), ("cannot be read", 3)] {
            match what {
                "is missing" => fs::remove_file(&file).unwrap(),
                _ => fs::write(&file, "?").unwrap(),
            }
            let error = refusal(data).await;
            assert!(error.starts_with(&format!("{} {what}, so", file.display())), "{error}");
            assert!(error.contains(&format!("write `{member}` into the file ACCEPT")), "{error}");
            fs::write(data.join("ACCEPT"), member).unwrap();
            assert_eq!(charged(data, "1").await, times, "{member}: nothing is lost or doubled");
        }
    }
}
