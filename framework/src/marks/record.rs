//! How marks lie in their file: a header, then records, each with a checksum of its own.
//!
//! ```text
//! header: magic and version u32 · crc of the rest u32 · store id u64 · boot id u128
//! record: crc of the rest u32 · kind u32 · number u64 · count u64 · count marks
//! mark:   hash of the stream u64 · sequence u64 · hash of the handler's name u64
//! ```

use super::mark::Mark;

const MAGIC: u32 = u32::from_le_bytes(*b"EMK1");
const CRC_BYTES: usize = 4;
const HEAD_BYTES: usize = CRC_BYTES + 4 + 8 + 8;
const MARK_BYTES: usize = size_of::<Mark>();

/// What a record says. The numbers are a stored format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The batch of that number runs, among others.
    Begun,
    /// It runs alone, in probation.
    BegunAlone,
    /// The batch of that number has ended.
    Ended,
    /// The number is how often the process has died while this ran alone.
    Charged,
    /// These ran when the process died.
    Suspected,
    /// This was handled or given up: neither charged nor suspected any more.
    Forgotten,
    /// Nothing is suspected any more.
    Acquitted,
}

const KINDS: [Kind; 7] = [
    Kind::Begun,
    Kind::BegunAlone,
    Kind::Ended,
    Kind::Charged,
    Kind::Suspected,
    Kind::Forgotten,
    Kind::Acquitted,
];

/// What is in the file from some place on.
#[derive(Debug)]
pub(super) enum Next<'a> {
    /// A record, and what comes behind it.
    Record { kind: Kind, number: u64, marks: Vec<Mark>, rest: &'a [u8] },
    /// Nothing; or the start of a record that the process did not live to write to its end.
    End,
    /// Something that was never written so.
    Damaged,
}

pub(super) fn put_header(out: &mut Vec<u8>, store: u64, boot: u128) {
    out.extend(MAGIC.to_le_bytes());
    sealed(out, |out| {
        out.extend(store.to_le_bytes());
        out.extend(boot.to_le_bytes());
    });
}

/// The store's id, the boot's id, and what comes behind the header.
pub(super) fn header(bytes: &[u8]) -> Option<(u64, u128, &[u8])> {
    let rest = bytes.strip_prefix(&MAGIC.to_le_bytes())?;
    let (crc, rest) = rest.split_first_chunk::<CRC_BYTES>()?;
    let (body, rest) = rest.split_at_checked(24)?;
    let (store, boot) = body.split_first_chunk::<8>()?;
    let whole = u32::from_le_bytes(*crc) == crc32c::crc32c(body);
    let boot = u128::from_le_bytes(boot.try_into().ok()?);
    whole.then_some((u64::from_le_bytes(*store), boot, rest))
}

pub(super) fn put(out: &mut Vec<u8>, kind: Kind, number: u64, marks: &[Mark]) {
    sealed(out, |out| {
        out.extend((kind as u32).to_le_bytes());
        out.extend(number.to_le_bytes());
        out.extend((marks.len() as u64).to_le_bytes());
        out.extend_from_slice(marks.as_flattened());
    });
}

/// Writes what `body` writes, and its checksum before it.
fn sealed(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; CRC_BYTES]);
    body(out);
    let written = out.get_mut(start..).and_then(|all| all.split_first_chunk_mut::<CRC_BYTES>());
    if let Some((seal, body)) = written {
        *seal = crc32c::crc32c(body).to_le_bytes();
    }
}

/// The record at the start of `bytes`.
pub(super) fn next(bytes: &[u8]) -> Next<'_> {
    // A write that the process did not survive left its first bytes, and nothing else: too few of
    // them is no damage, while wrong ones are.
    let Some((crc, body)) = bytes.split_first_chunk::<CRC_BYTES>() else { return Next::End };
    let Some((kind, number, count)) = head(body) else { return Next::End };
    let wanted = usize::try_from(count).ok().and_then(|count| count.checked_mul(MARK_BYTES));
    let end = wanted.and_then(|wanted| wanted.checked_add(HEAD_BYTES - CRC_BYTES));
    let Some((body, rest)) = end.and_then(|end| body.split_at_checked(end)) else {
        return Next::End;
    };
    let kind = KINDS.iter().copied().find(|known| *known as u32 == kind);
    match kind.filter(|_| u32::from_le_bytes(*crc) == crc32c::crc32c(body)) {
        Some(kind) => Next::Record { kind, number, marks: marks(body), rest },
        None => Next::Damaged,
    }
}

fn head(body: &[u8]) -> Option<(u32, u64, u64)> {
    let (kind, rest) = body.split_first_chunk::<4>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let count = rest.first_chunk::<8>()?;
    Some((u32::from_le_bytes(*kind), u64::from_le_bytes(*number), u64::from_le_bytes(*count)))
}

fn marks(body: &[u8]) -> Vec<Mark> {
    body.get(HEAD_BYTES - CRC_BYTES..).unwrap_or_default().as_chunks().0.to_vec()
}
