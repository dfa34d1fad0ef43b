//! A handler's arguments, told apart by how they are passed.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Error, FnArg, GenericArgument, GenericParam, PatType, PathArguments, Result, Safety, Signature,
    Type,
};

/// An argument behind the message.
pub(super) enum Argument<'a> {
    /// `T`: read from the delivery.
    Value(&'a Type),
    /// `&mut T`: a state, or the outbox.
    Mutable(&'a Type),
    /// `&T`: a dependency.
    Shared(&'a Type),
}

impl Argument<'_> {
    /// How the handler's definition names it.
    pub(super) fn described(&self) -> Option<TokenStream> {
        match self {
            Argument::Value(_) => None,
            Argument::Mutable(ty) => Some(quote!(.mutable::<#ty>())),
            Argument::Shared(ty) => Some(quote!(.dependency::<#ty>())),
        }
    }
}

/// The message's type, and the arguments behind it.
pub(super) fn of(signature: &Signature) -> Result<(&Type, Vec<Argument<'_>>)> {
    plain_function(signature)?;
    let arguments = signature.inputs.iter().map(typed).collect::<Result<Vec<_>>>()?;
    let Some((first, rest)) = arguments.split_first() else {
        return Err(Error::new_spanned(&signature.ident, NO_MESSAGE));
    };
    let rest = rest.iter().map(|argument| by_mode(argument)).collect::<Result<Vec<_>>>()?;
    match by_mode(first)? {
        Argument::Value(message) => Ok((message, rest)),
        _ => Err(no_message(first, &rest)),
    }
}

const NO_MESSAGE: &str = "a handler takes its message by value, as its first argument: \
                          `async fn deposit(cmd: Deposit)`";

/// The first argument is a reference: the message stands further behind, or is not there.
fn no_message(first: &PatType, rest: &[Argument<'_>]) -> Error {
    let behind = rest.iter().find_map(|argument| match argument {
        Argument::Value(ty) => Some(*ty),
        _ => None,
    });
    match behind {
        Some(message) => Error::new_spanned(
            message,
            "the message is the first argument: move it to the front, before the states (`&mut \
             T`) and the dependencies (`&T`)",
        ),
        None => Error::new_spanned(first, format!("{NO_MESSAGE}; this one is a reference")),
    }
}

/// Refuses what cannot be called with arguments of known types.
fn plain_function(signature: &Signature) -> Result<()> {
    if let Safety::Unsafe(token) = &signature.safety {
        return Err(Error::new_spanned(token, "a handler is a safe function"));
    }
    if let Some(abi) = &signature.abi {
        return Err(Error::new_spanned(abi, "a handler is a Rust function"));
    }
    if let Some(parameter) = signature.generics.params.first() {
        let why = match parameter {
            GenericParam::Lifetime(_) => {
                "a handler names no lifetimes: write `&T` and `&mut T`, which live as long as the \
                 call"
            }
            _ => {
                "a handler has no generics, for it is one handler with one name: name the types; \
                 a dependency behind a trait is taken by `&dyn Trait`"
            }
        };
        return Err(Error::new_spanned(parameter, why));
    }
    Ok(())
}

fn typed(argument: &FnArg) -> Result<&PatType> {
    match argument {
        FnArg::Typed(typed) => Ok(typed),
        FnArg::Receiver(receiver) => Err(Error::new_spanned(receiver, "a handler has no `self`")),
    }
}

fn by_mode(argument: &PatType) -> Result<Argument<'_>> {
    let ty = bare(&argument.ty);
    if has_impl(ty) {
        let why = "a handler's arguments have named types: a dependency behind a trait is taken \
                   by `&dyn Trait`";
        return Err(Error::new_spanned(ty, why));
    }
    if let Some(why) = misplaced(ty) {
        return Err(Error::new_spanned(ty, why));
    }
    let Type::Reference(reference) = ty else { return Ok(Argument::Value(ty)) };
    if let Some(lifetime) = &reference.lifetime {
        let why = "a handler names no lifetimes: write `&T` and `&mut T`, which live as long as \
                   the call";
        return Err(Error::new_spanned(lifetime, why));
    }
    match reference.mutability {
        Some(_) => Ok(Argument::Mutable(bare(&reference.elem))),
        None => Ok(Argument::Shared(bare(&reference.elem))),
    }
}

/// What to write instead of a reference inside an `Option`, and of an `Arc` by value.
fn misplaced(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(inner) = &last.arguments else { return None };
    let (1, Some(GenericArgument::Type(inner))) = (inner.args.len(), inner.args.first()) else {
        return None;
    };
    match (last.ident.to_string().as_str(), bare(inner)) {
        ("Option", Type::Reference(reference)) => {
            let of = written(bare(&reference.elem));
            Some(match reference.mutability {
                Some(_) => format!(
                    "a key's state that starts and ends is taken by `&mut Option<{of}>`: write \
                     that instead of `Option<&mut {of}>`"
                ),
                None => {
                    format!("a dependency is always there: write `&{of}`, without the `Option`")
                }
            })
        }
        ("Arc", inner) => {
            let of = written(inner);
            Some(format!(
                "a dependency is taken by reference: write `&{of}` for what `.provide(..)` or \
                 `.provide_arc(..)` gives, or `&Arc<{of}>` where an `Arc` was given to \
                 `.provide(..)`"
            ))
        }
        _ => None,
    }
}

/// A type as its author has written it, but for spaces.
fn written(ty: &Type) -> String {
    let text = ty.to_token_stream().to_string();
    let text = text.replace(" :: ", "::").replace(" < ", "<").replace(" >", ">");
    text.replace("< ", "<").replace(" ,", ",")
}

/// A type without the parentheses that `&(dyn A + B)` needs and other places do not, and without
/// the invisible group in which it comes out of a `macro_rules!`.
fn bare(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            other => return other,
        }
    }
}

/// Whether `impl` stands in a type.
pub(super) fn has_impl(ty: &Type) -> bool {
    fn anywhere(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(ident) => ident == "impl",
            TokenTree::Group(group) => anywhere(group.stream()),
            _ => false,
        })
    }
    anywhere(ty.to_token_stream())
}
