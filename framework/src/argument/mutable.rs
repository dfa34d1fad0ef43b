//! What a handler takes by `&mut`: the key's states, and the outbox.

use crate::delivery::StateValue;
use crate::error::BoxError;
use crate::handler::Call;
use crate::outcome::StateChange;
use crate::outgoing::Outbox;
use crate::state::{self, State, StateSpec};

/// What a handler can take by `&mut`: a [`State`] with [`Default`], an `Option` of a [`State`],
/// or the [`Outbox`].
///
/// It is loaded before the handler and stored, if the handler succeeded, after it.
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `&mut {Self}`",
    label = "neither a state with a default nor the outbox",
    note = "by `&mut`: the key's state (`#[derive(State, Default, Serialize, Deserialize)]`), `Option` of a state for one that starts and ends, or `Outbox`",
    note = "a dependency is taken by `&{Self}`"
)]
pub trait MutArgument: Sized + Send + 'static {
    /// What is remembered from loading to storing.
    type Before: Send;

    /// The state that it is, if it is one.
    const STATE: Option<StateSpec>;

    /// Its value before the handler.
    fn load(call: &mut Call) -> Result<(Self, Self::Before), BoxError>;

    /// Takes note of what the handler made of it.
    fn store(self, before: Self::Before, call: &mut Call) -> Result<(), BoxError>;
}

#[diagnostic::do_not_recommend]
impl<S: State + Default> MutArgument for S {
    /// What is stored, or what would be if the default were.
    type Before = StateValue;

    const STATE: Option<StateSpec> = Some(StateSpec::of::<S>());

    fn load(call: &mut Call) -> Result<(Self, StateValue), BoxError> {
        let before = call.next_state()?;
        let loaded = match before {
            Some(before) => state::decode(&before).map(|value| (value, before)),
            None => {
                let value = S::default();
                state::encode(&value).map(|before| (value, before))
            }
        };
        loaded.map_err(|error| call.invalid_state(error))
    }

    fn store(self, before: StateValue, call: &mut Call) -> Result<(), BoxError> {
        let changed = state::encode_changed(&self, &before);
        let changed = changed.map_err(|error| call.invalid_state(error))?;
        call.change(changed.map_or(StateChange::Same, StateChange::Put));
        Ok(())
    }
}

impl<S: State> MutArgument for Option<S> {
    type Before = Option<StateValue>;

    const STATE: Option<StateSpec> = Some(StateSpec::of::<S>());

    fn load(call: &mut Call) -> Result<(Self, Self::Before), BoxError> {
        let Some(before) = call.next_state()? else { return Ok((None, None)) };
        match state::decode(&before) {
            Ok(value) => Ok((Some(value), Some(before))),
            Err(error) => Err(call.invalid_state(error)),
        }
    }

    fn store(self, before: Self::Before, call: &mut Call) -> Result<(), BoxError> {
        let changed = match (&self, &before) {
            (None, None) => Ok(StateChange::Same),
            (None, Some(_)) => Ok(StateChange::Delete),
            (Some(value), None) => state::encode(value).map(StateChange::Put),
            (Some(value), Some(before)) => state::encode_changed(value, before)
                .map(|changed| changed.map_or(StateChange::Same, StateChange::Put)),
        };
        call.change(changed.map_err(|error| call.invalid_state(error))?);
        Ok(())
    }
}

impl MutArgument for Outbox {
    type Before = ();

    const STATE: Option<StateSpec> = None;

    fn load(call: &mut Call) -> Result<(Self, ()), BoxError> {
        Ok((Outbox::near(call.delivery().envelope().key.clone()), ()))
    }

    fn store(self, (): (), call: &mut Call) -> Result<(), BoxError> {
        call.send(self);
        Ok(())
    }
}
