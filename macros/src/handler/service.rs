//! The service that `#[handler]` writes around the function.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{ReturnType, Signature, Type};

use super::arguments::{Argument, has_impl};

/// The closure that builds the service of the dependencies.
pub(super) fn of(signature: &Signature, message: &Type, rest: &[Argument<'_>]) -> TokenStream {
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
    let send = send(&signature.output, &call, &returned);
    // One count for all dependencies, and none for a handler that has none.
    let (find, share) = if found.is_empty() {
        (None, None)
    } else {
        (
            Some(quote!(let #dependencies = ::std::sync::Arc::new((#(#found)*));)),
            Some(quote!(let #dependencies = ::std::sync::Arc::clone(&#dependencies);)),
        )
    };
    let body = quote! {
        use ::framework::handler::ReturnSends as _;

        let mut #call = ::framework::handler::Call::new(#delivery);
        let #input = #call.input::<#message>()?;
        #(#taken)*
        let #returned = ::framework::handler::Return(#name(#input #(, #passed)*) #wait);
        #send
        #(#kept)*
        #call.finish()
    };
    let place = name.span();
    // What the compiler says of the future as a whole, it says at the function's name.
    let future = quote_spanned!(place=> async move { #body });
    let build = quote! {
        #find
        ::core::result::Result::Ok(::framework::handler::service_fn(move |#delivery| {
            #share
            #future
        }))
    };
    quote_spanned!(place=> |#provided| { #build })
}

/// The statement that sends what is returned.
fn send(output: &ReturnType, call: &Ident, returned: &Ident) -> TokenStream {
    match output {
        ReturnType::Type(_, ty) if !has_impl(ty) => {
            let sender = sender(ty);
            quote!(#sender(#returned, #call.returned())?;)
        }
        output => {
            let place = match output {
                ReturnType::Type(_, ty) => ty.span(),
                ReturnType::Default => Span::mixed_site(),
            };
            let send_to = Ident::new("send_to", place);
            quote!(#returned.#send_to(#call.returned())?;)
        }
    }
}

/// The function that sends what is returned, written so that it stands, for the compiler, where
/// the type does, from its first token to its last.
fn sender(ty: &Type) -> TokenStream {
    let first = ty.span();
    let last = ty.to_token_stream().into_iter().last().map_or(first, |token| token.span());
    let of_type = quote_spanned!(first=> <::framework::handler::Return<#ty>>);
    quote_spanned!(last=> #of_type::sender())
}
