//! The network end to end, with one party that cheats: real servers on sockets of this machine, real files, a simulated chain.
//!
//! - `audits`, `sybils`: miners that answer audits without what they should have (`reference`: FileTAO's attacks A1 to A9)
//! - `possession`: miners that answer audits of possession with points of their choice (A2, A3)
//! - `malformed`: replies of miners that no program of ours would send
//! - `receipts`: miners that do not sign, or sign twice
//! - `objects`: miners that lose, forge or never had what owners gave them; sizes that must not be lost
//! - `validators`: a validator that cheats miners, other validators and owners
//! - `links`: a miner and an owner that register commitments of bytes which nobody has to keep
//! - `wholes`: owners that ask for every byte, and others who would like miners to read for them
//! - `records`: for which record miners answer for tokens, whatever a validator told their owner
//! - `spending`: what owners spend tokens on, and what they are told of it
//! - `owners`: an owner that cheats a validator and miners

#[path = "network/scene.rs"]
mod scene;

#[path = "network/conduct.rs"]
mod conduct;
#[path = "network/disk.rs"]
mod disk;
#[path = "network/files.rs"]
mod files;
#[path = "network/pair.rs"]
mod pair;
#[path = "pipe.rs"]
mod pipe;
#[path = "network/server.rs"]
mod server;
#[path = "network/station.rs"]
mod station;
#[path = "network/tokens.rs"]
mod tokens;

#[path = "network/audits.rs"]
mod audits;
#[path = "network/links.rs"]
mod links;
#[path = "network/malformed.rs"]
mod malformed;
#[path = "network/objects.rs"]
mod objects;
#[path = "network/owners.rs"]
mod owners;
#[path = "network/possession.rs"]
mod possession;
#[path = "network/receipts.rs"]
mod receipts;
#[path = "network/records.rs"]
mod records;
#[path = "network/spending.rs"]
mod spending;
#[path = "network/sybils.rs"]
mod sybils;
#[path = "network/validators.rs"]
mod validators;
#[path = "network/wholes.rs"]
mod wholes;
