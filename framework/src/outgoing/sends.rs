//! What can be sent: a message, several, none.

use super::{Outbox, Outgoing};
use crate::message::Message;

/// What a handler can return, or give to [`Outbox::send`]: nothing, a message, several.
///
/// Implement it for a type of your own by sending its parts:
///
/// ```
/// use framework::prelude::*;
/// use framework::outgoing::Sends;
/// # #[derive(Message, Serialize, Deserialize)] struct Accepted {}
/// # #[derive(Message, Serialize, Deserialize)] struct Refused {}
///
/// enum Answer {
///     Yes(Accepted),
///     No(Refused),
/// }
///
/// impl Sends for Answer {
///     fn send_to(self, outbox: &mut Outbox) {
///         match self {
///             Answer::Yes(accepted) => outbox.send(accepted),
///             Answer::No(refused) => outbox.send(refused),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent",
    label = "not something that can be sent",
    note = "a handler returns what is sent: `()`, a message, `Outgoing<M>`, an `Option`, `Vec`, array or tuple of these, or a `Result` of any of these",
    note = "if this is a message, write `#[derive(Message, Serialize, Deserialize)]` above the type"
)]
pub trait Sends {
    /// Puts the messages into the outbox, in the order in which they are to be sent.
    fn send_to(self, outbox: &mut Outbox);
}

#[diagnostic::do_not_recommend]
impl<M: Message> Sends for M {
    fn send_to(self, outbox: &mut Outbox) {
        Outgoing::new(self).send_to(outbox);
    }
}

impl<M: Message> Sends for Outgoing<M> {
    fn send_to(self, outbox: &mut Outbox) {
        outbox.push(self);
    }
}

impl<T: Sends> Sends for Option<T> {
    fn send_to(self, outbox: &mut Outbox) {
        if let Some(messages) = self {
            messages.send_to(outbox);
        }
    }
}

impl<T: Sends> Sends for Vec<T> {
    fn send_to(self, outbox: &mut Outbox) {
        outbox.reserve(self.len());
        for messages in self {
            messages.send_to(outbox);
        }
    }
}

impl<T: Sends, const N: usize> Sends for [T; N] {
    fn send_to(self, outbox: &mut Outbox) {
        for messages in self {
            messages.send_to(outbox);
        }
    }
}

impl Sends for () {
    fn send_to(self, _: &mut Outbox) {}
}

macro_rules! tuples {
    ($first:ident $($rest:ident)*) => {
        #[diagnostic::do_not_recommend]
        impl<$first: Sends, $($rest: Sends),*> Sends for ($first, $($rest,)*) {
            #[allow(non_snake_case, reason = "the variables are called as their types")]
            fn send_to(self, outbox: &mut Outbox) {
                let ($first, $($rest,)*) = self;
                $first.send_to(outbox);
                $($rest.send_to(outbox);)*
            }
        }
        tuples!($($rest)*);
    };
    () => {};
}
tuples!(A B C D E F G H I J K L);
