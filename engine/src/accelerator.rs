//! Devices beside the processor that make windows and commitments, and how little of what they say is believed.
//!
//! A job shares its work between the processor and any number of accelerators ([`shared_work`]). An accelerator checks itself,
//! by the processor and at a stated rate, before it hands anything on; commitments are checked whole by the caller. Whatever
//! goes wrong is a [`Fault`]: the work goes back, the processor does it again, the fault is counted and shown, and the
//! accelerator rests before it is tried again ([`health`]). So a job always ends, and with the right bytes.

pub mod discovery;
pub mod health;
pub mod processor;
pub mod shared_work;

use std::fmt;
use std::sync::Arc;

use holdfast_partition::io::AlignedBuffer;
use serde::Serialize;

use crate::curve::{Fr, G1Projective};
use crate::registration::WindowShape;
use crate::space::seal::Examiner;
use crate::space::window::MadeWindow;

/// What went wrong with an accelerator.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The driver gave the device up.
    #[error("the device was lost: {why}")]
    Lost {
        /// What the driver said.
        why: String,
    },
    /// Not enough memory on the device.
    #[error("the device has no memory left{}", .bytes.checked_sub(1).map_or(String::new(), |_| format!(" for {bytes} bytes")))]
    OutOfMemory {
        /// What was asked for; 0 if the driver did not say when.
        bytes: u64,
    },
    /// It did not answer.
    #[error("the device did not answer within {seconds} s")]
    TimedOut {
        /// How long was waited.
        seconds: f64,
    },
    /// It answered, and wrongly.
    #[error("the device computed {what} wrongly")]
    Wrong {
        /// What was compared.
        what: String,
    },
    /// The driver refused a call.
    #[error("the driver refused: {message}")]
    Refused {
        /// What it said.
        message: String,
    },
}

impl Fault {
    /// The kind, as counted and reported.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Lost { .. } => "lost",
            Fault::OutOfMemory { .. } => "out-of-memory",
            Fault::TimedOut { .. } => "timed-out",
            Fault::Wrong { .. } => "wrong",
            Fault::Refused { .. } => "refused",
        }
    }
}

/// Why an accelerator did not finish a piece of work.
#[derive(Clone, Debug, PartialEq)]
pub enum Interruption {
    /// The caller wanted no more.
    Stopped,
    /// The accelerator failed; the piece is to be done again by the processor.
    Fault(Fault),
}

impl From<Fault> for Interruption {
    fn from(fault: Fault) -> Interruption {
        Interruption::Fault(fault)
    }
}

/// Where an accelerator's window goes. Called from the thread that called [`Accelerator::make_window`].
pub trait WindowTarget {
    /// Asked between pieces of work; may wait. False: stop.
    fn proceed(&self) -> bool;
    /// A buffer of this length for the next part of the last layer; waits for one. None: stop.
    fn take(&self, length: usize) -> Option<AlignedBuffer>;
    /// A finished part and its offset in the window.
    fn put(&self, offset: u64, buffer: AlignedBuffer);
    /// Who wants to see labels of every layer before the window's bytes are handed on, if anybody.
    fn examiner(&self) -> Option<&dyn Examiner> {
        None
    }
}

/// A device that makes windows and commitments beside the processor.
pub trait Accelerator: Send + Sync + fmt::Debug {
    /// Names the device in the same way at every start.
    fn id(&self) -> &str;

    /// Counts the times it was opened: what was computed belongs to the session in which it was asked for.
    fn session(&self) -> u64;

    /// How many windows of this shape it wants to make at once, so that one is read back while another is computed; or why it
    /// cannot make any.
    fn window_slots(&self, shape: WindowShape) -> Result<usize, String>;

    /// Makes one window. No byte of it goes to the target before samples of every layer were compared with the processor's.
    ///
    /// # Errors
    /// Stopped by the target, or a fault.
    fn make_window(
        &self,
        shape: WindowShape,
        window_key: &[u8; 32],
        target: &dyn WindowTarget,
    ) -> Result<MadeWindow, Interruption>;

    /// How many batches of how many blocks it wants to commit to at once, or why it cannot commit.
    fn commit_slots(&self) -> Result<CommitSlots, String>;

    /// Commitments to whole blocks of 16 KiB on the standard generators. They are **not** checked: the caller has to, all of them
    /// ([`crate::possession::check::gate`]), and to report with [`Accelerator::taint`] if they fail.
    ///
    /// # Errors
    /// A fault.
    fn commit(&self, blocks: &[&[u8]], blindings: &[Fr]) -> Result<Vec<G1Projective>, Fault>;

    /// Notes a fault that the caller found in what was computed in a session; if the device still is in it, it is not used as it is
    /// any more.
    fn taint(&self, session: u64, fault: Fault);

    /// Makes sure that the device is open: after a fault it waits until the device may be tried again and opens it anew, known
    /// answers included. Asks `proceed` while it waits. False if it is not to be used any more, or if `proceed` said so.
    fn recover(&self, proceed: &dyn Fn() -> bool) -> bool;

    /// A job takes no more windows from it: what it keeps ready for this job may go to others.
    fn release(&self) {}

    /// What it has done so far, and what went wrong.
    fn report(&self) -> AcceleratorReport;
}

/// The accelerators of a job, and what the processor does beside them.
#[derive(Clone, Debug, Default)]
pub struct Devices {
    /// All of them; none: the processor does everything.
    pub accelerators: Vec<Arc<dyn Accelerator>>,
    /// What the processor does.
    pub processor: ProcessorRole,
}

/// What the processor does in a job that has accelerators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessorRole {
    /// Its share of the work.
    #[default]
    Shares,
    /// Only what accelerators failed at, or all that is left once there is none any more.
    TakesOver,
}

/// How an accelerator wants commitments asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitSlots {
    /// Batches at once.
    pub batches: usize,
    /// Blocks of a batch.
    pub batch_blocks: usize,
}

/// What an accelerator did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AcceleratorReport {
    /// [`Accelerator::id`].
    pub id: String,
    /// What the driver calls it.
    pub name: String,
    /// Windows made and handed on.
    pub windows: u64,
    /// Blocks committed to.
    pub blocks: u64,
    /// Every fault, the oldest first: its kind and what it says.
    pub faults: Vec<FaultReport>,
    /// Why it is not used any more, if so.
    pub given_up_because: Option<String>,
}

/// One fault, for people and programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultReport {
    /// [`Fault::kind`].
    pub kind: &'static str,
    /// What it says.
    pub message: String,
}

impl From<&Fault> for FaultReport {
    fn from(fault: &Fault) -> FaultReport {
        FaultReport { kind: fault.kind(), message: fault.to_string() }
    }
}
