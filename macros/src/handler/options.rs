//! The options of `#[handler(..)]`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::meta::{self, ParseNestedMeta};
use syn::parse::Parser;
use syn::{Error, LitInt, LitStr, Result};

use super::retry::Retry;
use crate::durations::{Duration, duration, positive};
use crate::{names, options};

/// What is designed and not built yet. Silently ignored, it would be believed to work.
const NOT_YET: [&str; 2] = ["confirm", "from"];

const ORDERS: &str = "`order` is `key` (one message of a key after the other) or `none`";

const GAPS: &str = "`gap` is `hold` (behind a dead letter its key waits) or `skip(\"30s\")` (after so \
     long it goes on)";

#[derive(Default)]
pub(super) struct Options {
    name: Option<LitStr>,
    order: Option<Order>,
    retry: Option<Retry>,
    timeout: Option<Duration>,
    gap: Option<Gap>,
    crashes: Option<LitInt>,
}

enum Order {
    Key,
    None,
}

enum Gap {
    Hold,
    Skip(Duration),
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
        if meta.path.is_ident("retry") {
            return options::once(&mut self.retry, meta, Retry::parse);
        }
        if meta.path.is_ident("timeout") {
            return options::once(&mut self.timeout, meta, |meta| {
                positive(meta.value()?, "`timeout`")
            });
        }
        if meta.path.is_ident("gap") {
            return options::once(&mut self.gap, meta, gap);
        }
        if meta.path.is_ident("crashes") {
            return options::once(&mut self.crashes, meta, |meta| at_least_one(meta, "`crashes`"));
        }
        if let Some(option) = NOT_YET.iter().find(|option| meta.path.is_ident(option)) {
            return Err(meta.error(format!("`{option}` is not available yet: leave it out")));
        }
        Err(options::unknown(meta, "`name`, `order`, `retry`, `timeout`, `gap` and `crashes`"))
    }

    /// The handler's name: as given, or the function's.
    pub(super) fn name(&self, function: &Ident) -> LitStr {
        self.name.clone().unwrap_or_else(|| LitStr::new(&options::text(function), function.span()))
    }

    /// The calls that tell the definition what is asked for.
    pub(super) fn asked(&self) -> impl Iterator<Item = TokenStream> {
        let order = self.order.as_ref().map(|order| {
            let order = match order {
                Order::Key => quote!(Key),
                Order::None => quote!(None),
            };
            quote!(.order(::framework::policy::Order::#order))
        });
        let retry = self.retry.as_ref().map(Retry::tokens).map(|retry| quote!(.retry(#retry)));
        let timeout = self.timeout.as_ref().map(|timeout| {
            let timeout = timeout.tokens();
            quote!(.timeout(#timeout))
        });
        let gap = self.gap.as_ref().map(|gap| {
            let gap = match gap {
                Gap::Hold => quote!(Hold),
                Gap::Skip(duration) => {
                    let duration = duration.tokens();
                    quote!(Skip(#duration))
                }
            };
            quote!(.gap(::framework::policy::Gap::#gap))
        });
        let crashes = self.crashes.as_ref().map(|crashes| quote!(.crashes(#crashes)));
        [order, retry, timeout, gap, crashes].into_iter().flatten()
    }
}

/// A whole number from 1 on.
pub(super) fn at_least_one(meta: &ParseNestedMeta<'_>, what: &str) -> Result<LitInt> {
    let why = format!("{what} is a whole number, at least 1");
    let literal: LitInt = meta.value()?.parse().map_err(|e| Error::new(e.span(), &why))?;
    match literal.base10_parse::<u32>() {
        Ok(1..) => Ok(literal),
        _ => Err(Error::new(literal.span(), why)),
    }
}

fn gap(meta: &ParseNestedMeta<'_>) -> Result<Gap> {
    let value = meta.value()?;
    let word: Ident = value.parse().map_err(|error| Error::new(error.span(), GAPS))?;
    if word == "hold" {
        return Ok(Gap::Hold);
    }
    if word != "skip" || !value.peek(syn::token::Paren) {
        return Err(Error::new(word.span(), GAPS));
    }
    let inside;
    syn::parenthesized!(inside in value);
    let after = duration(&inside)?;
    if !inside.is_empty() {
        return Err(inside.error(GAPS));
    }
    Ok(Gap::Skip(after))
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
