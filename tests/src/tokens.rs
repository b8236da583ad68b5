//! Sealed tokens of an owner, spent by hand.

use std::fs;
use std::path::Path;

use holdfast_engine::account::Account;
use holdfast_engine::policy::Policy;
use holdfast_engine::possession::challenge::{Ask, AuditKind, Form, ObjectChallenge};
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use holdfast_engine::possession::token::{Token, TokenChallenge, TokenFile};

/// What an owner keeps of a piece: tokens, and the last record that was signed with their list.
#[derive(Debug)]
pub struct PieceTokens {
    /// The record.
    pub record: SignedRecord,
    /// The tokens.
    pub file: TokenFile,
}

impl PieceTokens {
    /// Of the first segment's piece of this number, in the state directory of the file's owner.
    pub fn read(state: &Path, file: &[u8; 32], shard: u8) -> PieceTokens {
        let root: String = file.iter().map(|byte| format!("{byte:02x}")).collect();
        let piece = state.join("files").join(format!("{root}.tokens")).join(format!("0-{shard}.record"));
        let record = SignedRecord::decode(&fs::read(&piece).expect("reads")).expect("a record");
        let file = TokenFile::open(piece.with_extension("tokens")).expect("tokens");
        PieceTokens { record, file }
    }

    /// Uses a token.
    pub fn take(&self) -> (u64, Token) {
        self.file.take().expect("one is left")
    }
}

/// A block, as challenges name it: its beacon and its height.
pub type BlockName = ([u8; 32], u64);

/// Shows the key of a token under a record, in the name of somebody.
pub fn token_challenge(
    record: &ObjectRecord,
    asker: Account,
    block: BlockName,
    policy: &Policy,
    (number, token): (u64, &Token),
) -> TokenChallenge {
    let kind = AuditKind::Whole;
    let ask = Ask { kind, samples: 1, deadline_ms: policy.objects.deadline_ms(kind), form: Form::Plain };
    let challenge = ObjectChallenge::of(record, asker, block, ask).expect("has tokens");
    TokenChallenge::new(challenge, number, *token.key()).expect("of kind whole")
}
