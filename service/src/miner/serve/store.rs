//! Storing: a ticket is checked, a place is found in its validator's share, and the bytes are acknowledged when they are
//! durable and are what the ticket says.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::message::Ticket;
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_partition::objects::{Beside, ObjectName, ObjectStoreError, Outcome};
use tokio::time::Instant;
use tonic::{Code, Streaming};

use crate::local::failure::Failure;
use crate::local::objects::object_disk_bytes;
use crate::miner::catalogue::Kept;
use crate::miner::shares::Store;
use crate::miner::uploads::{Plan, Upload};
use crate::miner::{Miner, MinerError, blocking, inventory};
use crate::proto;
use crate::wire::Caller;
use crate::wire::canonical::methods;

/// Most bytes of one part.
const PART_BYTES_MAX: usize = 1 << 20;

/// A ticket that holds here and now.
#[derive(Clone, Debug)]
struct Checked {
    ticket: Ticket,
    /// Ticket and signature, as they are kept.
    signed: Vec<u8>,
}

impl Checked {
    fn name(&self) -> ObjectName {
        ObjectName(self.ticket.root)
    }

    fn key(&self) -> [u8; 32] {
        self.ticket.signing_digest()
    }

    fn response(&self, kept_already: bool) -> proto::StoreResponse {
        let Ticket { root, length_bytes, keep_until, .. } = self.ticket;
        let object = proto::ObjectName { root: root.to_vec().into(), length_bytes };
        proto::StoreResponse { object: Some(object), kept_already, expires_at: keep_until, seal: None }
    }
}

/// Takes an upload. Its first message says what it is; the parts follow.
pub(super) async fn store(
    miner: &Arc<Miner>,
    mut stream: Streaming<proto::StoreRequest>,
    from: Option<IpAddr>,
) -> Result<(Caller, proto::StoreResponse), MinerError> {
    let first = next(&mut stream, miner.limits.idle()).await?;
    let open =
        first.open.ok_or_else(|| Class::Malformed.because("the first message of an upload opens it"))?;
    let caller = miner.hear(methods::MINER_STORE, &open, from)?;
    let checked = check_ticket(miner, caller.account, open.ticket.as_ref())?;
    check_share(miner, &checked.ticket)?;
    if let Some(kept) = miner.catalogue.of_validator(&checked.ticket.validator, checked.name()) {
        keep_longer(miner, &kept, &checked).await?;
        return Ok((caller, checked.response(true)));
    }
    let mut upload = match miner.uploads.resume(&checked.key(), open.offset_bytes)? {
        Some(upload) => upload,
        None => {
            let plan = plan(miner, &checked)?;
            miner.uploads.begin(checked.key(), caller.account, plan, miner.shares.validator_count())?
        }
    };
    let received = receive(miner, caller.account, &mut stream, &mut upload).await;
    if let Err(MinerError::Rejected(_)) = received {
        // Nobody can go on with that.
        upload.give_up().await;
        miner.uploads.forget(&checked.key());
    }
    received?;
    let put = upload.finish().await;
    let store = Arc::clone(upload.store());
    drop(upload);
    miner.uploads.forget(&checked.key());
    let kept_already = put?.outcome == Outcome::AlreadyThere;
    let name = checked.name();
    let kept = blocking(move || Kept::find(&store, name)).await??;
    if kept_already {
        // Another ticket's upload of the same bytes was first, or one whose acknowledgement failed.
        keep_longer(miner, &kept, &checked).await?;
    }
    inventory::note(&*miner.index, &kept).await?;
    miner.catalogue.add(kept);
    Ok((caller, checked.response(kept_already)))
}

fn plan(miner: &Miner, checked: &Checked) -> Result<Plan, MinerError> {
    Ok(Plan {
        store: place_for(miner, &checked.ticket)?,
        length_bytes: checked.ticket.length_bytes,
        root: checked.ticket.root,
        now: miner.now_seconds(),
        expires_at: checked.ticket.keep_until,
        signed_ticket: checked.signed.clone(),
    })
}

/// How far an upload under this ticket came.
pub(super) fn progress(
    miner: &Miner,
    caller: Account,
    ticket: Option<&proto::Ticket>,
) -> Result<proto::StoreProgressResponse, MinerError> {
    let checked = check_ticket(miner, caller, ticket)?;
    let kept = miner.catalogue.of_validator(&checked.ticket.validator, checked.name());
    let complete = kept.is_some_and(|kept| kept.is_open_to(&caller));
    let received = miner.uploads.received(&checked.key());
    let kept_bytes = if complete { checked.ticket.length_bytes } else { received };
    Ok(proto::StoreProgressResponse { kept_bytes, complete, seal: None })
}

/// The next message, if it comes in time.
async fn next(
    stream: &mut Streaming<proto::StoreRequest>,
    limit: Duration,
) -> Result<proto::StoreRequest, MinerError> {
    let broken = |message: String| MinerError::Refused {
        code: Code::Aborted,
        reason: "broken-upload",
        message,
        advice: "ask StoreProgress where to go on",
    };
    match tokio::time::timeout(limit, stream.message()).await {
        Ok(Ok(Some(message))) => Ok(message),
        Ok(Ok(None)) => Err(broken("the upload ended before all bytes came".to_owned())),
        Ok(Err(status)) => Err(broken(format!("the upload broke: {}", status.message()))),
        Err(_) => Err(broken(format!("nothing came for {} ms", limit.as_millis()))),
    }
}

/// Takes parts until all bytes are there, or the writer has ended.
async fn receive(
    miner: &Miner,
    caller: Account,
    stream: &mut Streaming<proto::StoreRequest>,
    upload: &mut Upload,
) -> Result<(), MinerError> {
    let (idle, bytes_per_second) = (miner.limits.idle(), miner.limits.upload_bytes_per_second.max(1));
    let (mut waited, mut came_bytes) = (Duration::ZERO, 0);
    while upload.left() > 0 {
        // Whoever sends a byte now and then has a place that others could use. What we take to write is not held against it.
        let allowed = idle + Duration::from_secs(came_bytes / bytes_per_second);
        let asked_at = Instant::now();
        let message = next(stream, idle.min(allowed.saturating_sub(waited))).await?;
        waited += asked_at.elapsed();
        let part =
            message.part.ok_or_else(|| Class::Malformed.because("a message of an upload without a part"))?;
        let (at, length) = (upload.received(), part.bytes.len());
        if part.offset_bytes != at {
            let found = part.offset_bytes;
            return Err(Class::Malformed
                .because(format!("a part at {found}, not at {at} where the last one ended"))
                .into());
        }
        if length > PART_BYTES_MAX || length as u64 > upload.left() {
            let left = upload.left();
            return Err(Class::WrongLength
                .because(format!("a part of {length} bytes; {left} are left, and one part has at most 1 MiB"))
                .into());
        }
        came_bytes += length as u64;
        miner.gate.pace(&caller, length).await;
        if !upload.take(part.bytes).await {
            return Ok(());
        }
        miner.stats.metrics().received_bytes.inc_by(length as u64);
    }
    Ok(())
}

/// A ticket for us, of a validator here, used by its owner or by the validator itself, in its time.
fn check_ticket(
    miner: &Miner,
    caller: Account,
    ticket: Option<&proto::Ticket>,
) -> Result<Checked, MinerError> {
    let sent = ticket.ok_or_else(|| Class::Malformed.because("no ticket"))?;
    let ticket = Ticket::open(&sent.ticket, &sent.signature)?;
    miner.check_is_me("ticket", &ticket.network, &ticket.miner)?;
    if caller != ticket.owner && caller != ticket.validator {
        return Err(MinerError::forbidden(format!("the ticket is for {}", ticket.owner)));
    }
    check_times(miner, &ticket)?;
    let signed = [&sent.ticket[..], &sent.signature].concat();
    Ok(Checked { ticket, signed })
}

fn check_times(miner: &Miner, ticket: &Ticket) -> Result<(), Rejection> {
    let now = miner.now_seconds();
    if ticket.use_until < now {
        let until = ticket.use_until;
        return Err(Class::Stale.because(format!("the ticket was to be used until {until}, and it is {now}")));
    }
    let longest = now.saturating_add(miner.limits.keep_seconds);
    if ticket.keep_until <= now || ticket.keep_until > longest {
        let until = ticket.keep_until;
        return Err(Class::Policy
            .because(format!("to be kept until {until}; it is {now}, and {longest} is the latest")));
    }
    Ok(())
}

/// That the validator of a ticket is one, and has a share here.
fn check_share(miner: &Miner, ticket: &Ticket) -> Result<(), MinerError> {
    let validator = ticket.validator;
    let without = |message: String| MinerError::Refused {
        code: Code::PermissionDenied,
        reason: "no-share",
        message,
        advice: "ask a validator that has a permit and a share of this miner for a ticket",
    };
    if miner.validators.stake_rao(&validator).is_none() {
        return Err(without(format!("{validator} does not validate in this network")));
    }
    if miner.shares.of_validator(&validator).is_empty() {
        return Err(without(format!("{validator} has no share of this miner")));
    }
    Ok(())
}

/// The store with the most room among the shares of the ticket's validator.
fn place_for(miner: &Miner, ticket: &Ticket) -> Result<Arc<Store>, MinerError> {
    let needed = object_disk_bytes(ticket.length_bytes);
    let mut best: Option<(u64, Arc<Store>)> = None;
    for share in miner.shares.of_validator(&ticket.validator) {
        let free = share.store.shelf.objects.store().free_bytes();
        let free = free.map_err(|error| share.store.shelf.store_failed(error))?;
        if best.as_ref().is_none_or(|(most, _)| free > *most) {
            best = Some((free, Arc::clone(&share.store)));
        }
    }
    match best {
        Some((free, store)) if free >= needed => Ok(store),
        found => {
            let free = found.map_or(0, |(free, _)| free);
            Err(MinerError::Refused {
                code: Code::ResourceExhausted,
                reason: "no-room",
                message: format!(
                    "the object takes {needed} bytes of disk with what stands beside it; {free} are free in this share"
                ),
                advice: "ask another miner, or come again when windows have made room",
            })
        }
    }
}

/// The object is here: the same owner may have it kept for longer, and nobody else.
async fn keep_longer(miner: &Miner, kept: &Kept, checked: &Checked) -> Result<(), MinerError> {
    if kept.owner != Some(checked.ticket.owner) {
        return Err(MinerError::forbidden("these bytes are kept for somebody else: encrypt them anew"));
    }
    let (kept, checked, now) = (kept.clone(), checked.clone(), miner.now_seconds());
    blocking(move || {
        let shelf = &kept.store.shelf;
        let store = shelf.objects.store();
        let failed = |error: ObjectStoreError| shelf.store_failed(error);
        let until = store.object(kept.name).map_err(failed)?.entry.expires_at;
        if until.is_some_and(|until| until < checked.ticket.keep_until) {
            store.write_beside(kept.name, Beside::Ticket, |out| out.write(&checked.signed)).map_err(failed)?;
            store.set_expiry(kept.name, Some(checked.ticket.keep_until)).map_err(failed)?;
            tracing::debug!(name = %kept.name, now, until = checked.ticket.keep_until, "an object is kept for longer");
        }
        Ok::<_, Failure>(())
    })
    .await??;
    Ok(())
}
