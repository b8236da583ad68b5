//! The validator's side: layer roots, openings, labels.

use super::{Check, plan, window_proof_bytes};
use crate::backend::Backend;
use crate::challenge::{Challenge, Kind};
use crate::commitment::Commitment;
use crate::rejection::{Class, Rejection};
use crate::space::record::{WindowRecord, layers_root};
use crate::space::response::{decode_response, log2_chunks};
use crate::tree::{Claim, Opening, leads_to_root};

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
        proof.check_openings(backend)?;
        proof.check_labels()?;
    }
    Ok(())
}

/// What was sent of one window, taken apart.
struct WindowProof<'a> {
    record: &'a WindowRecord,
    layer_roots: &'a [[u8; 32]],
    checks: Vec<Check>,
    /// One for each label that the checks open, in order.
    claims: Vec<Claim<'a>>,
}

impl<'a> WindowProof<'a> {
    fn take(challenge: &Challenge, record: &'a WindowRecord, bytes: &'a [u8]) -> Option<WindowProof<'a>> {
        let shape = challenge.shape;
        let (roots, mut openings) = bytes.split_at_checked(32 * usize::from(shape.layers()))?;
        let layer_roots: &[[u8; 32]] = roots.as_chunks().0;
        let checks = plan(challenge, record.window, &record.window_key);
        let claim = |node: crate::challenge::SealNode| {
            let root = layer_roots.get(usize::from(node.layer).checked_sub(1)?)?;
            let opening = Opening::take(&mut openings, log2_chunks(shape))?;
            Some(Claim { index: node.chunk(), root, opening })
        };
        let claims = checks.iter().flat_map(Check::opened).map(claim).collect::<Option<_>>()?;
        Some(WindowProof { record, layer_roots, checks, claims })
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

    fn check_openings(&self, backend: &dyn Backend) -> Result<(), Rejection> {
        let holds = leads_to_root(backend, &self.claims);
        let opened = self.checks.iter().flat_map(Check::opened);
        match opened.zip(holds).find(|(_, holds)| !holds) {
            None => Ok(()),
            Some((node, _)) => Err(Class::WrongRoot.because(format!(
                "window {}: the opening of label {} is not under the root of layer {}",
                self.record.window, node.node, node.layer
            ))),
        }
    }

    fn check_labels(&self) -> Result<(), Rejection> {
        let mut chunks = self.claims.iter().map(|claim| claim.opening.chunk);
        for check in &self.checks {
            let labels: Vec<_> =
                check.opened().zip(chunks.by_ref()).map(|(node, chunk)| node.label_in(chunk)).collect();
            if labels
                .split_first()
                .is_none_or(|(found, parents)| *found != check.layer.label(check.at.node, parents))
            {
                return Err(Class::WrongLabel.because(format!(
                    "window {}: label {} of layer {} is not the function of its parents",
                    self.record.window, check.at.node, check.at.layer
                )));
            }
        }
        Ok(())
    }
}
