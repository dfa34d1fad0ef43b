//! The framework beside a plain loop, both durable.
//!
//! Both count the messages of all keys, and send one message on for each. The loop does it in one
//! thread: decode, look up, count, emit, one log, a sync a thousand. The framework does it from the
//! producer to the handled record: two commits and a trip through the broker.

use std::time::Instant;

use super::median;

mod ours;
mod plain;

/// Messages of a round.
const MESSAGES: u64 = 200_000;
/// Rounds; the loop and the framework take turns, so that both meet the same noise.
const ROUNDS: usize = 5;

/// Prints how fast both are.
pub(crate) async fn all() -> anyhow::Result<()> {
    let (mut plain_rates, mut our_rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let plain = rate(plain::run)?;
        let started = Instant::now();
        let took = ours::run().await?;
        let (ours, whole) = (MESSAGES as f64 / took.as_secs_f64(), started.elapsed());
        println!(
            "round {round}: plain loop {plain:>9.0}/s, endwise {ours:>9.0}/s ({:.2} s with start \
             and stop), ratio {:.3}",
            whole.as_secs_f64(),
            ours / plain
        );
        plain_rates.push(plain);
        our_rates.push(ours);
        ratios.push(ours / plain);
    }
    let (plain, ours, ratio) = (median(plain_rates), median(our_rates), median(ratios));
    println!("median:  plain loop {plain:>9.0}/s, endwise {ours:>9.0}/s, ratio {ratio:.3}");
    Ok(())
}

fn rate(run: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let started = Instant::now();
    run()?;
    Ok(MESSAGES as f64 / started.elapsed().as_secs_f64())
}
