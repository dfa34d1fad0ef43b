//! A serializer around serde_json's that refuses what JSON can be written of and not be read.
//!
//! serde_json writes a number that is not finite as `null`, and nests as deeply as a value does,
//! while its reader stops at 127 levels. Every value passes through here on its way, whatever is
//! between: `flatten`, untagged enums, `Value`.

use serde::ser::{Error, Serialize, Serializer};

use super::path::{Path, Unwritable};

mod parts;

use parts::Parts;

/// How deeply arrays and objects may stand in each other: what serde_json's reader takes.
pub(super) const DEPTH_MAX: u8 = 127;

/// How the types begin by which serde_json passes its own numbers and raw JSON to itself: they are
/// no objects.
const PRIVATE: &str = "$serde_json::private::";

/// What becomes of what JSON lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It is refused.
    Strict,
    /// Numbers that are not finite are written as texts.
    Comparable,
    /// The first integer of 128 bits is refused, to find its place.
    FindWide,
}

/// Writes a value.
pub(super) fn write<T: Serialize>(
    to: &mut Vec<u8>,
    value: &T,
    mode: Mode,
) -> Result<(), Unwritable> {
    let path = Path::default();
    let at = At { depth_left: DEPTH_MAX, role: Role::Value, mode, path: &path };
    let mut serializer = serde_json::Serializer::new(to);
    let written = Inner { value, at }.serialize(&mut serializer);
    written.map_err(|error| path.blame(error.to_string()))
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct At<'a> {
    depth_left: u8,
    role: Role,
    mode: Mode,
    path: &'a Path,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Value,
    Key,
}

impl<'a> At<'a> {
    /// Inside so many more arrays and objects.
    #[inline]
    fn inside<E: Error>(mut self, levels: u8) -> Result<At<'a>, E> {
        match self.depth_left.checked_sub(levels) {
            Some(left) => {
                self.depth_left = left;
                Ok(self)
            }
            None => Err(E::custom(format_args!(
                "it nests more than {DEPTH_MAX} levels deep, and could not be read back: keep what \
                 grows under keys of its own"
            ))),
        }
    }

    #[inline]
    fn key(self) -> At<'a> {
        At { role: Role::Key, ..self }
    }

    /// Whether a number with a fraction is written as a number; else it is written as text.
    #[inline]
    fn float<E: Error>(self, number: f64) -> Result<bool, E> {
        if self.role == Role::Key {
            return Err(E::custom(
                "a floating-point number cannot be a key in JSON: use a text or an integer",
            ));
        }
        match (number.is_finite(), self.mode) {
            (true, _) => Ok(true),
            (false, Mode::Comparable) => Ok(false),
            (false, _) => Err(E::custom(format_args!(
                "{number} is no number in JSON: check before what divides, or use an `Option`"
            ))),
        }
    }

    /// An integer of 128 bits.
    #[inline]
    fn wide<E: Error>(self) -> Result<(), E> {
        match self.mode {
            Mode::FindWide => Err(E::custom(
                "an integer of 128 bits is not read under `flatten`, in an untagged or an \
                 internally tagged enum: write it as text",
            )),
            _ => Ok(()),
        }
    }
}

/// A value on its way into a serializer of serde_json's.
struct Inner<'a, T: ?Sized> {
    value: &'a T,
    at: At<'a>,
}

impl<T: Serialize + ?Sized> Serialize for Inner<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Strict { to, at: self.at })
    }
}

/// What a value sees as its serializer.
struct Strict<'a, S> {
    to: S,
    at: At<'a>,
}

macro_rules! plain {
    ($($method:ident($type:ty))*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.to.$method(value)
        }
    )*};
}

macro_rules! wide {
    ($($method:ident($type:ty))*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.at.wide()?;
            self.to.$method(value)
        }
    )*};
}

macro_rules! float {
    ($($method:ident($type:ty))*) => {$(
        #[inline]
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            match self.at.float(value.into())? {
                true => self.to.$method(value),
                false => self.to.collect_str(&value),
            }
        }
    )*};
}

impl<'a, S: Serializer> Serializer for Strict<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Parts<'a, S::SerializeSeq>;
    type SerializeTuple = Parts<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Parts<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Parts<'a, S::SerializeTupleVariant>;
    type SerializeMap = Parts<'a, S::SerializeMap>;
    type SerializeStruct = Parts<'a, S::SerializeStruct>;
    type SerializeStructVariant = Parts<'a, S::SerializeStructVariant>;

    plain! {
        serialize_bool(bool) serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_unit_struct(&'static str)
    }
    wide! { serialize_i128(i128) serialize_u128(u128) }
    float! { serialize_f32(f32) serialize_f64(f64) }

    #[inline]
    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.to.serialize_none()
    }

    #[inline]
    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.to.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.to.serialize_some(&Inner { value, at: self.at })
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.to.serialize_unit_variant(name, index, variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.to.serialize_newtype_struct(name, &Inner { value, at: self.at })
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let at = self.at.inside(1)?;
        let written = self.to.serialize_newtype_variant(name, index, variant, &Inner { value, at });
        written.inspect_err(|_| at.path.field(variant))
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let at = self.at.inside(1)?;
        Ok(Parts::new(self.to.serialize_seq(len)?, at))
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        let at = self.at.inside(1)?;
        Ok(Parts::new(self.to.serialize_tuple(len)?, at))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let at = self.at.inside(1)?;
        Ok(Parts::new(self.to.serialize_tuple_struct(name, len)?, at))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let at = self.at.inside(2)?;
        Ok(Parts::new(self.to.serialize_tuple_variant(name, index, variant, len)?, at))
    }

    #[inline]
    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let at = self.at.inside(1)?;
        Ok(Parts::new(self.to.serialize_map(len)?, at))
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let at = self.at.inside(u8::from(!name.starts_with(PRIVATE)))?;
        Ok(Parts::new(self.to.serialize_struct(name, len)?, at))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let at = self.at.inside(2)?;
        Ok(Parts::new(self.to.serialize_struct_variant(name, index, variant, len)?, at))
    }

    #[inline]
    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.to.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.to.is_human_readable()
    }
}

#[cfg(test)]
mod tests;
