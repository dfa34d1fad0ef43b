//! The macros of endwise; use them through the framework's prelude.

use proc_macro::TokenStream;

mod durations;
mod handler;
mod handlers;
mod message;
mod names;
mod options;
mod state;

/// Makes a function a handler: it stays as it is, and beside it stands a type of its name for
/// `handlers![..]`.
///
/// Its arguments, by how they are passed:
/// - first, by value: the message;
/// - `&mut T`: the key's state (`State` and `Default`), `&mut Option<S>`: one that starts and
///   ends, `&mut Outbox`: for sending from a loop;
/// - `&T`: a dependency that the App provides;
/// - further ones by value: what is read from the delivery (`Attempt`, `Headers`, `Late`,
///   `MessageId`).
///
/// What it returns is sent: `()`, a message, `Outgoing<M>`, an `Option`, `Vec`, array or tuple
/// of these, or a `Result` of any of these.
///
/// Options, all of them optional:
/// - `name = "..."`: its name in stored data; unless given, the Rust name. Give it before you
///   rename the function;
/// - `order = key` (the default: messages of one key one after the other) or `order = none`;
/// - `retry(attempts = 8, min = "200ms", max = "1m", unless = BankError::is_final)`: how a failed
///   attempt is tried again, each of the four if it is to be another than its group or app says.
///   `unless` is a function that takes an error by reference, the handler's or one that caused it,
///   and says whether trying again cannot help;
/// - `timeout = "5s"`: how long an attempt may take;
/// - `gap = hold` (the default: behind a dead letter its key waits) or `gap = skip("30s")` (after
///   so long it goes on);
/// - `crashes = 3`: after how many deaths of the process a message is a dead letter.
///
/// A duration is a whole number and its unit, `ms`, `s`, `m`, `h` or `d`.
#[proc_macro_attribute]
pub fn handler(options: TokenStream, item: TokenStream) -> TokenStream {
    handler::expand(options.into(), item.into()).into()
}

/// Lists handlers: `handlers![deposit, module::withdraw]`, each as the path of its function.
///
/// A layer around one of them is added in the list, `handlers![deposit.layer(Trace::new())]`,
/// around all of them behind it, `handlers![deposit, withdraw].layer(Trace::new())`.
#[proc_macro]
pub fn handlers(list: TokenStream) -> TokenStream {
    handlers::expand(list.into()).into()
}

/// Makes a struct or an enum a message; its options are described at the trait.
#[proc_macro_derive(Message, attributes(message))]
pub fn message(item: TokenStream) -> TokenStream {
    message::expand(item.into()).into()
}

/// Makes a struct or an enum a state; its options are described at the trait.
#[proc_macro_derive(State, attributes(state))]
pub fn state(item: TokenStream) -> TokenStream {
    state::expand(item.into()).into()
}
