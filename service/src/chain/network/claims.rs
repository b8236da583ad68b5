//! Calls of hotkeys, signed.

use std::net::SocketAddr;

use holdfast_engine::account::Account;
use holdfast_engine::signature::{Signature, Signer, verify};
use holdfast_engine::transcript::Context;
use serde::{Deserialize, Serialize};

use super::NetworkRefusal;

/// Which call of which registration this is: what keeps a signature from serving twice, or for the next who has the uid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallId {
    /// Who calls.
    pub hotkey: Account,
    /// Its uid.
    pub uid: u16,
    /// The block since which it has that.
    pub registered_at: u64,
    /// How many calls of it were taken up since then.
    pub number: u64,
}

impl CallId {
    /// `network ‖ hotkey ‖ uid u16 ‖ registered at u64 ‖ number u64`, integers little-endian, then what is called.
    fn derive(&self, context: Context, network: &[u8; 32], called: &[u8]) -> [u8; 32] {
        let (uid, registered_at) = (self.uid.to_le_bytes(), self.registered_at.to_le_bytes());
        let number = self.number.to_le_bytes();
        context.derive(&[network, &self.hotkey.0, &uid, &registered_at, &number, called])
    }

    pub(super) fn check_turn(&self, next: &CallId) -> Result<(), NetworkRefusal> {
        let &CallId { hotkey, uid, number: found, .. } = self;
        if self == next {
            return Ok(());
        }
        Err(NetworkRefusal::OutOfTurn { hotkey, uid, found, expected: next.number })
    }
}

/// "I can be reached there."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointClaim {
    /// Who says it.
    pub call: CallId,
    /// Where.
    pub endpoint: SocketAddr,
    /// The hotkey's, over [`EndpointClaim::signing_digest`].
    pub signature: Signature,
}

impl EndpointClaim {
    /// The claim with the hotkey's signature.
    pub fn sign(call: CallId, endpoint: SocketAddr, hotkey: &Signer, network: &[u8; 32]) -> EndpointClaim {
        let mut claim = EndpointClaim { call, endpoint, signature: Signature::NONE };
        claim.signature = hotkey.sign(&claim.signing_digest(network));
        claim
    }

    /// `derive(endpoint signing, network ‖ call ‖ endpoint)`, the endpoint as text: `192.0.2.7:8091`, `[2001:db8::7]:8091`.
    pub fn signing_digest(&self, network: &[u8; 32]) -> [u8; 32] {
        self.call.derive(Context::ENDPOINT_SIGNING, network, self.endpoint.to_string().as_bytes())
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`NetworkRefusal::Signature`].
    pub fn verify(&self, network: &[u8; 32]) -> Result<(), NetworkRefusal> {
        verify(&self.call.hotkey, &self.signing_digest(network), &self.signature)
            .map_err(NetworkRefusal::Signature)
    }
}

/// "These are my weights."
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsClaim {
    /// Who says it.
    pub call: CallId,
    /// The metagraph that they were computed from.
    pub metagraph_height: u64,
    /// Pairs of uid and weight.
    pub weights: Vec<(u16, u16)>,
    /// The validator's, over [`WeightsClaim::signing_digest`].
    pub signature: Signature,
}

impl WeightsClaim {
    /// The claim with the validator's signature.
    pub fn sign(
        call: CallId,
        weights: &[(u16, u16)],
        metagraph_height: u64,
        validator: &Signer,
        network: &[u8; 32],
    ) -> WeightsClaim {
        let weights = weights.to_vec();
        let mut claim = WeightsClaim { call, metagraph_height, weights, signature: Signature::NONE };
        claim.signature = validator.sign(&claim.signing_digest(network));
        claim
    }

    /// `derive(weights signing, network ‖ call ‖ metagraph height u64 ‖ (uid u16 ‖ weight u16) …)`.
    pub fn signing_digest(&self, network: &[u8; 32]) -> [u8; 32] {
        let mut called = self.metagraph_height.to_le_bytes().to_vec();
        for (uid, weight) in &self.weights {
            called.extend_from_slice(&uid.to_le_bytes());
            called.extend_from_slice(&weight.to_le_bytes());
        }
        self.call.derive(Context::WEIGHTS_SIGNING, network, &called)
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`NetworkRefusal::Signature`].
    pub fn verify(&self, network: &[u8; 32]) -> Result<(), NetworkRefusal> {
        verify(&self.call.hotkey, &self.signing_digest(network), &self.signature)
            .map_err(NetworkRefusal::Signature)
    }
}
