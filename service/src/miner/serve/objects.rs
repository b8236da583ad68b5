//! What else is done with objects that are here: records kept, tables handed out, deletion.

use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::object::Address;
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::points_file::{POINTS_HEADER_BYTES, PointsHeader};
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::rejection::Class;
use holdfast_partition::objects::{ObjectFile, ObjectName};
use zeroize::Zeroizing;

use super::object_name;
use super::outlet::{Outflow, Outlet};
use crate::local::audits::read_table;
use crate::local::committing;
use crate::local::failure::Failure;
use crate::local::objects::ObjectDirectory;
use crate::miner::catalogue::Kept;
use crate::miner::shares::Store;
use crate::miner::{Miner, MinerError, blocking, inventory};
use crate::pieces::REPLICA_ID;
use crate::proto;

/// The points file of an object, in parts: its commitments and the key that blinds them. That is for who has the bytes anyway, its
/// owner; validators learn nothing of them.
pub(super) async fn table(
    miner: &Arc<Miner>,
    caller: Account,
    object: Option<&proto::ObjectName>,
) -> Result<Outflow<proto::Part>, MinerError> {
    let (name, _) = object_name(object)?;
    let kept = miner.catalogue.open_to(&caller, name)?;
    if kept.owner != Some(caller) {
        return Err(MinerError::forbidden(format!("the commitments of {name} are for its owner alone")));
    }
    let place = miner.streams.open(kept.store.validator, caller, miner.shares.validator_count())?;
    let path = kept.store.shelf.objects.store().file_path(name, ObjectFile::Table);
    let file = match tokio::fs::File::open(&path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(miner.compute_table(kept)),
        Err(error) => return Err(Failure::file("open", path, error).into()),
    };
    let header = blocking(move || points_header(&kept)).await??;
    let (outlet, stream) = Outlet::new(miner, caller, place);
    tokio::spawn(async move {
        let sent = outlet.send_file(&header[..], (path, file)).await;
        outlet.end(sent);
    });
    Ok(stream)
}

/// What a points file begins with, before the commitments of the table.
fn points_header(kept: &Kept) -> Result<Zeroizing<[u8; POINTS_HEADER_BYTES]>, Failure> {
    let path = kept.store.shelf.objects.store().file_path(kept.name, ObjectFile::Table);
    let replica = Replica::new(kept.name.0, kept.length_bytes, REPLICA_ID);
    let replica = replica.map_err(|rejection| Failure::rejected(&path, rejection))?;
    let key = ObjectDirectory::open(&kept.store.directory)?.secrets().blinding(kept.name)?;
    Ok(PointsHeader { replica, key }.encode())
}

/// Keeps the record that audits of an object will refer to, for the validator that audits it: an owner who could replace it would have
/// us fail.
pub(super) async fn keep_record(miner: &Miner, caller: Account, bytes: &[u8]) -> Result<(), MinerError> {
    let signed = SignedRecord::decode(bytes)?;
    let record = &signed.record;
    miner.check_is_me("record", &record.network, &record.miner)?;
    let name = ObjectName(*record.replica.object_root());
    let kept = miner.catalogue.open_to(&caller, name)?;
    if kept.store.validator != caller {
        return Err(MinerError::forbidden(format!(
            "{} alone has records of {name} kept",
            kept.store.validator
        )));
    }
    if !kept.is_open_to(&record.checker) {
        return Err(MinerError::forbidden(format!("{} may not check {name}", record.checker)));
    }
    if record.replica.length() != kept.length_bytes {
        let (found, ours) = (record.replica.length(), kept.length_bytes);
        return Err(Class::WrongRecord
            .because(format!("a record of {found} bytes; {name} has {ours}"))
            .into());
    }
    // Blinding follows from it: under another one than that of our table every answer would be wrong.
    if record.replica.replica_id() != REPLICA_ID {
        let found = record.replica.replica_id();
        return Err(Class::WrongRecord
            .because(format!("a record of replica {found} of {name}; in networks it is {REPLICA_ID}"))
            .into());
    }
    signed.check_signature()?;
    // Tables are large: no more of them at once than there are turns.
    let turn = miner.turn(caller).await?;
    let signed = blocking({
        let shelf = Arc::clone(&kept.store.shelf);
        move || {
            if signed.record.table_root.is_some() {
                // What we could not answer for is not kept.
                read_table(&shelf, name, &signed.record)?;
            }
            drop(turn);
            Ok::<_, Failure>(signed)
        }
    })
    .await??;
    if !miner.catalogue.begin_audits(&caller, name) {
        return Err(MinerError::not_found(format!("{name} is not kept here any more")));
    }
    blocking(move || committing::replace_record(&kept.store.shelf, &signed)).await??;
    Ok(())
}

/// The record that challenges of an object must name.
pub(super) async fn record(
    miner: &Miner,
    caller: Account,
    object: Option<&proto::ObjectName>,
) -> Result<SignedRecord, MinerError> {
    let (name, _) = object_name(object)?;
    let kept = miner.catalogue.open_to(&caller, name)?;
    let found = blocking(move || kept.store.shelf.find_record(name)).await??;
    found.ok_or_else(|| MinerError::not_found(format!("no record of {name} is kept here")))
}

/// Deletes an object, and returns the disk space that is free again.
pub(super) async fn delete(
    miner: &Arc<Miner>,
    caller: Account,
    object: Option<&proto::ObjectName>,
) -> Result<u64, MinerError> {
    let (name, _) = object_name(object)?;
    let kept = miner.catalogue.take_out(&caller, name)?;
    let freed = delete_kept(miner, &kept).await;
    if freed.is_err() {
        // It may be there still, and whoever asks again may have more luck.
        miner.catalogue.add(kept);
    }
    freed
}

async fn delete_kept(miner: &Arc<Miner>, kept: &Kept) -> Result<u64, MinerError> {
    // First, or a crash would leave an object that is missed without reason.
    inventory::forget(&*miner.index, kept.store.validator, kept.name).await?;
    let (miner, kept) = (Arc::clone(miner), kept.clone());
    let freed_bytes = blocking(move || {
        let shelf = &kept.store.shelf;
        let freed = shelf.objects.remove(&Address::Blake3(kept.name.0));
        let freed = freed.map_err(|error| shelf.failed(error))?;
        if let Err(error) = miner.forget_secrets(&kept.store, kept.name) {
            // The object is gone all the same.
            tracing::warn!(%error, name = %kept.name, "secrets of an object that was deleted are left");
        }
        Ok::<_, Failure>(freed)
    });
    Ok(freed_bytes.await??)
}

impl Miner {
    /// Forgets what is secret about an object that is gone. Another validator may have one of the same bytes in the same directory,
    /// which answers with the same secrets.
    pub(in crate::miner) fn forget_secrets(&self, store: &Store, name: ObjectName) -> Result<(), Failure> {
        if self.catalogue.is_in(&store.directory, name) {
            return Ok(());
        }
        committing::forget(&ObjectDirectory::open(&store.directory)?, name)
    }
}
