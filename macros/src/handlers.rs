//! `handlers![..]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, Result, Token};

pub(crate) fn expand(list: TokenStream) -> TokenStream {
    let listed = Punctuated::<Expr, Token![,]>::parse_terminated
        .parse2(list)
        .and_then(|list| list.iter().map(handler).collect::<Result<Vec<_>>>());
    match listed {
        Ok(listed) => quote!(::framework::handler::Handlers::new()#(.and(#listed))*),
        Err(error) => error.into_compile_error(),
    }
}

/// A group of one: the path of a handler, with methods of the group behind it.
fn handler(listed: &Expr) -> Result<TokenStream> {
    match listed {
        Expr::Path(path) if path.qself.is_none() => {
            let span = path.span();
            Ok(quote_spanned!(span=> ::framework::handler::Handlers::of(#path {})))
        }
        Expr::MethodCall(call) => {
            let receiver = handler(&call.receiver)?;
            let (method, turbofish, arguments) = (&call.method, &call.turbofish, &call.args);
            Ok(quote_spanned!(method.span()=> #receiver.#method #turbofish (#arguments)))
        }
        other => Err(Error::new_spanned(
            other,
            "list handlers by the names of their functions: `handlers![deposit, module::withdraw]`, \
             or with a layer: `handlers![deposit.layer(Trace::new())]`",
        )),
    }
}
