//! What a miner says of itself.

use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::commitment::encoded_bytes;
use serde_json::json;

use crate::local::failure::Failure;
use crate::miner::shares::Share;
use crate::miner::{Miner, MinerError, blocking};
use crate::proto;

impl Miner {
    pub(super) async fn ping(&self) -> Result<proto::PingResponse, MinerError> {
        let (height, hash) = self
            .ask_recorder(|recorder| {
                let height = recorder.height()?;
                Ok((height, recorder.beacon(height)?.unwrap_or_default()))
            })
            .await?;
        Ok(proto::PingResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            head: Some(proto::Block { height, hash: hash.to_vec().into() }),
            time_ms: self.correspondent.clock().now_ms(),
            seal: None,
        })
    }

    pub(super) async fn allocation(&self, caller: Account) -> Result<proto::AllocationResponse, MinerError> {
        let shares = self.shares.of_validator(&caller);
        let recorder = Arc::clone(&self.recorder);
        let (partitions, free_object_bytes) = blocking(move || {
            let mut free = 0_u64;
            let mut partitions = Vec::with_capacity(shares.len());
            for share in &shares {
                let store = share.store.shelf.objects.store();
                free = free.saturating_add(
                    store.free_bytes().map_err(|error| share.store.shelf.store_failed(error))?,
                );
                partitions
                    .push(allocated(share, recorder.partition(share.registration.partition_id)?.as_ref()));
            }
            Ok::<_, Failure>((partitions, free))
        })
        .await??;
        let (object_count, object_bytes) = self.catalogue.totals(&caller);
        Ok(proto::AllocationResponse {
            partitions,
            free_object_bytes,
            object_count,
            object_bytes,
            seal: None,
        })
    }

    pub(super) async fn status(&self, caller: Account) -> Result<proto::StatusResponse, MinerError> {
        let (object_count, object_bytes) = self.catalogue.totals(&caller);
        let json = json!({
            "version": 1,
            "miner": self.account(),
            "objects": { "count": object_count, "bytes": object_bytes },
        });
        Ok(proto::StatusResponse { json: json.to_string(), seal: None })
    }
}

fn allocated(
    share: &Share,
    entry: Option<&holdfast_engine::recorder::PartitionEntry>,
) -> proto::AllocatedPartition {
    let batches = entry.map_or(&[][..], |entry| &entry.batches);
    let windows_registered = batches.last().map_or(0, |batch| batch.end);
    proto::AllocatedPartition {
        partition_id: share.registration.partition_id,
        window_bytes: share.registration.intent.shape.bytes(),
        windows_allocated: share.partition().windows,
        windows_registered,
        commitment_bytes: if batches.is_empty() {
            0
        } else {
            encoded_bytes(batches.len() as u64, windows_registered)
        },
    }
}
