//! `#[derive(State)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, LitInt, LitStr, Path, Result};

use crate::{names, options};

#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    version: Option<LitInt>,
    upcast: Option<Path>,
}

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    syn::parse2(input).and_then(|input| derive(&input)).unwrap_or_else(Error::into_compile_error)
}

fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let options = options(input)?;
    if let Data::Union(data) = &input.data {
        let why = "a union has no JSON: derive `State` for a struct or an enum";
        return Err(Error::new(data.union_token.span, why));
    }
    options::not_generic(input, "a state")?;
    let ident = &input.ident;
    let name = options.name.unwrap_or(LitStr::new(&options::text(ident), ident.span()));
    let version = match &options.version {
        Some(version) => version.base10_parse::<u32>()?,
        None => 1,
    };
    let upcast = upcast(version, options.version.as_ref(), options.upcast.as_ref())?;
    Ok(quote! {
        #[automatically_derived]
        impl ::framework::state::State for #ident {
            const NAME: &'static str = #name;
            const VERSION: u32 = #version;

            #upcast
        }
    })
}

/// The body of `upcast`: the user's function, or, for a first version, none.
fn upcast(version: u32, literal: Option<&LitInt>, function: Option<&Path>) -> Result<TokenStream> {
    if version == 0 {
        return Err(Error::new_spanned(literal, "the first version is 1"));
    }
    let (from, old, upcast) = match (version, function) {
        (1, None) => (quote!(_), quote!(old), quote!(::core::result::Result::Ok(old))),
        (1, Some(function)) => {
            let why = "`upcast` makes the next version of an older one: it belongs to a \
                       `version` of 2 or more";
            return Err(Error::new_spanned(function, why));
        }
        (_, None) => {
            let why = "a version above 1 needs `upcast = function`, which makes the next version \
                       of an older value: `fn upcast(from: u32, old: serde_json::Value) -> \
                       Result<serde_json::Value, BoxError>`";
            return Err(Error::new_spanned(literal, why));
        }
        (_, Some(function)) => {
            // As a pointer, so that a wrong signature is said in one sentence, not in three.
            let call = quote! {
                const UPCAST: fn(
                    u32,
                    ::framework::state::Value,
                ) -> ::core::result::Result<
                    ::framework::state::Value,
                    ::framework::error::BoxError,
                > = #function;
                UPCAST(from, old)
            };
            (quote!(from), quote!(old), call)
        }
    };
    Ok(quote! {
        fn upcast(
            #from: u32,
            #old: ::framework::state::Value,
        ) -> ::core::result::Result<::framework::state::Value, ::framework::error::BoxError> {
            #upcast
        }
    })
}

fn options(input: &DeriveInput) -> Result<Options> {
    let mut options = Options::default();
    let Some(attribute) = options::attribute(&input.attrs, "state")? else {
        return Ok(options);
    };
    attribute.parse_nested_meta(|meta| {
        if meta.path.is_ident("name") {
            options::once(&mut options.name, &meta, |meta| {
                names::plain(meta.value()?.parse()?, "a state's name")
            })
        } else if meta.path.is_ident("version") {
            options::once(&mut options.version, &meta, |meta| meta.value()?.parse())
        } else if meta.path.is_ident("upcast") {
            options::once(&mut options.upcast, &meta, |meta| meta.value()?.parse())
        } else {
            Err(options::unknown(&meta, "`name`, `version` and `upcast`"))
        }
    })?;
    Ok(options)
}
