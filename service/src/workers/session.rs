//! One slot of a worker: a call of `Engine.Work` from the offer to its end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use holdfast_engine::accelerator::Fault;
use holdfast_engine::rejection::{Class, Rejection};
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::event::{Event, Offer, Step};
use super::exchange::Exchange;
use crate::proto::{WorkOrder, WorkTerms, WorkerEvent};
use crate::wire::status;

/// Steps that were read from the stream and that nobody has taken.
pub(super) const STEPS_WAITING: usize = 2;
/// Messages that wait for the worker to read them. It gets the next one only after an answer, so that few ever wait.
const ORDERS_WAITING: usize = 8;
/// Steps of orders that were withdrawn, in a row: those that were on the way are fewer.
const STRAY_STEPS_MAXIMUM: u32 = 1 << 16;

/// What goes to a worker.
pub type Orders = ReceiverStream<Result<WorkOrder, Status>>;

/// Serves one call of `Engine.Work`: registers the slot that is offered and passes on what the worker says until either side ends
/// it. Nothing is read from the stream while nobody takes what was read.
///
/// # Errors
/// The offer is refused: it is none, its worker was dismissed, or there are too many.
pub async fn work(
    exchange: &Arc<Exchange>,
    mut events: impl Stream<Item = Result<WorkerEvent, Status>> + Send + Unpin + 'static,
) -> Result<Orders, Status> {
    let settings = exchange.settings().clone();
    let first = tokio::time::timeout(settings.silence(), events.next()).await;
    let first = first.map_err(|_| Status::deadline_exceeded("no offer came"))?;
    let first = first.ok_or_else(|| Status::invalid_argument("the stream ended before an offer came"))??;
    let offer = Offer::read(first).map_err(|refused| status::of_rejection(&refused))?;
    let (orders, outgoing) = mpsc::channel(ORDERS_WAITING);
    let terms = WorkTerms { ping_ms: settings.ping_ms, lease_ms: settings.lease_ms };
    // The channel is new and has room.
    let _ = orders.try_send(Ok(WorkOrder { terms: Some(terms), ..WorkOrder::default() }));
    let inlet = exchange.register(offer, &orders)?;
    let exchange = Arc::clone(exchange);
    tokio::spawn(async move {
        let ending = inlet.pass_on(events, settings.silence()).await;
        let link = &inlet.link;
        let ending = link.end(ending);
        exchange.remove(link);
        // A worker that reads nothing is not told.
        let _ = orders.try_send(Err(ending.status()));
    });
    Ok(ReceiverStream::new(outgoing))
}

/// Why a slot is gone.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// The worker closed the call.
    Left,
    /// The connection broke.
    Broken(String),
    /// It said nothing for so long.
    Silent(Duration),
    /// It took longer than so long for a step.
    Late(Duration),
    /// It does not read what it is sent.
    Deaf,
    /// It says that it cannot carry an order out. It comes back when it can.
    Failed(String),
    /// It sent what is wrong, here or in another slot.
    Dismissed(Rejection),
    /// The exchange ends.
    Closed,
}

impl Ending {
    fn status(&self) -> Status {
        let refusal = |code, message: String, reason| {
            status::refusal(code, message, reason, "connect again; the window is made by somebody else")
        };
        match self {
            Ending::Left | Ending::Broken(_) => Status::cancelled("the worker left"),
            Ending::Silent(limit) => {
                refusal(Code::DeadlineExceeded, format!("nothing was heard for {limit:?}"), "silent")
            }
            Ending::Late(limit) => {
                refusal(Code::DeadlineExceeded, format!("a step took longer than {limit:?}"), "lease-ended")
            }
            Ending::Deaf => refusal(Code::ResourceExhausted, "orders are not read".to_owned(), "deaf"),
            Ending::Failed(_) => Status::cancelled("the worker failed, as it said"),
            Ending::Dismissed(rejection) => status::of_rejection(rejection),
            Ending::Closed => Status::unavailable("the engine ends"),
        }
    }

    /// As the fill sees it whose window it was.
    pub(super) fn fault(&self, worker: &str) -> Fault {
        let lost = |why: &str| Fault::Lost { why: format!("worker {worker} {why}") };
        match self {
            Ending::Left => lost("left"),
            Ending::Broken(why) => lost(&format!("is not connected any more: {why}")),
            Ending::Silent(limit) => lost(&format!("said nothing for {limit:?}")),
            Ending::Late(limit) => Fault::TimedOut { seconds: limit.as_secs_f64() },
            Ending::Deaf => lost("does not read its orders"),
            Ending::Failed(message) => lost(&format!("failed: {message}")),
            Ending::Dismissed(rejection) => {
                Fault::Wrong { what: format!("a window of worker {worker} ({rejection})") }
            }
            Ending::Closed => lost("was sent away: the engine ends"),
        }
    }
}

/// What both ends of a slot know of it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) number: u64,
    pub(super) offer: Offer,
    /// The order under way; 0 for none.
    order: AtomicU64,
    closing: CancellationToken,
    ended: OnceLock<Ending>,
}

impl Link {
    pub(super) fn new(number: u64, offer: Offer, closing: CancellationToken) -> Link {
        Link { number, offer, order: AtomicU64::new(0), closing, ended: OnceLock::new() }
    }

    /// Steps of this order are passed on from now on, and of no other one.
    pub(super) fn set_order(&self, order: u64) {
        self.order.store(order, Ordering::Relaxed);
    }

    /// Ends the slot for this reason, unless it had another one before; returns the reason that counts.
    pub(super) fn end(&self, ending: Ending) -> Ending {
        let ending = self.ended.get_or_init(|| ending).clone();
        self.closing.cancel();
        ending
    }

    pub(super) fn ending(&self) -> Option<&Ending> {
        self.ended.get()
    }
}

/// A slot as whoever uses it holds it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) link: Arc<Link>,
    pub(super) orders: mpsc::Sender<Result<WorkOrder, Status>>,
    pub(super) steps: Receiver<Step>,
    /// Room for steps; whoever takes one makes room for another.
    pub(super) room: Arc<Semaphore>,
}

/// The end of a slot at which the worker's steps come in.
pub(super) struct Inlet {
    pub(super) link: Arc<Link>,
    pub(super) steps: SyncSender<Step>,
    pub(super) room: Arc<Semaphore>,
}

impl Inlet {
    /// Passes steps on until the slot ends. The worker's silence is measured only while it is listened to.
    async fn pass_on(
        &self,
        mut events: impl Stream<Item = Result<WorkerEvent, Status>> + Unpin,
        silence: Duration,
    ) -> Ending {
        let closed = || self.link.ending().cloned().unwrap_or(Ending::Closed);
        let mut strays = 0;
        loop {
            let event = tokio::select! {
                () = self.link.closing.cancelled() => return closed(),
                event = tokio::time::timeout(silence, events.next()) => event,
            };
            let event = match event {
                Err(_) => return Ending::Silent(silence),
                Ok(None) => return Ending::Left,
                Ok(Some(Err(status))) => return Ending::Broken(status.message().to_owned()),
                Ok(Some(Ok(event))) => event,
            };
            let step = match Event::read(event) {
                Ok(Event::Ping) => continue,
                Ok(Event::Step(step)) => step,
                Err(refused) => return Ending::Dismissed(refused),
            };
            if step.order != self.link.order.load(Ordering::Relaxed) {
                strays += 1;
                if strays > STRAY_STEPS_MAXIMUM {
                    return Ending::Dismissed(Class::Malformed.because("steps of orders that there are not"));
                }
                continue;
            }
            strays = 0;
            tokio::select! {
                () = self.link.closing.cancelled() => return closed(),
                room = self.room.acquire() => match room {
                    Ok(permit) => permit.forget(),
                    Err(_) => return Ending::Closed,
                },
            }
            if self.steps.try_send(step).is_err() {
                return closed();
            }
        }
    }
}
