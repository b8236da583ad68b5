//! Which objects are here, and for whom. The disks know it: this is read from them, and follows what is done to them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use holdfast_engine::account::Account;
use holdfast_engine::message::{TICKET_BYTES, Ticket};
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::signature::SIGNATURE_BYTES;
use holdfast_partition::objects::{Object, ObjectFile, ObjectName};
use tonic::Code;

use super::error::MinerError;
use super::shares::{Share, Store};
use crate::local::failure::Failure;

/// Bytes of the file `ticket` of an object: the ticket and the validator's signature.
pub(super) const SIGNED_TICKET_BYTES: usize = TICKET_BYTES + SIGNATURE_BYTES;

/// An object that is here.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// Its root.
    pub(super) name: ObjectName,
    /// Its bytes.
    pub(super) length_bytes: u64,
    /// Who may ask for it beside the validator; an object that did not come under a ticket has nobody.
    pub(super) owner: Option<Account>,
    /// Whether its validator gave us the record that audits refer to: from then on its validator alone changes anything.
    pub(super) is_audited: bool,
    /// Where it is, and the validator.
    pub(super) store: Arc<Store>,
}

impl Kept {
    /// Whether this is the validator or the owner.
    pub(super) fn is_open_to(&self, caller: &Account) -> bool {
        self.store.validator == *caller || self.owner == Some(*caller)
    }

    /// The object of a store, as its files say.
    pub(super) fn find(store: &Arc<Store>, name: ObjectName) -> Result<Kept, Failure> {
        let object = store.shelf.objects.store().object(name);
        Kept::read(store, &object.map_err(|error| store.shelf.store_failed(error))?)
    }

    fn read(store: &Arc<Store>, object: &Object) -> Result<Kept, Failure> {
        let name = object.entry.name;
        let owner = match object.ticket_bytes {
            Some(_) => {
                let path = store.shelf.objects.store().file_path(name, ObjectFile::Ticket);
                let bytes = std::fs::read(&path).map_err(|error| Failure::file("read", &path, error))?;
                match owner_in(&bytes, name) {
                    Ok(owner) => Some(owner),
                    Err(rejection) => {
                        // Its bytes are well, and the validator can still ask for them.
                        tracing::warn!(path = %path.display(), %rejection, "a ticket cannot be used");
                        None
                    }
                }
            }
            None => None,
        };
        let is_audited = object.record_bytes.is_some();
        let length_bytes = object.entry.data_bytes;
        Ok(Kept { name, length_bytes, owner, is_audited, store: Arc::clone(store) })
    }
}

fn owner_in(bytes: &[u8], name: ObjectName) -> Result<Account, Rejection> {
    let ticket = bytes.get(..TICKET_BYTES).filter(|_| bytes.len() == SIGNED_TICKET_BYTES);
    let ticket = ticket.ok_or_else(|| {
        Class::WrongLength
            .because(format!("a signed ticket of {} bytes, not {SIGNED_TICKET_BYTES}", bytes.len()))
    })?;
    let ticket = Ticket::decode(ticket)?;
    if ticket.root != name.0 {
        return Err(Class::WrongRecord.because("it is the ticket of another object"));
    }
    Ok(ticket.owner)
}

#[derive(Debug, Default)]
struct State {
    /// One object of one root a validator.
    objects: HashMap<ObjectName, Vec<Kept>>,
    owners: HashMap<Account, u64>,
}

impl State {
    fn open_to(&self, caller: &Account, name: ObjectName) -> Result<Kept, MinerError> {
        let of_name = self.objects.get(&name).into_iter().flatten();
        // A validator's own comes first, if the same account owns another.
        let open = of_name.filter(|kept| kept.is_open_to(caller));
        let found = open.max_by_key(|kept| kept.store.validator == *caller).cloned();
        found.ok_or_else(|| MinerError::not_found(format!("no object {name} is kept here for {caller}")))
    }

    fn remove(&mut self, validator: &Account, name: ObjectName) {
        let Some(of_name) = self.objects.get_mut(&name) else { return };
        for gone in of_name.extract_if(.., |kept| kept.store.validator == *validator) {
            let Some(owner) = gone.owner else { continue };
            match self.owners.get_mut(&owner) {
                Some(count @ 2..) => *count -= 1,
                _ => drop(self.owners.remove(&owner)),
            }
        }
        if of_name.is_empty() {
            self.objects.remove(&name);
        }
    }
}

/// All objects.
#[derive(Debug, Default)]
pub(super) struct Catalogue(RwLock<State>);

impl Catalogue {
    /// What is in the stores of these shares.
    pub(super) fn read(shares: &[Arc<Share>]) -> Result<Catalogue, Failure> {
        let catalogue = Catalogue::default();
        for share in shares {
            let objects = share.store.shelf.objects.store().list();
            for object in objects.map_err(|error| share.store.shelf.store_failed(error))? {
                catalogue.add(Kept::read(&share.store, &object)?);
            }
        }
        Ok(catalogue)
    }

    /// An object came. Another of the same root and validator is replaced.
    pub(super) fn add(&self, kept: Kept) {
        self.remove(&kept.store.validator, kept.name);
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = kept.owner {
            *state.owners.entry(owner).or_default() += 1;
        }
        state.objects.entry(kept.name).or_default().push(kept);
    }

    /// An object went.
    pub(super) fn remove(&self, validator: &Account, name: ObjectName) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(validator, name);
    }

    /// The object of a validator.
    pub(super) fn of_validator(&self, validator: &Account, name: ObjectName) -> Option<Kept> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.objects.get(&name)?.iter().find(|kept| kept.store.validator == *validator).cloned()
    }

    /// The object of this name that a caller may ask for. That there is one of somebody else's is not told.
    pub(super) fn open_to(&self, caller: &Account, name: ObjectName) -> Result<Kept, MinerError> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).open_to(caller, name)
    }

    /// Audits of an object begin. False if it is not here any more.
    pub(super) fn begin_audits(&self, validator: &Account, name: ObjectName) -> bool {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let of_name = state.objects.get_mut(&name).into_iter().flatten();
        let mut of_validator = of_name.filter(|kept| kept.store.validator == *validator);
        of_validator.next().map(|kept| kept.is_audited = true).is_some()
    }

    /// Takes an object out that `caller` wants deleted. An owner must not delete what is audited: the audits would go on, and be held
    /// against us. Decided under one lock with [`Catalogue::begin_audits`].
    pub(super) fn take_out(&self, caller: &Account, name: ObjectName) -> Result<Kept, MinerError> {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let kept = state.open_to(caller, name)?;
        if kept.is_audited && kept.store.validator != *caller {
            let validator = kept.store.validator;
            return Err(MinerError::Refused {
                code: Code::FailedPrecondition,
                reason: "in-care",
                message: format!("{validator} audits {name}"),
                advice: "release the file with the validator, which has its pieces deleted",
            });
        }
        state.remove(&kept.store.validator, name);
        Ok(kept)
    }

    /// Whether somebody's object of this name is in a directory: objects of one name there share what is secret about them.
    pub(super) fn is_in(&self, directory: &Path, name: ObjectName) -> bool {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.objects.get(&name).into_iter().flatten().any(|kept| kept.store.directory == directory)
    }

    /// Whether somebody owns an object here.
    pub(super) fn has_owner(&self, account: &Account) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).owners.contains_key(account)
    }

    /// All of them.
    pub(super) fn list(&self) -> Vec<Kept> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.objects.values().flatten().cloned().collect()
    }

    /// Objects and their bytes.
    pub(super) fn all(&self) -> (u64, u64) {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let all = state.objects.values().flatten();
        all.fold((0, 0), |(count, bytes), kept| (count + 1, bytes + kept.length_bytes))
    }

    /// Objects and their bytes that a caller may ask for.
    pub(super) fn totals(&self, caller: &Account) -> (u64, u64) {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let open = state.objects.values().flatten().filter(|kept| kept.is_open_to(caller));
        open.fold((0, 0), |(count, bytes), kept| (count + 1, bytes + kept.length_bytes))
    }
}
