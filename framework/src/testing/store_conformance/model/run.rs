//! The random run: batches and reopenings, on a store and on the model.

use super::*;

pub(crate) async fn random_batches_and_reopenings_do_as_the_model(subject: Subject) {
    let mut random = Random::from_environment();
    let (mut model, mut open) = (Model::default(), subject.open().await);
    for n in 0..BATCHES {
        let batch = Batch { id: open.next_id, ..model.batch(&mut random) };
        open.next_id += 1;
        let durable = open.store.commit(&batch).await.unwrap();
        model.apply(&batch, &durable);
        if random.chance(8) {
            model.check_reader(&*open.reader, 13).await;
        }
        if random.chance(6) || n + 1 == BATCHES {
            let leave = if random.chance(3) { Leave::Closed } else { Leave::Dropped };
            open = subject.reopen(open, leave).await;
            model.restart();
            model.check(&open).await;
        }
    }
    let (sent, settled, states) = model.sizes();
    assert!(sent > 1_000 && settled > 200 && states > 10, "{:?}", model.sizes());
    let Totals { held, waiting, dead, timers, invalid, .. } = model.totals();
    let kinds = [held + waiting + dead, timers, invalid];
    assert!(kinds.iter().all(|count| *count > 3), "{:?}", model.totals());
}
