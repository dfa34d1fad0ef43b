//! Dependencies: what handlers take by `&T`, found by type once, at start.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// The values that handlers take by `&T`, one a type.
///
/// ```
/// use framework::dependencies::Dependencies;
/// use std::sync::Arc;
///
/// trait Gateway: Send + Sync {
///     fn name(&self) -> &str;
/// }
/// struct Sandbox;
/// impl Gateway for Sandbox {
///     fn name(&self) -> &str {
///         "sandbox"
///     }
/// }
///
/// let mut dependencies = Dependencies::default();
/// dependencies.provide(7_u32);
/// dependencies.provide_arc::<dyn Gateway>(Arc::new(Sandbox));
/// assert_eq!(*dependencies.get::<u32>()?, 7);
/// assert_eq!(dependencies.get::<dyn Gateway>()?.name(), "sandbox");
/// # Ok::<(), framework::dependencies::MissingDependency>(())
/// ```
#[derive(Default)]
pub struct Dependencies(HashMap<TypeId, Provided>);

struct Provided {
    type_name: &'static str,
    /// An `Arc<T>`, where `T` may be unsized.
    arc: Box<dyn Any + Send + Sync>,
}

impl Dependencies {
    /// Provides a value; one provided before under the same type is replaced.
    pub fn provide<T: Send + Sync + 'static>(&mut self, value: T) {
        self.provide_arc(Arc::new(value));
    }

    /// Provides a shared value, under a trait object's type too: `provide_arc::<dyn Gateway>`.
    pub fn provide_arc<T: ?Sized + Send + Sync + 'static>(&mut self, value: Arc<T>) {
        let provided = Provided { type_name: type_name::<T>(), arc: Box::new(value) };
        self.0.insert(TypeId::of::<T>(), provided);
    }

    /// The value of that type.
    pub fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Arc<T>, MissingDependency> {
        self.0
            .get(&TypeId::of::<T>())
            .and_then(|provided| provided.arc.downcast_ref::<Arc<T>>())
            .cloned()
            .ok_or(MissingDependency { type_name: type_name::<T>() })
    }
}

impl fmt::Debug for Dependencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.0.values().map(|provided| provided.type_name).collect();
        names.sort_unstable();
        f.debug_tuple("Dependencies").field(&names).finish()
    }
}

/// A handler takes `&T`, and no `T` was provided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing provides `{type_name}`: add `.provide(..)` with a value of that type to the App \
     (for a trait object `.provide_arc::<{type_name}>(..)`); if it is the key's state, the \
     handler must take it by `&mut`"
)]
#[non_exhaustive]
pub struct MissingDependency {
    /// The type that is missing.
    pub type_name: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provided_again_replaces() {
        let mut dependencies = Dependencies::default();
        dependencies.provide("live");
        dependencies.provide("test");
        assert_eq!(*dependencies.get::<&str>().unwrap(), "test");
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = Dependencies::default().get::<u32>().unwrap_err();
        assert_eq!(error.type_name, "u32");
        assert!(error.to_string().contains(".provide(..)"), "{error}");
    }
}
