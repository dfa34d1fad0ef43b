use framework::testing::TestApp;

use crate::ledger::{Move, app, check};
use crate::support::{Dice, for_seeds, in_time};

#[test]
fn handlers_of_one_key_run_in_order() {
    for_seeds(20, |seed| async move {
        let mut dice = Dice::new(seed);
        let keys = 1 + dice.roll(40);
        let mut app = TestApp::start(app()).await?;
        let moves: Vec<(u64, u64)> = (0..300).map(|number| (dice.roll(keys), number)).collect();
        let producer = app.service().producer();
        for &(account, number) in &moves {
            // Sent when called: nobody waits for it here.
            drop(producer.send(Move { account, number, yields: dice.roll(100) }));
        }
        producer.send(Move { account: keys, number: 300, yields: 0 }).await?;
        in_time(app.settle()).await?;
        check(&app, &moves).await
    });
}
