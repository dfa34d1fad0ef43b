//! A service to start from: it greets by name, and remembers how often.

use clap::Parser;
use framework::prelude::*;
use framework::{Config, Running};

#[derive(Message, Serialize, Deserialize)]
#[message(key = name)]
struct Greet {
    name: String,
}

#[derive(State, Default, Serialize, Deserialize)]
struct Greeted {
    times: u64,
}

#[handler]
async fn greet(cmd: Greet, greeted: &mut Greeted) {
    greeted.times += 1;
    println!("Hello, {}! (greeting {})", cmd.name, greeted.times);
}

fn app() -> App {
    App::new("hello").handlers(handlers![greet])
}

/// Greets each name, and the world, until ctrl-c; remembers how often.
#[derive(Parser)]
struct Arguments {
    /// Whom to greet.
    names: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { names } = Arguments::parse();
    // What fails is told here: without a subscriber nobody sees a dead letter.
    tracing_subscriber::fmt().init();
    let running = Running::start(Config::load()?, [app()]).await?;
    let hello = running.service("hello").ok_or("hello was not started")?.producer();
    for name in names.into_iter().chain(["world".into()]) {
        hello.send(Greet { name }).await?;
    }
    println!("Running until ctrl-c.");
    Ok(running.until_signal().await?)
}

#[cfg(test)]
mod tests {
    use framework::testing::TestApp;

    use super::*;

    #[tokio::test]
    async fn a_handler_is_a_plain_function() {
        let mut greeted = Greeted { times: 1 };
        greet(Greet { name: "ada".into() }, &mut greeted).await;
        assert_eq!(greeted.times, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn each_name_is_counted_by_itself() -> Result<(), Box<dyn std::error::Error>> {
        let mut hello = TestApp::start(app()).await?;
        for name in ["ada", "grace", "ada"] {
            hello.publish(Greet { name: name.into() }).await?;
        }
        hello.settle().await?;

        let greeted: Greeted = hello.state("ada").await?.unwrap();
        assert_eq!(greeted.times, 2);
        assert!(hello.state::<Greeted>("linus").await?.is_none());
        Ok(())
    }
}
