//! One connection of one slot: offer, orders, pings.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use holdfast_engine::accelerator::Interruption;
use holdfast_engine::registration::WindowShape;
use holdfast_engine::space::window::MadeWindow;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

use super::Slot;
use super::outlet::Outlet;
use crate::connect::Stage;
use crate::proto::engine_client::EngineClient;
use crate::proto::{
    LayerQuestion, WindowOrder, WorkOrder, WorkTerms, WorkerEvent, WorkerFailure, WorkerOffer, WorkerPing,
};
use crate::wire::status;

/// Events that wait for the network, of 1 MiB at most but for answers.
const EVENTS_WAITING: usize = 2;
/// Questions that wait for the maker: there is never more than one.
const QUESTIONS_WAITING: usize = 1;
/// How long a worker that failed waits for the engine to read that.
const FAREWELL: Duration = Duration::from_secs(5);
/// Pings are sent no more often, whatever the engine says.
const PING_LEAST: Duration = Duration::from_millis(5);

/// Why a connection ended.
#[derive(Debug)]
pub(super) enum Lost {
    /// It may come back.
    Broken(String),
    /// The engine does not want this worker.
    Refused { message: String, class: Option<&'static str> },
}

impl From<Status> for Lost {
    fn from(status: Status) -> Lost {
        let message = status.message().to_owned();
        match status.code() {
            Code::PermissionDenied | Code::InvalidArgument | Code::Unauthenticated | Code::Unimplemented => {
                Lost::Refused { message, class: status::class_of(&status).map(|class| class.name()) }
            }
            code => {
                let advice = status::advice_of(&status).map_or(String::new(), |advice| format!("; {advice}"));
                Lost::Broken(format!("{code:?}: {message}{advice}"))
            }
        }
    }
}

impl Slot {
    /// What became of a call: the engine ended it, or the connection broke, with what to do about that.
    fn lost(&self, status: Status, stage: Stage) -> Lost {
        Lost::from(self.worker.connector.explain(self.worker.engine.uri(), status, stage))
    }
}

/// What an engine said that it may not say.
fn nonsense(what: impl Into<String>) -> Lost {
    Lost::Broken(format!("the engine said {}", what.into()))
}

/// A connection that has its terms.
pub(super) struct Connection<'s> {
    slot: &'s Slot,
    /// As offered.
    window_bytes_maximum: u64,
    events: mpsc::Sender<WorkerEvent>,
    orders: Streaming<WorkOrder>,
    ping: Interval,
    making: Option<Making>,
    /// Came while the one before, withdrawn, had not ended yet.
    next: Option<WindowOrder>,
}

/// A window under way.
struct Making {
    order: u64,
    window_bytes: u64,
    withdrawn: CancellationToken,
    /// Dropped when the order is withdrawn.
    questions: Option<mpsc::Sender<LayerQuestion>>,
    made: JoinHandle<Result<MadeWindow, Interruption>>,
}

impl Making {
    fn withdraw(&mut self) {
        self.withdrawn.cancel();
        self.questions = None;
    }
}

impl<'s> Connection<'s> {
    /// Connects, offers the slot and carries orders out until the worker is told to stop.
    pub(super) async fn serve(slot: &'s Slot, window_bytes_maximum: u64) -> Result<(), Lost> {
        let stop = slot.stop.clone();
        let mut connection = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            opened = Connection::open(slot, window_bytes_maximum) => opened?,
        };
        let served = connection.carry_out_orders().await;
        // Nothing is sent any more, so whoever still makes a window notices.
        let Connection { events, orders, making, .. } = connection;
        drop((events, orders));
        if let Some(mut making) = making {
            making.withdraw();
            slot.counters.unfinished.fetch_add(1, Ordering::Relaxed);
            let _ = making.made.await;
        }
        served
    }

    async fn open(slot: &'s Slot, window_bytes_maximum: u64) -> Result<Connection<'s>, Lost> {
        let lost = |status| slot.lost(status, Stage::Fresh);
        let channel = slot.worker.engine.connect().await;
        let channel = channel.map_err(|error| lost(Status::from_error(error.into())))?;
        let (events, outgoing) = mpsc::channel(EVENTS_WAITING);
        let offer = WorkerOffer {
            name: slot.worker.name.clone(),
            device: slot.maker.id().to_owned(),
            window_bytes_maximum,
        };
        // The channel is new and has room.
        let _ = events.try_send(WorkerEvent { offer: Some(offer), ..WorkerEvent::default() });
        let opened = EngineClient::new(channel).work(ReceiverStream::new(outgoing)).await;
        let mut orders = opened.map_err(lost)?.into_inner();
        let first = orders.message().await.map_err(lost)?.and_then(|order| order.terms);
        let WorkTerms { ping_ms, .. } = first.ok_or_else(|| nonsense("something before its terms"))?;
        let mut ping = tokio::time::interval(Duration::from_millis(ping_ms.into()).max(PING_LEAST));
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tracing::info!(
            slot = slot.number,
            device = slot.maker.id(),
            "this worker is at the engine's disposal"
        );
        Ok(Connection { slot, window_bytes_maximum, events, orders, ping, making: None, next: None })
    }

    async fn carry_out_orders(&mut self) -> Result<(), Lost> {
        let stop = self.slot.stop.clone();
        loop {
            let made = async {
                match &mut self.making {
                    Some(making) => (&mut making.made).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                order = self.orders.message() => {
                    let ended = || Lost::Broken("the engine ended the call".to_owned());
                    let order = order.map_err(|status| self.slot.lost(status, Stage::Answered))?;
                    self.take(order.ok_or_else(ended)?)?;
                }
                // If events wait to be sent the engine hears from us as soon as it listens.
                _ = self.ping.tick() => drop(self.events.try_send(WorkerEvent {
                    ping: Some(WorkerPing {}),
                    ..WorkerEvent::default()
                })),
                made = made => {
                    let made = made.map_err(|error| Lost::Broken(format!("making a window: {error}")));
                    self.ended(made?).await?;
                }
            }
        }
    }

    fn take(&mut self, message: WorkOrder) -> Result<(), Lost> {
        let WorkOrder { terms: _, window, question, withdrawal } = message;
        if let Some(withdrawal) = withdrawal {
            self.next.take_if(|next| next.order == withdrawal.order);
            let making = self.making.as_mut().filter(|making| making.order == withdrawal.order);
            making.into_iter().for_each(Making::withdraw);
        }
        if let Some(question) = question
            && let Some(making) = self.making.as_ref().filter(|making| making.order == question.order)
            && let Some(questions) = &making.questions
        {
            questions.try_send(question).map_err(|_| nonsense("a second question about one layer"))?;
        }
        match window {
            Some(window) if self.making.is_none() => self.begin(&window),
            Some(window) => {
                let second = self.next.replace(window);
                second.map_or(Ok(()), |second| Err(nonsense(format!("order {} too early", second.order))))
            }
            None => Ok(()),
        }
    }

    /// Has a thread make a window.
    fn begin(&mut self, window: &WindowOrder) -> Result<(), Lost> {
        let order = window.order;
        let key =
            <[u8; 32]>::try_from(&*window.window_key).map_err(|_| nonsense("a key of another length"))?;
        let number = |value: u32| u8::try_from(value).unwrap_or(0);
        let shape = WindowShape::new(number(window.log2_labels), number(window.layers))
            .map_err(|refused| nonsense(refused.to_string()))?;
        if shape.bytes() > self.window_bytes_maximum {
            return Err(nonsense(format!("to make a window of {} bytes", shape.bytes())));
        }
        let (questions, asked) = mpsc::channel(QUESTIONS_WAITING);
        let withdrawn = CancellationToken::new();
        let outlet = Outlet {
            order,
            events: self.events.clone(),
            questions: RefCell::new(asked),
            withdrawn: withdrawn.clone(),
            runtime: Handle::current(),
        };
        let maker = Arc::clone(&self.slot.maker);
        let made = tokio::task::spawn_blocking(move || maker.make_window(shape, &key, &outlet));
        let window_bytes = shape.bytes();
        self.making = Some(Making { order, window_bytes, withdrawn, questions: Some(questions), made });
        Ok(())
    }

    /// The maker has ended.
    async fn ended(&mut self, made: Result<MadeWindow, Interruption>) -> Result<(), Lost> {
        let Some(making) = self.making.take() else { return Ok(()) };
        let counters = &self.slot.counters;
        match made {
            Ok(_) if !making.withdrawn.is_cancelled() => {
                counters.windows.fetch_add(1, Ordering::Relaxed);
                counters.bytes.fetch_add(making.window_bytes, Ordering::Relaxed);
            }
            Ok(_) | Err(Interruption::Stopped) => {
                counters.unfinished.fetch_add(1, Ordering::Relaxed);
                if !making.withdrawn.is_cancelled() {
                    return Err(Lost::Broken("no memory, or a question that cannot be answered".to_owned()));
                }
            }
            Err(Interruption::Fault(fault)) => {
                counters.unfinished.fetch_add(1, Ordering::Relaxed);
                let failure = WorkerFailure { order: making.order, message: fault.to_string() };
                // The device rests or is given up, so the engine ends the call once it has read that.
                let _ = tokio::time::timeout(FAREWELL, async {
                    let failure = WorkerEvent { failure: Some(failure), ..WorkerEvent::default() };
                    let _ = self.events.send(failure).await;
                    while let Ok(Some(_)) = self.orders.message().await {}
                })
                .await;
                return Err(Lost::Broken(format!("{}: {fault}", self.slot.maker.id())));
            }
        }
        self.next.take().map_or(Ok(()), |next| self.begin(&next))
    }
}
