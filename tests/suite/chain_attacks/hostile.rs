//! Decoders of receipts, evidence, proofs and chain files on any bytes: they answer, and what they take is canonical.

use holdfast_engine::account::Account;
use holdfast_engine::receipt::{
    Body, ChainVerifier, EVIDENCE_BYTES, Evidence, PairProof, RECEIPT_BYTES, Receipt, encode_chain_header,
    verify_chain,
};
use holdfast_engine::recorder::Anchor;
use holdfast_tests::rounds::Rounds;
use proptest::prelude::*;

fn with_head(head: &[u8], mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    bytes.resize(length, 0);
    bytes[..head.len()].copy_from_slice(head);
    bytes
}

proptest! {
    #[test]
    fn receipts_and_bodies(bytes in prop::collection::vec(any::<u8>(), 0..400), (kind, outcome) in (0u8..8, 0u8..5), shaped: bool) {
        let head = [b'H', b'F', b'R', b'1', kind, outcome, 0, 0];
        let bytes = if shaped { with_head(&head, bytes, RECEIPT_BYTES) } else { bytes };
        if let Ok(receipt) = Receipt::decode(&bytes) {
            prop_assert_eq!(&receipt.encode()[..], &bytes[..]);
        }
        if let Ok(body) = Body::decode(bytes.get(..184).unwrap_or(&bytes)) {
            prop_assert_eq!(&body.encode()[..], &bytes[..184]);
        }
    }

    #[test]
    fn evidence(bytes in prop::collection::vec(any::<u8>(), 600..700), shaped: bool) {
        let bytes = if shaped { with_head(b"HFE1\0\0\0\0", bytes, EVIDENCE_BYTES) } else { bytes };
        if let Ok(evidence) = Evidence::decode(&bytes) {
            prop_assert_eq!(&evidence.encode()[..], &bytes[..]);
            let _ = evidence.verify();
        }
    }

    #[test]
    fn pair_proofs(
        bytes in prop::collection::vec(any::<u8>(), 0..1400),
        (index, count) in prop_oneof![any::<(u64, u64)>(), (0u64..50, 0u64..50)],
    ) {
        let mut bytes = bytes;
        if bytes.len() > 56 {
            bytes[..48].copy_from_slice(&with_head(b"HFP1", vec![], 48));
            bytes[48..56].copy_from_slice(&index.to_le_bytes());
        }
        if let Ok(proof) = PairProof::decode(&bytes) {
            prop_assert_eq!(proof.encode(), bytes);
            let anchor = Anchor { height: 0, validator: Account([0; 32]), root: [1; 32], count, recorded_at: 0 };
            prop_assert!(proof.verify(&anchor).is_err(), "nothing leads to a root that nobody made");
        }
    }

    /// Damage anywhere in a chain file is refused, or the file is cut at a receipt's end.
    #[test]
    fn chain_files(position: prop::sample::Index, bit in 0u8..8, length: prop::sample::Index) {
        let file = FILE.with(Clone::clone);
        let network = Rounds::new().network();
        let verify = |bytes: &[u8]| verify_chain(bytes, ChainVerifier::new(network), |_, _| ());
        let mut damaged = file.clone();
        damaged[position.index(file.len())] ^= 1 << bit;
        prop_assert!(verify(&damaged).is_err());
        let cut = &file[..length.index(file.len())];
        let whole = cut.len() >= 40 && (cut.len() - 40).is_multiple_of(RECEIPT_BYTES);
        prop_assert_eq!(verify(cut).is_ok(), whole);
    }
}

thread_local! {
    static FILE: Vec<u8> = {
        let rounds = Rounds::new();
        let receipts = rounds.receipts(6);
        let header = encode_chain_header(&rounds.network()).into_iter();
        header.chain(receipts.iter().flat_map(Receipt::encode)).collect()
    };
}
