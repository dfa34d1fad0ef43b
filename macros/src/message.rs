//! `#[derive(Message)]`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, LitStr, Member, Result, Token};

use crate::{names, options};

/// A path of fields: `order.id`.
type KeyPath = Punctuated<Member, Token![.]>;

#[derive(Default)]
struct Options {
    topic: Option<LitStr>,
    type_name: Option<LitStr>,
    key: Option<KeyPath>,
}

pub(crate) fn expand(input: TokenStream) -> TokenStream {
    syn::parse2(input).and_then(|input| derive(&input)).unwrap_or_else(Error::into_compile_error)
}

fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let options = options(input)?;
    if let Data::Union(data) = &input.data {
        let why = "a union has no JSON: derive `Message` for a struct or an enum";
        return Err(Error::new(data.union_token.span, why));
    }
    options::not_generic(input, "a message")?;
    let name = &input.ident;
    let rust_name = options::text(name);
    let topic = match options.topic {
        Some(topic) => topic,
        None => names::topic(LitStr::new(&names::kebab(&rust_name), name.span()))?,
    };
    let type_name = options.type_name.unwrap_or(LitStr::new(&rust_name, name.span()));
    let (keyed, key) = key(options.key, &input.data)?;
    Ok(quote! {
        #[automatically_derived]
        impl ::framework::message::Message for #name {
            const TOPIC: &'static str = #topic;
            const TYPE: &'static str = #type_name;
            const KEYED: bool = #keyed;

            fn key(&self) -> ::core::option::Option<::std::borrow::Cow<'_, str>> {
                #key
            }
        }
    })
}

fn key(path: Option<KeyPath>, data: &Data) -> Result<(bool, TokenStream)> {
    let Some(path) = path else {
        return Ok((false, quote!(::core::option::Option::None)));
    };
    if let Data::Enum(_) = data {
        let why = "an enum has no field for a key: leave `key` out, or implement `Message` by \
                   hand, with a `match` that gives each variant's key";
        return Err(Error::new_spanned(path, why));
    }
    let span = path.last().map_or(Span::call_site(), Spanned::span);
    let field = quote_spanned!(span=> &self.#path);
    let text = quote_spanned!(span=> ::framework::message::AsKey::as_key(#field));
    Ok((true, quote!(::core::option::Option::Some(#text))))
}

fn options(input: &DeriveInput) -> Result<Options> {
    let mut options = Options::default();
    let Some(attribute) = options::attribute(&input.attrs, "message")? else {
        return Ok(options);
    };
    attribute.parse_nested_meta(|meta| {
        if meta.path.is_ident("topic") {
            options::once(&mut options.topic, &meta, |meta| names::topic(meta.value()?.parse()?))
        } else if meta.path.is_ident("type") {
            options::once(&mut options.type_name, &meta, |meta| {
                names::plain(meta.value()?.parse()?, "a type's name")
            })
        } else if meta.path.is_ident("key") {
            options::once(&mut options.key, &meta, |meta| key_path(meta.value()?))
        } else {
            Err(options::unknown(&meta, "`topic`, `type` and `key`"))
        }
    })?;
    Ok(options)
}

fn key_path(input: syn::parse::ParseStream<'_>) -> Result<KeyPath> {
    if input.peek(LitStr) {
        return Err(input.error("write the field itself: `key = account`, or `key = order.id`"));
    }
    KeyPath::parse_separated_nonempty(input)
}
