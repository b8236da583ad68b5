//! Objects of the pair of [`Rounds`], and the receipts of their rounds. No bytes are kept: receipts do not look into responses.

use holdfast_engine::possession::Replica;
use holdfast_engine::possession::challenge::{Ask, AuditKind, Form, ObjectChallenge};
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord, TokenList};
use holdfast_engine::receipt::{Body, Receipt};
use holdfast_engine::recorder::{Recorder, Simulation};
use holdfast_engine::signature::Signer;

use crate::rounds::{Rounds, response_digest};

impl Rounds {
    /// A record of an object that says so, at the newest height. Nobody recorded it.
    pub fn object_record(&self, content: u8) -> ObjectRecord {
        ObjectRecord {
            replica: Replica::new([content; 32], 100_000, 1).expect("short enough"),
            height: self.recorder.height().expect("in memory"),
            network: self.network(),
            miner: self.miner.account(),
            checker: checker().account(),
            table_root: Some([content ^ 0xff; 32]),
            tokens: Some(TokenList::new([9; 32], 3).expect("in range")),
        }
    }

    /// An object whose record is recorded now.
    pub fn object(&self, content: u8) -> SignedRecord {
        let record = self.object_record(content);
        self.recorder.record_object(&record.digest()).expect("in memory");
        record.sign(&checker())
    }

    /// First height at which an object may be challenged.
    pub fn first_object_height(&self, object: &SignedRecord) -> u64 {
        object.record.height + self.recorder.finality_blocks().expect("in memory")
    }

    /// The challenge of an object at a height; the block is made if it is not there.
    pub fn object_challenge(&self, object: &SignedRecord, kind: AuditKind, height: u64) -> ObjectChallenge {
        let newest = self.recorder.height().expect("in memory");
        self.recorder.advance(height.saturating_sub(newest)).expect("in memory");
        let beacon = self.recorder.beacon(height).expect("in memory").expect("made above");
        let ask = Ask { kind, samples: 1, deadline_ms: 5_000, form: Form::Plain };
        let challenge = ObjectChallenge::of(&object.record, self.validator.account(), (beacon, height), ask);
        challenge.expect("an object that can answer")
    }

    /// An accepted round of an object as the link after `previous`.
    pub fn object_body(
        &self,
        object: &SignedRecord,
        kind: AuditKind,
        height: u64,
        previous: [u8; 32],
    ) -> Body {
        let challenge = self.object_challenge(object, kind, height);
        Body::of(&challenge, Some((response_digest(height), true)), previous)
    }

    /// Receipts of rounds of an object of these kinds at these heights, all accepted. Their blocks are final.
    pub fn object_receipts(&self, object: &SignedRecord, rounds: &[(AuditKind, u64)]) -> Vec<Receipt> {
        let mut previous = [0; 32];
        let mut receipt = |&(kind, height): &(AuditKind, u64)| {
            let body = self.object_body(object, kind, height, previous);
            previous = body.digest(&self.network());
            self.sign(body)
        };
        let receipts = rounds.iter().map(&mut receipt).collect();
        self.finalise(rounds.iter().map(|(_, height)| *height).max().unwrap_or(0));
        receipts
    }
}

/// Who checks objects.
pub fn checker() -> Signer {
    Signer::development("checker")
}
