//! `#[handler]`.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Result, Signature, Visibility};

mod arguments;
mod options;
mod retry;
mod service;

use arguments::Argument;
use options::Options;

/// A function as far as the macro looks: its body is the compiler's business.
struct Function {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    signature: Signature,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature = input.parse()?;
        input.parse::<TokenStream>()?;
        Ok(Function { attributes, visibility, signature })
    }
}

pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let why = format!("`#[handler]` goes above a function: {error}");
            return refused(&Error::new(error.span(), why), &item);
        }
    };
    if let Some(receiver) = function.signature.receiver() {
        // Inside an `impl` no type can be written.
        let why =
            "a handler is a free function: take what it needs of `self` as a dependency, `&T`";
        return refused(&Error::new_spanned(receiver, why), &item);
    }
    if let Some(again) = function.attributes.iter().find(|attribute| is_handler(attribute)) {
        // The other one will write the type.
        return refused(&Error::new_spanned(again, "`#[handler]` is given twice"), &item);
    }
    // After an error the type is there all the same: the mistake is reported once, not again
    // wherever the handler is listed.
    let define = define(options, &function).unwrap_or_else(|error| {
        let error = error.into_compile_error();
        quote!(#error ::core::unreachable!())
    });
    let Function { attributes, visibility, signature } = &function;
    let name = &signature.ident;
    let cfgs = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    let cfgs: Vec<_> = cfgs.collect();
    let doc = format!("The handler `{}`, as `handlers![..]` lists it.", crate::options::text(name));
    quote! {
        #item

        #(#cfgs)*
        #[doc = #doc]
        #[allow(non_camel_case_types)]
        #visibility struct #name {}

        #(#cfgs)*
        #[automatically_derived]
        impl ::framework::handler::Handler for #name {
            fn define(&self) -> ::framework::handler::Definition {
                #define
            }
        }
    }
}

/// The function as it is, beside an error.
fn refused(error: &Error, item: &TokenStream) -> TokenStream {
    let error = error.to_compile_error();
    quote!(#error #item)
}

fn is_handler(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "handler")
}

/// The body of `Handler::define`.
fn define(options: TokenStream, function: &Function) -> Result<TokenStream> {
    let options = Options::parse(options)?;
    let signature = &function.signature;
    let (message, rest) = arguments::of(signature)?;

    let name = options.name(&signature.ident);
    let place = signature.ident.span();
    let location = quote_spanned!(place=>
        ::framework::handler::Location::new(::core::file!(), ::core::line!()));
    let asked = options.asked();
    let described = rest.iter().filter_map(Argument::described);
    let service = service::of(signature, message, &rest);
    let serve = Ident::new("serve", place);
    Ok(quote! {
        ::framework::handler::Definition::new::<#message>(#name, #location)
            #(#asked)*
            #(#described)*
            .#serve(#service)
    })
}
