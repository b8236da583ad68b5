//! Headers of messages and tickets: what is accepted is canonical.

use holdfast_engine::message::{Header, Ticket};
use holdfast_engine::signature::Signer;

pub(crate) fn header(bytes: &[u8]) -> bool {
    let Ok(header) = Header::decode(bytes) else { return false };
    assert_eq!(header.encode()[..], *bytes);
    true
}

pub(crate) fn header_seeds() -> Vec<Vec<u8>> {
    let header = Header {
        network: [1; 32],
        sender: Signer::development("sender").account(),
        receiver: Signer::development("receiver").account(),
        time_ms: 1_800_000_000_000,
        nonce: [2; 16],
        answers: [0; 32],
        body_digest: [3; 32],
    };
    vec![header.encode().to_vec()]
}

pub(crate) fn ticket(bytes: &[u8]) -> bool {
    let Ok(ticket) = Ticket::decode(bytes) else { return false };
    assert_eq!(ticket.encode()[..], *bytes);
    true
}

pub(crate) fn ticket_seeds() -> Vec<Vec<u8>> {
    let ticket = Ticket {
        network: [1; 32],
        validator: Signer::development("validator").account(),
        owner: Signer::development("owner").account(),
        miner: Signer::development("miner").account(),
        root: [4; 32],
        length_bytes: 5,
        use_until: 6,
        keep_until: 7,
    };
    vec![ticket.encode().to_vec()]
}
