//! Opened labels with their parents, and whether each is the function of them.

use super::Check;
use crate::backend::Backend;
use crate::challenge::SealNode;
use crate::rejection::{Class, Rejection};
use crate::tree::{Claim, Opening, leads_to_root};

/// Labels to check and what was sent of them, taken apart.
pub(super) struct OpenedLabels<'a> {
    checks: Vec<Check>,
    /// One for each label that the checks open, in order.
    claims: Vec<Claim<'a>>,
}

impl<'a> OpenedLabels<'a> {
    /// Takes the openings that the checks ask for off `openings`; each is to lie under the root of its layer. `None` if there are
    /// too few, or a layer has no root.
    pub(super) fn take(
        checks: Vec<Check>,
        log2_chunks: u32,
        root_of: impl Fn(SealNode) -> Option<&'a [u8; 32]>,
        openings: &mut &'a [u8],
    ) -> Option<OpenedLabels<'a>> {
        let mut claim = |node: SealNode| {
            let root = root_of(node)?;
            Some(Claim { index: node.chunk(), root, opening: Opening::take(openings, log2_chunks)? })
        };
        let claims = checks.iter().flat_map(Check::opened).map(&mut claim).collect::<Option<_>>()?;
        Some(OpenedLabels { checks, claims })
    }

    /// Refused: `wrong-root`, `wrong-label`.
    pub(super) fn check(&self, backend: &dyn Backend) -> Result<(), Rejection> {
        self.check_openings(backend)?;
        self.check_labels()
    }

    fn check_openings(&self, backend: &dyn Backend) -> Result<(), Rejection> {
        let holds = leads_to_root(backend, &self.claims);
        let opened = self.checks.iter().flat_map(Check::opened);
        match opened.zip(holds).find(|(_, holds)| !holds) {
            None => Ok(()),
            Some((node, _)) => Err(Class::WrongRoot.because(format!(
                "the opening of label {} is not under the root of layer {}",
                node.node, node.layer
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
                    "label {} of layer {} is not the function of its parents",
                    check.at.node, check.at.layer
                )));
            }
        }
        Ok(())
    }
}
