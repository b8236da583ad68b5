//! The second pass: the pieces of a segment are made from the ciphertext and go to their miners at once; nothing of them is kept here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Take, Write};
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::ClientError;
use super::spool::Plan;
use crate::pieces::{Policy, RebuiltPiece, remake_segment, resend_segment};
use crate::validator::peers::UPLOAD_PART_BYTES;

/// A miner that takes no bytes for so long is left behind: below what makes the other ones give up.
const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes the pieces of a segment; those of `sinks` are sent, from a byte on, the others are thrown away. That they are the pieces of the plan,
/// their miners find out, who hash them. Blocks, on a thread of tokio's for that.
pub(super) fn send_segment(
    ciphertext: &Path,
    plan: &Plan,
    segment: u32,
    mut sinks: BTreeMap<u8, (u64, mpsc::Sender<Bytes>)>,
) -> Result<(), ClientError> {
    let (policy, secret) = (plan.manifest.policy(), plan.manifest.secret());
    let source = read_segment(ciphertext, policy, segment)?;
    let length_bytes = resend_segment(source, policy, secret, segment, |piece| {
        Ok(match sinks.remove(&piece.shard) {
            Some((skip_bytes, sender)) => {
                PartSink { sender: Some(sender), skip_bytes, part: BytesMut::new() }
            }
            None => PartSink { sender: None, skip_bytes: 0, part: BytesMut::new() },
        })
    })?;
    let planned = plan.manifest.layout().segment(segment.into());
    match planned.is_some_and(|planned| planned.shard_bytes() == length_bytes) {
        true => Ok(()),
        false => Err(other_pieces(ciphertext, segment)),
    }
}

/// That a segment still makes the pieces that were planned.
pub(super) fn check_segment(ciphertext: &Path, plan: &Plan, segment: u32) -> Result<(), ClientError> {
    make_segment(ciphertext, plan, segment, |_| io::sink()).map(drop)
}

/// Makes the pieces of a segment into sinks, by their shards. They are those that were made before.
pub(super) fn make_segment<W: Write + Send>(
    ciphertext: &Path,
    plan: &Plan,
    segment: u32,
    mut sink: impl FnMut(u8) -> W,
) -> Result<Vec<(u8, W)>, ClientError> {
    let (policy, secret) = (plan.manifest.policy(), plan.manifest.secret());
    let source = read_segment(ciphertext, policy, segment)?;
    let pieces: Vec<RebuiltPiece<W>> =
        remake_segment(source, policy, secret, segment, |id| Ok(sink(id.shard)))?;
    let made = pieces.iter().map(|piece| piece.content.root);
    let planned = plan.roots.get(segment as usize);
    match planned.is_some_and(|planned| made.eq(planned.iter().copied())) {
        true => Ok(pieces.into_iter().map(|made| (made.piece.shard, made.sink)).collect()),
        false => Err(other_pieces(ciphertext, segment)),
    }
}

fn read_segment(ciphertext: &Path, policy: Policy, segment: u32) -> Result<Take<File>, ClientError> {
    let start = u64::from(segment).saturating_mul(policy.segment_bytes());
    let open = || {
        let mut file = File::open(ciphertext)?;
        file.seek(SeekFrom::Start(start))?;
        Ok(file.take(policy.segment_bytes()))
    };
    open().map_err(ClientError::file("read", ciphertext))
}

fn other_pieces(ciphertext: &Path, segment: u32) -> ClientError {
    let reason = format!(
        "segment {segment} makes other pieces than before, as after a loss of power: put the file again"
    );
    ClientError::Damaged { path: ciphertext.to_owned(), reason }
}

/// Sends what is written in parts. A receiver that has gone away wants no more, and the pieces of others go on.
struct PartSink {
    sender: Option<mpsc::Sender<Bytes>>,
    /// Bytes that the receiver has already.
    skip_bytes: u64,
    part: BytesMut,
}

impl PartSink {
    /// A receiver that takes nothing for a while holds up all others no longer.
    fn send(&mut self, part: BytesMut) {
        let Some(sender) = &self.sender else { return };
        let sending = sender.send_timeout(part.freeze(), STALL_TIMEOUT);
        if Handle::current().block_on(sending).is_err() {
            self.sender = None;
        }
    }
}

impl Write for PartSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let skipped = usize::try_from(self.skip_bytes).unwrap_or(usize::MAX).min(bytes.len());
        self.skip_bytes -= skipped as u64;
        if self.sender.is_some() {
            self.part.extend_from_slice(&bytes[skipped..]);
        }
        while self.part.len() >= UPLOAD_PART_BYTES {
            let part = self.part.split_to(UPLOAD_PART_BYTES);
            self.send(part);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.part.is_empty() {
            let part = std::mem::take(&mut self.part);
            self.send(part);
        }
        Ok(())
    }
}
