//! Getting a file back.

mod journal;
mod output;
mod stream;

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::rejection::{Class, Rejection};

use super::fetch::Sources;
use super::{Client, ClientError, Watch, blocking};
use crate::encryption::Identities;
use crate::pieces::{Manifest, PieceId};
use crate::proto::{self, LocateRequest};
use crate::validator::peers::Peer;
use crate::wire::bytes32;
use output::Output;
use stream::Hashing;

/// How a file is got back.
pub struct GetOptions {
    /// What decrypts it; `None` gives what is stored as it is.
    pub identities: Option<Identities>,
    /// Who is told how far it is.
    pub watch: Arc<dyn Watch>,
}

impl fmt::Debug for GetOptions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "GetOptions({:?})", self.identities)
    }
}

/// A file that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Got {
    /// Bytes that were written.
    pub bytes: u64,
    /// Stored bytes that were here already from an interrupted run.
    pub resumed_bytes: u64,
}

impl Client {
    /// Gets a file into a file, which appears when it is whole, right and decrypted. What came of an interrupted run is kept beside it and
    /// used.
    ///
    /// # Errors
    /// [`ClientError`]. Wrong bytes of miners are none as long as other miners have the right ones: [`Watch::fault`] names them.
    pub async fn get(&self, file: &[u8; 32], out: &Path, options: GetOptions) -> Result<Got, ClientError> {
        let sources = self.locate(file, &options.watch).await?;
        let length_bytes = sources.manifest.ciphertext().length_bytes;
        let (path, root, decrypts) = (out.to_owned(), *file, options.identities.is_some());
        let opened =
            blocking("opening the output", move || Output::open(&path, &root, length_bytes, decrypts));
        let (output, kept) = opened.await?;
        let (output, resumed_bytes) = (Arc::new(output), kept.needed_from());
        options.watch.expect(length_bytes.saturating_sub(resumed_bytes));
        let hashing = Hashing::behind(kept.values.clone(), kept.hashed_bytes() - resumed_bytes, *file);
        let (filling, identities) = (Arc::clone(&output), options.identities);
        let filled =
            self.stream(sources, resumed_bytes..length_bytes, Some(hashing), move |pieces, values| {
                filling.fill(kept, pieces, values, identities.as_ref())
            });
        let filled = filled.await;
        blocking("giving the output its name", move || {
            match &filled {
                Ok(_) => output.publish()?,
                Err(ClientError::WrongFile { .. }) => output.discard(),
                Err(_) if output.is_empty() => output.discard(),
                Err(_) => {}
            }
            filled.map(|bytes| Got { bytes, resumed_bytes })
        })
        .await
    }

    /// Gets a file into a writer. Bytes are handed on once they are verified (and authenticated, if they are decrypted); that they are all,
    /// only a return without error says.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_to<W: Write + Send + 'static>(
        &self,
        file: &[u8; 32],
        mut sink: W,
        options: GetOptions,
    ) -> Result<(W, u64), ClientError> {
        let sources = self.locate(file, &options.watch).await?;
        let length_bytes = sources.manifest.ciphertext().length_bytes;
        options.watch.expect(length_bytes);
        let identities = options.identities;
        let written = self.stream(sources, 0..length_bytes, Some(Hashing::of(*file)), move |pieces, _| {
            let bytes = match &identities {
                Some(identities) => identities.decrypt(pieces, &mut sink)?,
                None => pieces.copy(&mut sink).map_err(not_taken)?,
            };
            Ok((sink, bytes))
        });
        written.await
    }

    /// Gets a range of what is stored, as it is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get_range<W: Write + Send + 'static>(
        &self,
        file: &[u8; 32],
        range: Range<u64>,
        mut sink: W,
        watch: Arc<dyn Watch>,
    ) -> Result<W, ClientError> {
        let sources = self.locate(file, &watch).await?;
        let length_bytes = sources.manifest.ciphertext().length_bytes;
        if range.start > range.end || range.end > length_bytes {
            return Err(ClientError::OutOfRange { start: range.start, end: range.end, length_bytes });
        }
        watch.expect(range.end - range.start);
        let written = self.stream(sources, range, None, move |pieces, _| {
            pieces.copy(&mut sink).map_err(not_taken)?;
            Ok(sink)
        });
        written.await
    }

    /// The manifest and who holds what, from the validator, held against what is known here.
    pub(super) async fn locate(
        &self,
        file: &[u8; 32],
        watch: &Arc<dyn Watch>,
    ) -> Result<Arc<Sources>, ClientError> {
        let request = LocateRequest { file_root: file.to_vec().into(), seal: None };
        let located = self.peers.locate(self.validator, request).await?;
        let theirs = Manifest::decode(&located.manifest)?;
        let manifest = match self.library.manifest(file)? {
            None => theirs,
            Some(mut ours) => {
                if ours.adopt(&theirs)? > 0 {
                    self.library.keep(&ours)?;
                }
                ours
            }
        };
        if manifest.ciphertext().root != *file {
            return Err(Class::WrongRecord.because("a manifest of another file").into());
        }
        let holders = holders(&manifest, &located.holders)?;
        Ok(Arc::new(Sources::new(manifest, holders, Arc::clone(&self.peers), Arc::clone(watch))))
    }
}

/// Who holds which piece of the manifest, by segment: one of each, however often the validator names it.
pub(super) fn holders(
    manifest: &Manifest,
    located: &[proto::Holder],
) -> Result<HashMap<u32, Vec<(PieceId, Peer)>>, Rejection> {
    let mut holders: HashMap<u32, Vec<(PieceId, Peer)>> = HashMap::new();
    for holder in located {
        let Some((id, peer)) = held_by(manifest, holder)? else { continue };
        let of_segment = holders.entry(id.segment).or_default();
        if of_segment.iter().all(|(known, _)| *known != id) {
            of_segment.push((id, peer));
        }
    }
    Ok(holders)
}

/// Who holds a piece of the manifest; `None` if nobody can be asked for it.
fn held_by(manifest: &Manifest, holder: &proto::Holder) -> Result<Option<(PieceId, Peer)>, Rejection> {
    let account = Account(bytes32("miner", &holder.miner)?);
    let Some(piece) = &holder.piece else { return Ok(None) };
    let (Ok(segment), Ok(shard)) = (u32::try_from(piece.segment), u8::try_from(piece.shard)) else {
        return Ok(None);
    };
    let known = manifest.piece(segment, shard);
    let same = |found: &crate::pieces::Piece| found.holder.is_some_and(|held| held.miner == account);
    let Some((id, _)) = known.filter(|(_, found)| same(found)) else { return Ok(None) };
    let endpoint = holder.endpoint.parse().ok();
    Ok(endpoint.map(|endpoint| (id, Peer { account, endpoint })))
}

/// Why a writer that was given to us failed.
fn not_taken(error: io::Error) -> ClientError {
    ClientError::file("write to", Path::new("the output"))(error)
}
