//! A frame: one commit group, sealed and chained to the frame before.
//!
//! ```text
//! length u32 · crc of the payload u32 · sequence u64 · hash of the frame before u64
//! · durable u64 · nonce u64 · kind u32 · crc of the header u32 · payload · zeros up to 8 bytes
//! ```
//! Both CRC-32C are seeded with the store's id: a payload can look like a frame, but not like one
//! of this store that names a future sequence. The header has a CRC of its own, so that a header
//! whose payload is torn still says what was durable when it was written.

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::fields::Fields;

/// Bytes before the payload.
pub(super) const HEADER_BYTES: usize = 48;

/// Frames begin at multiples of this, so that a search for them can take steps.
pub(super) const ALIGN: usize = 8;

/// Kind and version of the record.
const KIND: u32 = u32::from_le_bytes(*b"EFR1");

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: u32,
    pub(super) payload_crc: u32,
    pub(super) sequence: u64,
    /// Hash of the frame before.
    pub(super) before: u64,
    /// The sequence that was known durable when this frame was written.
    pub(super) durable: u64,
    /// The random number of the opening that wrote it: what is sent again, byte for byte, after a
    /// torn tail was cut off is still another frame, which no old follower can continue.
    pub(super) nonce: u64,
}

/// A frame that is whole.
pub(super) struct Intact<'a> {
    pub(super) header: Header,
    pub(super) payload: &'a [u8],
    pub(super) hash: u64,
}

impl Header {
    pub(super) fn encode(&self, store: u64) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let fields = [
            u64::from(self.length) | u64::from(self.payload_crc) << 32,
            self.sequence,
            self.before,
            self.durable,
            self.nonce,
        ];
        for (place, field) in bytes.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        if let Some((body, seal)) = bytes.split_last_chunk_mut::<8>() {
            let crc = crc(store, &[body, &KIND.to_le_bytes()]);
            *seal = (u64::from(KIND) | u64::from(crc) << 32).to_le_bytes();
        }
        bytes
    }

    /// The header at the start of `bytes`, if it is whole and this store's.
    pub(super) fn decode(bytes: &[u8], store: u64) -> Option<Header> {
        let (body, crc_bytes) = bytes.first_chunk::<HEADER_BYTES>()?.split_last_chunk::<4>()?;
        // The kind is looked at first: a search comes here at every step, mostly for nothing.
        if !body.ends_with(&KIND.to_le_bytes())
            || u32::from_le_bytes(*crc_bytes) != crc(store, &[body])
        {
            return None;
        }
        let mut fields = Fields(body);
        let (length, payload_crc) = (fields.u32()?, fields.u32()?);
        Some(Header {
            length,
            payload_crc,
            sequence: fields.u64()?,
            before: fields.u64()?,
            durable: fields.u64()?,
            nonce: fields.u64()?,
        })
    }
}

/// Bytes of a frame in its file.
pub(super) fn size(length: usize) -> u64 {
    (HEADER_BYTES + length.next_multiple_of(ALIGN)) as u64
}

/// CRC-32C over the store's id and `parts`.
pub(super) fn crc(store: u64, parts: &[&[u8]]) -> u32 {
    let seed = crc32c::crc32c(&store.to_le_bytes());
    parts.iter().fold(seed, |crc, part| crc32c::crc32c_append(crc, part))
}

/// The hash by which the next frame names this one.
pub(super) fn hash(header: &[u8; HEADER_BYTES], parts: &[&[u8]]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(header);
    for part in parts {
        hash.update(part);
    }
    hash.digest()
}

/// The frame at the start of `bytes`, if header and payload are whole.
pub(super) fn decode(bytes: &[u8], store: u64) -> Option<Intact<'_>> {
    let header = Header::decode(bytes, store)?;
    let end = HEADER_BYTES.checked_add(usize::try_from(header.length).ok()?)?;
    let frame = bytes.get(..end)?;
    let payload = frame.get(HEADER_BYTES..)?;
    (crc(store, &[payload]) == header.payload_crc).then(|| Intact {
        header,
        payload,
        hash: xxh3_64(frame),
    })
}

/// The first header in `bytes` that is whole and satisfies `wanted`. `bytes` begin at a multiple of
/// [`ALIGN`].
pub(super) fn find(bytes: &[u8], store: u64, wanted: impl Fn(&Header) -> bool) -> Option<Header> {
    let mut rest = bytes;
    while let Some(header) = rest.first_chunk::<HEADER_BYTES>() {
        if let Some(header) = Header::decode(header, store).filter(&wanted) {
            return Some(header);
        }
        rest = rest.get(ALIGN..)?;
    }
    None
}
