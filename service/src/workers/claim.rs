//! A slot in use: one window after another, from the order to the last byte.

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use holdfast_engine::accelerator::{Fault, Interruption, WindowTarget};
use holdfast_engine::registration::WindowShape;
use holdfast_engine::rejection::Rejection;
use holdfast_engine::space::window::MadeWindow;

use super::check::WindowCheck;
use super::event::Progress;
use super::exchange::Exchange;
use super::report::Outcome;
use super::session::{Ending, Session};
use crate::proto::{LayerQuestion, OrderWithdrawal, WindowOrder, WorkOrder};

/// How often the fill is asked whether it goes on while the worker computes.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// A slot that is one fill's until it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    exchange: Arc<Exchange>,
    /// Gone only while it is dropped.
    session: Option<Session>,
}

/// Why a window did not come.
enum Undone {
    /// The fill wants no more.
    Stopped,
    /// The slot is gone.
    Ended(Ending),
    /// What came is wrong.
    Rejected(Rejection),
    /// This machine's fault.
    Ours(Fault),
}

impl From<Rejection> for Undone {
    fn from(rejection: Rejection) -> Undone {
        Undone::Rejected(rejection)
    }
}

impl Claim {
    /// A free slot for windows of so many bytes, if there is one.
    pub(super) fn take(exchange: &Arc<Exchange>, window_bytes: u64) -> Option<Claim> {
        let session = exchange.claim(window_bytes)?;
        Some(Claim { exchange: Arc::clone(exchange), session: Some(session) })
    }

    /// The slot's number, as long as it has not ended.
    pub(super) fn slot(&self) -> Option<u64> {
        self.session
            .as_ref()
            .map(|session| &session.link)
            .filter(|link| link.ending().is_none())
            .map(|link| link.number)
    }

    /// Has one window made.
    pub(super) fn make(
        &self,
        shape: WindowShape,
        window_key: &[u8; 32],
        target: &dyn WindowTarget,
    ) -> Result<MadeWindow, Interruption> {
        // A fill that was cancelled claims one slot after another before it is asked whether it goes on. Orders that are taken back at
        // once would fill the worker's queue, and one that is only busy would count as one that does not read.
        let Some(session) = self.session.as_ref().filter(|_| target.proceed()) else {
            return Err(Interruption::Stopped);
        };
        let order = self.exchange.next_order();
        session.link.set_order(order);
        let carried = Order { exchange: &self.exchange, session, order, target }.carry_out(shape, window_key);
        session.link.set_order(0);
        let worker = &session.link.offer.name;
        let (outcome, made) = match carried {
            Ok(made) => (Outcome::Delivered { bytes: shape.bytes() }, Ok(made)),
            Err(Undone::Stopped) => {
                session.withdraw(order);
                (Outcome::Withdrawn, Err(Interruption::Stopped))
            }
            Err(Undone::Ended(ending)) => {
                let ending = session.link.end(ending);
                (Outcome::Lost, Err(ending.fault(worker).into()))
            }
            Err(Undone::Rejected(rejection)) => {
                self.exchange.dismiss(worker, &rejection);
                let ending = session.link.end(Ending::Dismissed(rejection));
                (Outcome::Lost, Err(ending.fault(worker).into()))
            }
            Err(Undone::Ours(fault)) => {
                session.withdraw(order);
                (Outcome::Withdrawn, Err(fault.into()))
            }
        };
        self.exchange.count(worker, outcome);
        made
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.exchange.release(session);
        }
    }
}

impl Session {
    fn send(&self, order: WorkOrder) -> Result<(), Undone> {
        use tokio::sync::mpsc::error::TrySendError;
        self.orders.try_send(Ok(order)).map_err(|refused| {
            Undone::Ended(match refused {
                TrySendError::Full(_) => Ending::Deaf,
                TrySendError::Closed(_) => Ending::Left,
            })
        })
    }

    /// Tells the worker that an order is not wanted any more.
    fn withdraw(&self, order: u64) {
        let withdrawal = Some(OrderWithdrawal { order });
        if let Err(Undone::Ended(ending)) = self.send(WorkOrder { withdrawal, ..WorkOrder::default() }) {
            self.link.end(ending);
        }
    }
}

/// One order under way.
struct Order<'o> {
    exchange: &'o Exchange,
    session: &'o Session,
    order: u64,
    target: &'o dyn WindowTarget,
}

impl Order<'_> {
    fn carry_out(&self, shape: WindowShape, window_key: &[u8; 32]) -> Result<MadeWindow, Undone> {
        let labels = self.exchange.settings().labels_per_layer;
        let mut check = WindowCheck::new(shape, window_key, labels).map_err(Undone::Ours)?;
        let window = WindowOrder {
            order: self.order,
            log2_labels: shape.log2_labels().into(),
            layers: shape.layers().into(),
            window_key: window_key.to_vec().into(),
        };
        self.session.send(WorkOrder { window: Some(window), ..WorkOrder::default() })?;
        while !check.is_complete() {
            match self.next_step()? {
                Progress::Layer { number, root } => {
                    let question = LayerQuestion {
                        order: self.order,
                        layer: number,
                        nodes: check.layer(number, &root)?,
                    };
                    self.session.send(WorkOrder { question: Some(question), ..WorkOrder::default() })?;
                }
                Progress::Answer { number, openings } => {
                    check.answer(self.exchange.backend(), number, &openings)?;
                }
                Progress::Part { offset_bytes, bytes } => {
                    check.part(offset_bytes, &bytes)?;
                    let mut buffer = self.target.take(bytes.len()).ok_or(Undone::Stopped)?;
                    buffer.copy_from_slice(&bytes);
                    self.target.put(offset_bytes, buffer);
                }
                Progress::Failure { message } => return Err(Undone::Ended(Ending::Failed(message))),
            }
        }
        Ok(check.finish()?)
    }

    /// The worker's next step. Only waiting for it counts for its lease: not the disk, and not a fill that is paused.
    fn next_step(&self) -> Result<Progress, Undone> {
        let lease = self.exchange.settings().lease();
        let mut waited = Duration::ZERO;
        loop {
            if !self.target.proceed() {
                return Err(Undone::Stopped);
            }
            let began = Instant::now();
            match self.session.steps.recv_timeout(LOOK) {
                Ok(step) => {
                    self.session.room.add_permits(1);
                    // What is left of an order before this one.
                    if step.order == self.order {
                        return Ok(step.what);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    waited += began.elapsed();
                    if waited >= lease {
                        return Err(Undone::Ended(Ending::Late(lease)));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let ending = self.session.link.ending().cloned();
                    return Err(Undone::Ended(ending.unwrap_or(Ending::Left)));
                }
            }
        }
    }
}
