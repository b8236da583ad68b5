//! Workers: machines that make windows for the disks of another one, and the exchange that gives them orders.
//!
//! ```text
//! worker (the machine with the devices)            exchange (the machine with the disks)
//!   offer ──────────────────────────────────────────► a slot: idle ──claim──► fill
//!   ◄── window key ────────────────────────────────────────────────────────── order
//!   root of layer 1 ──────────────────────────────────► which labels are to be shown is drawn now
//!   ◄── question ──────────────────────────────────────
//!   openings of labels and their parents ─────────────► each is the function of its parents
//!   … layer by layer …
//!   the last layer in parts of 1 MiB ─────────────────► hashed; must come to the last root ─► disk
//! ```
//!
//! A worker connects out, so that it may stand behind NAT. To a fill the workers of an [`Exchange`] are accelerators
//! ([`Exchange::accelerators`]), beside the processor and the graphics processors of its machine: a window that a worker does not
//! finish goes back and is made by the processor.
//!
//! Who reaches the service may offer itself as a worker: callers are told apart by mutual TLS, or by being on this machine. What a
//! worker sends is not believed all the same ([`check`]). Decision 0022 has the reasons and the bound.

pub mod check;
mod claim;
mod event;
mod exchange;
mod remote;
mod report;
mod serve;
mod session;
mod settings;
pub mod worker;

pub use exchange::Exchange;
pub use report::{ExchangeReport, WorkerReport};
pub use serve::serve;
pub use session::{Orders, work};
pub use settings::{ExchangeSettings, ExchangeSettingsError};
