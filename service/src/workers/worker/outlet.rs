//! Where a window goes that is made for an engine: its layers, answers and parts become events.

use std::cell::RefCell;

use bytes::Bytes;
use holdfast_engine::accelerator::WindowTarget;
use holdfast_engine::space::seal::Examiner;
use holdfast_partition::io::AlignedBuffer;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::proto::{LayerQuestion, Part, WorkerAnswer, WorkerEvent, WorkerLayer, WorkerPart};

/// The way of one order's window to the engine. All of it waits, on the thread that makes the window.
pub(super) struct Outlet {
    pub(super) order: u64,
    pub(super) events: mpsc::Sender<WorkerEvent>,
    /// Closed when the order is withdrawn.
    pub(super) questions: RefCell<mpsc::Receiver<LayerQuestion>>,
    pub(super) withdrawn: CancellationToken,
    pub(super) runtime: Handle,
}

impl Outlet {
    /// Hands an event over; waits while the engine takes none.
    fn say(&self, event: WorkerEvent) {
        let said = self.runtime.block_on(async {
            tokio::select! {
                () = self.withdrawn.cancelled() => false,
                sent = self.events.send(event) => sent.is_ok(),
            }
        });
        if !said {
            self.withdrawn.cancel();
        }
    }
}

impl WindowTarget for Outlet {
    fn proceed(&self) -> bool {
        !self.withdrawn.is_cancelled() && !self.events.is_closed()
    }

    fn take(&self, length: usize) -> Option<AlignedBuffer> {
        self.proceed().then(|| AlignedBuffer::zeroed(length).ok()).flatten()
    }

    fn put(&self, offset: u64, buffer: AlignedBuffer) {
        let part = Part { offset_bytes: offset, bytes: Bytes::copy_from_slice(&buffer) };
        let part = WorkerPart { order: self.order, part: Some(part) };
        self.say(WorkerEvent { part: Some(part), ..WorkerEvent::default() });
    }

    fn examiner(&self) -> Option<&dyn Examiner> {
        Some(self)
    }
}

impl Examiner for Outlet {
    fn ask(&self, number: u32, root: &[u8; 32]) -> Option<Vec<u32>> {
        let layer = WorkerLayer { order: self.order, layer: number, root: root.to_vec().into() };
        self.say(WorkerEvent { layer: Some(layer), ..WorkerEvent::default() });
        let question = self.questions.borrow_mut().blocking_recv()?;
        (question.layer == number).then_some(question.nodes)
    }

    fn show(&self, number: u32, answer: Vec<u8>) {
        let answer = WorkerAnswer { order: self.order, layer: number, openings: answer.into() };
        self.say(WorkerEvent { answer: Some(answer), ..WorkerEvent::default() });
    }
}
