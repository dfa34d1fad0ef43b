//! Any error can be a handler's.

use framework::prelude::*;

#[derive(Message, Serialize, Deserialize)]
struct Ping {}

#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("closed")]
    Closed,
    #[error("broken")]
    Broken(#[from] std::io::Error),
}

impl Refused {
    fn is_final(&self) -> bool {
        matches!(self, Refused::Closed)
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

fn io() -> std::io::Result<()> {
    Ok(())
}

#[handler(retry(attempts = 3, unless = Refused::is_final), timeout = "5s", crashes = 2)]
async fn of_domain(_: Ping) -> Result<(), Refused> {
    io()?;
    Err(Refused::Closed)
}

#[handler(retry(min = "1s", max = "1h", unless = is_missing), gap = skip("0s"))]
async fn of_anyhow(_: Ping) -> anyhow::Result<Ping> {
    io()?;
    Err(Refused::Closed)?
}

#[handler]
async fn of_text(_: Ping) -> std::result::Result<Ping, String> {
    Err("text".into())
}

#[handler]
async fn of_box(_: Ping) -> Result<(), framework::error::BoxError> {
    io().permanent()?;
    Err(Refused::Closed)?
}

#[handler]
async fn of_ours(_: Ping) -> Result<()> {
    io().map_err(|error| error.permanent())?;
    io().permanent()?;
    of_anyhow(Ping {}).await?;
    of_anyhow(Ping {}).await.permanent()?;
    of_domain(Ping {}).await?;
    Err(HandlerError::from(Refused::Closed).permanent())?
}

fn main() {
    let _handlers = handlers![of_domain, of_anyhow, of_text, of_box, of_ours];
}
