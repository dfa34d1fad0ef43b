//! `handlers![..]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprPath, Result, Token};

pub(crate) fn expand(list: TokenStream) -> TokenStream {
    let listed = Punctuated::<Expr, Token![,]>::parse_terminated
        .parse2(list)
        .and_then(|list| list.iter().map(handler).collect::<Result<Vec<_>>>());
    match listed {
        Ok(listed) => quote!(::framework::handler::Handlers::new()#(.and(#listed))*),
        Err(error) => error.into_compile_error(),
    }
}

/// A handler by the path of its function, which is also that of the type that `#[handler]` writes.
///
/// Where that type is not there, the path still names the function. So it is imported under
/// another name, beside a type of that name from a glob, which gives way to one that is imported by
/// its path: the compiler then says that this type is no handler, and why.
fn named(path: &ExprPath) -> TokenStream {
    let Some(last) = path.path.segments.last() else { return quote!(#path) };
    let name = crate::options::text(&last.ident);
    let alias = format_ident!("{name}_without_handler_above", span = path.span());
    let used = quote_spanned!(path.span()=> #path as #alias);
    let of = quote_spanned!(path.span()=> ::framework::handler::Handlers::of(#alias {}));
    quote! {{
        #[allow(dead_code, non_camel_case_types, unreachable_pub)]
        mod without_handler {
            pub struct #alias {}
        }
        #[allow(unused_imports)]
        use without_handler::*;
        #[allow(unused_imports)]
        use #used;
        #of
    }}
}

/// A group of one: the path of a handler, with methods of the group behind it.
fn handler(listed: &Expr) -> Result<TokenStream> {
    match listed {
        Expr::Path(path) if path.qself.is_none() => Ok(named(path)),
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
