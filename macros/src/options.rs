//! Options in attributes: each at most once, each known.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, DeriveInput, Error, Result};

/// Takes an option's value, the first time that the option is named.
pub(crate) fn once<T>(
    slot: &mut Option<T>,
    meta: &ParseNestedMeta<'_>,
    parse: impl FnOnce(&ParseNestedMeta<'_>) -> Result<T>,
) -> Result<()> {
    if slot.is_some() {
        return Err(meta.error("this option is given twice"));
    }
    *slot = Some(parse(meta)?);
    Ok(())
}

/// What is said of an option that there is not.
pub(crate) fn unknown(meta: &ParseNestedMeta<'_>, known: &str) -> Error {
    meta.error(format!("unknown option; the options are {known}"))
}

/// The one attribute of that name, if there is one.
pub(crate) fn attribute<'a>(
    attributes: &'a [Attribute],
    name: &str,
) -> Result<Option<&'a Attribute>> {
    let mut found = attributes.iter().filter(|attribute| attribute.path().is_ident(name));
    let first = found.next();
    match found.next() {
        Some(second) => Err(Error::new_spanned(
            second,
            format!("`#[{name}(..)]` is given twice: put all options into one"),
        )),
        None => Ok(first),
    }
}

/// Refuses type parameters and lifetimes: what is stored under one name has one type.
pub(crate) fn not_generic(input: &DeriveInput, what: &str) -> Result<()> {
    if input.generics.params.is_empty() {
        return Ok(());
    }
    Err(Error::new_spanned(
        &input.generics,
        format!(
            "{what} has no generics: what is stored under one name has one type; derive it for \
             a struct or an enum whose types are all named"
        ),
    ))
}

/// An identifier as it reads: without `r#`.
pub(crate) fn text(ident: &Ident) -> String {
    ident.unraw().to_string()
}
