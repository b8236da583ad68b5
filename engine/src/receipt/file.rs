//! Chain files: a header, then receipts (receipt-v1 §4).

use std::io::{ErrorKind, Read};

use super::{ChainFailure, ChainReport, ChainVerifier, RECEIPT_BYTES, Standing};
use crate::codec::Reader;
use crate::rejection::{Class, Rejection};

/// Bytes before the first receipt.
pub const CHAIN_HEADER_BYTES: usize = 40;
const TAG: &[u8; 4] = b"HFL1";

/// `"HFL1" ‖ zero u32 ‖ network (32)`.
pub fn encode_chain_header(network: &[u8; 32]) -> [u8; CHAIN_HEADER_BYTES] {
    let mut bytes = [0; CHAIN_HEADER_BYTES];
    bytes[..4].copy_from_slice(TAG);
    bytes[8..].copy_from_slice(network);
    bytes
}

fn decode_header(bytes: &[u8]) -> Result<[u8; 32], Rejection> {
    let mut reader = Reader::new("chain file", bytes);
    reader.tag(TAG)?;
    reader.zeros::<4>()?;
    reader.array()
}

/// Verifies a chain file of any length in constant memory per chain. `each` sees every receipt's standing, in order; what
/// it was told holds only if the whole file is taken.
pub fn verify_chain(
    mut file: impl Read,
    mut verifier: ChainVerifier<'_>,
    mut each: impl FnMut(u64, &Standing),
) -> Result<ChainReport, ChainFailure> {
    let mut header = [0; CHAIN_HEADER_BYTES];
    let read = fill(&mut file, &mut header)?;
    let network = header.get(..read).map_or(Ok([0; 32]), decode_header);
    let network = network.map_err(|rejection| ChainFailure::Header { rejection })?;
    if network != *verifier.network() {
        let rejection = Class::WrongChallenge.because("the chain file is of another network");
        return Err(ChainFailure::Header { rejection });
    }
    for number in 0.. {
        let mut receipt = [0; RECEIPT_BYTES];
        match fill(&mut file, &mut receipt)? {
            0 => break,
            RECEIPT_BYTES => each(number, &verifier.push(&receipt)?),
            part => {
                let rejection =
                    Class::WrongLength.because(format!("{part} bytes of a receipt of {RECEIPT_BYTES}"));
                return Err(ChainFailure::Receipt { number, rejection });
            }
        }
    }
    verifier.finish()
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> Result<usize, ChainFailure> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(filled)
}
