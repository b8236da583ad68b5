//! Objects go back to their owners group by group, each with the page that shows it against the root.

use std::ops::Range;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::object::{Address, ObjectReader};
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::tree::{BLOCK_BYTES, PAGE_BLOCKS};

use super::object_name;
use super::outlet::{Outflow, Outlet};
use crate::local::failure::Failure;
use crate::miner::catalogue::Kept;
use crate::miner::{Miner, MinerError, blocking};
use crate::proto::{RetrieveEvent, RetrieveRequest};

/// The blocks of the object that the range touches.
pub(super) async fn retrieve(
    miner: &Arc<Miner>,
    caller: Account,
    request: &RetrieveRequest,
) -> Result<Outflow<RetrieveEvent>, MinerError> {
    let (name, length_bytes) = object_name(request.object.as_ref())?;
    let kept = miner.catalogue.open_to(&caller, name)?;
    if kept.length_bytes != length_bytes {
        let found = kept.length_bytes;
        return Err(Class::WrongLength
            .because(format!("{name} has {found} bytes, not {length_bytes}"))
            .into());
    }
    let blocks = blocks_of(request, length_bytes)?;
    let place = miner.streams.open(kept.store.validator, caller, miner.shares.validator_count())?;
    let (now, of_reader) = (miner.now_seconds(), kept.clone());
    let reader = blocking(move || {
        let shelf = &of_reader.store.shelf;
        shelf.objects.open(&Address::Blake3(of_reader.name.0), now).map_err(|error| shelf.failed(error))
    })
    .await??;
    let (outlet, stream) = Outlet::new(miner, caller, place);
    let miner = Arc::clone(miner);
    tokio::spawn(async move {
        let sent = send_groups(&miner, &kept, Arc::new(reader), blocks, &outlet).await;
        outlet.end(sent);
    });
    Ok(stream)
}

/// The blocks that the asked bytes lie in; none of an empty range.
fn blocks_of(request: &RetrieveRequest, length: u64) -> Result<Range<u64>, Rejection> {
    let start = request.offset_bytes;
    let end = match request.length_bytes {
        0 => length,
        bytes => start.saturating_add(bytes),
    };
    if start > length || end > length {
        return Err(
            Class::Malformed.because(format!("bytes {start} to {end} of an object of {length} bytes"))
        );
    }
    let block_bytes = BLOCK_BYTES as u64;
    if start == end {
        return Ok(0..0);
    }
    Ok(start / block_bytes..end.div_ceil(block_bytes))
}

async fn send_groups(
    miner: &Arc<Miner>,
    kept: &Kept,
    reader: Arc<ObjectReader>,
    blocks: Range<u64>,
    outlet: &Outlet<RetrieveEvent>,
) -> Result<(), MinerError> {
    let mut next = blocks.start;
    while next < blocks.end {
        let group = next / PAGE_BLOCKS as u64;
        let end = ((group + 1) * PAGE_BLOCKS as u64).min(blocks.end);
        let event = read_group(miner, kept, Arc::clone(&reader), group, next..end).await?;
        let bytes = event.blocks.len();
        outlet.send(event, bytes).await?;
        miner.stats.metrics().sent_bytes.inc_by(bytes as u64);
        next = end;
    }
    Ok(())
}

/// One group. A turn a group: a long object does not hold up short ones.
async fn read_group(
    miner: &Arc<Miner>,
    kept: &Kept,
    reader: Arc<ObjectReader>,
    group: u64,
    blocks: Range<u64>,
) -> Result<RetrieveEvent, MinerError> {
    let turn = miner.turn(kept.store.validator).await?;
    let store = Arc::clone(&kept.store);
    let event = blocking(move || {
        let offset_bytes = blocks.start * BLOCK_BYTES as u64;
        let (page, bytes) = reader.group(group, blocks).map_err(|error| store.shelf.failed(error))?;
        drop(turn);
        let page = page.map(|page| page.to_vec()).unwrap_or_default();
        Ok::<_, Failure>(RetrieveEvent { group, page: page.into(), offset_bytes, blocks: bytes.into() })
    });
    Ok(event.await??)
}
