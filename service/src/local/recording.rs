//! Recording what changes on disks, on a chain that is simulated here or one that makes its own blocks.

use std::fmt;

use holdfast_engine::recorder::{BatchClaim, FileRecorder, Recorder, Simulation};

use crate::local::allocation::NamedAccount;
use crate::local::console::Console;
use crate::local::disks::Disk;
use crate::local::failure::Failure;

/// A chain on which batches are recorded and waited for. Calls block.
pub trait Recording: Send + Sync {
    /// What it has recorded.
    fn recorder(&self) -> &dyn Recorder;

    /// Records a batch in a block that has none of the same partition yet, and gives its height.
    fn record_batch(&self, claim: &BatchClaim) -> Result<u64, Failure>;

    /// Returns once F blocks stand on the block of this height.
    fn wait_until_final(&self, height: u64) -> Result<(), Failure>;
}

/// A simulated chain that nobody else moves on.
impl Recording for FileRecorder {
    fn recorder(&self) -> &dyn Recorder {
        self
    }

    fn record_batch(&self, claim: &BatchClaim) -> Result<u64, Failure> {
        // A block and what it records are one change: a kill between the two would shift the heights of all later ones.
        Ok(self.change(|ledger| {
            ledger.advance(1);
            ledger.record_batch(claim)
        })?)
    }

    fn wait_until_final(&self, height: u64) -> Result<(), Failure> {
        let finality_blocks = self.finality_blocks()?;
        self.change(|ledger| {
            let missing = height.saturating_add(finality_blocks).saturating_sub(ledger.height());
            Ok(ledger.advance(missing))
        })?;
        Ok(())
    }
}

/// Who records what changes on a miner's disks, and where.
#[derive(Clone, Copy)]
pub struct Registrar<'a> {
    /// The chain.
    pub recording: &'a dyn Recording,
    /// Whose disks they are; signs if the key is at hand.
    pub miner: &'a NamedAccount,
}

impl fmt::Debug for Registrar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registrar({})", self.miner.name)
    }
}

/// The registrar of a directory whose manifest names a simulated chain's file.
#[derive(Debug)]
pub struct LocalRegistrar {
    recorder: FileRecorder,
    miner: NamedAccount,
}

impl LocalRegistrar {
    /// Of the miner whose directory it is.
    pub fn of(disk: &Disk, console: &Console) -> Result<LocalRegistrar, Failure> {
        let miner = NamedAccount::parse(&disk.manifest.miner.hotkey, console)?;
        Ok(LocalRegistrar { recorder: disk.recorder()?, miner })
    }

    /// To record with.
    pub fn registrar(&self) -> Registrar<'_> {
        Registrar { recording: &self.recorder, miner: &self.miner }
    }
}
