//! Handlers: functions that a service is made of, and what the framework knows of each.
//!
//! `#[handler]` leaves a function as it is, so a test calls it plainly, and writes beside it a
//! type of the same name that implements [`Handler`]. [`handlers!`] lists them.

use tower::util::BoxCloneSyncService;

use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::outcome::Outcome;

mod begins;
mod call;
mod definition;
mod group;
mod layers;
mod returned;

pub use call::{Call, Held};
pub use definition::{Definition, Location, Spec};
pub use endwise_macros::{handler, handlers};
pub(crate) use group::Entry;
pub use group::Handlers;
pub(crate) use layers::Layers;
pub use returned::{HandlerFailure, Return, ReturnSends};
pub use tower::service_fn;

/// A handler as a service: one attempt at a message in, what was decided out.
///
/// The framework drives each delivery on a clone of the service: it waits until the clone is
/// ready, calls it once and drops it. So a layer's limits must be shared by its clones, as
/// those of tower's `ConcurrencyLimit` are.
pub type HandlerService = BoxCloneSyncService<Delivery, Outcome, BoxError>;

/// A handler: it says what it is and how its service is built.
///
/// `#[handler]` implements it; a handler written without the macro implements it too:
///
/// ```
/// use framework::handler::{Call, Definition, Handler, Location};
/// use framework::prelude::*;
///
/// #[derive(Message, Serialize, Deserialize)]
/// struct Ping {}
///
/// struct Echo;
///
/// impl Handler for Echo {
///     fn define(&self) -> Definition {
///         let definition = Definition::new::<Ping>("echo", Location::new(file!(), line!()));
///         definition.serve(|_dependencies| {
///             Ok(tower::service_fn(|delivery| async {
///                 let mut call = Call::new(delivery);
///                 let ping: Ping = call.input()?;
///                 call.returned().send(ping);
///                 call.finish()
///             }))
///         })
///     }
/// }
/// let handlers = Handlers::of(Echo);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "not a handler",
    note = "`handlers![..]` lists functions that have `#[handler]` above them: write `#[handler]` above the function"
)]
pub trait Handler: Send + Sync + 'static {
    /// What it is, and how its service is built.
    fn define(&self) -> Definition;
}

#[cfg(test)]
mod tests;
