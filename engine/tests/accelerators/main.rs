//! Jobs shared with accelerators, by accelerators that are no devices: exact ones, failing ones, lying ones. What a real device
//! does stands in `gpu/`.
//!
//! | file | what it shows |
//! | --- | --- |
//! | `windows.rs` | fills end with the right bytes, whatever accelerators do |
//! | `commitments.rs` | no commitment of an accelerator counts that has not passed the store-time check |
//! | `examined.rs` | labels of windows made for somebody else are shown as they are asked for |

mod commitments;
mod examined;
#[path = "../support/examiner.rs"]
mod examiner;
#[path = "../support/partition.rs"]
mod partition;
mod windows;
