use super::WindowState;
use crate::format::FormatError;
use crate::io::IoError;

/// Why something could not be done with a partition file.
#[derive(Debug, thiserror::Error)]
pub enum PartitionFileError {
    /// The medium below failed.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The bytes are not a partition file that this code can use.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Closed, or a write or sync failed earlier.
    #[error("the partition file is closed (on purpose, or by a failed write): open it again")]
    Closed,
    /// Opened for reading.
    #[error("the partition file was opened for reading only")]
    ReadOnly,
    /// `create` on a file that has bytes.
    #[error("will not create a partition over {found_bytes} bytes that exist: remove the file first")]
    NotEmpty {
        /// Length of the file.
        found_bytes: u64,
    },
    /// The index is not below the number of windows.
    #[error("there is no window {index}: the partition has {windows}")]
    NoSuchWindow {
        /// The window asked for.
        index: u64,
        /// Windows of the partition.
        windows: u64,
    },
    /// The window's state forbids it.
    #[error("window {index} is {found}: cannot {action} it")]
    WrongState {
        /// The window.
        index: u64,
        /// Its state.
        found: WindowState,
        /// What was to be done.
        action: &'static str,
    },
    /// Twice in one call.
    #[error("window {index} stands twice in one call")]
    Twice {
        /// The window.
        index: u64,
    },
    /// A record of zeros, or another number of layer roots than the registration has layers.
    #[error("window {index}: the record must not be zero and must have {layers} layer roots, not {found}")]
    BadSeal {
        /// The window.
        index: u64,
        /// Layers of the registration.
        layers: u8,
        /// Layer roots given.
        found: usize,
    },
    /// More windows than registered.
    #[error(
        "{requested} windows are above the registered cap of {window_cap}: register another partition for more"
    )]
    AboveCap {
        /// Windows asked for.
        requested: u64,
        /// The registration's cap.
        window_cap: u64,
    },
}
