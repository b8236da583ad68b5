//! What a miner says of itself.

use std::path::PathBuf;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::commitment::encoded_bytes;
use holdfast_partition::objects::ObjectStoreError;
use holdfast_partition::partition_file::OpenMode;
use serde_json::{Value, json};

use crate::local::allocation::FileSystem;
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

    /// The status page (docs/guide/status-json.md): all of it for the operator, who has the miner's own key, and for a caller
    /// what concerns it.
    pub(super) async fn status(
        self: &Arc<Miner>,
        caller: Account,
    ) -> Result<proto::StatusResponse, MinerError> {
        let only = (caller != self.account()).then_some(caller);
        let operator = only.is_none();
        let shares = match &only {
            None => self.shares.all(),
            Some(validator) => self.shares.of_validator(validator),
        };
        let (count, bytes) = match &only {
            None => self.catalogue.all(),
            Some(caller) => self.catalogue.totals(caller),
        };
        let miner = Arc::clone(self);
        let (head, partitions, disks) = blocking(move || {
            let head = miner.recorder.height()?;
            let partitions = shares.iter().map(|share| partition_status(&miner, share));
            let partitions = partitions.collect::<Result<Vec<_>, Failure>>()?;
            // How full its disks are is the operator's business.
            let disks = if only.is_none() { disk_status(&shares)? } else { Vec::new() };
            Ok::<_, Failure>((head, partitions, disks))
        })
        .await??;
        let rounds: Vec<Value> = self
            .stats
            .rounds(only.as_ref())
            .into_iter()
            .map(|(validator, rounds)| json!({ "validator": validator, "counts": rounds }))
            .collect();
        let json = json!({
            "version": 1,
            "program": env!("CARGO_PKG_VERSION"),
            "miner": self.account(),
            "height": head,
            "time_ms": self.correspondent.clock().now_ms(),
            "disks": disks,
            "partitions": partitions,
            "objects": { "count": count, "bytes": bytes },
            "missing_objects": if operator { Some(self.missing_objects) } else { None },
            "rounds": rounds,
            "latency": self.stats.latency(),
            "income": self.income(),
            "workers": self.workers.as_ref().filter(|_| operator).map(|workers| workers.report()),
        });
        Ok(proto::StatusResponse { json: json.to_string(), seal: None })
    }
}

fn partition_status(miner: &Miner, share: &Share) -> Result<Value, Failure> {
    let partition = share.partition();
    let file = share.disk.open_file(partition, OpenMode::ReadOnly, miner.machine.io)?;
    let counts = file.counts().map_err(|error| Failure::partition(share.disk.path(partition), error))?;
    let entry = miner.recorder.partition(share.registration.partition_id)?;
    let registered = entry.as_ref().and_then(|entry| entry.batches.last()).map_or(0, |batch| batch.end);
    let store = share.store.shelf.objects.store();
    let failed = |error: ObjectStoreError| share.store.shelf.store_failed(error);
    Ok(json!({
        "partition_id": share.registration.partition_id,
        "validator": share.validator(),
        "stake": partition.stake,
        "window_bytes": share.registration.intent.shape.bytes(),
        "windows_allocated": partition.windows,
        "windows_filled": counts.sealed,
        "windows_registered": registered,
        "share_bytes": store.budget_bytes().map_err(failed)?,
        "object_bytes": store.object_bytes().map_err(failed)?,
        "free_object_bytes": store.free_bytes().map_err(failed)?,
    }))
}

fn disk_status(shares: &[Arc<Share>]) -> Result<Vec<Value>, Failure> {
    let mut disks: Vec<&PathBuf> = shares.iter().map(|share| &share.disk.directory).collect();
    disks.dedup();
    let status = |directory: &PathBuf| {
        let FileSystem { total_bytes, free_bytes } = FileSystem::of(directory)?;
        Ok(json!({ "directory": directory, "total_bytes": total_bytes, "free_bytes": free_bytes }))
    };
    disks.into_iter().map(status).collect()
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
