//! The validator's side: layer roots, openings, labels.

use super::labels::OpenedLabels;
use super::{plan, window_proof_bytes};
use crate::backend::Backend;
use crate::challenge::{Challenge, Kind, SealNode};
use crate::commitment::Commitment;
use crate::rejection::{Class, Rejection};
use crate::space::record::{WindowRecord, layers_root};
use crate::space::response::{decode_response, log2_chunks};

/// Verifies a seal response. That the challenge came late enough after the registration is
/// [`Challenge::check_against`]'s to say.
///
/// Refused: `wrong-challenge`, `malformed`, `wrong-length` (before anything is hashed), `wrong-layers`, `wrong-root`,
/// `wrong-label`.
pub fn verify_seal(
    backend: &dyn Backend,
    commitment: &Commitment,
    challenge: &Challenge,
    response: &[u8],
) -> Result<(), Rejection> {
    challenge.check_place(commitment)?;
    if challenge.kind != Kind::Seal {
        return Err(Class::WrongChallenge.because("a space challenge, verified as a seal challenge"));
    }
    let proofs = decode_response(challenge, response)?.chunks_exact(window_proof_bytes(challenge.shape));
    for (window, proof) in challenge.windows().into_iter().zip(proofs) {
        let record = commitment
            .record(window)
            .ok_or_else(|| Class::WrongChallenge.because(format!("no window {window}")))?;
        let proof = WindowProof::take(challenge, record, proof).ok_or_else(|| {
            Class::WrongLength.because(format!("window {window}: fewer openings than labels"))
        })?;
        proof.check_layers()?;
        let in_window =
            |refused: Rejection| refused.class.because(format!("window {window}: {}", refused.detail));
        proof.labels.check(backend).map_err(in_window)?;
    }
    Ok(())
}

/// What was sent of one window, taken apart.
struct WindowProof<'a> {
    record: &'a WindowRecord,
    layer_roots: &'a [[u8; 32]],
    labels: OpenedLabels<'a>,
}

impl<'a> WindowProof<'a> {
    fn take(challenge: &Challenge, record: &'a WindowRecord, bytes: &'a [u8]) -> Option<WindowProof<'a>> {
        let shape = challenge.shape;
        let (roots, mut openings) = bytes.split_at_checked(32 * usize::from(shape.layers()))?;
        let layer_roots: &[[u8; 32]] = roots.as_chunks().0;
        let checks = plan(challenge, record.window, &record.window_key);
        let root_of = |node: SealNode| layer_roots.get(usize::from(node.layer).checked_sub(1)?);
        let labels = OpenedLabels::take(checks, log2_chunks(shape), root_of, &mut openings)?;
        Some(WindowProof { record, layer_roots, labels })
    }

    /// The layer roots are those of the record, the last one being that of the stored bytes.
    fn check_layers(&self) -> Result<(), Rejection> {
        let window = self.record.window;
        if layers_root(self.layer_roots) != self.record.layers_root {
            return Err(Class::WrongLayers.because(format!(
                "window {window}: the layer roots do not hash to the record's layers root"
            )));
        }
        if self.layer_roots.last() != Some(&self.record.root) {
            return Err(Class::WrongLayers
                .because(format!("window {window}: the last layer's root is not the record's root")));
        }
        Ok(())
    }
}
