//! The fields of keys and rows: numbers of a fixed width in keys, so that bytes order as numbers do,
//! and of as many bytes as they need in rows.

use super::RowError;

/// Writes fields.
pub(crate) trait PutField {
    /// A number of a key.
    fn key_u32(&mut self, number: u32);

    /// A number of a key.
    fn key_u64(&mut self, number: u64);

    /// A number of a row: seven bits a byte, the lowest first.
    fn number(&mut self, number: u64);

    /// A digest of a row.
    fn digest(&mut self, digest: u128);

    /// Bytes of a row, and how many.
    fn blob(&mut self, bytes: &[u8]);
}

impl PutField for Vec<u8> {
    fn key_u32(&mut self, number: u32) {
        self.extend_from_slice(&number.to_be_bytes());
    }

    fn key_u64(&mut self, number: u64) {
        self.extend_from_slice(&number.to_be_bytes());
    }

    fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.push(number as u8);
    }

    fn digest(&mut self, digest: u128) {
        self.extend_from_slice(&digest.to_le_bytes());
    }

    fn blob(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.extend_from_slice(bytes);
    }
}

/// Fields that are read, from the first to the last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Fields(bytes)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], RowError> {
        let (chunk, rest) = self.0.split_first_chunk().ok_or(RowError::Short)?;
        self.0 = rest;
        Ok(*chunk)
    }

    pub(crate) fn key_u32(&mut self) -> Result<u32, RowError> {
        Ok(u32::from_be_bytes(self.chunk()?))
    }

    pub(crate) fn key_u64(&mut self) -> Result<u64, RowError> {
        Ok(u64::from_be_bytes(self.chunk()?))
    }

    pub(crate) fn byte(&mut self) -> Result<u8, RowError> {
        let [byte] = self.chunk()?;
        Ok(byte)
    }

    pub(crate) fn number(&mut self) -> Result<u64, RowError> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(RowError::Value { field: "a number", value: u64::MAX })
    }

    pub(crate) fn number_u32(&mut self, field: &'static str) -> Result<u32, RowError> {
        let value = self.number()?;
        u32::try_from(value).map_err(|_| RowError::Value { field, value })
    }

    pub(crate) fn digest(&mut self) -> Result<u128, RowError> {
        Ok(u128::from_le_bytes(self.chunk()?))
    }

    pub(crate) fn flag(&mut self, field: &'static str) -> Result<bool, RowError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(RowError::Value { field, value: other.into() }),
        }
    }

    pub(crate) fn blob(&mut self) -> Result<&'a [u8], RowError> {
        let len = usize::try_from(self.number()?).map_err(|_| RowError::Short)?;
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(RowError::Short)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, RowError> {
        std::str::from_utf8(self.blob()?).map_err(|_| RowError::Text)
    }

    /// All bytes that are left, as the last field.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The same as a text.
    pub(crate) fn rest_text(self) -> Result<&'a str, RowError> {
        std::str::from_utf8(self.0).map_err(|_| RowError::Text)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads bytes that are one number of a key.
    pub(crate) fn only_u32(bytes: &'a [u8]) -> Result<u32, RowError> {
        let mut fields = Fields::of(bytes);
        let number = fields.key_u32()?;
        fields.end().map(|()| number)
    }

    /// Reads bytes that are one number of a key.
    pub(crate) fn only_u64(bytes: &'a [u8]) -> Result<u64, RowError> {
        let mut fields = Fields::of(bytes);
        let number = fields.key_u64()?;
        fields.end().map(|()| number)
    }

    /// Reads bytes that are one number of a row.
    pub(crate) fn only_number(bytes: &'a [u8]) -> Result<u64, RowError> {
        let mut fields = Fields::of(bytes);
        let number = fields.number()?;
        fields.end().map(|()| number)
    }

    /// Says that no field is left.
    pub(crate) fn end(self) -> Result<(), RowError> {
        if self.0.is_empty() { Ok(()) } else { Err(RowError::Long(self.0.len())) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn fields_come_back(numbers in prop::collection::vec(any::<u64>(), 0..8), blob: Vec<u8>) {
            let mut bytes = Vec::new();
            for number in &numbers {
                bytes.number(*number);
                bytes.number(*number >> 40);
            }
            bytes.blob(&blob);
            let mut fields = Fields::of(&bytes);
            for number in &numbers {
                prop_assert_eq!(fields.number(), Ok(*number));
                prop_assert_eq!(fields.number(), Ok(*number >> 40));
            }
            prop_assert_eq!(fields.blob(), Ok(&blob[..]));
            prop_assert_eq!(fields.end(), Ok(()));
        }

        #[test]
        fn keys_order_as_their_numbers(a: (u32, u64), b: (u32, u64)) {
            let key = |(first, second): (u32, u64)| {
                let mut bytes = Vec::new();
                bytes.key_u32(first);
                bytes.key_u64(second);
                bytes
            };
            prop_assert_eq!(a.cmp(&b), key(a).cmp(&key(b)));
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
            let mut fields = Fields::of(&bytes);
            while fields.number().is_ok() && fields.blob().is_ok() {}
            let (mut fields, mut others) = (Fields::of(&bytes), Fields::of(&bytes));
            while fields.flag("flag").is_ok() && others.text().is_ok() {}
        }
    }

    #[test]
    fn a_number_of_too_many_bits_and_a_cut_one_are_refused() {
        let most = [0xff; 9].into_iter().chain([0x01]).collect::<Vec<u8>>();
        assert_eq!(Fields::of(&most).number(), Ok(u64::MAX));
        let above = [0xff; 9].into_iter().chain([0x02]).collect::<Vec<u8>>();
        assert!(matches!(Fields::of(&above).number(), Err(RowError::Value { .. })));
        assert!(matches!(Fields::of(&[0x80; 12]).number(), Err(RowError::Value { .. })));
        assert_eq!(Fields::of(&[0x80]).number(), Err(RowError::Short));
    }
}
