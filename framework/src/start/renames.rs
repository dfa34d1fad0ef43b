//! Renames: where each old name leads to in the app as it is now.

use std::sync::Arc;

use super::StartError;
use crate::store::{Catalog, Renames};

/// Old name, new name; none: retired.
type Pair = (Arc<str>, Option<Arc<str>>);

/// The renames of handlers and states with each chain followed to its end: what was `a`, then `b`, then `c` over three
/// releases is `c`, whichever of them wrote the store.
///
/// A name that the app has ends a chain, so two handlers can swap names. A chain that ends at a
/// name that the app lacks is refused: what the store keeps for the old name would be nobody's.
pub(crate) fn resolve(renames: &Renames, app: &Catalog) -> Result<Renames, StartError> {
    Ok(Renames {
        handlers: follow(&renames.handlers, &app.handlers)?,
        states: follow(&renames.states, &app.states)?,
        types: Vec::new(),
    })
}

fn follow(renames: &[Pair], known: &[Arc<str>]) -> Result<Vec<Pair>, StartError> {
    let end = |(old, first): &Pair| {
        let mut name = first.clone();
        // A chain has at most as many steps as there are renames; a longer one is a circle.
        for _ in 0..=renames.len() {
            match &name {
                Some(new) if !known.contains(new) => {
                    let next = renames.iter().find(|(from, _)| from == new);
                    let unknown = || StartError::RenamedToUnknown {
                        old: Arc::clone(old),
                        new: Arc::clone(new),
                    };
                    name = next.ok_or_else(unknown)?.1.clone();
                }
                _ => return Ok((Arc::clone(old), name)),
            }
        }
        let new = first.clone().unwrap_or_default();
        Err(StartError::RenamedToUnknown { old: Arc::clone(old), new })
    };
    renames.iter().map(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(renames: &[(&str, Option<&str>)]) -> Vec<Pair> {
        renames.iter().map(|(old, new)| ((*old).into(), new.map(Into::into))).collect()
    }

    #[test]
    fn chains_are_followed_swaps_are_kept_and_dead_ends_refused() {
        let known = ["c".into(), "d".into()];
        let chain = pairs(&[("a", Some("b")), ("b", Some("c")), ("x", Some("y")), ("y", None)]);
        let ends = pairs(&[("a", Some("c")), ("b", Some("c")), ("x", None), ("y", None)]);
        assert_eq!(follow(&chain, &known).unwrap(), ends);
        let swap = pairs(&[("c", Some("d")), ("d", Some("c"))]);
        assert_eq!(follow(&swap, &known).unwrap(), swap);
        for dead in [&[("a", Some("b"))][..], &[("a", Some("b")), ("b", Some("a"))]] {
            let refused = follow(&pairs(dead), &known);
            assert!(matches!(refused, Err(StartError::RenamedToUnknown { .. })), "{refused:?}");
        }
    }
}
