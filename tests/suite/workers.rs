//! Workers over real sockets: fills of real files whose windows other processes and connections make, lose, delay and falsify.
//!
//! | file | what it shows |
//! | --- | --- |
//! | `workers/filling.rs` | windows of workers are the processor's, bounded in number and memory; workers come, go and come back |
//! | `workers/lost.rs` | what a worker does not finish goes back: left, silent, slow, failing, killed with `kill -9` |
//! | `workers/lies.rs` | what a worker falsifies is found and named, and the worker is dismissed |

#[path = "workers/filling.rs"]
mod filling;
#[path = "workers/lies.rs"]
mod lies;
#[path = "workers/lost.rs"]
mod lost;
#[path = "../../engine/tests/support/partition.rs"]
mod partition;
#[path = "workers/scene.rs"]
mod scene;
