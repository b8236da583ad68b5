//! Networks of real processes on the loopback, with kills and faults between them: nothing acknowledged is lost, chains of receipts go on
//! and never fork, and who is cut off is late and not a fraud.
//!
//! - `kills`: `kill -9` of miner, validator and owner in the middle of what they do
//! - `audits`: whole audits by commands, one of which is stopped, and of a miner that is
//! - `faults`: connections that are cut, held up, slow, damaged or played again
//! - `reflection`: services as tools find them that know none of our files
//! - `tls`: an owner's commands where everybody speaks TLS
//! - `workers`: a miner whose windows other processes make, one of which is killed
//! - `python`: the client package against nodes that run
//!
//! - `network`: the processes (`owner`: commands of one who stores files; `rounds`: how its rounds ended; `certificates`: TLS); `proxy`: what stands between them; `process`: starting, killing, waiting

#[path = "processes/network.rs"]
mod network;
#[path = "pipe.rs"]
mod pipe;
#[path = "processes/process.rs"]
mod process;
#[path = "processes/proxy.rs"]
mod proxy;

#[path = "processes/audits.rs"]
mod audits;
#[path = "processes/faults.rs"]
mod faults;
#[path = "processes/kills.rs"]
mod kills;
#[path = "processes/python.rs"]
mod python;
#[path = "processes/reflection.rs"]
mod reflection;
#[path = "processes/tls.rs"]
mod tls;
#[path = "processes/workers.rs"]
mod workers;
