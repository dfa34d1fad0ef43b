//! A shop with an HTTP server: one program, one service, an orderly end.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use framework::{Config, Running, Stopper};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::net::TcpListener;

mod http;
mod orders;
#[cfg(test)]
mod tests;

/// Takes orders by HTTP until ctrl-c.
#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// How many seconds an order waits for its payment.
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    patience: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { listen, patience } = Arguments::parse();
    // What fails is told here: without a subscriber nobody sees a dead letter.
    tracing_subscriber::fmt().init();
    // Before the service starts: its metrics go there.
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let listener = TcpListener::bind(listen).await;
    let listener = listener.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let address = listener.local_addr()?;

    let app = orders::app(Duration::from_secs(patience));
    let running = Running::start(Config::load()?, [app]).await?;
    let service = running.handle("shop").ok_or("the shop was not started")?;
    println!("The shop is open at http://{address} until ctrl-c.");
    let routes = http::routes(service, metrics);
    // At a signal: no more connections, those under way are answered, then the service stops.
    let server = |stopper: Stopper| {
        axum::serve(listener, routes).with_graceful_shutdown(stopper.requested())
    };
    Ok(running.serve(server).await?)
}
