//! "Their bytes are wrong", by the classes of challenge-v1 §8. Our own failures are other types.

use thiserror::Error;

/// Why untrusted bytes were refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{class}: {detail}")]
pub struct Rejection {
    /// The class of the spec.
    pub class: Class,
    /// What, where, expected and found, for people.
    pub detail: String,
}

macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Rejection classes (challenge-v1 §8).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Class { $($(#[$doc])* $name,)* }
        impl Class {
            /// All classes.
            pub const ALL: &[Class] = &[$(Class::$name),*];
            /// The name in specs, JSON and RPC.
            pub fn name(self) -> &'static str { match self { $(Class::$name => $text),* } }
        }
    };
}

classes! {
    /// A tag, zero field, count or range is wrong.
    Malformed = "malformed",
    /// The byte length differs from the one the registered record demands.
    WrongLength = "wrong-length",
    /// Made for another challenge, or a replay.
    WrongChallenge = "wrong-challenge",
    /// An opening does not lead to the registered root.
    WrongRoot = "wrong-root",
    /// A label is not the function of its opened parents.
    WrongLabel = "wrong-label",
    /// The layer roots do not belong to the window's record.
    WrongLayers = "wrong-layers",
    /// The commitment contradicts itself or its registration.
    WrongRecord = "wrong-record",
    /// Bytes that are no point of the curve, or infinity.
    WrongPoint = "wrong-point",
    /// An equation of a proof, or a token, does not hold.
    WrongProof = "wrong-proof",
    /// Parameters the policy does not accept.
    Policy = "policy",
    /// Challenged before the record was old enough, or beacon and registration out of order.
    NotFinal = "not-final",
    /// After the deadline, or a body other than the digest promised in time.
    Late = "late",
    /// A required signature is missing or wrong.
    BadSignature = "bad-signature",
    /// A receipt does not continue the chain.
    BrokenChain = "broken-chain",
    /// Two signed bodies for one round.
    Equivocation = "equivocation",
    /// A message for somebody else, or of another network.
    WrongReceiver = "wrong-receiver",
    /// A message whose time is too far from the receiver's clock.
    Stale = "stale",
    /// A message that came before.
    Replayed = "replayed",
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Class {
    /// A rejection of this class.
    pub fn because(self, detail: impl Into<String>) -> Rejection {
        Rejection { class: self, detail: detail.into() }
    }
}
