//! The owners of the demo: their files are encrypted, stored in pieces, and got back although miners fail.

use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_engine::signature::Signer;
use holdfast_service::client::{Client, ClientError, Fault, GetOptions, PutOptions, Stored, Watch};
use holdfast_service::connect::Connector;
use holdfast_service::encryption::{Identities, OwnerKey, Recipients};
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::clock::SystemClock;
use serde::Serialize;

use super::stage::Stage;
use super::validator::DemoValidator;
use crate::failure::Failure;
use crate::table;

/// A month; the demo is over sooner.
const KEEP_SECONDS: u64 = 30 * 86_400;

/// Who stores what, and which validator cares for it.
struct Terms {
    owner: &'static str,
    /// Place among the validators.
    validator: usize,
    file: &'static str,
    bytes: usize,
    coding: &'static str,
}

const OWNERS: [Terms; 2] = [
    Terms { owner: "anna", validator: 0, file: "photos.tar", bytes: 400_000, coding: "replicate-3" },
    Terms { owner: "ben", validator: 1, file: "ledger.db", bytes: 600_000, coding: "2-of-4" },
];

/// An owner whose file is stored.
pub(super) struct DemoOwner {
    terms: &'static Terms,
    client: Client,
    key: OwnerKey,
    /// The file, to compare with what comes back.
    bytes: Vec<u8>,
    stored: Stored,
}

/// What became of a file, for `--json`.
#[derive(Serialize)]
pub(super) struct FileOutcome {
    owner: &'static str,
    validator: &'static str,
    file: &'static str,
    cid: String,
    bytes: usize,
    coding: &'static str,
    pieces: usize,
    /// Pieces that the validator had others keep, because their miners had failed.
    pieces_made_anew: u64,
    /// Miners that failed when the file was got back, a sentence each.
    faults: Vec<String>,
    /// Whether the same bytes came.
    came_back: bool,
}

/// What went wrong on the way, and was made up for.
#[derive(Default)]
struct Faults(Mutex<Vec<String>>);

impl Watch for Faults {
    fn fault(&self, fault: &Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(fault.to_string());
    }
}

/// All owners, with their files stored.
pub(super) async fn store_all(
    stage: &Stage<'_>,
    validators: &[DemoValidator],
) -> Result<Vec<DemoOwner>, Failure> {
    let mut owners = Vec::new();
    for terms in &OWNERS {
        if let Some(validator) = validators.get(terms.validator) {
            owners.push(DemoOwner::store(terms, stage, validator).await?);
        }
    }
    Ok(owners)
}

impl DemoOwner {
    async fn store(
        terms: &'static Terms,
        stage: &Stage<'_>,
        validator: &DemoValidator,
    ) -> Result<DemoOwner, Failure> {
        let failed = |error: ClientError| Failure::work("network", terms.owner, error);
        let signer = Arc::new(Signer::development(terms.owner));
        let correspondent = Correspondent::new(validator.network(), signer, Arc::new(SystemClock));
        let state = stage.directory().join(terms.owner);
        let client = Client::new(Arc::new(correspondent), Connector::plain(), validator.peer(), &state)
            .map_err(failed)?;
        let key = OwnerKey::generate();
        let recipients = Recipients::of_keys([key.recipient().as_str()])
            .map_err(|error| Failure::encryption(terms.file, error))?;
        let mut bytes = vec![0; terms.bytes];
        getrandom::fill(&mut bytes).map_err(|error| Failure::Absent(format!("no randomness: {error}")))?;
        let policy = terms.coding.parse().map_err(|error| Failure::work("state", "the demo", error))?;
        let options = PutOptions {
            name: terms.file.to_owned(),
            policy,
            recipients: Some(recipients),
            commit: false,
            tokens: 0,
            keep_seconds: KEEP_SECONDS,
            watch: Arc::new(()),
        };
        let stored = client.put(Cursor::new(bytes.clone()), options).await.map_err(failed)?;
        let owner = DemoOwner { terms, client, key, bytes, stored };
        stage.say(&format!(
            "  {:8} {} of {} as {}, in the care of {}: {} pieces, each with another operator",
            terms.owner,
            terms.file,
            table::bytes(terms.bytes as u64),
            terms.coding,
            validator.name,
            owner.pieces()
        ));
        Ok(owner)
    }

    fn pieces(&self) -> usize {
        self.stored.manifest.segments().iter().map(|segment| segment.held()).sum()
    }

    /// Gets the file back and compares it with what was stored.
    pub(super) async fn get_back(
        &self,
        stage: &Stage<'_>,
        validators: &[DemoValidator],
    ) -> Result<FileOutcome, Failure> {
        let terms = self.terms;
        let failed = |error: ClientError| Failure::work("network", terms.owner, error);
        let identities = Identities::of_file(&self.key.identity_file())
            .map_err(|error| Failure::decryption(terms.file, error))?;
        let faults = Arc::new(Faults::default());
        let options =
            GetOptions { identities: Some(identities), watch: Arc::clone(&faults) as Arc<dyn Watch> };
        let got = self.client.get_to(&self.stored.root, Vec::new(), options).await;
        let (got, _) = got.map_err(failed)?;
        let came_back = got == self.bytes;
        if !came_back {
            return Err(Failure::State {
                message: format!("{} did not come back as {} had stored it", terms.file, terms.owner),
                advice: "please report it".to_owned(),
            });
        }
        let validator = validators.get(terms.validator);
        let pieces_made_anew = validator.map_or(0, DemoValidator::pieces_made_anew);
        let faults = std::mem::take(&mut *faults.0.lock().unwrap_or_else(PoisonError::into_inner));
        stage.say(&format!(
            "  {:8} has {} back, decrypted, byte for byte; {pieces_made_anew} pieces had been made anew, {} failed on the way",
            terms.owner,
            terms.file,
            faults.len()
        ));
        Ok(FileOutcome {
            owner: terms.owner,
            validator: validator.map_or("", |validator| validator.name),
            file: terms.file,
            cid: self.stored.address().to_string(),
            bytes: terms.bytes,
            coding: terms.coding,
            pieces: self.pieces(),
            pieces_made_anew,
            faults,
            came_back,
        })
    }
}
