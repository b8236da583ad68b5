//! What else is done with objects that are here: records kept, tables handed out, deletion.

use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::object::Address;
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::points_file::PointsHeader;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::rejection::Class;
use holdfast_partition::objects::{ObjectFile, ObjectName};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::object_name;
use super::outlet::Outlet;
use crate::local::audits::read_table;
use crate::local::committing;
use crate::local::failure::Failure;
use crate::local::objects::ObjectDirectory;
use crate::miner::catalogue::Kept;
use crate::miner::{Miner, MinerError, blocking, inventory};
use crate::proto;

/// The points file of an object, in parts: its commitments and the key that blinds them. That is for who has the bytes anyway, its
/// owner; validators learn nothing of them.
pub(super) async fn table(
    miner: &Arc<Miner>,
    caller: Account,
    object: Option<&proto::ObjectName>,
) -> Result<ReceiverStream<Result<proto::Part, Status>>, MinerError> {
    let (name, _) = object_name(object)?;
    let kept = miner.catalogue.open_to(&caller, name)?;
    if kept.owner != Some(caller) {
        return Err(MinerError::forbidden(format!("the commitments of {name} are for its owner alone")));
    }
    let of_table = kept.clone();
    let bytes = blocking(move || points_file(&kept)).await??;
    let bytes = bytes.ok_or_else(|| miner.compute_table(of_table))?;
    let (outlet, stream) = Outlet::new(miner, caller);
    tokio::spawn(async move {
        // A caller that is gone has no use for the rest.
        let _ = outlet.send_all(bytes.into()).await;
    });
    Ok(stream)
}

/// The points file of an object; `None` while its table is not computed.
fn points_file(kept: &Kept) -> Result<Option<Vec<u8>>, Failure> {
    let path = kept.store.shelf.objects.store().file_path(kept.name, ObjectFile::Table);
    let table = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::file("read", path, error)),
    };
    let replica = Replica::new(kept.name.0, kept.length_bytes, 0);
    let replica = replica.map_err(|rejection| Failure::rejected(&path, rejection))?;
    let key = ObjectDirectory::open(&kept.store.directory)?.secrets().blinding(kept.name)?;
    Ok(Some([&PointsHeader { replica, key }.encode()[..], &table].concat()))
}

/// Keeps the record that audits of an object will refer to.
pub(super) async fn keep_record(miner: &Miner, caller: Account, bytes: &[u8]) -> Result<(), MinerError> {
    let signed = SignedRecord::decode(bytes)?;
    let record = &signed.record;
    miner.check_is_me("record", &record.network, &record.miner)?;
    let name = ObjectName(*record.replica.object_root());
    let kept = miner.catalogue.open_to(&caller, name)?;
    if !kept.is_open_to(&record.checker) {
        return Err(MinerError::forbidden(format!("{} may not check {name}", record.checker)));
    }
    if record.replica.length() != kept.length_bytes {
        let (found, ours) = (record.replica.length(), kept.length_bytes);
        return Err(Class::WrongRecord
            .because(format!("a record of {found} bytes; {name} has {ours}"))
            .into());
    }
    signed.check_signature()?;
    blocking(move || {
        if signed.record.table_root.is_some() {
            // What we could not answer for is not kept.
            read_table(&kept.store.shelf, name, &signed.record)?;
        }
        committing::replace_record(&kept.store.shelf, &signed)
    })
    .await??;
    Ok(())
}

/// Deletes an object, and returns the disk space that is free again.
pub(super) async fn delete(
    miner: &Miner,
    caller: Account,
    object: Option<&proto::ObjectName>,
) -> Result<u64, MinerError> {
    let (name, _) = object_name(object)?;
    let kept = miner.catalogue.open_to(&caller, name)?;
    let validator = kept.store.validator;
    // First, or a crash would leave an object that is missed without reason.
    inventory::forget(&*miner.index, validator, name).await?;
    let freed_bytes = blocking(move || {
        let shelf = &kept.store.shelf;
        let freed = shelf.objects.remove(&Address::Blake3(name.0)).map_err(|error| shelf.failed(error))?;
        committing::forget(&ObjectDirectory::open(&kept.store.directory)?, name)?;
        Ok::<_, Failure>(freed)
    })
    .await??;
    miner.catalogue.remove(&validator, name);
    Ok(freed_bytes)
}
