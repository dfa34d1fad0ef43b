//! What a handler takes by `&mut`: the key's states, and the outbox.

use crate::delivery::StateValue;
use crate::error::BoxError;
use crate::handler::Call;
use crate::outgoing::Outbox;
use crate::state::{self, State, StateSpec};

/// What a handler can take by `&mut`: a [`State`] with [`Default`], an `Option` of a [`State`],
/// or the [`Outbox`].
///
/// It is loaded before the handler and stored, if the handler succeeded, after it.
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `&mut {Self}`",
    label = "neither a state with a `Default`, nor an `Option` of a state, nor the outbox",
    note = "by `&mut`: the key's state (`#[derive(State, Default, Serialize, Deserialize)]`), `Option` of a state for one that starts and ends, or `Outbox`",
    note = "a dependency is taken by `&{Self}`"
)]
pub trait MutArgument: Sized + Send + 'static {
    /// The state that it is, if it is one.
    const STATE: Option<StateSpec>;

    /// Its value before the handler, and that value as it is stored, if it is a state.
    fn load(call: &mut Call) -> Result<(Self, Option<StateValue>), BoxError>;

    /// Takes note of what the handler made of it. `before` is what [`load`](Self::load) gave.
    fn store(self, before: Option<StateValue>, call: &mut Call) -> Result<(), BoxError>;
}

#[diagnostic::do_not_recommend]
impl<S: State + Default> MutArgument for S {
    const STATE: Option<StateSpec> = Some(StateSpec::of::<S>());

    fn load(call: &mut Call) -> Result<(Self, Option<StateValue>), BoxError> {
        let loaded = match call.next_state()? {
            Some(before) => state::decode(&before).map(|value| (value, Some(before))),
            None => {
                // A default that the handler leaves as it is need not be stored.
                let value = S::default();
                state::comparable(&value).map(|before| (value, Some(before)))
            }
        };
        loaded.map_err(|error| call.invalid_state(error))
    }

    fn store(self, before: Option<StateValue>, call: &mut Call) -> Result<(), BoxError> {
        call.change(state::change(Some(&self), before.as_ref(), call.read_back()))
    }
}

impl<S: State> MutArgument for Option<S> {
    const STATE: Option<StateSpec> = Some(StateSpec::of::<S>());

    fn load(call: &mut Call) -> Result<(Self, Option<StateValue>), BoxError> {
        let Some(before) = call.next_state()? else { return Ok((None, None)) };
        match state::decode(&before) {
            Ok(value) => Ok((Some(value), Some(before))),
            Err(error) => Err(call.invalid_state(error)),
        }
    }

    fn store(self, before: Option<StateValue>, call: &mut Call) -> Result<(), BoxError> {
        call.change(state::change(self.as_ref(), before.as_ref(), call.read_back()))
    }
}

impl MutArgument for Outbox {
    const STATE: Option<StateSpec> = None;

    fn load(call: &mut Call) -> Result<(Self, Option<StateValue>), BoxError> {
        Ok((call.outbox(), None))
    }

    fn store(self, _: Option<StateValue>, call: &mut Call) -> Result<(), BoxError> {
        call.send(self);
        Ok(())
    }
}
