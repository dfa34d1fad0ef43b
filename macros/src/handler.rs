//! `#[handler]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Result, ReturnType, Signature, Type, Visibility};

mod arguments;
mod options;

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
        Err(mut error) => {
            error.combine(Error::new(Span::call_site(), "`#[handler]` goes above a function"));
            let error = error.into_compile_error();
            return quote!(#error #item);
        }
    };
    if let Some(again) = function.attributes.iter().find(|attribute| is_handler(attribute)) {
        // The other one will write the type.
        let error = Error::new_spanned(again, "`#[handler]` is given twice").into_compile_error();
        return quote!(#error #item);
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
    let order = options.order();
    let described = rest.iter().filter_map(Argument::described);
    let service = service(signature, message, &rest);
    Ok(quote! {
        ::framework::handler::Definition::new::<#message>(#name, #location)
            #order
            #(#described)*
            .serve(#service)
    })
}

/// The closure that builds the service of the dependencies.
fn service(signature: &Signature, message: &Type, rest: &[Argument<'_>]) -> TokenStream {
    // These names are the macro's own: a handler that is called like one of them is no matter.
    let own = |name: &str| Ident::new(name, Span::mixed_site());
    let (provided, dependencies, delivery) =
        (own("_provided"), own("dependencies"), own("delivery"));
    let (call, input, returned) = (own("call"), own("input"), own("returned"));

    let (mut found, mut taken, mut passed, mut kept) = (vec![], vec![], vec![], vec![]);
    for (at, argument) in rest.iter().enumerate() {
        let variable = format_ident!("argument_{at}", span = Span::mixed_site());
        match argument {
            Argument::Value(ty) => {
                taken.push(quote!(let #variable = #call.argument::<#ty>()?;));
                passed.push(quote!(#variable));
            }
            Argument::Mutable(ty) => {
                taken.push(quote!(let mut #variable = #call.mutable::<#ty>()?;));
                passed.push(quote!(&mut #variable.value));
                kept.push(quote!(#call.keep(#variable)?;));
            }
            Argument::Shared(ty) => {
                let index = syn::Index::from(found.len());
                found.push(quote!(#provided.get::<#ty>()?,));
                passed.push(quote!(&*#dependencies.#index));
            }
        }
    }
    let name = &signature.ident;
    let wait = signature.asyncness.map(|_| quote!(.await));
    let result = match &signature.output {
        ReturnType::Default => quote!(#call.returned(#returned)?),
        ReturnType::Type(_, ty) if arguments::has_impl(ty) => quote!(#call.returned(#returned)?),
        ReturnType::Type(_, ty) => quote!(#call.returned::<#ty>(#returned)?),
    };
    // One count for all dependencies, and none for a handler that has none.
    let (find, share) = if found.is_empty() {
        (None, None)
    } else {
        (
            Some(quote!(let #dependencies = ::std::sync::Arc::new((#(#found)*));)),
            Some(quote!(let #dependencies = ::std::sync::Arc::clone(&#dependencies);)),
        )
    };
    quote! {
        |#provided| {
            #find
            ::core::result::Result::Ok(::framework::handler::service_fn(move |#delivery| {
                #share
                async move {
                    let mut #call = ::framework::handler::Call::new(#delivery);
                    let #input = #call.input::<#message>()?;
                    #(#taken)*
                    let #returned = #name(#input #(, #passed)*) #wait;
                    let #returned = #result;
                    #(#kept)*
                    #call.finish(#returned)
                }
            }))
        }
    }
}
