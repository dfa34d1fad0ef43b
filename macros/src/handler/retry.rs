//! The option `retry(..)` of `#[handler]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Error, ExprPath, LitInt, Result};

use super::options::at_least_one;
use crate::durations::{Duration, positive};
use crate::options;

const UNLESS: &str = "`unless` is the path of a function that takes an error by reference and says \
     whether trying again cannot help: `unless = BankError::is_final`";

#[derive(Default)]
pub(super) struct Retry {
    attempts: Option<LitInt>,
    min: Option<Duration>,
    max: Option<Duration>,
    unless: Option<ExprPath>,
}

impl Retry {
    pub(super) fn parse(meta: &ParseNestedMeta<'_>) -> Result<Self> {
        let mut retry = Retry::default();
        meta.parse_nested_meta(|meta| retry.take(&meta))?;
        if let (Some(min), Some(max)) = (&retry.min, &retry.max)
            && min.ms > max.ms
        {
            let why = format!("`max` is shorter than `min`, {:?}", min.literal.value());
            return Err(Error::new(max.literal.span(), why));
        }
        Ok(retry)
    }

    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("attempts") {
            return options::once(&mut self.attempts, meta, |meta| {
                at_least_one(meta, "`attempts`, which counts the first one too,")
            });
        }
        if meta.path.is_ident("min") {
            return options::once(&mut self.min, meta, |meta| positive(meta.value()?, "`min`"));
        }
        if meta.path.is_ident("max") {
            return options::once(&mut self.max, meta, |meta| positive(meta.value()?, "`max`"));
        }
        if meta.path.is_ident("unless") {
            return options::once(&mut self.unless, meta, |meta| {
                meta.value()?.parse().map_err(|error: Error| Error::new(error.span(), UNLESS))
            });
        }
        Err(options::unknown(meta, "`attempts`, `min`, `max` and `unless`"))
    }

    /// The builder's calls.
    pub(super) fn tokens(&self) -> TokenStream {
        let attempts = self.attempts.iter();
        let (min, max) =
            (self.min.iter().map(Duration::tokens), self.max.iter().map(Duration::tokens));
        let unless = self.unless.iter().map(|path| {
            // What does not fit its signature is said at the path.
            let span = path.span();
            quote_spanned!(span=> .unless_caused_by(#path))
        });
        quote! {
            ::framework::policy::Retry::new()
                #(.attempts(#attempts))*
                #(.min(#min))*
                #(.max(#max))*
                #(#unless)*
        }
    }
}
