//! Little-endian numbers, one after the other: how every record of the journal is laid out.

/// Reads numbers from the front of a slice; `None` when it is too short.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn u32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*bytes))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*bytes))
    }
}

/// The sector that a disk writes whole or not at all. Records that are written in place fit in one.
pub(super) const SECTOR_BYTES: usize = 512;

/// A sector that holds `fields` and, behind them, their CRC-32C; the rest is zero.
pub(super) fn seal(fields: &[u64]) -> Vec<u8> {
    let mut bytes: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes.resize(SECTOR_BYTES, 0);
    bytes
}

/// The fields of a sector that [`seal`] made; `None` if a bit of it changed.
pub(super) fn unseal<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let (body, rest) = bytes.split_at_checked(N * 8)?;
    if Fields(rest).u32()? != crc32c::crc32c(body) {
        return None;
    }
    let mut reader = Fields(body);
    let mut fields = [0; N];
    for field in &mut fields {
        *field = reader.u64()?;
    }
    Some(fields)
}
