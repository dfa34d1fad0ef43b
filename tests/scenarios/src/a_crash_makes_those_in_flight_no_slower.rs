//! Not so yet: what ran when the process died runs alone first, one at a time. Issue 9, which
//! rebuilds the consume loop, makes it right; then `should_panic` goes.

use std::path::Path;

use framework::Service;
use framework::broker::memory::MemoryBroker;
use framework::prelude::*;
use framework::store::sled::SledStore;
use futures::future::try_join_all;

use crate::support::{Gate, in_time};

#[derive(Message, Serialize, Deserialize)]
#[message(key = order)]
struct Charge {
    order: u64,
}

const MESSAGES: usize = 50;

/// Calls something slow.
#[handler]
async fn charge(cmd: Charge, call: &Gate) {
    call.pass(cmd.order.to_string()).await;
}

async fn start(broker: &MemoryBroker, home: &Path, call: &Gate) -> Result<Service, RunError> {
    let app = App::new("billing").provide(call.clone()).handlers(handlers![charge]);
    app.start(broker.clone(), SledStore::new(home)).await
}

/// Runs on a runtime of its own, so that nothing is left of what was not stopped.
fn phase(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(work);
}

#[test]
#[should_panic(expected = "run alone first")]
fn what_waits_for_a_slow_call_waits_together_after_a_crash_too() {
    let (home, broker) = (tempfile::tempdir().unwrap(), MemoryBroker::default());
    // As a crash ends it, with all of them in flight.
    phase(async {
        let call = Gate::shut();
        let service = start(&broker, home.path(), &call).await.unwrap();
        let producer = service.producer();
        let sends = (0..MESSAGES as u64).map(|order| producer.send(Charge { order }));
        in_time(try_join_all(sends)).await.unwrap();
        call.filled(MESSAGES).await;
    });
    // It is as before the crash: all are called together, and meanwhile nobody is kept waiting.
    phase(async {
        let call = Gate::shut();
        let service = start(&broker, home.path(), &call).await.unwrap();
        for inside in 1..=MESSAGES {
            call.filled(inside).await;
            assert!(service.ready().is_ready(), "{}", service.ready());
        }
        call.open();
        service.stop().await.unwrap();
    });
}
