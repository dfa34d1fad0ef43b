//! Keys: the text of what a message is about.

use std::borrow::Cow;
use std::sync::Arc;

/// A value that can be a message's key: it has one text.
///
/// Two values that are the same thing must have the same text, for ever: order, state and
/// identity follow it. Implement it for your own identifiers:
///
/// ```
/// use framework::message::AsKey;
/// use std::borrow::Cow;
///
/// struct AccountId(String);
///
/// impl AsKey for AccountId {
///     fn as_key(&self) -> Cow<'_, str> {
///         Cow::Borrowed(&self.0)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a message's key",
    label = "not usable as a key",
    note = "a key is a string (`String`, `Arc<str>`, `Box<str>`), an integer, or a type that implements `framework::message::AsKey`",
    note = "a key is always there: an `Option` is none"
)]
pub trait AsKey {
    /// Its text.
    fn as_key(&self) -> Cow<'_, str>;
}

macro_rules! text_keys {
    ($($text:ty),*) => {$(
        impl AsKey for $text {
            fn as_key(&self) -> Cow<'_, str> {
                Cow::Borrowed(self)
            }
        }
    )*};
}
text_keys!(str, String, Arc<str>, Box<str>, Cow<'_, str>);

macro_rules! integer_keys {
    ($($integer:ty),*) => {$(
        impl AsKey for $integer {
            fn as_key(&self) -> Cow<'_, str> {
                Cow::Owned(self.to_string())
            }
        }
    )*};
}
integer_keys!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

impl<T: AsKey + ?Sized> AsKey for &T {
    fn as_key(&self) -> Cow<'_, str> {
        T::as_key(self)
    }
}
