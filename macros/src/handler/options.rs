//! The options of `#[handler(..)]`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::meta::{self, ParseNestedMeta};
use syn::parse::Parser;
use syn::{Error, LitStr, Result};

use crate::{names, options};

/// What is designed and not built yet. Silently ignored, it would be believed to work.
const NOT_YET: [&str; 6] = ["retry", "timeout", "gap", "crashes", "confirm", "from"];

const ORDERS: &str = "`order` is `key` (one message of a key after the other) or `none`";

#[derive(Default)]
pub(super) struct Options {
    name: Option<LitStr>,
    order: Option<Order>,
}

enum Order {
    Key,
    None,
}

impl Options {
    pub(super) fn parse(tokens: TokenStream) -> Result<Self> {
        let mut options = Options::default();
        meta::parser(|meta| options.take(&meta)).parse2(tokens)?;
        Ok(options)
    }

    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("name") {
            return options::once(&mut self.name, meta, |meta| {
                names::plain(meta.value()?.parse()?, "a handler's name")
            });
        }
        if meta.path.is_ident("order") {
            return options::once(&mut self.order, meta, order);
        }
        if let Some(option) = NOT_YET.iter().find(|option| meta.path.is_ident(option)) {
            return Err(meta.error(format!("`{option}` is not available yet: leave it out")));
        }
        Err(options::unknown(meta, "`name` and `order`"))
    }

    /// The handler's name: as given, or the function's.
    pub(super) fn name(&self, function: &Ident) -> LitStr {
        self.name.clone().unwrap_or_else(|| LitStr::new(&options::text(function), function.span()))
    }

    pub(super) fn order(&self) -> Option<TokenStream> {
        let order = match self.order.as_ref()? {
            Order::Key => quote!(Key),
            Order::None => quote!(None),
        };
        Some(quote!(.order(::framework::policy::Order::#order)))
    }
}

fn order(meta: &ParseNestedMeta<'_>) -> Result<Order> {
    let value = meta.value()?;
    let word: Ident = value.parse().map_err(|error| Error::new(error.span(), ORDERS))?;
    if word == "key" {
        Ok(Order::Key)
    } else if word == "none" {
        Ok(Order::None)
    } else {
        Err(Error::new(word.span(), ORDERS))
    }
}
