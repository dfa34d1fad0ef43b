//! The payments: a service of its own, which charges cards through somebody else's gateway.

use std::sync::Arc;

use framework::prelude::*;

use crate::gateway::{Charge, Gateway, GatewayError};
use crate::messages::{ChargePayment, PaymentRefused, PaymentTaken, RefundPayment};

/// A gateway that is busy is asked again, after 200 ms to 5 s. A card that it does not know will
/// not be known in 5 s: that is for somebody to look into.
#[handler(retry(attempts = 5, min = "200ms", max = "5s"), timeout = "3s")]
async fn charge(
    cmd: ChargePayment,
    id: MessageId,
    attempt: Attempt,
    gateway: &dyn Gateway,
) -> Result<(Option<PaymentTaken>, Option<PaymentRefused>)> {
    let ChargePayment { order, cents, card } = cmd;
    match gateway.charge(&card, cents, &id.0).await {
        Ok(Charge::Taken) => {
            println!("{order}: {cents} cents taken, attempt {}", attempt.0);
            Ok((Some(PaymentTaken { order, cents, card }), None))
        }
        Ok(Charge::Refused) => Ok((None, Some(PaymentRefused { order }))),
        Err(error @ GatewayError::NoSuchCard { .. }) => Err(HandlerError::permanent(error)),
        Err(error @ GatewayError::Busy) => Err(error.into()),
    }
}

#[handler]
async fn refund(cmd: RefundPayment, id: MessageId, gateway: &dyn Gateway) -> Result<()> {
    gateway.refund(&cmd.card, cmd.cents, &id.0).await?;
    println!("{}: {} cents paid back", cmd.order, cmd.cents);
    Ok(())
}

pub(crate) fn app(gateway: Arc<dyn Gateway>) -> App {
    App::new("payments").provide_arc(gateway).handlers(handlers![charge, refund])
}
