//! Arrays and objects: each of their parts passes through [`Strict`](super::Strict) as well.

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::{At, Inner};

/// The parts of an array or an object.
pub(super) struct Parts<'a, C> {
    to: C,
    at: At<'a>,
    /// How many parts of an array are written.
    count: usize,
}

impl<'a, C> Parts<'a, C> {
    #[inline]
    pub(super) fn new(to: C, at: At<'a>) -> Self {
        Parts { to, at, count: 0 }
    }
}

macro_rules! elements {
    ($($of:ident::$method:ident)*) => {$(
        impl<C: $of> $of for Parts<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let (at, index) = (self.at, self.count);
                self.count += 1;
                self.to.$method(&Inner { value, at }).inspect_err(|_| at.path.index(index))
            }

            #[inline]
            fn end(self) -> Result<C::Ok, C::Error> {
                self.to.end()
            }
        }
    )*};
}
elements! {
    SerializeSeq::serialize_element SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field SerializeTupleVariant::serialize_field
}

macro_rules! fields {
    ($($of:ident)*) => {$(
        impl<C: $of> $of for Parts<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                let at = self.at;
                let written = self.to.serialize_field(name, &Inner { value, at });
                written.inspect_err(|_| at.path.field(name))
            }

            #[inline]
            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.to.skip_field(name)
            }

            #[inline]
            fn end(self) -> Result<C::Ok, C::Error> {
                self.to.end()
            }
        }
    )*};
}
fields! { SerializeStruct SerializeStructVariant }

impl<C: SerializeMap> SerializeMap for Parts<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.to.serialize_key(&Inner { value, at: self.at.key() })
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let at = self.at;
        self.to.serialize_value(&Inner { value, at }).inspect_err(|_| at.path.field("*"))
    }

    #[inline]
    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), C::Error> {
        let at = self.at;
        let key_inner = Inner { value: key, at: at.key() };
        let written = self.to.serialize_entry(&key_inner, &Inner { value, at });
        written.inspect_err(|_| at.path.field(&name(key)))
    }

    #[inline]
    fn end(self) -> Result<C::Ok, C::Error> {
        self.to.end()
    }
}

/// What an entry of a map is called in a path.
#[cold]
fn name<K: Serialize + ?Sized>(key: &K) -> String {
    let text = serde_json::to_string(key).unwrap_or_default();
    text.trim_matches('"').to_owned()
}
