//! Policies: what a handler asks of the framework, as data.

/// In which order a handler's messages are handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// Messages of one key one after the other, in the order in which they were sent.
    #[default]
    Key,
    /// As they come, side by side.
    None,
}
