//! One call of a handler: from a delivery to the arguments, from the results to an outcome.

use crate::argument::{FromDelivery, MutArgument};
use crate::delivery::{Delivery, StateValue};
use crate::error::BoxError;
use crate::message::Input;
use crate::message::json::ReadBack;
use crate::outcome::{Outcome, StateChange};
use crate::outgoing::Outbox;
use crate::state::{InvalidState, StateError};

/// One call of a handler: what `#[handler]` writes around the function.
///
/// First the arguments are taken; then the function runs; then what it returned is checked,
/// each `&mut` argument is kept, in the order in which it was taken, and the call is finished.
#[derive(Debug)]
pub struct Call {
    delivery: Delivery,
    states_taken: usize,
    states: Vec<StateChange>,
    /// What the handler put into outboxes that it took.
    sent: Outbox,
    returned: Outbox,
}

/// A `&mut` argument while the handler has it.
///
/// It knows its type's way to be stored, so that only taking it asks for the trait: a type that
/// is no such argument is then one mistake for the compiler, not several.
#[derive(Debug)]
pub struct Held<A> {
    /// What the handler takes by `&mut`.
    pub value: A,
    before: Option<StateValue>,
    store: fn(A, Option<StateValue>, &mut Call) -> Result<(), BoxError>,
}

impl Call {
    /// The call that this delivery asks for.
    pub fn new(delivery: Delivery) -> Self {
        let returned = Outbox::of(&delivery);
        let states = Vec::with_capacity(delivery.states.len());
        Call { delivery, states_taken: 0, states, sent: Outbox::new(), returned }
    }

    /// The message.
    pub fn input<I: Input>(&self) -> Result<I, BoxError> {
        I::from_delivery(&self.delivery)
    }

    /// An argument behind the message.
    pub fn argument<A: FromDelivery>(&self) -> Result<A, BoxError> {
        A::from_delivery(&self.delivery)
    }

    /// An argument that is taken by `&mut`.
    pub fn mutable<A: MutArgument>(&mut self) -> Result<Held<A>, BoxError> {
        let (value, before) = A::load(self)?;
        Ok(Held { value, before, store: A::store })
    }

    /// Where what the function returned goes.
    pub fn returned(&mut self) -> &mut Outbox {
        &mut self.returned
    }

    /// Takes note of what the handler made of a `&mut` argument.
    pub fn keep<A>(&mut self, held: Held<A>) -> Result<(), BoxError> {
        (held.store)(held.value, held.before, self)
    }

    /// The outcome. What was put into an outbox goes before what was returned.
    pub fn finish(mut self) -> Result<Outcome, BoxError> {
        self.sent.append(self.returned);
        let (cancels, sends) = self.sent.into_parts()?;
        Ok(Outcome { states: self.states, cancels, sends })
    }

    /// An outbox for what this delivery sends.
    pub(crate) fn outbox(&self) -> Outbox {
        Outbox::of(&self.delivery)
    }

    /// The count of what is read back.
    pub(crate) fn read_back(&self) -> Option<&ReadBack> {
        self.delivery.read_back.as_deref()
    }

    /// The stored value of the next state; the call keeps none, since none is asked for twice.
    pub(crate) fn next_state(&mut self) -> Result<Option<StateValue>, BoxError> {
        let state = self.delivery.states.get_mut(self.states_taken);
        self.states_taken += 1;
        Ok(state.ok_or(StateNotLoaded)?.take())
    }

    /// Takes note of what became of the next state.
    pub(crate) fn change(
        &mut self,
        change: Result<StateChange, StateError>,
    ) -> Result<(), BoxError> {
        let change = change.map_err(|error| self.invalid_state(error))?;
        self.states.push(change);
        Ok(())
    }

    pub(crate) fn send(&mut self, outbox: Outbox) {
        self.sent.append(outbox);
    }

    pub(crate) fn invalid_state(&self, source: StateError) -> BoxError {
        let Delivery { handler, envelope, .. } = &self.delivery;
        let key = envelope.key.as_deref().unwrap_or_default();
        Box::new(InvalidState { handler: (**handler).into(), key: key.into(), source })
    }
}

/// The handler takes more states than its specification names: they would be lost.
#[derive(Debug, thiserror::Error)]
#[error(
    "the delivery holds fewer states than the handler takes: its definition must name each, by \
     `mutable`, in the order in which its service takes them"
)]
struct StateNotLoaded;
